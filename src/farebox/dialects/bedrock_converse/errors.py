"""Refusals of the service as leaves of the error tree: the type stands in a header, in the body's `__type`, or in the frame
of a stream. Refuses to guess from the status alone when a type is given.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from farebox.dialects.shared.vendor_errors import Said, leaf, parse, retry_after, said
from farebox.ir.errors import AttemptError

# What each exception means as a status that the shared rules know (API reference, 2026-11).
_STATUS = {
    "validationexception": 400,
    "unrecognizedclientexception": 401,
    "expiredtokenexception": 401,
    "invalidsignatureexception": 401,
    "incompletesignature": 401,
    "incompletesignatureexception": 401,
    "missingauthenticationtoken": 401,
    "missingauthenticationtokenexception": 401,
    "invalidclienttokenid": 401,
    "optinrequired": 402,
    "accessdeniedexception": 403,
    "resourcenotfoundexception": 404,
    "unknownoperationexception": 404,
    "throttlingexception": 429,
    "toomanyrequestsexception": 429,
    "servicequotaexceededexception": 429,
    "modelnotreadyexception": 503,
    "serviceunavailableexception": 503,
    "modeltimeoutexception": 408,
    "modelerrorexception": 502,
    "modelstreamerrorexception": 502,
    "internalserverexception": 500,
    "internalfailure": 500,
}
_MODEL = re.compile(
    r"model identifier is invalid|on-demand throughput|end of its life|access to the model|model access|marked .{0,20}legacy",
    re.IGNORECASE,
)


def _type(headers: Mapping[bytes, bytes], value: Any) -> str:
    word = headers.get(b"x-amzn-errortype", b"").decode("latin-1")
    if not word and isinstance(value, dict):
        output = value.get("Output")
        for holder in (value, output if isinstance(output, dict) else {}):
            word = word or str(holder.get("__type") or holder.get("code") or "")
    return word.split(":")[0].rpartition("#")[2]


def _text(value: Any, body: bytes) -> str:
    if isinstance(value, dict):
        for holder in (value, value.get("Output")):
            if isinstance(holder, dict):
                for name in ("message", "Message", "originalMessage"):
                    if isinstance(holder.get(name), str) and holder[name]:
                        return str(holder[name])
    return said(value, body).text


def _leaf(kind: str, text: str, status: int, wait_s: float | None = None) -> AttemptError:
    meant = _STATUS.get(kind.lower(), status)
    if meant in (400, 403, 404) and _MODEL.search(text):
        meant = 404
    error = leaf(meant, Said(text=text, words=kind), wait_s)
    error.vendor_status = status
    return error


def refusal(status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
    """An error answer."""
    value = parse(body)
    return _leaf(_type(headers, value), _text(value, body), status, retry_after(headers))


def in_stream(kind: str, payload: bytes, message: str = "") -> AttemptError:
    """An exception or error frame inside a stream."""
    try:
        value = msgspec.json.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    status = 502
    if isinstance(value, dict) and isinstance(value.get("originalStatusCode"), int):
        status = value["originalStatusCode"] if 400 <= value["originalStatusCode"] <= 599 else 502
    return _leaf(kind, message or _text(value, payload), _STATUS.get(kind.lower(), status))
