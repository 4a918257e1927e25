"""The front door: what is not inference goes to control, unchanged but for hop-by-hop headers. Refuses to read it.

Liveness and readiness are answered here, since they speak of this worker.
"""

from collections.abc import Callable
from pathlib import Path

from farebox.http.limits import Timeouts
from farebox.http.messages import Request
from farebox.http.origin import Origin
from farebox.http.pool import Pool
from farebox.http.reply import Reply
from farebox.http.server import Describe
from farebox.ir.errors import AttemptError, FareboxError, NotFound, Unavailable

_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"content-length",
        b"expect",
        b"date",
        b"server",
    )
)
# What an outsider may not say about himself: control believes these only from us.
_UNTRUSTED = frozenset((b"forwarded", b"x-real-ip", b"x-original-url", b"x-rewrite-url", b"x-http-method-override"))
_PLAIN = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
_TIMEOUTS = Timeouts(first_byte_s=60.0, idle_s=60.0, total_s=600.0)


class FrontDoor:
    """Forwards to control's socket. `ready` tells whether this worker takes inference."""

    def __init__(
        self, socket: Path | None, pool: Pool, describe: Describe, ready: Callable[[], bool], *, https: bool = False
    ) -> None:
        self._origin = None if socket is None else Origin(scheme="unix", host="control", socket=str(socket))
        self._pool = pool
        self._describe = describe
        self._ready = ready
        self._scheme = b"https" if https else b"http"

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request that is not inference."""
        path = request.path
        if path in ("/health/liveliness", "/health/liveness"):
            reply.send(200, _PLAIN, b'{"status":"alive"}')
            return
        if path == "/health/readiness":
            ready = self._ready()
            reply.send(200 if ready else 503, _PLAIN, b'{"status":"ready"}' if ready else b'{"status":"not_ready"}')
            return
        try:
            await self._forward(request, reply)
        except FareboxError as error:
            reply.fail(error)

    async def _forward(self, request: Request, reply: Reply) -> None:
        if self._origin is None:
            raise NotFound
        try:
            response = await self._pool.send(self._origin, self._head(request), request.body, _TIMEOUTS)
        except AttemptError as error:
            raise Unavailable("The control plane is away; try again shortly.", retry_after_s=2.0) from error
        try:
            lines = b"".join(
                b"%b: %b\r\n" % (name, value) for name, value in response.headers.items() if name not in _HOP
            )
            if response.status in (204, 304) or request.method == "HEAD":
                reply.send(response.status, lines, b"")
                return
            reply.start(response.status, lines)
            async for data in response:
                reply.write(data)
                if reply.paused:
                    await reply.drain()
            reply.end()
        finally:
            response.close()

    def _head(self, request: Request) -> bytes:
        lines = [b"%b %b HTTP/1.1\r\n" % (request.method.encode(), request.target)]
        for name, value in request.headers.items():
            if name not in _HOP and name not in _UNTRUSTED and not name.startswith(b"x-forwarded-"):
                lines.append(b"%b: %b\r\n" % (name, value))
        lines.append(b"x-forwarded-for: %b\r\nx-forwarded-proto: %b\r\n" % (request.peer.encode(), self._scheme))
        return b"".join(lines)
