"""Owns how one answer is written to a client; refuses to read anything, and never writes after the client has gone."""

import asyncio
from typing import Protocol

from farebox.http.messages import status_line
from farebox.http.outbox import Outbox
from farebox.ir.errors import FareboxError

JOIN_BYTES = 65_536
"""Up to this size head and body go out as one copy in one write."""

BODILESS = frozenset((204, 304))


class StatusLines:
    """Status lines with the Date header behind them, rebuilt when the second changes."""

    __slots__ = ("_date", "_lines")

    def __init__(self) -> None:
        self._date = b""
        self._lines: dict[int, bytes] = {}

    def set_date(self, text: str) -> None:
        date = b"Date: %s\r\n" % text.encode("ascii")
        if date != self._date:
            self._date = date
            self._lines.clear()

    def line(self, status: int) -> bytes:
        line = self._lines.get(status)
        if line is None:
            line = self._lines[status] = status_line(status) + self._date
        return line


class Wire(Protocol):
    """What a reply needs of the connection that it answers on."""

    transport: asyncio.Transport
    outbox: Outbox
    lines: StatusLines
    write_paused: bool

    def closes_after(self) -> bool: ...
    def answered(self, *, close: bool) -> None: ...
    def wrote(self, size: int) -> None: ...
    async def writable(self) -> None: ...
    def describe(self, error: FareboxError) -> tuple[bytes, bytes]: ...
    def abort(self) -> None: ...


class Reply:
    """The answer to one request: either `send`, or `start`, `write`…, `end`.

    `gone` is true once the client has disconnected; everything written after that is silently dropped. `paused` is
    true while the client is slower than the answer: await `drain` before writing more.
    """

    __slots__ = ("_chunked", "_close", "_head", "_keep", "_silent", "_version", "_wire", "finished", "gone", "paused")

    def __init__(self, wire: Wire, *, keep: bool, silent: bool, version: str) -> None:
        self._wire = wire
        self._keep = keep
        self._silent = silent
        self._version = version
        self._close = False
        self._head: bytes | None = None
        self._chunked = False
        self.finished = False
        self.gone = False
        self.paused = wire.write_paused

    @property
    def started(self) -> bool:
        """True once `send` or `start` was called: the status can no longer be changed."""
        return self._head is not None

    def send(self, status: int, headers: bytes, body: bytes) -> None:
        """The whole answer at once; Content-Length is added."""
        if self.gone or self.finished:
            return
        wire = self._wire
        if status in BODILESS:
            head = b"%s%s%s\r\n" % (wire.lines.line(status), headers, self._connection())
            body = b""
        else:
            head = b"%s%s%sContent-Length: %d\r\n\r\n" % (
                wire.lines.line(status),
                headers,
                self._connection(),
                len(body),
            )
        if self._silent:
            body = b""
        self._head = b""
        if len(body) <= JOIN_BYTES:
            self._put(head + body)
        else:
            wire.outbox.flush()
            wire.transport.write(head)
            wire.transport.write(body)
        if self.paused:
            wire.wrote(len(head) + len(body))
        self.finished = True
        wire.answered(close=self._close)

    def start(self, status: int, headers: bytes) -> None:
        """Begin an answer of unknown length; the head waits for the first piece."""
        if self._version == "1.0":
            self._keep = False
            framing = b""
        else:
            self._chunked = True
            framing = b"Transfer-Encoding: chunked\r\n"
        self._head = b"%s%s%s%s\r\n" % (self._wire.lines.line(status), headers, framing, self._connection())

    def write(self, data: bytes) -> None:
        """One piece of the body in one transport write; nothing for an empty piece."""
        if not data or self.gone or self.finished:
            return
        if self._silent:
            return
        head = self._head
        out = b"%s%x\r\n%s\r\n" % (head, len(data), data) if self._chunked else b"%s%s" % (head, data)
        self._head = b""
        self._put(out)
        if self.paused:
            self._wire.wrote(len(out))

    def end(self, data: bytes = b"") -> None:
        """The last piece and the end of the answer in one transport write."""
        if self.gone or self.finished:
            return
        head = self._head
        if self._silent:
            out = head or b""
        elif not self._chunked:
            out = b"%s%s" % (head, data)
        elif data:
            out = b"%s%x\r\n%s\r\n0\r\n\r\n" % (head, len(data), data)
        else:
            out = b"%s0\r\n\r\n" % head
        self._head = b""
        self.finished = True
        self._put(out)
        if self.paused:
            self._wire.wrote(len(out))
        self._wire.answered(close=self._close)

    async def drain(self) -> None:
        """Wait until the client has taken enough of what was written."""
        if self.paused and not self.gone:
            await self._wire.writable()

    def fail(self, error: FareboxError) -> None:
        """Answer with the error's own shape if nothing was sent yet; otherwise cut the connection, never end cleanly."""
        if self.gone or self.finished:
            return
        if self.started:
            self._wire.abort()
            return
        headers, body = self._wire.describe(error)
        self.send(error.status, headers, body)

    def _put(self, data: bytes) -> None:
        """To the kernel with the other writes of this pass; at once where the connection is to be closed behind it."""
        wire = self._wire
        if self._close:
            wire.outbox.flush()
            wire.transport.write(data)
        else:
            wire.outbox.put(wire.transport, data)

    def _connection(self) -> bytes:
        if not self._keep or self._wire.closes_after():
            self._close = True
            return b"Connection: close\r\n"
        return b"Connection: keep-alive\r\n" if self._version == "1.0" else b""
