"""What a vendor's refusal means: status, headers and body of any recorded shape to a leaf of the error tree.
Refuses to know vendors by name; words and codes decide.

Shapes seen on the wire (2023 to 2026): `error.message`, `error` as text, `message`, `detail` as text, `detail[0].msg`,
`errors[0].message`, `title`, `base_resp.status_msg`, and plain text or HTML.
"""

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

import msgspec

from farebox.dialects.scrub import scrub
from farebox.ir import errors as e

BODY_BYTES_MAX = 65536
RETRY_AFTER_S_MAX = 10.0**9


def _any(*words: str) -> re.Pattern[str]:
    return re.compile("|".join(words), re.IGNORECASE)


_CONTEXT = _any(
    r"context.{0,20}(?:length|window|size|limit)",
    r"maximum.{0,12}(?:context|prompt|input).{0,20}(?:length|tokens?)",
    r"too many (?:input )?tokens",
    r"(?:prompt|input|messages).{0,30}too long",
    r"exceed_context_size",
    r"(?:input|prompt) tokens? .{0,30}exceed",
    r"token limit (?:exceeded|reached)",
    r"reduce the length",
    r"range of input length",
)
_UNSUPPORTED = _any(
    r"unsupported|not supported|does(?:n't| not) support|not support\b|no schema mode|not enabled for this model",
    r"endpoints found that support",
    r"unrecogni[sz]ed (?:request )?(?:argument|parameter)|unknown (?:parameter|field|variant)",
    r"unexpected (?:keyword|field|argument)|not permitted|only supports?",
    r"max_(?:completion_)?tokens.{0,40}(?:too (?:large|high|big)|exceed|at most|less than or equal)",
)
_FILTERED = _any(
    r"moderat|content.?(?:policy|filter|management)|flagged|safety|sensitive|inappropriate|prohibited|data_inspection",
)
_REGION = _any(r"\b(?:region|country|territory|location)\b", r"unsupported_country|user_location")
_EXHAUSTED = _any(
    r"insufficient.{0,4}(?:quota|balance|credit|fund)|credit balance|exceeded your current quota|billing|payment|arrears",
    r"out of credits?|spend(?:ing)?.limit|used all available credits",
)
_MODEL_MISSING = _any(
    r"model_not_found|invalid.model|unknown.model|not a valid model|deploymentnotfound|no endpoints found|no such model",
    r"model.{0,80}(?:does not exist|not exist|not found|is not available|is not a valid|doesn't exist)",
    r"is not supported by any provider",
)
_CREDENTIAL = _any(
    r"(?:incorrect|invalid|wrong|bad|expired|revoked|no).{0,12}(?:api.?key|auth.?token|access.?token|credential)",
    r"api.?key.{0,20}(?:invalid|incorrect|not valid|expired)",
    r"wrong_api_key|unauthori[sz]ed|authentication|api-key you provided",
)
_OVERLOADED = _any(r"overload|over capacity|no capacity|capacity_exhausted|too busy|server is busy")
_MODEL_FAULT = _any(r"tool_use_failed|json_validate_failed|did not call a tool")
_REFUSED_FOR_CONTENT = _any(r"content.?(?:policy|filter|management)|responsibleai|data_inspection|moderation")
_STATUS_OF_WORD = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "ratelimitreached": 429,
    "too_many_requests": 429,
    "insufficient_quota": 402,
    "invalid_api_key": 401,
    "wrong_api_key": 401,
    "authentication_error": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "overloaded_error": 529,
    "service_unavailable": 503,
    "timeout": 504,
    "timeout_error": 504,
    "content_filter": 403,
    "content_policy_violation": 403,
    "moderation": 403,
    "invalid_request_error": 400,
    "invalid_request": 400,
    "badrequesterror": 400,
    "tool_use_failed": 400,
    "context_length_exceeded": 400,
    "exceed_context_size_error": 400,
    "api_error": 500,
    "server_error": 500,
    "internal_server_error": 500,
}


class Said(msgspec.Struct, frozen=True):
    """What a vendor said went wrong: its text, its words (type, code), its status if it named one, the offending parameter."""

    text: str = ""
    words: str = ""
    status: int = 0
    parameter: str = ""


