"""F1-F4: addresses that fail before a request can be sent, each in its own way."""

import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from farebox.sims.testing import Upstream, running
from unit.sims.raw import parts, read, request


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with running(time_scale=1000) as ready:
        yield ready


def address(upstream: Upstream, name: str) -> tuple[str, int]:
    url = urlsplit(upstream.listeners()[name])
    return str(url.hostname), int(url.port or 0)


def test_f2_f3_do_not_connect(upstream: Upstream) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address(upstream, "f2-refused"), timeout=5)
    with pytest.raises(TimeoutError):
        socket.create_connection(address(upstream, "f3-blackhole"), timeout=0.5)
    with socket.create_connection(address(upstream, "f3-mute"), timeout=5) as sock:
        sock.sendall(request(""))
        assert read(sock, idle_s=0.2) == (b"", "idle")


def handshake(upstream: Upstream, name: str) -> None:
    trust = ssl.create_default_context(cafile=upstream.listeners()["ca_file"])
    host, port = address(upstream, name)
    with (
        socket.create_connection((host, port), timeout=0.5) as plain,
        trust.wrap_socket(plain, server_hostname=host) as safe,
    ):
        safe.sendall(request(""))
        assert parts(read(safe)[0])[0] == 200


def test_f4_good_is_good(upstream: Upstream) -> None:
    handshake(upstream, "f4-good")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("expired", "certificate has expired"),
        ("wrong-name", "IP address mismatch"),
        ("unknown-ca", "unable to get local issuer"),
        ("self-signed", "self-signed certificate"),
        ("alert", "alert handshake failure|ALERT_HANDSHAKE_FAILURE"),
        ("old-protocol", "(?i)unsupported.protocol|wrong.version"),
        ("plain", "(?i)wrong.version"),
        ("cut", "(?i)eof|record"),
        ("mute", "timed out"),
    ],
)
def test_f4_fails_as_it_says(upstream: Upstream, name: str, reason: str) -> None:
    with pytest.raises(OSError, match=reason):
        handshake(upstream, f"f4-{name}")
