"""Looking at images, audio and files just long enough to say how large they are. Refuses to fetch or decode anything."""

import base64
import binascii
from typing import Any

from farebox.sims.http1 import Json

_PNG = b"\x89PNG\r\n\x1a\n"


def seen(asked: Json) -> str:
    """A sentence on every image, sound and file of the conversation; empty if there is none."""
    sentences = []
    for message in asked.get("messages") or ():
        content = message.get("content") if isinstance(message, dict) else None
        for part in content if isinstance(content, list) else ():
            sentence = _part(part) if isinstance(part, dict) else ""
            if sentence:
                sentences.append(sentence)
    return " ".join(sentences)


def _part(part: Json) -> str:
    match part.get("type"):
        case "image_url":
            image = part.get("image_url")
            return _described("image", image.get("url") if isinstance(image, dict) else image)
        case "input_audio":
            audio = part.get("input_audio") or {}
            return f"I hear a sound of {_size(str(audio.get('data', '')))} bytes ({audio.get('format', 'unknown')})."
        case "file":
            file = part.get("file") or {}
            return _described("file", file.get("file_data") or file.get("file_id"))
        case _:
            return ""


def _described(noun: str, url: Any) -> str:
    address = str(url or "")
    if not address.startswith("data:"):
        return f"I see {'an' if noun == 'image' else 'a'} {noun} at {address[:120]}."
    kind, _, data = address.removeprefix("data:").partition(",")
    media_type = kind.partition(";")[0] or "text/plain"
    extent = _extent(data)
    return f"I see {'an' if noun == 'image' else 'a'} {noun} of {_size(data)} bytes ({media_type}{extent})."


def _size(data: str) -> int:
    return len(data) * 3 // 4 - data[-2:].count("=")


def _extent(data: str) -> str:
    """Width and height, from the header of a PNG."""
    try:
        start = base64.b64decode(data[:32])
    except (binascii.Error, ValueError):
        return ""
    if not start.startswith(_PNG) or len(start) < 24:
        return ""
    return f", {int.from_bytes(start[16:20])}x{int.from_bytes(start[20:24])}"
