"""Owns the proof that a request goes to the described origin with its credential, and that a secret shows nowhere else."""

import pickle

import msgspec
import pytest

from farebox.vendors.check import check
from farebox.vendors.connect import NotLive, connect, must_connect, origin_of
from farebox.vendors.registry import load_builtin
from farebox.vendors.secrets import SECRET_BYTES_MAX, BadSecret, Secret, from_environ
from farebox.vendors.types import Auth, Variable, Vendor

SECRET = "canary-5f2c91"


def vendor(**changes: object) -> Vendor:
    made = Vendor(
        slug="x",
        name="X",
        provider="x",
        dialect="openai_chat",
        base_url="https://api.x.example/v1",
        auth=Auth(secret="X_KEY"),
    )
    return msgspec.structs.replace(made, **changes)


def test_the_head_is_complete_but_for_the_length() -> None:
    connection = must_connect(vendor(headers={"X-Version": "2"}), {"X_KEY": f" {SECRET}\n"})
    assert connection.head("/chat/completions") == (
        b"POST /v1/chat/completions HTTP/1.1\r\n"
        b"Host: api.x.example\r\n"
        b"User-Agent: Farebox/0.1\r\n"
        b"Content-Type: application/json\r\n"
        b"Accept: application/json, text/event-stream\r\n"
        b"Accept-Encoding: identity\r\n"
        b"X-Version: 2\r\n"
        b"Authorization: Bearer canary-5f2c91\r\n"
    )
    assert connection.head("/chat/completions") is connection.head("/chat/completions")
    assert connection.head("/models", "GET").startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert connection.target("m") is connection.target("m")


@pytest.mark.parametrize("path", ["chat", "/a b", "/a\r\nX: y", "/é", "//\n"])
def test_a_path_cannot_smuggle_a_line(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        must_connect(vendor(), {"X_KEY": SECRET}).head(path)


@pytest.mark.parametrize(
    ("auth", "line"),
    [
        (Auth(scheme="header", secret="X_KEY", header="x-api-key"), b"x-api-key: canary-5f2c91\r\n"),
        (Auth(scheme="header", secret="X_KEY", prefix="Token "), b"Authorization: Token canary-5f2c91\r\n"),
        (Auth(scheme="basic", secret="X_KEY"), b"Authorization: Basic Y2FuYXJ5LTVmMmM5MQ==\r\n"),
        (Auth(secret="OTHER", also=("X_KEY",)), b"Authorization: Bearer canary-5f2c91\r\n"),
    ],
)
def test_each_scheme_has_its_header(auth: Auth, line: bytes) -> None:
    assert must_connect(vendor(auth=auth), {"X_KEY": SECRET}).head("/x").endswith(line)


def test_the_port_is_named_only_where_it_is_unusual() -> None:
    local = must_connect(vendor(base_url="http://[::1]:8000/v1/"), {"X_KEY": SECRET})
    assert b"Host: [::1]:8000\r\n" in local.head("/x")
    assert local.head("/x").startswith(b"POST /v1/x ")
    assert (local.origin.scheme, local.origin.host, local.origin.port) == ("http", "::1", 8000)


@pytest.mark.parametrize("environ", [{}, {"X_KEY": ""}, {"X_KEY": "  \n"}, {"Y_KEY": "z"}])
def test_without_a_credential_a_vendor_is_not_live(environ: dict[str, str]) -> None:
    assert connect(vendor(), environ) is None
    with pytest.raises(NotLive, match="set X_KEY"):
        must_connect(vendor(), environ)


def test_an_optional_credential_may_be_missing() -> None:
    found = connect(vendor(auth=Auth(secret="X_KEY", optional=True)), {})
    assert found is not None
    assert b"Authorization" not in found.head("/x")


@pytest.mark.parametrize("value", ["a\r\nHost: evil", "a\nb", "schlüssel", "a\x00b", "k" * (SECRET_BYTES_MAX + 1)])
def test_a_credential_that_no_header_can_hold_is_refused_without_showing_it(value: str) -> None:
    with pytest.raises(BadSecret) as caught:
        Secret(value, "X_KEY")
    assert "X_KEY" in str(caught.value)
    assert value[:6] not in str(caught.value)
    assert connect(vendor(), {"X_KEY": value}) is None


def test_placeholders_are_filled_from_the_environment_or_their_default() -> None:
    there = vendor(base_url="https://{region}.x.example", variables={"region": Variable(env="X_REGION", default="eu")})
    assert must_connect(there, {"X_KEY": SECRET}).origin.host == "eu.x.example"
    assert must_connect(there, {"X_KEY": SECRET, "X_REGION": "us"}).origin.host == "us.x.example"
    needed = vendor(base_url="https://{host}/v1", variables={"host": Variable(env="X_HOST")})
    assert must_connect(needed, {"X_KEY": SECRET, "X_HOST": "https://me.x.example/"}).origin.host == "me.x.example"
    with pytest.raises(NotLive, match="set X_HOST"):
        must_connect(needed, {"X_KEY": SECRET})


@pytest.mark.parametrize("value", ["evil.example/", "a@evil", "a?b", "a#b", "a b", "a\r\nb", "x/../y"])
def test_a_placeholder_cannot_move_the_secret_to_another_host(value: str) -> None:
    there = vendor(base_url="https://{region}.x.example", variables={"region": Variable(env="X_REGION")})
    try:
        host = must_connect(there, {"X_KEY": SECRET, "X_REGION": value}).origin.host
    except NotLive:
        return
    assert host.endswith(".x.example")


def test_schemes_that_need_code_are_not_live_yet() -> None:
    with pytest.raises(NotLive, match="oci_signature"):
        must_connect(vendor(auth=Auth(scheme="oci_signature", secret="X_KEY")), {"X_KEY": SECRET})


@pytest.mark.parametrize(
    "url", ["", "x.example", "https://", "https://a b/", "https://a/?q=1", "https://a:b@c", "gopher://x"]
)
def test_what_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"base URL|Port"):
        origin_of(url)


def test_a_secret_shows_nowhere() -> None:
    secret = from_environ({"X_KEY": SECRET}, ("X_KEY",))
    assert secret is not None
    connection = must_connect(vendor(), {"X_KEY": SECRET})
    report = check(vendor(), {"X_KEY": SECRET})
    shown = [repr(secret), str(secret), f"{secret}", repr(connection), repr(connection.target("m")), repr(report)]
    assert not [text for text in shown if SECRET in text]
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_check_says_what_holds_and_what_is_missing() -> None:
    dead = check(vendor(), {})
    assert (dead.live, dead.problem) == (False, "set X_KEY")
    live = check(vendor(drop=("seed",)), {"X_KEY": SECRET})
    assert (live.live, live.problem) == (True, "")
    assert dict(live.lines)["origin"] == "https://api.x.example:443"
    assert dict(live.lines)["drop"] == "seed"


def test_every_builtin_vendor_with_a_usable_scheme_connects_once_its_variables_are_set() -> None:
    for slug, described in load_builtin().items():
        if described.auth.scheme not in ("bearer", "header"):
            continue
        environ = {described.auth.secret or "": SECRET}
        environ |= {variable.env: "place" for variable in described.variables.values()}
        connection = must_connect(described, environ)
        assert SECRET.encode() in connection.head("/chat/completions"), slug
