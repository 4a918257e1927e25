"""Items of the protocol, of a request's input or an answer's output, made canonical parts.
Refuses nothing: an item nobody here understands becomes an opaque part, valid for this protocol only.

Parts of one message or reasoning item carry the item's own members (`id`, `phase`, …) as the extra `item`, so that they
find together again.
"""

import re
from collections.abc import Iterable
from typing import Any

from msgspec import Raw

from farebox.dialects.openai_responses.words import (
    CALLS,
    FORMAT,
    IMAGE_ITEM,
    NAME,
    given,
    is_made,
    join,
    members_of,
    raws_of,
    text_of,
    value_of,
)
from farebox.dialects.shared.reader import Reader
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
    Refusal,
    Seal,
    Text,
    ToolCall,
    Url,
)

_DATA_URL = re.compile(r"data:([\w.+/-]*)(?:;[\w=.+-]+)*;base64,")
_OUT_MEMBERS = ("type", "role", "content", "status")
Fields = dict[str, Raw]


def extras_of(fields: dict[str, Raw]) -> Extras:
    return {NAME: fields} if fields else {}


def item_extras(fields: Fields, *known: str) -> dict[str, Raw]:
    """The members of an item that its parts do not say, as one extra."""
    rest = {name: raw for name, raw in fields.items() if name not in known and given(raw)}
    return {"item": Raw(join(rest))} if rest else {}


def item_parts(payload: Raw, origin: Origin, *, answer: bool) -> list[AnyPart]:
    """The parts of one item. `answer` drops what the answer says elsewhere (an item's status)."""
    fields = members_of(payload)
    kind = text_of(fields.get("type")) or "message"
    if not answer and is_made(text_of(fields.get("id"))):
        del fields["id"]
    if kind == "message":
        return message_parts(fields, answer=answer)
    if kind == "reasoning":
        return reasoning_parts(fields, origin, answer=answer)
    if kind in CALLS:
        return [call_part(fields, kind, answer=answer)]
    if kind == IMAGE_ITEM and given(fields.get("result"))[:1] == b'"':
        return [image_part(fields)]
    return [Opaque(payload=payload, origin=origin)]


def message_parts(fields: Fields, *, answer: bool) -> list[AnyPart]:
    known = _OUT_MEMBERS if answer else ("type", "role", "content")
    shared = item_extras(fields, *known)
    content = given(fields.get("content"))
    if content[:1] == b'"':
        return [Text(text=str(value_of(content)), extras=extras_of(shared))]
    return [content_part(Raw(raw), shared) for raw in raws_of(content or b"[]")] or [
        Text(text="", extras=extras_of(shared))
    ]


def content_part(payload: Raw, shared: Fields) -> AnyPart:
    """One content part of a message, with its item's extras."""
    reader = Reader(members_of(payload))
    kind = text_of(reader.raw("type"))
    if kind in ("output_text", "input_text", "text"):
        text, cache = text_of(reader.raw("text")), cache_of(reader)
        citations = tuple(citation_of(raw) for raw in raws_of(given(reader.raw("annotations")) or b"[]"))
        reader.raw("logprobs")
        reader.raw("refusal")
        return Text(text=text, citations=citations, cache=cache, extras=_with(shared, reader))
    if kind == "refusal":
        return Refusal(text=text_of(reader.raw("refusal")), extras=_with(shared, reader))
    media = _MEDIA.get(kind)
    if media is not None:
        found = media(reader, shared)
        if found is not None:
            return found
    return Opaque(payload=payload, origin=Origin(NAME), extras=extras_of(shared))


def _with(shared: Fields, reader: Reader) -> Extras:
    rest = {name: raw for name, raw in reader.rest().items() if given(raw)}
    return extras_of({**shared, **rest})


def cache_of(reader: Reader) -> CacheMark | None:
    return mark_of(reader.value("cache_control"))


def mark_of(value: Any) -> CacheMark | None:
    if not isinstance(value, dict):
        return None
    ttl = value.get("ttl")
    return CacheMark(ttl if isinstance(ttl, str) else "5m")


def citation_of(raw: Raw) -> Citation:
    """An annotation; offsets and kinds that only this protocol has stay extras."""
    reader = Reader(members_of(raw))
    if bytes(reader.rest().get("type", b"")) != b'"url_citation"':
        return Citation(extras={NAME: reader.rest()})
    reader.raw("type")
    url, title = text_of(reader.raw("url")), text_of(reader.raw("title"))
    start, end = reader.value("start_index"), reader.value("end_index")
    return Citation(url=url, title=title, start=_offset(start), end=_offset(end), extras=_with({}, reader))


def _offset(value: Any) -> int | None:
    return value if type(value) is int else None


def _address(url: str) -> tuple[str, Inline | Url]:
    found = _DATA_URL.match(url)
    return (found.group(1), Inline(url[found.end() :])) if found else ("", Url(url))


