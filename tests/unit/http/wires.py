"""Fake transports and small raw-socket helpers for the tests of the edge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from farebox.http.limits import Limits
from farebox.http.parsing import Board
from farebox.http.server import Handler, Reply, Request, Server
from farebox.http.serving import ClientConnection
from farebox.ir.errors import FareboxError


def describe(error: FareboxError) -> tuple[bytes, bytes]:
    return b"Content-Type: text/plain\r\n", error.code.encode()


class FakeTransport:
    """Keeps what was written; the test decides how fast the other side takes it."""

    def __init__(self) -> None:
        self.out = b""
        self.buffered = 0
        self.closed = self.aborted = self.eof = self.paused = False

    def write(self, data: bytes) -> None:
        if not self.closed:
            self.out += data

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        self.limits = (high, low)

    def get_extra_info(self, name: str) -> object:
        return ("192.0.2.7", 4711) if name == "peername" else None

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return self.closed

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.eof = True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Talk:
    """One connection to a server whose handler echoes what it understood."""

    def __init__(
        self, *, handler: Handler | None = None, limits: Limits | None = None, hosts: frozenset[str] | None = None
    ) -> None:
        self.requests: list[Request] = []
        self.board = Board(handler or self.echo, limits=limits or Limits(), describe=describe, hosts=hosts)
        self.transport = FakeTransport()
        self.connection = ClientConnection(self.board)
        self.connection.connection_made(self.transport)  # type: ignore[arg-type]

    async def echo(self, request: Request, reply: Reply) -> None:
        self.requests.append(request)
        reply.send(200, b"", f"{request.method} {request.path} ".encode() + request.body)

    async def say(self, *pieces: bytes) -> bytes:
        """Feed pieces one by one, let the handlers run, and return what came back for them."""
        start = len(self.transport.out)
        for piece in pieces:
            self.connection.data_received(piece)
            await settle()
        return self.transport.out[start:]


async def settle() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until the condition holds; a test that waits in vain hits the suite's own limit."""
    while not condition():  # noqa: ASYNC110 - what is tested has no event to wait for
        await asyncio.sleep(0)


def status(answer: bytes) -> int:
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


@contextlib.asynccontextmanager
async def serving(handler: Handler, *, limits: Limits | None = None) -> AsyncIterator[tuple[Server, int]]:
    server = Server(handler, limits=limits or Limits(), error=describe)
    port = await server.start("127.0.0.1", 0)
    try:
        yield server, port
    finally:
        await server.drain(0.0)


Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def vendor(script: Script) -> AsyncIterator[int]:
    """A raw vendor on loopback: the script is run for every connection."""
    writers: list[asyncio.StreamWriter] = []

    async def run(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await script(reader, writer)

    server = await asyncio.start_server(run, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await settle()
        await server.wait_closed()


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of one request with Content-Length."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line[15:])
    return head, await reader.readexactly(length)
