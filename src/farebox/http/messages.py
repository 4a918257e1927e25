"""Owns the request as the edge hands it over, and status lines; refuses to know what a body means."""

from http import HTTPStatus

PHRASES: dict[int, str] = {status.value: status.phrase for status in HTTPStatus}
PHRASES |= {413: "Content Too Large", 422: "Unprocessable Content", 529: "Overloaded"}


class Request:
    """One complete request. Header names are lower case, repeated lines are joined, trailers are not kept.

    `target` is in origin form as sent (an absolute form is reduced to it); `path` is its decoded canonical path.
    """

    __slots__ = ("body", "headers", "method", "path", "peer", "query", "started", "target")

    def __init__(  # noqa: PLR0917 - built once per request on the hot path; positional arguments are cheaper
        self,
        method: str,
        target: bytes,
        path: str,
        query: bytes,
        headers: dict[bytes, bytes],
        body: bytes,
        peer: str,
        started: float,
    ) -> None:
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.headers = headers
        self.body = body
        self.peer = peer
        self.started = started

    def __repr__(self) -> str:
        return f"Request({self.method} {self.path}, {len(self.body)} bytes)"


def status_line(status: int) -> bytes:
    return f"HTTP/1.1 {status} {PHRASES.get(status, 'Unknown')}\r\n".encode("ascii")