def _image(reader: Reader, shared: Fields) -> Media | None:
    url, file_id, detail = (
        text_of(reader.raw("image_url")),
        text_of(reader.raw("file_id")),
        text_of(reader.raw("detail")),
    )
    if not url and not file_id:
        return None
    media_type, source = _address(url) if url else ("", FileId(file_id))
    cache = cache_of(reader)
    return Media(
        family="image", media_type=media_type, source=source, detail=detail, cache=cache, extras=_with(shared, reader)
    )


def _file(reader: Reader, shared: Fields) -> Media | None:
    data, url, file_id = (text_of(reader.raw(name)) for name in ("file_data", "file_url", "file_id"))
    name, cache = text_of(reader.raw("filename")), cache_of(reader)
    media_type, source = _address(data or url) if data or url else ("", FileId(file_id))
    if data and isinstance(source, Url):
        source = Inline(data)
    return Media(
        family="file", media_type=media_type, source=source, filename=name, cache=cache, extras=_with(shared, reader)
    )


def _audio(reader: Reader, shared: Fields) -> Media | None:
    raw = given(reader.raw("input_audio"))
    if raw[:1] != b"{":
        return None
    inner = members_of(raw)
    data, form, cache = text_of(inner.get("data")), text_of(inner.get("format")), cache_of(reader)
    return Media(
        family="audio", media_type=f"audio/{form}", source=Inline(data), cache=cache, extras=_with(shared, reader)
    )


def _video(reader: Reader, shared: Fields) -> Media | None:
    media_type, source = _address(text_of(reader.raw("video_url")))
    return Media(
        family="video", media_type=media_type, source=source, cache=cache_of(reader), extras=_with(shared, reader)
    )


_MEDIA = {"input_image": _image, "input_file": _file, "input_audio": _audio, "input_video": _video}


def _texts(raw: Raw | None) -> Iterable[str]:
    data = given(raw)
    return (text_of(members_of(entry).get("text")) for entry in raws_of(data)) if data[:1] == b"[" else ()


def reasoning_parts(fields: Fields, origin: Origin, *, answer: bool) -> list[AnyPart]:
    """Summaries, then thoughts, then the seal, each its own part: what a chat client can hold and give back."""
    word = text_of(fields.get("format")) or origin.format or FORMAT
    origin = Origin(NAME, origin.vendor, word)
    known = ("type", "summary", "content", "encrypted_content", "signature", "format", *(("status",) if answer else ()))
    extras = extras_of(item_extras(fields, *known))
    out: list[AnyPart] = [
        Reasoning(summary=text, origin=origin, extras=extras) for text in _texts(fields.get("summary"))
    ]
    out += [Reasoning(text=text, origin=origin, extras=extras) for text in _texts(fields.get("content"))]
    seal = seal_of(fields)
    if seal is not None and seal.form == "signature" and out and out[-1].text:  # type: ignore[union-attr]
        last = out.pop()
        assert isinstance(last, Reasoning)
        out.append(Reasoning(text=last.text, seal=seal, origin=origin, extras=seal_extras(extras)))
    elif seal is not None:
        out.append(Reasoning(seal=seal, origin=origin, extras=seal_extras(extras)))
    if not out and not answer:
        out.append(Reasoning(origin=origin, extras=extras))
    return out


def seal_of(fields: Fields) -> Seal | None:
    item_id = text_of(fields.get("id"))
    for name, form in (("encrypted_content", "encrypted"), ("signature", "signature")):
        data = text_of(fields.get(name))
        if data:
            return Seal(form, data, item_id)
    return None


def seal_extras(extras: Extras) -> Extras:
    """The extras of a sealed part: its item's id stands in the seal already."""
    item = extras.get(NAME, {}).get("item")
    rest = {name: raw for name, raw in members_of(item).items() if name != "id"} if item is not None else {}
    return extras_of({"item": Raw(join(rest))} if rest else {})


def call_part(fields: Fields, kind: str, *, answer: bool) -> ToolCall:
    form, member = CALLS[kind]
    known = ("type", "call_id", "name", member, *(("status",) if answer else ()))
    rest = {name: raw for name, raw in fields.items() if name not in known and given(raw)}
    arguments = given(fields.get(member))
    written = arguments.decode() if arguments[:1] == b"{" else text_of(arguments)
    call_id = text_of(fields.get("call_id")) or text_of(fields.get("id"))
    return ToolCall(
        call_id=call_id, name=text_of(fields.get("name")), arguments=written, form=form, extras=extras_of(rest)
    )


def image_part(fields: Fields) -> Media:
    rest = {name: raw for name, raw in fields.items() if name != "result" and given(raw)}
    form = text_of(fields.get("output_format")) or "png"
    return Media(
        family="image", media_type=f"image/{form}", source=Inline(text_of(fields.get("result"))), extras=extras_of(rest)
    )
