"""Errors in this protocol's shape towards clients, and from its vendors as leaves of our tree. Refuses to leak: a vendor's
text was scrubbed before it became the message.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from farebox.dialects.shared.vendor_errors import from_answer, from_value
from farebox.ir.errors import AttemptError, FareboxError, InvalidRequest

# https://docs.claude.com/en/api/errors, 2026-11
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_TOO_LONG = "prompt is too long"


def error_object(error: FareboxError) -> dict[str, Any]:
    """The `error` member: the protocol's type, our stable word in `error_type`."""
    default = "api_error" if error.status >= 500 else "invalid_request_error"
    metadata: dict[str, Any] = dict(error.metadata)
    if isinstance(error, AttemptError) and error.vendor_status is not None:
        metadata["provider_code"] = error.vendor_status
    if isinstance(error, InvalidRequest) and error.path:
        metadata["path"] = error.path
    if error.retry_after_s is not None:
        metadata["retry_after"] = max(1, -int(-error.retry_after_s // 1))
    out: dict[str, Any] = {
        "type": _TYPES.get(error.status, default),
        "message": _message(error),
        "error_type": error.code,
        "code": error.status,
    }
    if metadata:
        out["metadata"] = metadata
    return out


def _message(error: FareboxError) -> str:
    """Agents on this protocol know by these words that they must shorten the history, whichever vendor refused it."""
    if error.code == "context_length_exceeded" and _TOO_LONG not in error.message.lower():
        return f"{_TOO_LONG}: {error.message}"
    return error.message


def error_body(error: FareboxError, request_id: str) -> bytes:
    """The whole JSON body of an error answer, and the data of an `error` event."""
    return msgspec.json.encode({"type": "error", "error": error_object(error), "request_id": request_id or None})


def error_event(error: FareboxError, request_id: str) -> bytes:
    """The in-stream form."""
    return b"event: error\ndata: " + error_body(error, request_id) + b"\n\n"


def answer_error(status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
    """A vendor's refusal, in its own shape or in one of its hosts'."""
    return from_answer(status, headers, body)


def stream_error(value: Any) -> AttemptError:
    """The value of an `error` event."""
    return from_value(value if value is not None else "")
