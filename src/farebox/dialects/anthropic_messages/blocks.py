"""Content blocks read as canonical parts, of requests and answers alike. Refuses nothing: a block it does not know is
kept whole as an opaque part that only this protocol gets back.
"""

import base64

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.seals import unescape, unwrap
from farebox.dialects.anthropic_messages.words import FORMAT, NAME
from farebox.dialects.shared.reader import Reader, objects
from farebox.ir.errors import InvalidRequest
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    Citation,
    Extras,
    FileId,
    Inline,
    Media,
    Opaque,
    Origin,
    Reasoning,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)

_encode = msgspec.json.encode
_value = msgspec.json.Decoder().decode
_raws = msgspec.json.Decoder(list[Raw]).decode
OWN = Origin(NAME, format=FORMAT)


def cache_of(reader: Reader) -> tuple[CacheMark | None, dict[str, Raw]]:
    """The mark, and the raw member if it says more than a mark can."""
    raw = reader.raw("cache_control")
    value = _value(raw) if raw is not None else None
    if raw is None or not isinstance(value, dict):
        return None, {"cache_control": raw} if raw is not None else {}
    ttl = value.get("ttl")
    more = {"cache_control": raw} if set(value) - {"type", "ttl"} or value.get("type") != "ephemeral" else {}
    return CacheMark(ttl if isinstance(ttl, str) else "5m"), more


def extras_of(reader: Reader, more: dict[str, Raw]) -> Extras:
    rest = {name: raw for name, raw in reader.rest().items() if bytes(raw) != b"null"} | more
    return {NAME: rest} if rest else {}


def citation_of(raw: Raw) -> Citation:
    """One citation, understood as far as others can use it and kept whole for this protocol."""
    value = _value(raw)
    if not isinstance(value, dict):
        return Citation(extras={NAME: {"citation": raw}})
    source = value.get("url") or value.get("source")
    title = value.get("title") or value.get("document_title")
    return Citation(
        url=source if isinstance(source, str) else "",
        title=title if isinstance(title, str) else "",
        quote=str(value.get("cited_text") or ""),
        extras={NAME: {"citation": raw}},
    )


def parts_of(raw: Raw | None, path: str) -> tuple[AnyPart, ...]:
    """Content: a text, or a list of blocks."""
    if raw is None:
        return ()
    if bytes(raw)[:1] == b'"':
        text = _value(raw)
        return (Text(text=text),) if text else ()
    try:
        blocks = objects(raw)
    except msgspec.MsgspecError:
        raise InvalidRequest("Content is a text or a list of blocks.", path=path, reason="invalid_value") from None
    apart = {found[0]: found for block in blocks if (found := _apart(block)) is not None}
    parts = [
        part_of(block, f"{path}[{index}]") for index, block in enumerate(blocks) if not apart or _apart(block) is None
    ]
    if not apart:
        return tuple(parts)
    return tuple(_sealed(part, apart) for part in parts)


Apart = tuple[str, Seal, Origin]


def _apart(block: dict[str, Raw]) -> Apart | None:
    """A seal that travels apart from its tool call: (call id, seal, origin)."""
    if bytes(block.get("type", b"")) != b'"redacted_thinking"':
        return None
    word, seal, call_id = unwrap(str(_value(block.get("data", b'""'))), "redacted")
    return (call_id, seal, Origin(NAME, format=word)) if call_id else None


def _sealed(part: AnyPart, apart: dict[str, Apart]) -> AnyPart:
    if not isinstance(part, ToolCall) or part.call_id not in apart:
        return part
    _, seal, origin = apart[part.call_id]
    return msgspec.structs.replace(part, seal=seal, origin=origin)


def part_of(block: dict[str, Raw], path: str = "$") -> AnyPart:
    """One block."""
    reader = Reader(block, path)
    kind = reader.text("type") or ""
    match kind:
        case "text":
            return _text(reader)
        case "thinking":
            return _thinking(reader)
        case "redacted_thinking":
            return _redacted(reader)
        case "tool_use":
            return _call(reader)
        case "tool_result":
            return _result(reader)
        case "image" | "document":
            return _media(reader, kind, block)
        case _:
            return Opaque(payload=Raw(_encode(block)), origin=OWN)


def _text(reader: Reader) -> Text:
    mark, more = cache_of(reader)
    text = reader.text("text") or ""
    raw = reader.raw("citations")
    given = _raws(raw) if raw is not None and bytes(raw)[:1] == b"[" else []
    citations = tuple(citation_of(one) for one in given)
    return Text(text=text, citations=citations, cache=mark, extras=extras_of(reader, more))


def _thinking(reader: Reader) -> Reasoning:
    signature = reader.text("signature")
    text = reader.text("thinking") or ""
    extras = extras_of(reader, {})
    if not signature:
        return Reasoning(text=text, extras=extras)
    word, seal, _ = unwrap(signature, "signature")
    if seal.form == "encrypted":
        return Reasoning(summary=text, seal=seal, origin=Origin(NAME, format=word), extras=extras)
    return Reasoning(text=text, seal=seal, origin=Origin(NAME, format=word), extras=extras)


def _redacted(reader: Reader) -> Reasoning:
    word, seal, _ = unwrap(reader.text("data") or "", "redacted")
    return Reasoning(seal=seal, origin=Origin(NAME, format=word), extras=extras_of(reader, {}))


def _call(reader: Reader) -> ToolCall:
    mark, more = cache_of(reader)
    call_id, name = reader.text("id") or "", reader.text("name") or ""
    given = reader.raw("input")
    arguments = bytes(given).decode() if given is not None else "{}"
    return ToolCall(
        call_id=call_id, name=unescape(name), arguments=arguments, cache=mark, extras=extras_of(reader, more)
    )


def _result(reader: Reader) -> ToolResult:
    mark, more = cache_of(reader)
    call_id = reader.text("tool_use_id") or ""
    failed = reader.value("is_error") is True
    parts = parts_of(reader.raw("content"), f"{reader.path}.content")
    return ToolResult(call_id=call_id, parts=parts, failed=failed, cache=mark, extras=extras_of(reader, more))


def _media(reader: Reader, kind: str, block: dict[str, Raw]) -> AnyPart:
    source = reader.inner("source")
    form = source.text("type") if source is not None else ""
    if source is None or form not in ("base64", "url", "file", "text"):
        return Opaque(payload=Raw(_encode(block)), origin=OWN)
    mark, more = cache_of(reader)
    media_type = source.text("media_type") or ("application/pdf" if kind == "document" and form == "base64" else "")
    place: Inline | Url | FileId
    if form == "url":
        place = Url(source.text("url") or "")
    elif form == "file":
        place = FileId(source.text("file_id") or "")
    elif form == "text":
        media_type = media_type or "text/plain"
        place = Inline(base64.b64encode((source.text("data") or "").encode()).decode())
    else:
        place = Inline(source.text("data") or "")
    if source.rest():
        more = more | {"source": Raw(_encode(source.rest()))}
    title = reader.text("title") or ""
    family = "image" if kind == "image" else "file"
    return Media(
        family=family, media_type=media_type, source=place, filename=title, cache=mark, extras=extras_of(reader, more)
    )
