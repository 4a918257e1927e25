"""Addresses that fail before a request can be sent (F1–F4). Refuses to answer requests: what gets through is served honestly."""

import asyncio
import contextlib
import errno
import shutil
import socket
import ssl
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

from farebox.sims import tls
from farebox.sims.wire import Connection

FILLERS = 4


class _Mute(asyncio.Protocol):
    """Takes a connection and says `first` (or nothing); closes if told so."""

    def __init__(self, first: bytes, *, close: bool) -> None:
        self._first, self._close = first, close

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self._first:
            self._transport.write(self._first)
            self._first = b""
        if self._close:
            self._transport.close()


class Listeners:
    """Opens them all; `addresses` maps `f4-expired` to a base URL, and `ca_file` to the authority to trust."""

    def __init__(self, connection: Callable[[str], Connection]) -> None:
        self._connection = connection
        self._servers: list[asyncio.Server] = []
        self._sockets: list[socket.socket] = []
        self._folder: Path | None = None
        self.addresses: dict[str, str] = {}

    async def start(self, host: str) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="farebox-sims-"))
        self.addresses["f1-nxdomain"] = "http://nowhere.invalid/v1"
        self._refused(host)
        self._blackhole(host)
        await self._plain("f3-mute", host, first=b"", scheme="http")
        trusted, stranger = tls.authority("farebox sims"), tls.authority("a stranger")
        ca_file = self._folder / "ca.pem"
        ca_file.write_bytes(trusted.pem)
        self.addresses["ca_file"] = str(ca_file)
        contexts = {
            "f4-good": tls.context(self._folder, host, signer=trusted),
            "f4-expired": tls.context(self._folder, host, signer=trusted, age_days=730),
            "f4-wrong-name": tls.context(self._folder, "elsewhere.example", signer=trusted),
            "f4-unknown-ca": tls.context(self._folder, host, signer=stranger),
            "f4-self-signed": tls.context(self._folder, host, signer=None),
        }
        for name, context in contexts.items():
            await self._secure(name, host, context=context)
        await self._plain("f4-alert", host, first=tls.ALERT, close=True)
        await self._plain("f4-old-protocol", host, first=tls.OLD_HELLO)
        await self._plain("f4-plain", host, first=b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", close=True)
        await self._plain("f4-cut", host, first=b"\x16\x03\x03\x00\x7a\x02\x00\x00", close=True)
        await self._plain("f4-mute", host, first=b"")

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for sock in self._sockets:
            sock.close()
        self._servers.clear()
        self._sockets.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _refused(self, host: str) -> None:
        """Bound, so that nobody else takes the port, but not listening."""
        sock = self._socket(host)
        sock.bind((host, 0))
        self.addresses["f2-refused"] = f"http://{host}:{sock.getsockname()[1]}/v1"

    def _blackhole(self, host: str) -> None:
        """Fill the queue of a listener that never accepts; the kernel then drops further SYNs."""
        sock = self._socket(host)
        sock.bind((host, 0))
        sock.listen(0)
        for _ in range(FILLERS):
            filler = self._socket(host)
            filler.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                if filler.connect_ex(sock.getsockname()) not in (0, errno.EINPROGRESS):
                    break
        self.addresses["f3-blackhole"] = f"http://{host}:{sock.getsockname()[1]}/v1"

    def _socket(self, host: str) -> socket.socket:
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        self._sockets.append(sock)
        return sock

    async def _plain(self, name: str, host: str, *, first: bytes, close: bool = False, scheme: str = "https") -> None:
        server = await asyncio.get_running_loop().create_server(lambda: _Mute(first, close=close), host, 0)
        self._open(name, server, scheme=scheme, host=host)

    async def _secure(self, name: str, host: str, *, context: ssl.SSLContext) -> None:
        server = await asyncio.get_running_loop().create_server(lambda: self._connection(name), host, 0, ssl=context)
        self._open(name, server, scheme="https", host=host)

    def _open(self, name: str, server: asyncio.Server, *, scheme: str, host: str) -> None:
        self._servers.append(server)
        self.addresses[name] = f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}/v1"
