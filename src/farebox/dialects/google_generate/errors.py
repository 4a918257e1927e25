"""Google's error shape, in and out: `{"error": {"code", "message", "status", "details"}}`. Refuses to leak what a vendor said
unscrubbed.

The delay of a 429 stands in the body (`RetryInfo.retryDelay`), not in a header; a bad key is a 400; the text of a rate limit
speaks of a quota. Recorded 2024 to 2026.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from farebox.dialects.shared import vendor_errors as shared
from farebox.dialects.shared.vendor_errors import RETRY_AFTER_S_MAX, leaf, parse, retry_after, said
from farebox.ir import errors as e

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")
_UNSUPPORTED = re.compile(r"is not enabled for|unknown name|cannot find field|not supported", re.IGNORECASE)
_STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_CODES = {"DEADLINE_EXCEEDED": 504, "UNAVAILABLE": 503, "INTERNAL": 500, "RESOURCE_EXHAUSTED": 429,
          "UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404, "CANCELLED": 499,
          "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400}  # fmt: skip


def _inner(value: Any) -> dict[str, Any]:
    if isinstance(value, list) and value:
        value = value[0]
    inner = value.get("error") if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _delay(error: dict[str, Any]) -> float | None:
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        text = detail.get("retryDelay") if isinstance(detail, dict) else None
        found = _DURATION.fullmatch(text) if isinstance(text, str) else None
        if found:
            return min(float(found.group(1)), RETRY_AFTER_S_MAX)
    return None


def _leaf(status: int, value: Any, body: bytes, header_s: float | None) -> e.AttemptError:
    error = _inner(value)
    word = str(error.get("status") or "")
    delay_s = _delay(error)
    if delay_s is None:
        delay_s = header_s
    made = leaf(status, said(value, body), delay_s)
    if word == "RESOURCE_EXHAUSTED" and status == 429 and isinstance(made, e.CredentialExhausted):
        return _as(e.VendorRateLimited, made)
    if word == "NOT_FOUND" and status == 404:
        return _as(e.VendorModelMissing, made)
    if word == "DEADLINE_EXCEEDED" and status == 504:
        return _as(e.VendorTimedOut, made)
    if type(made) is e.VendorRefused and _UNSUPPORTED.search(made.detail):
        return _as(e.VendorUnsupported, made, made.message)
    return made


def _as(kind: type[e.AttemptError], made: e.AttemptError, message: str = "") -> e.AttemptError:
    return kind(message, vendor_status=made.vendor_status, detail=made.detail, retry_after_s=made.retry_after_s)


def from_answer(status: int, headers: Mapping[bytes, bytes], body: bytes) -> e.AttemptError:
    """An error answer of a vendor."""
    return _leaf(status, parse(body), body, retry_after(headers))


def from_document(value: Any) -> e.AttemptError:
    """An error object under status 200, in a stream or as the whole answer."""
    error = _inner(value)
    code = error.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else _CODES.get(str(error.get("status")), 0)
    return _leaf(status, value, b"", None) if status else shared.from_value(value)


def error_object(error: e.FareboxError, request_id: str = "") -> dict[str, object]:
    """The `error` member: `reason` in the details is the stable word."""
    metadata: dict[str, str] = {}
    if request_id:
        metadata["requestId"] = request_id
    if error.path:
        metadata["path"] = error.path
    if isinstance(error, e.AttemptError) and error.vendor_status is not None:
        metadata["providerCode"] = str(error.vendor_status)
    for name, value in error.metadata.items():
        metadata[name] = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    details: list[dict[str, object]] = [
        {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": error.code.upper(),
            "domain": "farebox",
            "metadata": metadata,
        }
    ]
    if error.retry_after_s is not None:
        delay = max(1, -int(-error.retry_after_s // 1))
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": f"{delay}s"})
    status = _STATUS.get(error.status, "INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT")
    return {"code": error.status, "message": error.message, "status": status, "details": details}


def error_body(error: e.FareboxError, request_id: str) -> bytes:
    return msgspec.json.encode({"error": error_object(error, request_id)})
