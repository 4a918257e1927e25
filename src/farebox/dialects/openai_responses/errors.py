"""Errors of the Responses protocol: a vendor's refusal or in-stream failure to the tree, and the tree to a failed response.
Refuses to know vendors; `shared.vendor_errors` reads the shapes they have in common.
"""

from typing import Any

from msgspec import Raw

from farebox.dialects.openai_responses.words import given, value_of
from farebox.dialects.shared.vendor_errors import from_value, leaf, said
from farebox.ir.errors import AttemptError, FareboxError

# Codes of `response.error` that mean a refusal of the request (the protocol's documentation, 2026-11).
_REFUSALS = {
    "invalid_prompt": 400,
    "vector_store_timeout": 504,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_base64_image": 400,
    "invalid_image_url": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "image_parse_error": 400,
    "image_content_policy_violation": 403,
    "invalid_image_mode": 400,
    "image_file_too_large": 413,
    "unsupported_image_media_type": 400,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "image_file_not_found": 400,
}
_CODES = {
    "server": "server_error",
    "payment_required": "insufficient_quota",
    "content_policy_violation": "invalid_prompt",
    "invalid_request": "invalid_prompt",
    "provider_overloaded": "server_is_overloaded",
}


def vendor_failure(raw: Raw | bytes | None) -> AttemptError:
    """What an `error` member (or a whole `error` event) under status 200 means."""
    value: Any = value_of(given(raw) or b"{}")
    inner = value.get("error") if isinstance(value, dict) and isinstance(value.get("error"), dict) else value
    if not isinstance(inner, dict):
        return from_value({"error": str(inner)})
    inner = {name: word for name, word in inner.items() if not (name == "type" and word == "error")}
    status = _REFUSALS.get(str(inner.get("code") or inner.get("type") or ""))
    return leaf(status, said({"error": inner})) if status else from_value({"error": inner})


def failed_member(error: FareboxError) -> dict[str, Any]:
    """The `error` member of a failed response."""
    return {"code": _CODES.get(error.code, error.code), "message": error.message}


def error_event(error: FareboxError) -> dict[str, Any]:
    """The members of the in-stream `error` event: flat as documented, and nested as it is sent and as libraries raise it."""
    inner = failed_member(error)
    metadata = {"error_type": error.code} | error.metadata
    flat = {"code": inner["code"], "message": error.message, "param": None}
    return flat | {"error": {"type": error.code} | flat | {"metadata": metadata}}
