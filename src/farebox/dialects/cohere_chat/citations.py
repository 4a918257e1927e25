"""Citations of this API as canonical ones, one for each source, and back from nowhere: they are answers only. Offsets count
characters of the text part they belong to. Refuses to invent an address.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.cohere_chat.words import NAME
from farebox.ir.request import Citation

_value = msgspec.json.Decoder().decode
_QUOTED = ("snippet", "text", "content", "output")
_ADDRESSES = ("url", "link", "source")


def citations(raw: Raw) -> list[Citation]:
    """A citation entry; the entry itself is kept with each."""
    entry = _value(raw)
    sources = entry.get("sources")
    kept = {NAME: {"citation": raw}}
    start, end = _offset(entry.get("start")), _offset(entry.get("end"))
    if not isinstance(sources, list) or not sources:
        return [Citation(start=start, end=end, extras=kept)]
    return [_one(source if isinstance(source, dict) else {}, start, end, kept) for source in sources]


def _one(source: dict[str, Any], start: int | None, end: int | None, kept: dict[str, dict[str, Raw]]) -> Citation:
    inner = source.get("document") or source.get("tool_output") or {}
    inner = inner if isinstance(inner, dict) else {}
    addresses = [str(inner[name]) for name in _ADDRESSES if isinstance(inner.get(name), str)]
    return Citation(
        url=next((url for url in addresses if url.startswith(("https://", "http://"))), ""),
        title=str(inner.get("title") or inner.get("id") or source.get("id") or ""),
        quote=next((inner[name] for name in _QUOTED if isinstance(inner.get(name), str)), ""),
        start=start,
        end=end,
        extras=kept,
    )


def _offset(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None


def part_number(raw: Raw) -> int | None:
    """The number of the content block that a citation belongs to, if it says one."""
    return _offset(_value(raw).get("content_index"))


def about_plan(raw: Raw) -> bool:
    """Whether a citation is about the plan before tool calls."""
    return bool(_value(raw).get("type") == "PLAN")
