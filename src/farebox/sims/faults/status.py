"""Faults with an honest status (F5–F17): refusals, limits, overload, failure. Refuses anything but whole answers."""

import email.utils
import time
from collections.abc import Callable

from farebox.sims.exchange import Exchange
from farebox.sims.faults.cuts import error_after
from farebox.sims.faults.types import Fault, Play, Variant, only_stream
from farebox.sims.http1 import Json, dump

HTML = "text/html; charset=utf-8"
_PAGE = (
    "<html>\r\n<head><title>{status} {reason}</title></head>\r\n<body>\r\n<center><h1>{status} {reason}</h1></center>\r\n"
    "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
)
_BAD = "invalid_request_error"
_QUOTA = "You exceeded your current quota, please check your plan and billing details."
_FILTERED = "The response was filtered due to the prompt triggering our content management policy."
_DETAIL = [{"loc": ["body", "messages", 0, "role"], "msg": "value is not a valid enumeration member", "type": "enum"}]


def _error(status: int, message: str, kind: str, code: str | None = None) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.error(exchange.orders.integer("status", status), message, kind=kind, code=code)

    return play


def _document(status: int, document: Json | None) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.reply(b"" if document is None else dump(document), status=status)

    return play


def _page(status: int, reason: str) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.reply(_PAGE.format(status=status, reason=reason).encode(), status=status, kind=HTML)

    return play


def _retry(status: int, value: str | Callable[[], str], *, name: str = "Retry-After") -> Play:
    """An error with a Retry-After; the order `retry_after` overrules the value."""

    async def play(exchange: Exchange) -> None:
        text = exchange.orders.text("retry_after") or (value if isinstance(value, str) else value())
        limited = status == 429
        message = "Rate limit reached." if limited else "The engine is currently overloaded, please try again later."
        kind, code = ("requests", "rate_limit_exceeded") if limited else ("server_error", "overloaded")
        await exchange.error(status, message, kind=kind, code=code, headers=[(name, text)])

    return play


def _date(offset_s: float) -> Callable[[], str]:
    return lambda: email.utils.formatdate(time.time() + offset_s, usegmt=True)


_REFUSED = (
    Fault(
        "f5",
        "The vendor calls the request wrong.",
        (
            Variant(
                "400",
                "400 with an error document.",
                _error(400, "'temperature' must be at most 2.", _BAD, "invalid_value"),
            ),
            Variant("422", "422 with a list of details.", _document(422, {"detail": _DETAIL})),
            Variant(
                "context",
                "400 context_length_exceeded.",
                _error(400, "This model's maximum context length is 4096 tokens.", _BAD, "context_length_exceeded"),
            ),
            Variant(
                "parameter",
                "400 for a parameter that this vendor lacks.",
                _error(400, "Unsupported parameter: 'logprobs'.", _BAD, "unsupported_parameter"),
            ),
            Variant(
                "max-tokens",
                "400 because max_tokens is larger than this vendor allows.",
                _error(
                    400, "max_tokens is too large: at most 256 completion tokens are supported.", _BAD, "invalid_value"
                ),
            ),
            Variant("text", "400 whose `error` is a text, not an object.", _document(400, {"error": "bad request"})),
            Variant("empty", "400 with an empty body.", _document(400, None)),
        ),
    ),
    Fault(
        "f6",
        "The vendor rejects our key.",
        (
            Variant("401", "401 invalid_api_key.", _error(401, "Incorrect API key provided.", _BAD, "invalid_api_key")),
            Variant(
                "403", "403 without a permission.", _error(403, "Your key may not use this model.", "permission_error")
            ),
        ),
    ),
    Fault(
        "f7",
        "The vendor rejects the customer's own key (on the wire the same as F6).",
        (
            Variant("401", "401 invalid_api_key.", _error(401, "Incorrect API key provided.", _BAD, "invalid_api_key")),
            Variant(
                "403", "403 without a permission.", _error(403, "Your key may not use this model.", "permission_error")
            ),
        ),
    ),
    Fault(
        "f8",
        "Our account at the vendor is unpaid.",
        (
            Variant(
                "402",
                "402 insufficient balance.",
                _error(402, "Insufficient Balance", "unknown_error", "invalid_request"),
            ),
            Variant("429", "429 insufficient_quota.", _error(429, _QUOTA, "insufficient_quota", "insufficient_quota")),
            Variant(
                "403", "403 billing.", _error(403, "Your account is not active; check billing.", "billing_not_active")
            ),
        ),
    ),
    Fault(
        "f9",
        "The vendor's moderation or region rules refuse.",
        (
            Variant("moderation", "403 moderation.", _error(403, "Input was flagged.", "moderation", "content_policy")),
            Variant(
                "region",
                "403 unsupported region.",
                _error(403, "Country not supported.", "request_forbidden", "region"),
            ),
            Variant("filter", "400 content_filter.", _error(400, _FILTERED, _BAD, "content_filter")),
        ),
    ),
    Fault(
        "f10",
        "The vendor does not know the model.",
        (
            Variant("model", "404 model_not_found.", _error(404, "The model does not exist.", _BAD, "model_not_found")),
            Variant(
                "deployment", "404 DeploymentNotFound.", _error(404, "No such deployment.", _BAD, "DeploymentNotFound")
            ),
            Variant("page", "404 with an HTML page.", _page(404, "Not Found")),
        ),
    ),
    Fault("f11", "The vendor timed out.", (Variant("408", "408.", _error(408, "Request timed out.", "timeout")),)),
    Fault(
        "f12",
        "The vendor calls the request too large.",
        (
            Variant("413", "413 with an error document.", _error(413, "Request exceeds 32 MB.", "request_too_large")),
            Variant("page", "413 with an HTML page.", _page(413, "Request Entity Too Large")),
        ),
    ),
)

