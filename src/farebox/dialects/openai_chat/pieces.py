"""Small readings of what a vendor says: texts in lists, names of models, usage in odd places. Refuses to hold state."""

import json
from typing import Any

import msgspec
from msgspec import Raw

TEXT_KINDS = ("text", "output_text")
_encode = msgspec.json.encode


def reasoning_detail(text: str, index: int = 0) -> bytes:
    """Plain reasoning text as an entry of `reasoning_details`."""
    return b'[{"type":"reasoning.text","text":%b,"format":"unknown","index":%d}]' % (_encode(text), index)


def extension_usage(chunk: dict[str, Raw]) -> Raw | None:
    """Usage inside a vendor's own extension member (`x_…`), where streams of one vendor have it unasked."""
    for name, raw in chunk.items():
        if name.startswith("x_") and bytes(raw)[:1] == b"{":
            usage = msgspec.json.decode(raw).get("usage")
            if usage:
                return Raw(_encode(usage))
    return None


def split_list(parts: list[Any]) -> tuple[str, str]:
    """Content as a list of typed parts: (reasoning, text)."""
    thought, answer = [], []
    for part in parts:
        if not isinstance(part, dict):
            continue
        if part.get("type") in TEXT_KINDS:
            answer.append(str(part.get("text") or ""))
        elif part.get("type") == "thinking":
            inner = part.get("thinking")
            pieces = inner if isinstance(inner, list) else [{"text": inner}]
            thought += [str(piece.get("text") or "") for piece in pieces if isinstance(piece, dict)]
    return "".join(thought), "".join(answer)


def differs(answered: str, asked: str) -> bool:
    """Whether the vendor names another model than asked; a dated or shortened name of the same is none."""
    first, second = (name.rsplit("/", 1)[-1].lower() for name in (answered, asked))
    return first not in second and second not in first


def lower(new: dict[str, int], old: dict[str, int]) -> bool:
    return sum(new.values()) < sum(old.values())


class _NotANumber:
    """Stands for NaN and Infinity while a document is read leniently."""


def without_absurd_usage(data: bytes) -> bytes:
    """The document without its usage, if counters that are no numbers (NaN, Infinity) are all that is wrong; else empty."""
    if b"NaN" not in data and b"Infinity" not in data:
        return b""
    marker = _NotANumber()
    try:
        document = json.loads(data, parse_constant=lambda word: marker)
    except (ValueError, RecursionError):
        return b""
    if not isinstance(document, dict):
        return b""
    document.pop("usage", None)
    try:
        return _encode(document)
    except TypeError:
        return b""
