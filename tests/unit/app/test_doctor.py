"""The doctor finds what is wrong and says what to do."""

import socket
from pathlib import Path

from farebox.app.doctor import Finding, Verdict, examine


def findings(environ: dict[str, str], subject: str) -> list[Finding]:
    return [finding for finding in examine(None, environ) if finding.subject == subject]


def test_a_sound_house_has_nothing_to_mend(tmp_path: Path) -> None:
    found = examine(None, {"FAREBOX_HOME": str(tmp_path), "FAREBOX_SERVER__PORT": "0", "OPENAI_API_KEY": "sk-x"})
    assert [finding for finding in found if finding.verdict is Verdict.BAD] == []
    assert {"python", "packages", "settings", "home", "disk", "port", "tls", "vendor openai"} <= {
        f.subject for f in found
    }


def test_wrong_settings_are_told() -> None:
    (found,) = findings({"FAREBOX_SERVR__PORT": "1"}, "settings")
    assert found.verdict is Verdict.BAD
    assert "server.port" in found.what


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        environ = {"FAREBOX_HOME": str(tmp_path), "FAREBOX_SERVER__PORT": str(other.getsockname()[1])}
        other.settimeout(0)
        (found,) = findings(environ, "port")
    assert found.verdict is Verdict.BAD
    assert "--port" in found.remedy


def test_a_home_with_a_long_path_is_told(tmp_path: Path) -> None:
    (found,) = findings({"FAREBOX_HOME": str(tmp_path / ("x" * 100))}, "sockets")
    assert found.verdict is Verdict.BAD


def test_a_key_that_cannot_be_used_is_told_without_showing_it(tmp_path: Path) -> None:
    (found,) = findings({"FAREBOX_HOME": str(tmp_path), "OPENAI_API_KEY": "sk-\nsecret"}, "vendor openai")
    assert found.verdict is Verdict.NOTE
    assert "secret" not in found.remedy + found.what


def test_a_server_that_does_not_answer_is_told(tmp_path: Path) -> None:
    environ = {"FAREBOX_HOME": str(tmp_path), "FAREBOX_SERVERS": "mine=http://127.0.0.1:1/v1"}
    (found,) = findings(environ, "server mine")
    assert (found.verdict, found.what) == (Verdict.NOTE, "it does not answer (ConnectionRefusedError)")


def test_a_proxy_of_the_environment_is_not_used_silently(tmp_path: Path) -> None:
    environ = {"FAREBOX_HOME": str(tmp_path), "HTTPS_PROXY": "http://p:1"}
    (found,) = findings(environ, "proxy")
    assert "HTTPS_PROXY" in found.what
    assert findings(environ | {"FAREBOX_GATEWAY__PROXY": "http://p:1"}, "proxy") == []
