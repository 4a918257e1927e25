"""Canonical parts written as content blocks of an answer. Refuses nothing a client could use: what has no block of its own is
left out only if it is another protocol's alone.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.seals import wrap
from farebox.dialects.anthropic_messages.words import NAME
from farebox.dialects.shared.reader import members
from farebox.ir.request import AnyPart, Citation, Inline, Media, Opaque, Reasoning, Refusal, Seal, Text, ToolCall, Url

Fields = dict[str, Any]
_encode = msgspec.json.encode


def citation_raw(citation: Citation) -> Raw:
    """A citation as this protocol writes it."""
    kept = citation.extras.get(NAME, {}).get("citation")
    if kept is not None:
        return kept
    fields = {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.quote,
        "encrypted_index": "",
    }
    return Raw(_encode(fields))


def word_of(part: Reasoning | ToolCall) -> str:
    return part.origin.format if part.origin is not None and part.origin.format else "unknown"


def thought_blocks(part: Reasoning, *, shown: bool = True) -> list[Fields]:
    """Reasoning as a block: readable and signed, or redacted."""
    seal, word = part.seal, word_of(part)
    text = (part.text or part.summary) if shown else ""
    rest = dict(part.extras.get(NAME, {}))
    if seal is not None and seal.data and not text and seal.form != "signature":
        return [{"type": "redacted_thinking", "data": wrap(seal, word)} | rest]
    if not text and (seal is None or not seal.data):
        return []
    return [{"type": "thinking", "thinking": text, "signature": wrap(seal, word) if seal is not None else ""} | rest]


def call_seal(part: ToolCall) -> Fields | None:
    """The seal of a tool call, in a block of its own that clients replay unread."""
    if part.seal is None or not part.seal.data:
        return None
    return {"type": "redacted_thinking", "data": wrap(part.seal, word_of(part), part.call_id)}


def call_fields(part: ToolCall, given: Raw) -> Fields:
    fields = {"type": "tool_use", "id": part.call_id, "name": part.name, "input": given}
    return fields | part.extras.get(NAME, {})


def arguments_raw(arguments: str) -> Raw:
    """The arguments as an object; text that is none is wrapped in one."""
    if not arguments.strip():
        return Raw(b"{}")
    try:
        members(arguments)
    except msgspec.MsgspecError:
        return Raw(_encode({"input": arguments}))
    return Raw(arguments.encode())


def media_fields(part: Media) -> Fields:
    place = part.source
    if isinstance(place, Inline):
        source: Fields = {"type": "base64", "media_type": part.media_type or "image/png", "data": place.data}
    elif isinstance(place, Url):
        source = {"type": "url", "url": place.url}
    else:
        source = {"type": "file", "file_id": place.file_id}
    return {"type": "image" if part.family == "image" else "document", "source": source}


def answer_blocks(part: AnyPart, *, shown: bool = True) -> list[Fields | Raw]:
    """The blocks of one whole part."""
    match part:
        case Text():
            cited = {"citations": [citation_raw(one) for one in part.citations]} if part.citations else {}
            return [{"type": "text", "text": part.text} | cited | part.extras.get(NAME, {})]
        case Refusal():
            return [{"type": "text", "text": part.text}]
        case Reasoning():
            return [*thought_blocks(part, shown=shown)]
        case ToolCall():
            apart = call_seal(part)
            return [*([apart] if apart is not None else []), call_fields(part, arguments_raw(part.arguments))]
        case Media():
            return [media_fields(part)] if part.family == "image" else _spoken(part)
        case Opaque():
            return [part.payload] if part.origin is not None and part.origin.dialect == NAME else []
        case _:
            return []


def _spoken(part: Media) -> list[Fields | Raw]:
    """Audio has no block; what was said in it is text."""
    return [{"type": "text", "text": part.transcript}] if part.transcript else []


def seal_text(seal: Seal, part: Reasoning) -> str:
    """A seal as the `signature` of a thinking block."""
    return wrap(seal, word_of(part))
