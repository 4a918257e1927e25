"""Inline and referenced media, in and out. Refuses to decode or fetch them."""

from typing import Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.words import NAME
from farebox.ir.request import Extras, FileId, Inline, Media, Url

_encode = msgspec.json.encode
_TYPES = {
    "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif",
    "heic": "image/heic", "heif": "image/heif", "bmp": "image/bmp", "pdf": "application/pdf", "txt": "text/plain",
    "md": "text/markdown", "csv": "text/csv", "html": "text/html", "json": "application/json", "mp3": "audio/mpeg",
    "wav": "audio/wav", "ogg": "audio/ogg", "flac": "audio/flac", "aac": "audio/aac", "m4a": "audio/m4a",
    "aiff": "audio/aiff", "mp4": "video/mp4", "webm": "video/webm", "mov": "video/quicktime", "mpeg": "video/mpeg",
    "mpg": "video/mpeg", "avi": "video/x-msvideo", "wmv": "video/x-ms-wmv", "3gp": "video/3gpp",
}  # fmt: skip
_FALLBACK = {"image": "image/jpeg", "audio": "audio/mpeg", "video": "video/mp4", "file": "application/pdf"}
_CAMEL = {"mime_type": "mimeType", "file_uri": "fileUri", "display_name": "displayName"}


def family_of(media_type: str) -> str:
    head = media_type.partition("/")[0]
    return head if head in ("image", "audio", "video") else "file"


def media_of(blob: dict[str, Any], outer: Extras | None = None) -> Media:
    """`inlineData` or `fileData` as a media part."""
    fields = {_CAMEL.get(name, name): value for name, value in blob.items()}
    media_type = str(fields.pop("mimeType", None) or "")
    filename = str(fields.pop("displayName", None) or "")
    uri = fields.pop("fileUri", None)
    source: Inline | Url = Url(str(uri)) if uri is not None else Inline(str(fields.pop("data", None) or ""))
    rest = {name: Raw(_encode(value)) for name, value in fields.items()}
    extras = dict((outer or {}).get(NAME, {}))
    if rest:
        extras["fileData" if uri is not None else "inlineData"] = Raw(_encode(rest))
    return Media(
        family=family_of(media_type),
        media_type=media_type,
        source=source,
        filename=filename,
        extras={NAME: extras} if extras else {},
    )


def blob_of(part: Media) -> dict[str, Any]:
    """The part's member: `inlineData` for bytes, `fileData` for addresses."""
    own = part.extras.get(NAME, {})
    if isinstance(part.source, Inline):
        blob: dict[str, Any] = {"mimeType": _type(part, ""), "data": part.source.data}
        kind = "inlineData"
    else:
        uri = part.source.file_id if isinstance(part.source, FileId) else part.source.url
        blob = {"mimeType": _type(part, uri), "fileUri": uri}
        kind = "fileData"
    if part.filename and NAME in part.extras:
        blob["displayName"] = part.filename
    if kind in own:
        blob |= msgspec.json.decode(own[kind], type=dict[str, Raw])
    return {kind: blob}


def _type(part: Media, uri: str) -> str:
    if part.media_type and not part.media_type.endswith("/"):
        return part.media_type
    path = urlsplit(uri).path if uri else part.filename
    return _TYPES.get(path.rpartition(".")[2].lower(), _FALLBACK.get(part.family, "application/octet-stream"))
