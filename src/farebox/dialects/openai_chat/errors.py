"""The error envelope towards clients: OpenRouter's shape with the members that OpenAI's libraries read.
Refuses to leak: what comes from a vendor was scrubbed before it became the message.
"""

import msgspec

from farebox.ir.errors import AttemptError, FareboxError, InvalidRequest

_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}


def error_object(error: FareboxError, request_id: str = "") -> dict[str, object]:
    """The `error` member: `code` is the HTTP status, `metadata.error_type` the stable word."""
    metadata: dict[str, object] = {"error_type": error.code}
    metadata.update(error.metadata)
    if request_id:
        metadata["request_id"] = request_id
    if error.retry_after_s is not None:
        metadata["retry_after"] = max(1, -int(-error.retry_after_s // 1))
    if isinstance(error, AttemptError) and error.vendor_status is not None:
        metadata["provider_code"] = str(error.vendor_status)
    if isinstance(error, InvalidRequest) and error.path:
        metadata["path"] = error.path
    return {
        "code": error.status,
        "message": error.message,
        "type": _TYPES.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error"),
        "param": error.path.removeprefix("$.") if error.path and error.path != "$" else None,
        "metadata": metadata,
    }


def error_body(error: FareboxError, request_id: str) -> bytes:
    """The whole JSON body of an error answer."""
    return msgspec.json.encode({"error": error_object(error, request_id)})
