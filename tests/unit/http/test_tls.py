"""TLS to vendors is verified and names are checked; the server side speaks it too. On the event loop that serves."""

import asyncio
import datetime
import ssl
from pathlib import Path

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from farebox.http.client import ClientLimits, Origin, Pool, Timeouts
from farebox.http.limits import Limits
from farebox.http.server import Reply, Request, Server
from farebox.http.tls import client_context, server_context
from farebox.ir.errors import TlsFailed
from unit.http.wires import describe

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def certificate(folder: Path, name: str, *, days: int = 1) -> tuple[Path, Path]:
    """A self-signed certificate that is its own authority, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - 10 * DAY)
        .not_valid_after(NOW + days * DAY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(built.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


async def echo(request: Request, reply: Reply) -> None:
    if request.path == "/stream":
        reply.start(200, b"")
        for _ in range(40):
            reply.write(b"x" * 50_000)
            await reply.drain()
        reply.end()
    else:
        reply.send(200, b"", request.body)


async def exchange(serve: ssl.SSLContext, trust: ssl.SSLContext) -> list[bytes]:
    server = Server(echo, limits=Limits(), error=describe, tls=serve)
    port = await server.start("127.0.0.1", 0)
    pool = Pool(limits=ClientLimits(), tls=trust)
    try:
        origin = Origin("https", "localhost", port)
        bodies = []
        for path, body in ((b"/a", b"hello"), (b"/b", b"z" * 1_000_000), (b"/stream", b"")):
            head = b"POST %s HTTP/1.1\r\nHost: localhost\r\n" % path
            response = await pool.send(origin, head, body, Timeouts())
            bodies.append(await response.read(1 << 22))
        assert pool.kept == 1
        return bodies
    finally:
        await pool.close()
        await server.drain(0)


def run(serve: ssl.SSLContext, trust: ssl.SSLContext) -> list[bytes]:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(exchange(serve, trust))


def test_a_trusted_certificate_with_the_right_name_is_spoken_to(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    assert run(server_context(cert, key), client_context(cert)) == [b"hello", b"z" * 1_000_000, b"x" * 2_000_000]


def test_untrusted_wrong_expired_and_old_are_refused(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "localhost")
    with pytest.raises(TlsFailed):
        run(server_context(cert, key), client_context())

    other, other_key = certificate(tmp_path, "other.example")
    with pytest.raises(TlsFailed):
        run(server_context(other, other_key), client_context(other))

    (tmp_path / "old").mkdir()
    expired, expired_key = certificate(tmp_path / "old", "localhost", days=-1)
    with pytest.raises(TlsFailed):
        run(server_context(expired, expired_key), client_context(expired))


def test_contexts_insist_on_verification_and_a_modern_protocol() -> None:
    context = client_context()
    assert context.verify_mode is ssl.CERT_REQUIRED and context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
