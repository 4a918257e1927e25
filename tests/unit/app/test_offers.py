"""Servers outside the catalogue: what their lists say, what the demonstration and the local model offer."""

import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from farebox.app import discovery, local_model, notice, offers
from farebox.app.serve import Wish, child_environ, choose
from farebox.settings import LocalSettings, Settings, SettingsError, load


def test_lists_of_models_are_read_in_every_known_spelling() -> None:
    body = b"""{"object":"list","data":[{"id":"a"},{"id":"b","max_model_len":4096},{"id":"c","meta":{"n_ctx":2048}},
        {"id":"nomic-embed-text","context_length":512,"owned_by":"x"}]}"""
    read = offers.read_listing(body)
    assert [(m.id, m.context_length, m.kind) for m in read] == [
        ("a", None, "chat"),
        ("b", 4096, "chat"),
        ("c", 2048, "chat"),
        ("nomic-embed-text", 512, "embedding"),
    ]
    with pytest.raises(msgspec.DecodeError):
        offers.read_listing(b"<html>")


def test_prices_of_other_servers_are_exact() -> None:
    environ = {"FAREBOX_HOME": "/nonexistent"}
    overrides = {
        "servers": [{"name": "lab", "base_url": "http://x/v1", "models": [{"id": "m", "input_usd": "0.0000015"}]}]
    }
    (offer,) = offers.others(load(None, environ, overrides))
    assert offer.models is not None
    # 0.0000015 USD per million tokens is 1.5 pico-USD a token, rounded up.
    assert offer.models[0].prices == {"input_fresh": 2, "output_text": 0}


def test_everything_of_the_demonstration_is_marked() -> None:
    made = offers.simulated("http://127.0.0.1:1")
    assert made
    for offer in made:
        assert offer.server.simulated
        assert offer.server.name.startswith("Simulated")
        assert offer.models
        assert all(model.name.startswith("Simulated") for model in offer.models)


def test_the_local_model_names_its_licence_and_costs_nothing() -> None:
    offer = offers.local("http://127.0.0.1:1", context_tokens=100_000, packaged=True)
    assert offer.models is not None
    (model,) = offer.models
    assert (model.licence, model.prices, model.context_length) == ("Apache-2.0", {}, local_model.CONTEXT_TRAINED)
    assert offers.local("http://127.0.0.1:1", context_tokens=1, packaged=False).models is None


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    seen: list[tuple[str, str | None]] = []
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}/base/v1"
        thread.join(10)
    assert seen[0][0] == "/base/v1/models"


def test_a_server_is_asked_for_its_models() -> None:
    with server(200, b'{"data":[{"id":"a"}]}') as url:
        assert [model.id for model in discovery.ask(url, "key")] == ["a"]


@pytest.mark.parametrize(("status", "body"), [(401, b"{}"), (200, b"[]"), (302, b""), (200, b'{"data":[{"id":1}]}')])
def test_a_server_that_gives_no_list_is_told(status: int, body: bytes) -> None:
    with server(status, body) as url, pytest.raises(discovery.NotAnswering):
        discovery.ask(url, None)


def test_nobody_there_is_told() -> None:
    with pytest.raises(discovery.NotAnswering, match="does not answer"):
        discovery.ask("http://127.0.0.1:1/v1", None)


NOTHING = Settings(local=LocalSettings(mode="off"))


def test_keys_in_the_environment_are_live() -> None:
    chosen = choose(NOTHING, {"OPENAI_API_KEY": "sk-x", "DEEPSEEK_API_KEY": "sk-y"}, demo=False)
    assert (chosen.kind, chosen.live) == ("vendors", ("deepseek", "openai"))


def test_with_nothing_live_the_way_on_is_told() -> None:
    chosen = choose(NOTHING, {}, demo=False)
    assert chosen.live == ()
    assert chosen.advice


def test_a_demonstration_ignores_and_withholds_real_keys() -> None:
    environ = {"OPENAI_API_KEY": "sk-x", "PATH": "/bin"}
    assert choose(NOTHING, environ, demo=True).kind == "demo"
    assert child_environ(environ, Wish(demo=True)) == {"PATH": "/bin"}
    wish = Wish(overrides={"server.port": 9, "local.mode": "off"})
    assert child_environ({}, wish) == {"FAREBOX_SERVER__PORT": "9", "FAREBOX_LOCAL__MODE": "off"}


def test_a_local_model_that_is_wanted_must_be_installed() -> None:
    if local_model.installed().complete:
        assert local_model.PROVIDER in choose(Settings(local=LocalSettings(mode="on")), {}, demo=False).live
    else:
        with pytest.raises(SettingsError, match="pip install"):
            choose(Settings(local=LocalSettings(mode="on")), {}, demo=False)


def test_the_notice_is_worth_copying() -> None:
    said = notice.ready(
        notice.Notice(
            url="http://127.0.0.1:8080",
            home="/h",
            owner_key=None,
            live=("deepseek",),
            models=2,
            example_model="a/b",
            advice=("do this",),
        )
    )
    assert "$FAREBOX_API_KEY" in said
    assert "farebox keys create" in said
    assert "deepseek  (2 models)" in said
    assert "do this" in said
