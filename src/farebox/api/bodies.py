"""Strict JSON bodies and query values for the management API. Refuses duplicates, unknown fields and odd numbers."""

import json
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from farebox.ir.errors import InvalidRequest, TooLarge, UnsupportedMediaType

T = TypeVar("T")

BODY_BYTES_MAX = 64 * 1024
DEPTH_MAX = 32


async def read_json(request: Request, kind: type[T]) -> T:
    """The body as a closed model: what the model does not name is an error."""
    content_type = request.headers.get("content-type", "")
    media, _, rest = content_type.partition(";")
    charset = rest.strip().lower().replace('"', "")
    if media.strip().lower() != "application/json" or charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaType
    if request.headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedMediaType("Send the body without Content-Encoding.")
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_BYTES_MAX:
            raise TooLarge
        parts.append(part)
    return decode(b"".join(parts), kind)


def decode(body: bytes, kind: type[T]) -> T:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("The body is not UTF-8.", reason="invalid_json") from None
    _check_depth(text)
    try:
        found = json.loads(
            text, object_pairs_hook=_pairs, parse_constant=_constant, parse_float=Decimal, parse_int=_integer
        )
        # A lone surrogate (`\ud800`) is a string that no other program can read.
        json.dumps(found, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise InvalidRequest("A string holds half of a character.", reason="invalid_json") from None
    except ValueError:
        raise InvalidRequest("The body is not valid JSON.", reason="invalid_json") from None
    try:
        # `builtin_types`: a Decimal comes from a number of the document, never from a string.
        return msgspec.convert(found, kind, builtin_types=[Decimal])
    except msgspec.ValidationError as problem:
        message, _, path = str(problem).partition(" - at `")
        raise InvalidRequest(message + ".", path=path.rstrip("`") or "$") from None


def query_int(request: Request, name: str, default: int, *, high: int) -> int:
    """A whole number of the query, 0 … `high`."""
    text = query_text(request, name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 12 and int(text) <= high):
        raise InvalidRequest(f"'{name}' must be a whole number from 0 to {high}.", path=f"query.{name}")
    return int(text)


def query_bool(request: Request, name: str, *, default: bool) -> bool:
    text = query_text(request, name)
    if text is None:
        return default
    if text not in ("true", "false"):
        raise InvalidRequest(f"'{name}' must be true or false.", path=f"query.{name}")
    return text == "true"


def query_text(request: Request, name: str) -> str | None:
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise InvalidRequest(f"'{name}' is given twice.", path=f"query.{name}")
    return values[0] if values else None


def _check_depth(text: str) -> None:
    """Before parsing, and blind to strings, so that it may only be too strict: the parser recurses."""
    depth = 0
    for char in text:
        if char in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                raise InvalidRequest("The body is nested too deeply.", reason="too_deep")
        elif char in "]}":
            depth -= 1


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise InvalidRequest("A field is given twice.", reason="duplicate_field")
    return found


def _constant(_: str) -> Any:
    raise InvalidRequest("NaN and Infinity are not JSON.", reason="invalid_json")


def _integer(digits: str) -> int:
    if len(digits) > 20:
        raise InvalidRequest("A number is out of range.", reason="number_range")
    return int(digits)
