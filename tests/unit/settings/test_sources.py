"""Settings: which source wins, what is refused and how it is told, what stays hidden."""

import copy
import pickle
from decimal import Decimal
from pathlib import Path

import pytest

from farebox.settings import Secret, Settings, SettingsError, fields, load, resolve


def written(folder: Path, text: str) -> Path:
    path = folder / "farebox.toml"
    path.write_text(text)
    return path


def problems(path: Path | None, environ: dict[str, str], **overrides: object) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ, overrides)
    return caught.value.problems


def test_without_any_source_the_defaults_hold(tmp_path: Path) -> None:
    resolved = resolve(None, {"FAREBOX_HOME": str(tmp_path)})
    assert resolved.settings == Settings(home=tmp_path)
    assert resolved.file is None
    assert set(resolved.sources.values()) == {"default", "environment FAREBOX_HOME"}


def test_later_sources_win(tmp_path: Path) -> None:
    path = written(tmp_path, "[server]\nport = 1\nworkers = 1\nhost = '::1'\n")
    environ = {"FAREBOX_SERVER__PORT": "2", "FAREBOX_SERVER__WORKERS": "2"}
    resolved = resolve(path, environ, {"server.port": 3})
    server = resolved.settings.server
    assert (server.port, server.workers, server.host, server.tls_key) == (3, 2, "::1", None)
    assert [resolved.sources[f"server.{name}"] for name in ("port", "workers", "host", "tls_key")] == [
        "command line",
        "environment FAREBOX_SERVER__WORKERS",
        f"{path}:4",
        "default",
    ]


def test_the_file_in_the_home_is_found(tmp_path: Path) -> None:
    path = written(tmp_path, "ledger = { toll_bps = 0 }")
    assert resolve(None, {"FAREBOX_HOME": str(tmp_path)}).file == path
    assert load(None, {"FAREBOX_CONFIG": str(path)}).ledger.toll_bps == 0


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    assert "no such file" in problems(tmp_path / "none.toml", {})[0]


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "hom = 'x'\n\n[server]\nprot = 1\nport = 70000\n\n[gateway]\nattempts = 'three'\n")
    found = problems(path, {"FAREBOX_LEDGER__TOL_BPS": "5", "FAREBOX_SERVER__WORKERS": "many"})
    assert found == [
        "environment FAREBOX_LEDGER__TOL_BPS: there is no setting 'ledger.tol_bps'; did you mean 'ledger.toll_bps'?",
        f"{path}:1: the top level has no setting 'hom'; did you mean 'home'?",
        f"{path}:4: [server] has no setting 'prot'; did you mean 'port'?",
        f"{path}:5: server.port: Expected `int` <= 65535",
        "environment FAREBOX_SERVER__WORKERS: server.workers: Expected `int`, got `str`",
        f"{path}:8: gateway.attempts: Expected `int`, got `str`",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("server = 3", "server is a table"),
        ("[server", "farebox.toml"),
        ("[server]\nport = 1\nport = 2", "farebox.toml"),
        ("servers = ['http://x/v1']", "not of the form name=http://host:port/v1"),
        ("servers = ['Bad Name=http://x/v1']", "servers"),
        ("servers = ['a=ftp://x/v1']", "servers"),
        ("servers = [{ name = 'a', base_url = 'http://x', colour = 1 }]", "colour"),
        ("servers = ['a=http://x/v1', 'a=http://y/v1']", "'a' is there twice"),
        ("[server]\ntls_key = 'k.pem'", "go together"),
        ("[local]\nmode = 'maybe'", "local.mode"),
        ("[gateway]\nidle_s = 0", "gateway.idle_s"),
        ("[gateway]\nidle_s = inf", "gateway.idle_s"),
        ("[gateway]\nidle_s = nan", "gateway.idle_s"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in line for line in problems(written(tmp_path, text), {}))


def test_other_servers_have_a_short_and_a_long_spelling(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "servers = ['ollama=http://127.0.0.1:11434/v1/', { name = 'lab', base_url = 'https://lab.example/v1',"
        " secret = 'env:LAB_KEY', models = [{ id = 'm', input_usd = 0.15 }] }]",
    )
    first, second = load(path, {}).servers
    assert (first.name, first.base_url, first.models) == ("ollama", "http://127.0.0.1:11434/v1", ())
    assert second.models[0].input_usd == Decimal("0.15")
    environ = {"FAREBOX_SERVERS": "a=http://x/v1, b=http://y/v1"}
    assert [server.name for server in load(path, environ).servers] == ["a", "b"]


def test_secrets_are_revealed_only_on_request(tmp_path: Path) -> None:
    kept = tmp_path / "key"
    kept.write_text("from-file\n")
    path = written(
        tmp_path,
        f"servers = [{{ name = 'my-lab', base_url = 'http://x/v1', secret = 'literal-value' }}]\n"
        f"[secrets]\nA_KEY = 'file:{kept}'\nB_KEY = 'env:OTHER'\n",
    )
    settings = load(path, {})
    assert "literal-value" not in repr(settings)
    environ = {"OTHER": "from-env", "PATH": "/bin"}
    assert settings.vendor_environ(environ) == environ | {
        "A_KEY": "from-file",
        "B_KEY": "from-env",
        "SERVER_MY_LAB_KEY": "literal-value",
    }
    with pytest.raises(SettingsError, match="variable OTHER is not set"):
        settings.vendor_environ({})


@pytest.mark.parametrize("reference", ["file:/nonexistent/key", "env:NONE"])
def test_a_reference_to_nothing_is_told(reference: str) -> None:
    with pytest.raises(SettingsError, match=reference):
        Secret(reference).reveal({})


def test_a_secret_does_not_leak_by_accident() -> None:
    secret = Secret("hidden-value")
    assert [f"{secret}", repr(secret), secret.label] == ["Secret((hidden))", "Secret((hidden))", "(hidden)"]
    assert Secret("env:NAME").label == "env:NAME"
    for leak in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            leak(secret)


def test_every_setting_is_documented_and_reachable_by_the_environment() -> None:
    for field in fields():
        assert field.description.endswith((".", ". ", "`.")), field.key
        assert field.type, field.key
    names = {f"FAREBOX_{field.key.upper().replace('.', '__')}" for field in fields()}
    assert {"FAREBOX_HOME", "FAREBOX_GATEWAY__DRAIN_S", "FAREBOX_SERVERS"} <= names
