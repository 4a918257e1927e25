"""What the settings mean for a worker."""

from pathlib import Path

import pytest

from farebox.app.worker import config_of, control_of
from farebox.settings import GatewaySettings, ServerSettings, Settings, SettingsError


def test_a_worker_is_told_what_the_settings_say() -> None:
    settings = Settings(
        home=Path("/h"),
        server=ServerSettings(hosts=("a.example",)),
        gateway=GatewaySettings(idle_s=8, drain_s=100, time_scale=10, attempts=2, body_bytes=2048, proxy="http://p:1"),
    )
    config = config_of(settings, {"K": "v"}, name="w7", port=9, alone=False)
    assert (config.worker, config.port, config.attempts_max, config.proxy) == ("w7", 9, 2, "http://p:1")
    assert (config.timeouts.idle_s, config.drain_s, config.limits.body_bytes) == (0.8, 10, 2048)
    assert (config.spool_dir, config.front_socket) == (Path("/h/spool"), Path("/h/front.sock"))
    assert (config.hosts, config.environ) == (frozenset({"a.example"}), {"K": "v"})
    assert config_of(settings, {}, name="w7", port=9, alone=True).front_socket is None


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://c:1", ("http", "c", 1, "")),
        ("https://c", ("https", "c", 443, "")),
        ("https://[::1]:2/", ("https", "::1", 2, "")),
        ("unix:/h/link.sock", ("unix", "control", 0, "/h/link.sock")),
        ("unix:///h/link.sock", ("unix", "control", 0, "/h/link.sock")),
    ],
)
def test_the_address_of_control(url: str, wanted: tuple[str, str, int, str]) -> None:
    origin = control_of(url)
    assert (origin.scheme, origin.host, origin.port, origin.socket) == wanted


@pytest.mark.parametrize("url", ["c:1", "ftp://c", "http://u@c", "http://c/path", "http://c:port"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(SettingsError):
        control_of(url)
