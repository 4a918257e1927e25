"""Token counting: `countTokens` asked and answered, by a vendor or from an estimate. Refuses to count by itself."""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.google_generate.opening import open_generate, with_path
from farebox.dialects.ports import Opened, Target
from farebox.dialects.shared.reader import is_null, members
from farebox.ir.errors import Garbled

_encode = msgspec.json.encode


def open_count(body: bytes, model: str) -> Opened:
    """The request whose tokens are asked for: `generateContentRequest`, or the contents themselves."""
    fields, _ = front(body)
    inner = fields.get("generateContentRequest") or fields.get("generate_content_request")
    if inner is None or is_null(inner):
        return with_path(open_generate(body), model, stream=False)
    if bytes(inner)[:1] != b"{":
        refuse("'generateContentRequest' is an object.", "invalid_value", "$.generateContentRequest")
    return with_path(open_generate(bytes(inner)), model, stream=False)


def count_path(target: Target) -> str:
    """The path below the vendor's base URL."""
    return f"/models/{target.model}:countTokens"


def count_request(opened: Opened, target: Target) -> bytes:
    """The vendor's body. Vertex takes the members themselves (option `count_members`)."""
    inner = {name: raw for name, raw in opened.fields.items() if not is_null(raw)}
    for name in ("model", "models", "provider"):
        inner.pop(name, None)
    if inner.keys() == {"contents"} or "count_members" in target.options:
        return _encode(inner)
    return _encode({"generateContentRequest": {"model": f"models/{target.model}"} | inner})


def read_count(body: bytes) -> int:
    """The total of a vendor's answer."""
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Garbled(metadata={"what": "json"}) from None
    total: Any = value.get("totalTokens") if isinstance(value, dict) else None
    if type(total) is not int or total < 0:
        raise Garbled(metadata={"what": "count"})
    return total


def write_count(total: int, vendor_body: bytes = b"") -> bytes:
    """The answer to a client: the vendor's own if it is one, else the total alone."""
    if vendor_body:
        return _encode({name: Raw(bytes(raw)) for name, raw in members(vendor_body).items()})
    return _encode({"totalTokens": total})