def parse(body: bytes) -> Any:
    """The decoded body, or `None` if it is not JSON."""
    try:
        return msgspec.json.decode(body[:BODY_BYTES_MAX].lstrip(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def said(value: Any, body: bytes = b"") -> Said:
    """The message of an error body, in the order of the shapes above."""
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return Said(value if isinstance(value, str) else body[:4096].decode("utf-8", "replace"))
    error = value.get("error")
    inner = error if isinstance(error, dict) else value
    text = _text(inner, error, value)
    words = " ".join(
        str(word)
        for holder in (inner, value)
        for key in ("type", "code", "status", "error_type")
        if (word := holder.get(key)) is not None
    )
    raw = _metadata(inner).get("raw")
    if isinstance(raw, str) and raw:
        text = f"{text}: {raw}"
    parameter = inner.get("param")
    return Said(text, words, _status(inner, value), parameter if isinstance(parameter, str) else "")


def _metadata(inner: dict[str, Any]) -> dict[str, Any]:
    metadata = inner.get("metadata")
    return metadata if isinstance(metadata, dict) else {}


def _text(inner: dict[str, Any], error: Any, value: dict[str, Any]) -> str:
    base = value.get("base_resp")
    candidates: list[Any] = [inner.get("message"), error, value.get("message"), value.get("detail")]
    for holder, key in ((value.get("detail"), "msg"), (value.get("errors"), "message")):
        if isinstance(holder, list) and holder and isinstance(holder[0], dict):
            candidates.append(holder[0].get(key))
    candidates += [value.get("title"), value.get("msg"), base.get("status_msg") if isinstance(base, dict) else None]
    return next((text for text in candidates if isinstance(text, str) and text), "")


def _status(inner: dict[str, Any], value: dict[str, Any]) -> int:
    for holder in (inner, value):
        for key in ("status_code", "code", "status", "raw_status_code"):
            word = holder.get(key)
            if isinstance(word, str) and word.isdecimal() and len(word) == 3:
                word = int(word)
            if isinstance(word, int) and not isinstance(word, bool) and 400 <= word <= 599:
                return word
    for holder in (inner, value):
        for key in ("code", "type", "error_type"):
            word = holder.get(key)
            if isinstance(word, str) and (status := _STATUS_OF_WORD.get(word.lower())):
                return status
    return 0


def retry_after(headers: Mapping[bytes, bytes], now_s: float | None = None) -> float | None:
    """Seconds to wait, from `Retry-After` (seconds or a date), `retry-after-ms`; `None` for garbage. Never negative."""
    raw = headers.get(b"retry-after-ms", b"")
    if raw.isdigit() and raw != b"0" and len(raw) < 16:
        return min(int(raw) / 1000, RETRY_AFTER_S_MAX)
    text = headers.get(b"retry-after", b"").decode("latin-1").strip()
    if re.fullmatch(r"-?\d{1,18}(?:\.\d{1,9})?", text):
        return min(max(float(text), 0.0), RETRY_AFTER_S_MAX)
    if not text or len(text) > 64:
        return None
    date = headers.get(b"date", b"").decode("latin-1").strip()
    try:
        until_s = parsedate_to_datetime(text).timestamp()
        base_s = parsedate_to_datetime(date).timestamp() if date else now_s
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return None if base_s is None else min(max(until_s - base_s, 0.0), RETRY_AFTER_S_MAX)


def leaf(status: int, what: Said, retry_after_s: float | None = None) -> e.AttemptError:
    """The leaf of the tree that this refusal is."""
    kind = _kind(status, f"{what.words} {what.text}", what)
    detail = scrub(what.text)
    message = ""
    if issubclass(kind, e.VendorRefused | e.Filtered | e.VendorTooLarge) and detail:
        message = detail
    path = f"$.{scrub(what.parameter)[:200]}" if what.parameter and issubclass(kind, e.VendorRefused) else None
    return kind(message, vendor_status=status, detail=detail, retry_after_s=retry_after_s, path=path)


def _kind(status: int, words: str, what: Said) -> type[e.AttemptError]:
    if status in (400, 422, 409, 412, 405, 501):
        return _kind_of_refusal(words)
    if status in (401, 403):
        return _kind_of_denial(status, words, what)
    if status == 429:
        return e.CredentialExhausted if _EXHAUSTED.search(words) else e.VendorRateLimited
    if status == 404:
        return e.VendorUnsupported if _UNSUPPORTED.search(words) else e.VendorModelMissing
    fixed: dict[int, type[e.AttemptError]] = {
        402: e.CredentialExhausted,
        408: e.VendorTimedOut,
        410: e.VendorModelMissing,
        413: e.VendorTooLarge,
        451: e.Filtered,
        503: e.Overloaded,
        524: e.VendorTimedOut,
        529: e.Overloaded,
    }
    if status in fixed:
        return fixed[status]
    if _OVERLOADED.search(words):
        return e.Overloaded
    return e.VendorFailed


def _kind_of_refusal(words: str) -> type[e.AttemptError]:
    for pattern, kind in (
        (_CONTEXT, e.VendorContextTooLong),
        (_MODEL_FAULT, e.VendorFailed),
        (_CREDENTIAL, e.CredentialRejected),
        (_MODEL_MISSING, e.VendorModelMissing),
        (_EXHAUSTED, e.CredentialExhausted),
        (_UNSUPPORTED, e.VendorUnsupported),
    ):
        if pattern.search(words):
            return kind
    if re.search(
        r"content.?(?:policy|filter|management)|responsibleai|data_inspection|moderation", words, re.IGNORECASE
    ):
        return e.Filtered
    return e.VendorRefused


def _kind_of_denial(status: int, words: str, what: Said) -> type[e.AttemptError]:
    if status == 403 and _REGION.search(words) and not _CREDENTIAL.search(what.text):
        return e.RegionRefused
    if status == 403 and _FILTERED.search(words) and not _CREDENTIAL.search(what.text):
        return e.Filtered
    return e.CredentialExhausted if _EXHAUSTED.search(words) else e.CredentialRejected


def from_answer(status: int, headers: Mapping[bytes, bytes], body: bytes) -> e.AttemptError:
    """An error answer of a vendor. A redirect or an odd status is a failure of the vendor."""
    return leaf(status, said(parse(body), body), retry_after(headers))


def from_value(value: Any, *, default_status: int = 502) -> e.AttemptError:
    """An error object that came under status 200, in a whole answer or inside a stream."""
    what = said(value)
    return leaf(what.status or default_status, what)