_LIMITED = (
    Fault(
        "f13",
        "429 with a Retry-After (option `retry_after` gives the value).",
        (
            Variant("seconds", "Retry-After: 7.", _retry(429, "7")),
            Variant("date", "An HTTP date 7 s ahead.", _retry(429, _date(7))),
            Variant("date-past", "An HTTP date a day ago.", _retry(429, _date(-86_400))),
            Variant("zero", "Retry-After: 0.", _retry(429, "0")),
            Variant("negative", "Retry-After: -5.", _retry(429, "-5")),
            Variant("huge", "Retry-After: 1000000000.", _retry(429, "1000000000")),
            Variant("garbage", "Retry-After: soon, perhaps.", _retry(429, "soon, perhaps")),
            Variant("float", "Retry-After: 0.25.", _retry(429, "0.25")),
            Variant("milliseconds", "retry-after-ms: 250 instead.", _retry(429, "250", name="Retry-After-Ms")),
        ),
    ),
    Fault(
        "f14",
        "429 without Retry-After.",
        (
            Variant(
                "429", "429 rate_limit_exceeded.", _error(429, "Rate limit reached.", "requests", "rate_limit_exceeded")
            ),
            Variant(
                "quota", "429 insufficient_quota.", _error(429, _QUOTA, "insufficient_quota", "insufficient_quota")
            ),
            Variant("page", "429 with an HTML page.", _page(429, "Too Many Requests")),
        ),
    ),
    Fault(
        "f15",
        "The vendor fails.",
        (
            Variant("500", "500 with an error document.", _error(500, "The server had an error.", "server_error")),
            Variant("502", "502 with an HTML page.", _page(502, "Bad Gateway")),
            Variant("504", "504 with an HTML page.", _page(504, "Gateway Time-out")),
            Variant("empty", "500 with an empty body.", _document(500, None)),
        ),
    ),
    Fault(
        "f16",
        "The vendor is unavailable.",
        (
            Variant("503", "503 without Retry-After.", _error(503, "Service unavailable.", "server_error")),
            Variant("retry", "503 with Retry-After: 3.", _retry(503, "3")),
            Variant("page", "503 with an HTML page.", _page(503, "Service Temporarily Unavailable")),
        ),
    ),
    Fault(
        "f17",
        "The vendor is overloaded.",
        (
            Variant("529", "529 overloaded_error.", _error(529, "Overloaded", "overloaded_error")),
            Variant("retry", "529 with Retry-After: 5.", _retry(529, "5")),
            only_stream(
                "event", "An overloaded_error event mid-stream.", error_after("Overloaded", "overloaded_error", 529)
            ),
        ),
    ),
)

FAULTS = _REFUSED + _LIMITED
