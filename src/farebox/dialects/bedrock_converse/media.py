"""Images, documents, video and audio as Converse blocks, both ways. Refuses to fetch: bytes or an S3 location, nothing else.

Document names may hold letters, digits, single spaces, hyphens, round and square brackets, and differ within a request
(API reference of DocumentBlock, 2026-11).
"""

import base64
import re
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.words import FORMATS, KINDS, NAME
from farebox.ir.errors import VendorUnsupported
from farebox.ir.request import FileId, Inline, Media, Url

NAME_CHARS_MAX = 200
_FORBIDDEN = re.compile(r"[^A-Za-z0-9\s\-()\[\]]+")
_SPACES = re.compile(r"\s+")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_FAMILIES = {kind: family for family, kind in KINDS.items()}
_TYPES = {
    family: {word: media_type for media_type, word in reversed(list(formats.items()))}
    for family, formats in FORMATS.items()
}
_value = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode


class DocumentNames:
    """Allowed names, each once in a request."""

    __slots__ = ("_taken",)

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def allowed(self, filename: str) -> str:
        plain = _SPACES.sub(" ", _FORBIDDEN.sub(" ", _SUFFIX.sub("", filename))).strip()[:NAME_CHARS_MAX].strip()
        name = plain = plain or "document"
        number = 2
        while name in self._taken:
            name = f"{plain} {number}"
            number += 1
        self._taken.add(name)
        return name


def _format(part: Media) -> str:
    """The format word; unknown types are left to the vendor to refuse."""
    formats = FORMATS[part.family]
    media_type = part.media_type.partition(";")[0].strip().lower()
    if media_type in formats:
        return formats[media_type]
    suffix = part.filename.rpartition(".")[2].lower()
    if suffix in formats.values():
        return suffix
    if isinstance(part.source, Url):
        tail = part.source.url.rpartition(".")[2].lower()
        if tail in formats.values() or f"{part.family}/{tail}" in formats:
            return formats.get(f"{part.family}/{tail}", tail)
    if part.family == "file" and media_type.startswith("text/"):
        return "txt"
    if media_type:
        return media_type.rpartition("/")[2]
    return {"image": "png", "video": "mp4", "file": "pdf", "audio": "mp3"}[part.family]


def _source(part: Media, path: str) -> dict[str, Any]:
    source = part.source
    if isinstance(source, Inline):
        return {"bytes": source.data}
    address = source.file_id if isinstance(source, FileId) else source.url
    if address.startswith("s3://"):
        return {"s3Location": {"uri": address}}
    raise VendorUnsupported("This provider takes media as data only, not by address.", path=path)


def block(part: Media, extras: dict[str, Any], names: DocumentNames, path: str) -> dict[str, Any]:
    """A media part as a block. Raises `VendorUnsupported` for what only an address is known of."""
    kind = KINDS.get(part.family)
    if kind is None:
        raise VendorUnsupported("This provider does not take this kind of media.", path=path)
    inner: dict[str, Any] = {"format": _format(part)}
    if kind == "document":
        inner["name"] = names.allowed(part.filename)
    inner["source"] = _source(part, path)
    return {kind: inner | extras}


def part_of(kind: str, raw: Raw) -> Media | None:
    """A media block of an answer as a part; `None` if it is none that we can tell."""
    family = _FAMILIES.get(kind)
    fields = _members(raw)
    source = _value(fields["source"]) if "source" in fields else None
    if family is None or not isinstance(source, dict):
        return None
    word, name = (str(_value(fields[key])) if key in fields else "" for key in ("format", "name"))
    media_type = _TYPES[family].get(word, f"{family}/{word}" if family != "file" and word else "")
    where: Inline | Url
    if isinstance(source.get("bytes"), str):
        where = Inline(source["bytes"])
    elif "text" in source or "content" in source:
        where = Inline(base64.b64encode(_text(source).encode()).decode())
    elif isinstance(source.get("s3Location"), dict):
        where = Url(str(source["s3Location"].get("uri") or ""))
    else:
        return None
    known = ("format", "name") if "text" in source or "content" in source else ("format", "name", "source")
    extras = {key: value for key, value in fields.items() if key not in known}
    return Media(
        family=family,
        media_type=media_type,
        source=where,
        filename=name,
        extras={NAME: extras} if extras else {},
    )


def _text(source: dict[str, Any]) -> str:
    """A document given as text, or as pieces of text."""
    pieces = source.get("content")
    if isinstance(pieces, list):
        return "\n\n".join(str(piece.get("text") or "") for piece in pieces if isinstance(piece, dict))
    return str(source.get("text") or "")
