"""Owns one connection to a vendor and the answer on it; refuses redirects, doubtful framing and unasked bytes."""

import asyncio
import math
import select
from collections.abc import Callable
from typing import Protocol

import httptools

from farebox.http.coding import inflater
from farebox.http.limits import ClientLimits, Timeouts
from farebox.http.origin import Origin
from farebox.http.outbox import Outbox
from farebox.http.response import Response
from farebox.ir.errors import AttemptError, Cut, FirstByteTimeout, Garbled, IdleTimeout

SLICE_BYTES = 16_384
SMALL_BYTES = 65_536


class Stale(AttemptError):
    """A kept connection was closed by the vendor before any byte of the answer; sent again on a fresh one."""


LOOKED_S = 0.02
"""An idle connection younger than this was read by the loop since its answer, or will be before the next."""


class Keeper(Protocol):
    """What a connection needs of its pool."""

    limits: ClientLimits
    alarms: int
    outbox: Outbox

    def began(self, connection: "VendorConnection") -> None: ...
    def ended(self, connection: "VendorConnection", *, reusable: bool) -> None: ...
    def lost(self, connection: "VendorConnection") -> None: ...


class VendorConnection(asyncio.Protocol):
    """The client side of one connection; carries one exchange at a time and knows whether it may carry another."""

    __slots__ = (
        "_begun",
        "_complete",
        "_first_byte_s",
        "_got",
        "_head_only",
        "_headers",
        "_idle_s",
        "_interim",
        "_interims",
        "_keep",
        "_loop",
        "_parser",
        "_poll",
        "_quiet",
        "_repeats",
        "_reused",
        "_seen",
        "deadline",
        "idle_since",
        "keeper",
        "lost",
        "origin",
        "paused",
        "response",
        "total_deadline",
        "transport",
        "uploading",
    )

    transport: asyncio.Transport

    def __init__(self, keeper: Keeper, origin: Origin, loop: asyncio.AbstractEventLoop) -> None:
        self.keeper = keeper
        self.origin = origin
        self.response: Response | None = None
        self.deadline = math.inf
        self.total_deadline = math.inf
        self.idle_since = 0.0
        self.paused = False
        self.lost = False
        self._loop = loop
        self._parser = httptools.HttpResponseParser(self)
        self._poll: Callable[[int], list[tuple[int, int]]] | None = None
        self._reused = False
        self._begun = False

    def begin(self, head: bytes, body: bytes, timeouts: Timeouts, *, reused: bool) -> Response:
        """Send a request; `head` ends with its last header line."""
        response = self.response = Response(self, self._loop, self.keeper.limits.unread_bytes)
        self._reused = reused
        self._got = self._complete = self._interim = self._begun = False
        self._seen = self._quiet = self._interims = self._repeats = 0
        self._headers: dict[bytes, bytes] = {}
        self._head_only = head.startswith(b"HEAD ")
        self._idle_s = timeouts.idle_s
        self._first_byte_s = timeouts.first_byte_s
        now = self._loop.time()
        self.total_deadline = now + timeouts.total_s
        size = len(body)
        self.uploading = size > SMALL_BYTES
        transport = self.transport
        if self.uploading:
            self.deadline = now + timeouts.send_s
            transport.write(b"%sContent-Length: %d\r\n\r\n" % (head, size))
            transport.write(body)
        else:
            self.deadline = now + timeouts.first_byte_s
            if not size and head.startswith((b"GET ", b"HEAD ")):
                request = head + b"\r\n"
            else:
                request = b"%sContent-Length: %d\r\n\r\n%s" % (head, size, body)
            self.keeper.outbox.put(transport, request)
        self.keeper.began(self)
        return response

    def quiet(self, *, idle_s: float) -> bool:
        """True if nothing has arrived on the idle connection, not even something the loop has not seen yet. Right after an
        answer the loop has just looked; the system call is for connections that lay idle.
        """
        if self.lost or self.transport.is_closing():
            return False
        if idle_s < LOOKED_S:
            return True
        return self._poll is None or not self._poll(0)

    def drop(self, error: AttemptError) -> None:
        """End the exchange with an error and close the socket at once."""
        response, self.response = self.response, None
        if response is not None:
            response.line = None
            if response.error is None:
                response.error = error
            self.keeper.ended(self, reusable=False)
            response.wake()
        self.transport.abort()

    def resume(self) -> None:
        self.paused = False
        self.deadline = self._loop.time() + self._idle_s
        if not self.transport.is_closing():
            self.transport.resume_reading()

    def sweep(self, now: float) -> None:
        response = self.response
        if response is None:
            return
        if now > self.total_deadline:
            self.drop(IdleTimeout("The provider's answer took longer than allowed in all."))
        elif self.uploading and not self.transport.get_write_buffer_size():
            self.uploading = False
            if not response.is_open:
                self.deadline = now + self._first_byte_s
        elif now > self.deadline:
            if response.is_open:
                self.drop(IdleTimeout())
            elif self.uploading:
                self.drop(FirstByteTimeout("The provider did not take the request in time."))
            else:
                self.drop(FirstByteTimeout())

    # --- the transport's side -------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]
        sock = transport.get_extra_info("socket")
        if sock is not None:
            poll = select.poll()
            poll.register(sock.fileno(), select.POLLIN | select.POLLHUP)
            self._poll = poll.poll

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._poll = None
        response = self.response
        if response is None:
            self.keeper.lost(self)
        elif exc is None and response.is_open and response.close_delimited:
            self._keep = False
            self._finish(response)
        elif self._got:
            self.drop(Cut())
        elif self._reused:
            self.drop(Stale("The kept connection was closed."))
        else:
            self.drop(Cut("The provider closed the connection without an answer."))

    def eof_received(self) -> bool:
        if self.response is None:
            self.lost = True
            self.keeper.lost(self)
        return False

    def data_received(self, data: bytes) -> None:
        response = self.response
        if response is None:
            self._suspicious()
            return
        self._got = True
        if response.is_open:
            before = response.size
            self._feed(data)
            self._quiet = self._quiet + len(data) if response.size == before else 0
        else:
            self._feed_head(data)
        if self._over():
            return
        if self._quiet > self.keeper.limits.header_bytes:
            self.drop(Garbled("The provider's answer has too much around its chunks."))
            return
        if response.is_open:
            self.deadline = self._loop.time() + self._idle_s
        if self._complete:
            self._finish(response)
            return
        if response.size > response.high and not self.paused:
            self.paused = True
            self.deadline = math.inf
            self.transport.pause_reading()
        if response.is_open:
            response.wake()

    def _over(self) -> bool:
        return self.response is None

    def _feed_head(self, data: bytes) -> None:
        """While the head is open: in slices, so that no more than the limit and a slice is buffered."""
        for offset in range(0, len(data), SLICE_BYTES):
            piece = data if len(data) <= SLICE_BYTES else data[offset : offset + SLICE_BYTES]
            self._seen += len(piece)
            self._feed(piece)
            response = self.response
            if response is None or self._complete:
                return
            if not response.is_open and self._seen > self.keeper.limits.header_bytes:
                self.drop(Garbled("The head of the provider's answer is larger than allowed."))
                return

    def _feed(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            response = self.response
            if response is None:
                return
            if self._complete:
                # A second answer or bytes behind the first: the first one stands, the connection does not.
                self._keep = False
                self.keeper.alarms += 1
            else:
                self.drop(response.error or Garbled("The provider's answer is not valid HTTP/1.1."))

    def _suspicious(self) -> None:
        """Bytes that nobody asked for: never reuse this connection."""
        self.lost = True
        self.keeper.alarms += 1
        self.keeper.lost(self)
        self.transport.abort()

    def _finish(self, response: Response) -> None:
        self.response = None
        response.line = None
        response.done = True
        response.wake()
        reusable = self._keep and not self._head_only and not self.lost
        if reusable and self.uploading and self.transport.get_write_buffer_size():
            reusable = False  # the vendor answered before it had taken the request
        if self.paused and reusable:
            self.resume()
        self.paused = False
        self.keeper.ended(self, reusable=reusable)
        if not reusable and not self.lost:
            self.transport.abort()

    # --- the parser's callbacks -----------------------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete or self._begun:
            raise Garbled("More than one answer.")
        self._begun = True

    def on_header(self, name: bytes, value: bytes) -> None:
        response = self.response
        if response is None or response.is_open:
            return  # trailers
        name = name.lower()
        headers = self._headers
        if name in headers:
            self._repeats += 1
            headers[name] += b", " + value
        else:
            headers[name] = value

    def on_headers_complete(self) -> None:
        response = self.response
        if response is None:
            return
        status = self._parser.get_status_code()
        limits = self.keeper.limits
        headers = self._headers
        if len(headers) + self._repeats > limits.header_lines:
            self._refuse(response, "The provider's answer has too many header lines.")
        if 100 <= status < 200:
            self._interims += 1
            if status == 101 or self._interims > limits.interim:
                self._refuse(response, "The provider sent interim answers without end.")
            self._interim = True
            self._headers = {}
            return
        if self._parser.get_http_version() not in {"1.1", "1.0"} or not 200 <= status < 600:
            self._refuse(response, "The provider's answer is not HTTP/1.1.")
        coding = headers.get(b"transfer-encoding")
        length = headers.get(b"content-length")
        if coding is not None and (coding.lower() != b"chunked" or length is not None):
            self._refuse(response, "The provider's answer is framed in two ways.")
        if b"content-encoding" in headers and not self._head_only:
            self._decode(response, headers)
        response.close_delimited = coding is None and length is None and status not in {204, 304}
        response.status = status
        response.headers = headers
        response.is_open = True
        if self._head_only:
            self._complete = True
            self._keep = False

    def on_body(self, data: bytes) -> None:
        response = self.response
        if response is not None and not self._head_only:
            response.chunks.append(data)
            response.size += len(data)

    def on_message_complete(self) -> None:
        self._begun = False
        if self._interim:
            self._interim = False
            return
        self._keep = self._parser.should_keep_alive()
        self._complete = True

    def _decode(self, response: Response, headers: dict[bytes, bytes]) -> None:
        limits = self.keeper.limits
        try:
            response.inflater = inflater(
                headers[b"content-encoding"], limit_bytes=limits.body_bytes, ratio=limits.body_ratio
            )
        except Garbled as error:
            response.error = error
            raise
        if response.inflater is not None:
            del headers[b"content-encoding"]
            headers.pop(b"content-length", None)

    def _refuse(self, response: Response, message: str) -> None:
        response.error = Garbled(message)
        raise response.error
