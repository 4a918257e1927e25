"""What goes around an answer: heads with our headers, and the one error that stands for all failed attempts.

Refuses to write: the connection does.
"""

from farebox.gateway.generation import Generation
from farebox.ir.errors import FareboxError, NoEndpoint, VendorRateLimited

_JSON = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
_STREAM = b"Content-Type: %b\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n"
_CORS = b"Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: *\r\n"
PREFLIGHT = (
    b"Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: POST, OPTIONS\r\n"
    b"Access-Control-Allow-Headers: *, Authorization\r\nAccess-Control-Max-Age: 86400\r\n"
)
WARNINGS_MAX = 16
OURS_ONLY = frozenset({401, 402, 404})


class Heads:
    """Response headers of generations, ready to be written."""

    __slots__ = ()

    def whole(self, generation: Generation) -> bytes:
        return _JSON + self._common(generation)

    def stream(self, generation: Generation) -> bytes:
        return _STREAM % generation.route.stream_type + self._common(generation)

    @staticmethod
    def _common(generation: Generation) -> bytes:
        identity = generation.id.encode()
        head = b"%sX-Generation-Id: %b\r\nX-Request-Id: %b\r\nRequest-Id: %b\r\nX-Farebox-Attempts: %d\r\n" % (
            _CORS,
            identity,
            identity,
            identity,
            max(1, len(generation.attempts)),
        )
        prepared = generation.prepared
        if prepared is not None:
            head += b"X-Farebox-Provider: %b\r\n" % prepared.endpoint.provider.encode()
        if generation.warnings:
            head += b"X-Farebox-Warnings: %b\r\n" % warnings_text(generation.warnings)
        return head


def warnings_text(warnings: list[tuple[str, str, str]]) -> bytes:
    """`code path; code path`: what was changed or dropped, ASCII, bounded; the generation has all of it."""
    text = "; ".join(f"{code} {path}" for code, path, _ in warnings[:WARNINGS_MAX])
    return text.encode("ascii", "replace").replace(b"\r", b"").replace(b"\n", b"")[:2048]


def json_head(request_id: str) -> bytes:
    """Headers of a JSON answer that is no generation's."""
    identity = request_id.encode()
    return b"%s%sX-Generation-Id: %b\r\nX-Request-Id: %b\r\nRequest-Id: %b\r\n" % (
        _JSON,
        _CORS,
        identity,
        identity,
        identity,
    )


def error_head(generation_id: str, error: FareboxError) -> bytes:
    """Headers of an error answer."""
    head = json_head(generation_id)
    if error.retry_after_s is not None:
        head += b"Retry-After: %d\r\n" % max(1, -int(-error.retry_after_s // 1))
    elif error.status == 503:
        head += b"Retry-After: 1\r\n"
    return head


def final_error(generation: Generation) -> FareboxError:
    """The error that stands for all attempts: the last one's, with every attempt listed and the shortest wait."""
    error: FareboxError = generation.failure or NoEndpoint()
    attempts = generation.attempts
    if isinstance(error, VendorRateLimited) and error.retry_after_s is None:
        error.retry_after_s = 1.0
    if error.status in OURS_ONLY:
        # These words are kept for our own keys, credits and catalogue.
        error = NoEndpoint(error.message)
    error.metadata.setdefault(
        "attempts",
        [
            {
                "provider": attempt.provider,
                "endpoint": attempt.endpoint,
                "class": attempt.outcome,
                "status": attempt.status,
                "ms": round(attempt.ended_ms - attempt.started_ms),
            }
            for attempt in attempts
        ],
    )
    return error
