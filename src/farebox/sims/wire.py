"""One connection of the scripted upstream: bytes in and out, timed and counted. Refuses to know what is asked or answered."""

import asyncio
import contextlib
import socket
import struct
import time
from collections.abc import Awaitable, Callable
from typing import cast

from farebox.sims.http1 import BODY_BYTES_MAX, HEAD_BYTES_MAX, BadRequest, Head, Request, head, parse_head
from farebox.sims.journal import Line

FOREVER_S = 3600.0
# A reset destroys what the peer's kernel has not handed over yet, so the bytes before it get this long to be read.
SETTLE_S = 0.05
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class PeerGone(Exception):
    """The client closed its connection; whatever was being answered is pointless."""


class Connection(asyncio.Protocol):
    """Half-close counts as leaving: a client that stops reading or writing has given up on its answer."""

    def __init__(self, line: Line, serve: Callable[["Connection"], Awaitable[None]], *, time_scale: float) -> None:
        self.line = line
        self.deaf = False
        """True: go on after the client left, like a vendor that cannot cancel."""
        self._serve = serve
        self._time_scale = time_scale
        self._buffer = bytearray()
        self._arrived = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._gone = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Not checked with isinstance: uvloop's transports are no asyncio.Transport by inheritance.
        self._transport = cast("asyncio.Transport", transport)
        # A write is finished when the kernel has all of it: byte counts and cuts are then exact.
        if transport.get_extra_info("ssl_object") is None:
            # Under TLS the event loop never says "go on" again with a limit of nothing.
            self._transport.set_write_buffer_limits(high=0)
        self._task = asyncio.ensure_future(self._run())

    def data_received(self, data: bytes) -> None:
        self.line.bytes_received += len(data)
        self._buffer += data
        if len(self._buffer) > BODY_BYTES_MAX + HEAD_BYTES_MAX:
            self._transport.abort()
        self._arrived.set()

    def eof_received(self) -> bool:
        self._leave()
        # TLS knows no half-close; there the connection is gone at once.
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        self.line.closed_s = time.time()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def _leave(self) -> None:
        if self.line.peer_closed_s is None:
            self.line.peer_closed_s = time.time()
        self._gone.set()
        self._arrived.set()
        self._writable.set()

    async def _run(self) -> None:
        try:
            await self._serve(self)
        except BadRequest as problem:
            with contextlib.suppress(PeerGone):
                text = f"{problem}\n".encode("latin-1", "replace")
                await self.send(head(400, [("Content-Length", str(len(text))), ("Connection", "close")]) + text)
        except PeerGone:
            pass
        finally:
            self.close()

    # What the server and the faults call.

    @property
    def gone(self) -> bool:
        return self._gone.is_set()

    @property
    def closed(self) -> bool:
        return self._transport.is_closing()

    async def send(self, data: bytes) -> None:
        """Write all of `data` and wait until the kernel has taken it."""
        if self.gone:
            self.line.bytes_after_close += len(data)
            if not self.deaf:
                raise PeerGone
        if self.closed:
            if self.deaf:
                return
            raise PeerGone
        self.line.bytes_sent += len(data)
        self._transport.write(data)
        if not self._writable.is_set():
            await self._writable.wait()

    async def pause(self, seconds: float) -> None:
        """Wait, in simulated time; ends early with `PeerGone` when the client leaves."""
        if seconds <= 0:
            return
        if self.deaf:
            await asyncio.sleep(seconds / self._time_scale)
            return
        try:
            await asyncio.wait_for(self._gone.wait(), seconds / self._time_scale)
        except TimeoutError:
            return
        raise PeerGone

    async def hang(self) -> None:
        """Say nothing more until the client leaves."""
        await self.pause(FOREVER_S * self._time_scale)

    async def settle(self) -> None:
        """Real time for the peer to read what it was sent."""
        await asyncio.sleep(SETTLE_S)

    def close(self) -> None:
        """FIN, after what was written."""
        if not self._transport.is_closing():
            self._transport.close()

    async def reset(self) -> None:
        """RST, after the peer had time to read what was written."""
        await self.settle()
        sock = self._transport.get_extra_info("socket")
        if sock is not None and not self._transport.is_closing():
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def stop(self) -> None:
        """Abandon whatever is running; for the server's own end."""
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    # Reading requests.

    async def read_request(self) -> Request | None:
        """The next whole request, or None when the client is done."""
        raw = await self._until(b"\r\n\r\n")
        if raw is None:
            return None
        parsed = parse_head(raw)
        body = await self._body(parsed)
        if body is None:
            return None
        self.line.requests += 1
        return Request(parsed.method, parsed.target, parsed.version, parsed.headers, raw, body)

    async def _body(self, parsed: Head) -> bytes | None:
        if "100-continue" in parsed.headers.get("expect", "").lower():
            await self.send(CONTINUE)
        if not parsed.chunked:
            return await self._exactly(parsed.length)
        parts: list[bytes] = []
        while True:
            size_line = await self._until(b"\r\n")
            if size_line is None:
                return None
            try:
                size = int(size_line.partition(b";")[0], 16)
            except ValueError:
                raise BadRequest(f"chunk size {size_line[:40]!r}") from None
            if size == 0:
                break
            part = await self._exactly(size + 2)
            if part is None:
                return None
            parts.append(part[:-2])
        while (trailer := await self._until(b"\r\n")) not in (b"\r\n", None):
            pass
        return b"".join(parts) if trailer is not None else None

    async def _until(self, mark: bytes) -> bytes | None:
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > HEAD_BYTES_MAX:
                raise BadRequest("head too large")
            searched = max(0, len(self._buffer) - len(mark) + 1)
            if not await self._more():
                return None
        return self._take(at + len(mark))

    async def _exactly(self, size: int) -> bytes | None:
        while len(self._buffer) < size:
            if not await self._more():
                return None
        return self._take(size)

    async def _more(self) -> bool:
        """Wait for bytes; False if the client has left and none will come."""
        if self.gone:
            return False
        had = len(self._buffer)
        self._arrived.clear()
        await self._arrived.wait()
        return len(self._buffer) > had

    def _take(self, size: int) -> bytes:
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data
