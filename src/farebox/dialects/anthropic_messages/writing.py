"""Canonical parts written as content blocks of a request, with what was lost told. Refuses to send what another origin
sealed, and blocks that the vendor is known to refuse.

Option words: `no_url_media` (the host fetches nothing), `system_in_messages` (system messages stay where they stand).
"""

import base64
import binascii
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.seals import NAME_CHARS_MAX, escape
from farebox.dialects.anthropic_messages.words import CHANGED, DROPPED, FORMAT, NAME, SEAL_DROPPED, UNSUPPORTED
from farebox.dialects.ports import Target
from farebox.ir.errors import VendorUnsupported
from farebox.ir.events import Warning
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    Citation,
    Extras,
    FileId,
    Inline,
    Media,
    Opaque,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)

Fields = dict[str, Any]
_encode = msgspec.json.encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_SNIFFED = (
    ("iVBOR", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lG", "image/gif"),
    ("UklG", "image/webp"),
    ("JVBER", "application/pdf"),
)


class Writer:
    """Writes blocks for one request and gathers warnings."""

    def __init__(self, target: Target) -> None:
        self.warnings: list[Warning] = []
        self.marks: list[tuple[Fields, CacheMark]] = []
        self._urls = "no_url_media" not in target.options

    def warn(self, code: str, path: str, message: str) -> None:
        self.warnings.append(Warning(code, path, message))

    def extras(self, extras: Extras, path: str) -> Fields:
        """What only this protocol knows; what only others know is told as lost."""
        for dialect in extras:
            if dialect != NAME:
                self.warn(UNSUPPORTED, path, f"An extension of {dialect} cannot be said in this dialect.")
        return dict(extras.get(NAME, {}))

    def marked(self, block: Fields, mark: CacheMark | None) -> Fields:
        """A cache mark, remembered so that `limit_marks` can take some back."""
        if mark is not None and "cache_control" not in block:
            block["cache_control"] = mark_fields(mark)
            self.marks.append((block, mark))
        return block

    def blocks(self, parts: tuple[AnyPart, ...], path: str) -> list[Fields | Raw]:
        """The blocks of one turn; empty texts are left out, since vendors refuse them."""
        out: list[Fields | Raw] = []
        for index, part in enumerate(parts):
            if len(parts) > 1 and isinstance(part, Text) and not part.text and part.cache is None:
                continue  # how other dialects write a turn that only calls tools
            block = self.block(part, f"{path}[{index}]")
            if block is not None:
                out.append(block)
        return out

    def block(self, part: AnyPart, path: str) -> Fields | Raw | None:
        match part:
            case Text():
                return self._text(part, path)
            case Reasoning():
                return self._thought(part, path)
            case ToolCall():
                return self._call(part, path)
            case ToolResult():
                return self._result(part, path)
            case Media():
                return self._media(part, path)
            case Refusal():
                return {"type": "text", "text": part.text} if part.text.strip() else None
            case Opaque():
                return self._opaque(part, path)

    def _text(self, part: Text, path: str) -> Fields | None:
        if not part.text.strip():
            self.warn("empty_text_dropped", path, "Empty text is refused by this provider.")
            return None
        block: Fields = {"type": "text", "text": part.text}
        cited = [raw for one in part.citations if (raw := self._citation(one, path)) is not None]
        if cited:
            block["citations"] = cited
        return self.marked(block | self.extras(part.extras, path), part.cache)

    def _citation(self, citation: Citation, path: str) -> Raw | None:
        raw = citation.extras.get(NAME, {}).get("citation")
        if raw is None:
            self.warn(UNSUPPORTED, path, "A citation of another dialect cannot be sent back.")
        return raw

    def _thought(self, part: Reasoning, path: str) -> Fields | None:
        seal = part.seal
        if seal is None or part.origin is None or part.origin.format != FORMAT:
            what = "Reasoning without a seal" if seal is None else "Reasoning sealed elsewhere"
            self.warn(SEAL_DROPPED, path, f"{what} cannot be sent to this provider.")
            return None
        if part.cache is not None:
            self.warn("cache_mark_dropped", path, "Thinking takes no cache mark.")
        # Others number the pieces of their reasoning; here the order says it.
        rest: Fields = dict(part.extras.get(NAME, {}))
        if seal.form in ("redacted", "encrypted"):
            return {"type": "redacted_thinking", "data": seal.data} | rest
        return {"type": "thinking", "thinking": part.text, "signature": seal.data} | rest

    def _call(self, part: ToolCall, path: str) -> Fields | None:
        if part.seal is not None:
            self.warn(SEAL_DROPPED, path, "A tool call sealed elsewhere loses its seal.")
        block: Fields = {"type": "tool_use", "id": escape(part.call_id), "name": self.name(part.name, path)}
        block["input"] = self._input(part.arguments, path)
        return self.marked(block | self.extras(part.extras, path), part.cache)

    def _input(self, arguments: str, path: str) -> Raw:
        if not arguments.strip():
            return Raw(b"{}")
        try:
            _members(arguments)
        except msgspec.MsgspecError:
            self.warn(CHANGED, path, "Arguments that are no JSON object were wrapped in one.")
            return Raw(_encode({"input": arguments}))
        return Raw(arguments.encode())

    def name(self, name: str, path: str) -> str:
        """A tool's name as this protocol allows it; answers are read back by `seals.unescape`."""
        escaped = escape(name)
        if len(escaped) > NAME_CHARS_MAX:
            raise VendorUnsupported(f"A tool's name is longer than {NAME_CHARS_MAX} characters.", path=path)
        return escaped

    def _result(self, part: ToolResult, path: str) -> Fields:
        block: Fields = {"type": "tool_result", "tool_use_id": escape(part.call_id)}
        inner = self.blocks(part.parts, f"{path}.content")
        if inner:
            block["content"] = plain(inner)
        if part.failed:
            block["is_error"] = True
        return self.marked(block | self.extras(part.extras, path), part.cache)

    def _opaque(self, part: Opaque, path: str) -> Raw | None:
        if part.origin is not None and part.origin.dialect == NAME:
            return part.payload
        self.warn(UNSUPPORTED, path, "A part of another dialect cannot be said in this one.")
        return None

    def _media(self, part: Media, path: str) -> Fields:
        kind = {"image": "image", "file": "document"}.get(part.family)
        if kind is None:
            raise VendorUnsupported(f"This provider takes no {part.family}.", path=path)
        rest = self.extras(part.extras, path)
        more = rest.pop("source", None)
        source = self._source(part, path) | (dict(_members(more)) if more is not None else {})
        block: Fields = {"type": kind, "source": source}
        if part.filename and kind == "document":
            block["title"] = part.filename
        return self.marked(block | rest, part.cache)

    def _source(self, part: Media, path: str) -> Fields:
        place = part.source
        if isinstance(place, Url):
            if not self._urls:
                raise VendorUnsupported("This provider does not fetch addresses; send the bytes.", path=path)
            return {"type": "url", "url": place.url}
        if isinstance(place, FileId):
            return {"type": "file", "file_id": place.file_id}
        media_type = part.media_type or next((kind for head, kind in _SNIFFED if place.data.startswith(head)), "")
        if part.family == "file" and media_type.startswith("text/"):
            return {"type": "text", "media_type": "text/plain", "data": self._plain_text(place, path)}
        if part.family == "file" and media_type != "application/pdf":
            raise VendorUnsupported("This provider takes documents as PDF or text.", path=path)
        return {"type": "base64", "media_type": media_type, "data": place.data}

    @staticmethod
    def _plain_text(place: Inline, path: str) -> str:
        try:
            return base64.b64decode(place.data, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise VendorUnsupported("A text document is not UTF-8.", path=path) from None

    def limit_marks(self, most: int = 4) -> None:
        """At most four marks, the first and the last ones kept; a longer time never follows a shorter one."""
        marks = self.marks
        if len(marks) > most:
            for block, _ in marks[1 : len(marks) - most + 1]:
                del block["cache_control"]
            self.warn("cache_mark_dropped", "$", f"More than {most} cache marks; the middle ones were left out.")
            marks = [marks[0], *marks[len(marks) - most + 1 :]]
        shorter = False
        for block, mark in marks:
            if shorter and mark.ttl != "5m":
                block["cache_control"] = mark_fields(CacheMark())
                self.warn(CHANGED, "$", "A cache mark that followed a shorter one was made as short.")
            shorter = shorter or mark.ttl == "5m"


def mark_fields(mark: CacheMark) -> Fields:
    return {"type": "ephemeral"} | ({"ttl": mark.ttl} if mark.ttl != "5m" else {})


def plain(blocks: list[Fields | Raw]) -> str | list[Fields | Raw]:
    """A lone text without anything beside it is said as a string."""
    if len(blocks) == 1 and isinstance(blocks[0], dict) and blocks[0].keys() == {"type", "text"}:
        text: str = blocks[0]["text"]
        return text
    return blocks


def dropped(name: str) -> Warning:
    return Warning(DROPPED, f"$.{name}", f"This provider does not take '{name}'.")
