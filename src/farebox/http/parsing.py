"""Owns turning parser callbacks into checked requests within the limits; refuses to write, answer or queue."""

import asyncio
import math
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Protocol

import httptools

from farebox.http.framing import METHODS, ONCE, Refused, check_body, host_name, refused, split_target, wants_continue
from farebox.http.limits import Limits
from farebox.http.messages import Request
from farebox.http.outbox import Outbox
from farebox.http.reply import Reply, StatusLines
from farebox.ir.errors import FareboxError

Handler = Callable[[Request, Reply], Awaitable[None]]
Describe = Callable[[FareboxError], tuple[bytes, bytes]]

REMEMBERED = 256
IDLE, HEAD, BODY = 0, 1, 2


class Sweepable(Protocol):
    """What the server does with each open connection."""

    transport: asyncio.Transport

    @property
    def idle(self) -> bool: ...
    def sweep(self, now: float) -> None: ...


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
        "outbox",
        "targets",
    )

    def __init__(self, handler: Handler, *, limits: Limits, describe: Describe, hosts: frozenset[str] | None) -> None:
        self.handler = handler
        self.limits = limits
        self.describe = describe
        self.hosts = hosts
        self.lines = StatusLines()
        self.connections: set[Sweepable] = set()
        self.draining = False
        self.emptied: asyncio.Event | None = None
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)
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


class RequestParser(ABC):
    """One connection's requests as they come out of the parser, one after another."""

    __slots__ = (
        "_body",
        "_expected",
        "_headers",
        "_lines_seen",
        "_method",
        "_parser",
        "_quiet",
        "_refusal",
        "_seen",
        "_started",
        "_target",
        "_url",
        "_version",
        "board",
        "deadline",
        "peer",
        "state",
    )

    def __init__(self, board: Board) -> None:
        self.board = board
        self.peer = ""
        self.deadline = math.inf
        self._parser = httptools.HttpRequestParser(self)
        self._refusal: Refused | None = None
        self._quiet = 0
        self._fresh()

    @abstractmethod
    def go_on(self) -> None:
        """The client asked whether it may send the body; it may."""

    @abstractmethod
    def deliver(self, request: Request, keep: bool, version: str) -> None:
        """A request is complete."""

    def _fresh(self) -> None:
        """Ready for the head of the next request."""
        self.state = IDLE
        self._headers: dict[bytes, bytes] = {}
        self._lines_seen = 0
        self._url = b""
        self._body: bytes | bytearray = b""
        self._seen = 0

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
            self.go_on()
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
        self.deliver(request, keep, self._version)


def head_bytes(headers: dict[bytes, bytes]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers.items())
