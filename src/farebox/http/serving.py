"""Owns one client connection: bytes in, complete requests out, in order; refuses whatever is framed doubtfully."""

import asyncio
import math
from collections import deque

import httptools

from farebox.http.framing import Refused, refused
from farebox.http.messages import Request
from farebox.http.parsing import BODY, HEAD, IDLE, Board, RequestParser
from farebox.http.reply import Reply
from farebox.ir.errors import FareboxError, InvariantBroken, RequestTimeout

SLICE_BYTES = 16_384
"""A head is fed to the parser in slices of this size, so that no more than a limit and a slice is ever buffered."""

BODY_SLICE_BYTES = 65_536


class ClientConnection(RequestParser, asyncio.Protocol):
    """The server side of one connection. At most one request is being answered at a time."""

    __slots__ = (
        "_blocked",
        "_deaf",
        "_keep",
        "_pending",
        "_reply",
        "_stash",
        "_task",
        "_waiter",
        "backlog",
        "lines",
        "lingering",
        "outbox",
        "stalled_at",
        "transport",
        "write_paused",
    )

    transport: asyncio.Transport

    def __init__(self, board: Board) -> None:
        super().__init__(board)
        self.lines = board.lines
        self.outbox = board.outbox
        self.lingering = False
        self.write_paused = False
        self.backlog = 0
        self.stalled_at = 0.0
        self._reply: Reply | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pending: deque[tuple[Request, bool, str] | Refused] | None = None
        self._stash: bytearray | None = None
        self._blocked = False
        self._deaf = False
        self._keep = True

    # --- the transport's side -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        board = self.board
        limits = board.limits
        self.transport.set_write_buffer_limits(limits.write_high_bytes, limits.write_low_bytes)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) else ""
        self.deadline = board.loop.time() + limits.header_s
        if len(board.connections) >= limits.connections or board.draining:
            self.transport.abort()
            return
        board.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        board = self.board
        board.connections.discard(self)
        if board.emptied is not None and not board.connections:
            board.emptied.set()
        self._deaf = True
        self._pending = self._stash = None
        reply = self._reply
        if reply is not None:
            self._reply = None
            reply.gone = True
            if self._task is not None:
                self._task.cancel()
        self._task = None
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.cancel()

    def eof_received(self) -> bool:
        """A client that stops sending has gone: a half-closed connection looks just like a closed one."""
        return False

    def pause_writing(self) -> None:
        self.write_paused = True
        self.stalled_at = self.board.loop.time()
        self.backlog = self.transport.get_write_buffer_size()
        if self._reply is not None:
            self._reply.paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        if self._reply is not None:
            self._reply.paused = False
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def data_received(self, data: bytes) -> None:
        if self._deaf or self._reply is not None:
            self._hold(data)
        elif self.state == BODY or self._seen + len(data) > SLICE_BYTES:
            self._feed_sliced(data)
        else:
            was = self.state
            self._seen += len(data)
            self._feed(data)
            if was == IDLE and self.state == IDLE and not self._occupied():
                self.state = HEAD
                self.deadline = self.board.loop.time() + self.board.limits.header_s

    # --- feeding the parser ---------------------------------------------------------------------------------------

    def _feed(self, data: bytes | memoryview) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # An upgrade is never taken; what follows is not HTTP for sure, so this request is the last one.
            self._keep = False
            self._deaf = True
        except httptools.HttpParserError as error:
            self._malformed(error)

    def _feed_sliced(self, data: bytes) -> None:
        """Large or late input: in slices, so that each limit is looked at before more is buffered."""
        view = memoryview(data)
        offset = 0
        limits = self.board.limits
        while offset < len(view):
            if self._deaf:
                return
            if self._reply is not None:
                self._hold(bytes(view[offset:]))
                return
            size = BODY_SLICE_BYTES if self.state == BODY else SLICE_BYTES
            piece = view[offset : offset + size]
            offset += size
            before, was = len(self._body), self.state
            self._seen += len(piece)
            self._feed(piece)
            if self._occupied():
                continue
            if self.state == BODY:
                self._quiet = self._quiet + len(piece) if len(self._body) == before else 0
                self.deadline = self.board.loop.time() + limits.body_idle_s
                if self._quiet > limits.header_bytes:
                    self._refuse(refused(431, "Trailers or chunk extensions are too long.", "head_too_large"))
            else:
                if was == IDLE:
                    self.state = HEAD
                    self.deadline = self.board.loop.time() + limits.header_s
                if self._seen > limits.header_bytes + limits.request_line_bytes:
                    self._refuse(refused(431, "The request's head is larger than allowed.", "head_too_large"))

    def _occupied(self) -> bool:
        return self._deaf or self._reply is not None

    def _hold(self, data: bytes) -> None:
        """Input that comes while an answer is under way waits unparsed; reading pauses when it is much."""
        if self.lingering:
            self._seen += len(data)
            if self._seen > self.board.limits.linger_bytes:
                self.transport.abort()
            return
        if self._deaf:
            return
        if self._stash is None:
            self._stash = bytearray()
        self._stash += data
        if len(self._stash) > self.board.limits.stash_bytes and not self._blocked:
            self._blocked = True
            self.transport.pause_reading()

    def _malformed(self, error: httptools.HttpParserError) -> None:
        verdict = self._refusal
        self._refusal = None
        if verdict is None:
            if isinstance(error, httptools.HttpParserCallbackError):
                cause = error.__context__
                self.board.loop.call_exception_handler(
                    {"message": "the edge failed on a request", "exception": cause or error, "protocol": self}
                )
            if not self._keep and self._reply is not None:
                self._deaf = True  # input after a request that was announced as the last one
                return
            status, message = 400, "The request is not valid HTTP/1.1."
            if isinstance(error, httptools.HttpParserInvalidMethodError):
                message = "The request's method is not known."
            verdict = refused(status, message, "bad_framing")
        if self._reply is None:
            self._refuse(verdict)
        else:
            self._deaf = True
            self._queue(verdict)

    # --- what the parser tells ------------------------------------------------------------------------------------

    def go_on(self) -> None:
        self.outbox.flush()
        self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def deliver(self, request: Request, keep: bool, version: str) -> None:
        if self._reply is None and not self._deaf:
            self._begin(request, keep, version)
        elif self._pending is not None and len(self._pending) >= self.board.limits.pipeline:
            self._deaf = True  # the rest of the pipeline is not answered; the last answer says that it closes
        else:
            self._queue((request, keep, version))

    def _queue(self, item: tuple[Request, bool, str] | Refused) -> None:
        if self._pending is None:
            self._pending = deque()
        self._pending.append(item)

    # --- answering ------------------------------------------------------------------------------------------------

    def _begin(self, request: Request, keep: bool, version: str) -> None:
        self._keep = keep
        self.deadline = math.inf
        reply = self._reply = Reply(self, keep=keep, silent=request.method == "HEAD", version=version)
        self._task = self.board.loop.create_task(self._run(request, reply))

    async def _run(self, request: Request, reply: Reply) -> None:
        try:
            await self.board.handler(request, reply)
        except FareboxError as error:
            reply.fail(error)
        finally:
            if not (reply.finished or reply.gone):
                reply.fail(InvariantBroken())

    def describe(self, error: FareboxError) -> tuple[bytes, bytes]:
        return self.board.describe(error)

    def closes_after(self) -> bool:
        return self.board.draining or (self._deaf and not self._pending)

    def answered(self, *, close: bool) -> None:
        """The answer is complete: go on with what waits, or be idle."""
        self._reply = None
        if close:
            self._finish()
            return
        board = self.board
        if self._pending or self._stash:
            board.loop.call_soon(self._next)
            return
        if self._deaf:
            self._finish()
            return
        now = board.loop.time()
        limits = board.limits
        if self.state == IDLE:
            self.deadline = now + limits.keep_alive_s
        else:
            self.deadline = now + (limits.header_s if self.state == HEAD else limits.body_idle_s)

    def _next(self) -> None:
        if self._reply is not None or self.transport.is_closing():
            return
        if self._pending:
            item = self._pending.popleft()
            if isinstance(item, Refused):
                self._refuse(item)
            else:
                self._begin(*item)
            return
        stash, self._stash = self._stash, None
        if self._blocked:
            self._blocked = False
            self.transport.resume_reading()
        if stash:
            self.data_received(bytes(stash))

    def _refuse(self, verdict: Refused) -> None:
        """Answer with the error, stop sending, and let the input run out for a moment so that the answer arrives."""
        self.outbox.flush()
        headers, body = self.board.describe(verdict.error)
        head = b"%s%sConnection: close\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (self.lines.line(verdict.status), headers, len(body)) + body)
        self._finish()

    def _finish(self) -> None:
        """No request will be read any more: end the sending side, swallow the rest of the input, then close."""
        self.outbox.flush()
        self._deaf = True
        self._pending = self._stash = None
        if self.lingering or self.transport.is_closing():
            return
        if self._blocked:
            self._blocked = False
            self.transport.resume_reading()
        self.lingering = True
        self._seen = 0
        self.deadline = self.board.loop.time() + self.board.limits.linger_s
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def wrote(self, size: int) -> None:
        """Bytes added to a stalled write buffer are not progress of the client."""
        self.backlog += size

    async def writable(self) -> None:
        waiter = self._waiter
        if waiter is None:
            waiter = self._waiter = self.board.loop.create_future()
        await asyncio.shield(waiter)

    def abort(self) -> None:
        self.transport.abort()

    # --- what the sweeper calls -----------------------------------------------------------------------------------

    def sweep(self, now: float) -> None:
        if self.write_paused:
            size = self.transport.get_write_buffer_size()
            if size < self.backlog:
                self.stalled_at = now
            self.backlog = size
            if now - self.stalled_at > self.board.limits.write_stall_s:
                self.transport.abort()
                return
        if self._reply is None and (now > self.deadline or (self.state == BODY and self._crawls(now))):
            self._expire()

    def _crawls(self, now: float) -> bool:
        limits = self.board.limits
        overtime = now - self._started - limits.body_idle_s
        return overtime > 0 and len(self._body) < overtime * limits.body_rate_min

    def _expire(self) -> None:
        if self.lingering or self.state == IDLE:
            if self.transport.get_write_buffer_size():
                self.transport.abort()
            else:
                self.transport.close()
        else:
            self._refuse(Refused(408, RequestTimeout()))

    @property
    def idle(self) -> bool:
        return self._reply is None and not self._pending and self.state == IDLE and not self._stash
