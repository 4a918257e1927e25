"""Owns one client connection: bytes in, complete requests out, in order; refuses whatever is framed doubtfully."""

import asyncio
import math
from collections import deque
from collections.abc import Awaitable, Callable

import httptools

from farebox.http.framing import METHODS, ONCE, Refused, check_body, host_name, refused, split_target, wants_continue
from farebox.http.limits import Limits
from farebox.http.messages import Request
from farebox.http.reply import Reply, StatusLines
from farebox.ir.errors import FareboxError, InvariantBroken, RequestTimeout

Handler = Callable[[Request, Reply], Awaitable[None]]
Describe = Callable[[FareboxError], tuple[bytes, bytes]]

SLICE_BYTES = 16_384
"""A head is fed to the parser in slices of this size, so that no more than a limit and a slice is ever buffered."""

BODY_SLICE_BYTES = 65_536
REMEMBERED = 256
IDLE, HEAD, BODY = 0, 1, 2


class Board:
    """What all connections of one server share."""

    __slots__ = (
        "connections",
        "describe",
        "draining",
        "emptied",
        "handler",
        "hosts",
        "known",
        "limits",
        "lines",
        "loop",
        "targets",
    )

    def __init__(self, handler: Handler, *, limits: Limits, describe: Describe, hosts: frozenset[str] | None) -> None:
        self.handler = handler
        self.limits = limits
        self.describe = describe
        self.hosts = hosts
        self.lines = StatusLines()
        self.connections: set[ClientConnection] = set()
        self.draining = False
        self.emptied: asyncio.Event | None = None
        self.loop = asyncio.get_running_loop()
        self.known: set[bytes] = set()
        self.targets: dict[bytes, tuple[bytes, str, bytes]] = {}

    def check_host(self, value: bytes | None) -> None:
        name = host_name(value)
        if self.hosts is not None and name not in self.hosts:
            raise refused(421, "This house does not answer for that host.", "wrong_host")
        if value is not None and len(self.known) < REMEMBERED:
            self.known.add(value)

    def split(self, target: bytes) -> tuple[bytes, str, bytes]:
        parts = split_target(target)
        if len(target) <= 128:
            if len(self.targets) >= REMEMBERED:
                self.targets.clear()
            self.targets[target] = parts
        return parts


class ClientConnection(asyncio.Protocol):
    """The server side of one connection. At most one request is being answered at a time."""

    __slots__ = (
        "_blocked",
        "_body",
        "_deaf",
        "_expected",
        "_headers",
        "_keep",
        "_lines_seen",
        "_method",
        "_parser",
        "_pending",
        "_quiet",
        "_received",
        "_refusal",
        "_reply",
        "_seen",
        "_started",
        "_stash",
        "_target",
        "_task",
        "_url",
        "_version",
        "_waiter",
        "backlog",
        "board",
        "deadline",
        "lines",
        "lingering",
        "peer",
        "stalled_at",
        "state",
        "transport",
        "write_paused",
    )

    transport: asyncio.Transport

    def __init__(self, board: Board) -> None:
        self.board = board
        self.lines = board.lines
        self.peer = ""
        self.state = IDLE
        self.deadline = math.inf
        self.lingering = False
        self.write_paused = False
        self.backlog = 0
        self.stalled_at = 0.0
        self._parser = httptools.HttpRequestParser(self)
        self._reply: Reply | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._pending: deque[tuple[Request, bool, str] | Refused] | None = None
        self._stash: bytearray | None = None
        self._refusal: Refused | None = None
        self._blocked = False
        self._deaf = False
        self._keep = True
        self._seen = 0
        self._quiet = 0
        self._fresh()

    def _fresh(self) -> None:
        """Ready for the head of the next request."""
        self.state = IDLE
        self._headers: dict[bytes, bytes] = {}
        self._lines_seen = 0
        self._url = b""
        self._body: bytes | bytearray = b""
        self._seen = 0

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

    # --- the parser's callbacks -----------------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._url += url
        if len(self._url) > self.board.limits.request_line_bytes:
            self._stop(refused(414, "The request target is longer than allowed.", "target_too_long"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.state == BODY:
            return  # trailers carry nothing that the house would act on
        name = name.lower()
        headers = self._headers
        if name in headers:
            self._repeated(name, value)
        else:
            headers[name] = value

    def _repeated(self, name: bytes, value: bytes) -> None:
        self._lines_seen += 1
        if name in ONCE:
            self._stop(refused(400, f"The header {name.decode('latin-1')} is repeated.", "repeated_header"))
        if self._lines_seen > self.board.limits.header_lines:
            self._stop(refused(431, "The request has too many header lines.", "head_too_large"))
        self._headers[name] += (b"; " if name == b"cookie" else b", ") + value

    def _stop(self, verdict: Refused) -> None:
        self._refusal = verdict
        raise verdict

    def on_headers_complete(self) -> None:
        try:
            self._check_head()
        except Refused as verdict:
            self._refusal = verdict
            raise

    def _check_head(self) -> None:
        board, headers, parser = self.board, self._headers, self._parser
        limits = board.limits
        version = self._version = parser.get_http_version()
        if version not in {"1.1", "1.0"}:
            raise refused(505, "The house speaks HTTP/1.1.", "bad_version")
        method = METHODS.get(parser.get_method())
        if method is None:
            raise refused(405, "This method is not served.", "bad_method")
        self._method = method
        if len(headers) + self._lines_seen > limits.header_lines:
            raise refused(431, "The request has too many header lines.", "head_too_large")
        if self._seen > limits.header_bytes and head_bytes(headers) > limits.header_bytes:
            raise refused(431, "The request's head is larger than allowed.", "head_too_large")
        host = headers.get(b"host")
        if host not in board.known and (host is not None or version == "1.1" or board.hosts is not None):
            board.check_host(host)
        if self._url == b"*":
            raise refused(405, "'*' is not served.", "bad_target")
        self._target = board.targets.get(self._url) or board.split(self._url)
        self._expected = check_body(headers, version, limits.body_bytes)
        if b"expect" in headers and wants_continue(headers) and version == "1.1" and self._expected:
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.state = BODY
        self._quiet = 0
        now = self._started = board.loop.time()
        self.deadline = now + limits.body_idle_s

    def on_body(self, data: bytes) -> None:
        body = self._body
        if not body:
            self._body = data
        elif isinstance(body, bytearray):
            body += data
        else:
            self._body = bytearray(body) + data
        if len(self._body) > self.board.limits.body_bytes:
            self._stop(refused(413, "The body is larger than allowed.", "body_too_large"))

    def on_message_complete(self) -> None:
        target, path, query = self._target
        body = self._body
        request = Request(
            self._method,
            target,
            path,
            query,
            self._headers,
            body if isinstance(body, bytes) else bytes(body),
            self.peer,
            self._started,
        )
        keep = self._parser.should_keep_alive()
        self._fresh()
        if self._reply is None and not self._deaf:
            self._begin(request, keep, self._version)
        elif self._pending is not None and len(self._pending) >= self.board.limits.pipeline:
            self._deaf = True  # the rest of the pipeline is not answered; the last answer says that it closes
        else:
            self._queue((request, keep, self._version))

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
        headers, body = self.board.describe(verdict.error)
        head = b"%s%sConnection: close\r\nContent-Length: %d\r\n\r\n"
        self.transport.write(head % (self.lines.line(verdict.status), headers, len(body)) + body)
        self._finish()

    def _finish(self) -> None:
        """No request will be read any more: end the sending side, swallow the rest of the input, then close."""
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


def head_bytes(headers: dict[bytes, bytes]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.items())
