"""Seals towards clients of this protocol, and back from them. Claude's own seals are the bytes they were; those of another
origin stand behind a mark in the same places, so that clients replay them unread. Refuses to open a seal.
"""

import base64
import binascii
from typing import Any

from farebox.dialects.anthropic_messages.seals import MARK, unwrap, wrap
from farebox.dialects.bedrock_converse.words import NAME, OTHER_SEAL
from farebox.ir.request import Origin, Reasoning, Seal

# Marks a blob that is not base64 of text; no seal of Claude begins so, since a colon is not in its alphabet.
BLOB = "blob:"


def word_of(origin: Origin | None) -> str:
    return origin.format if origin is not None else ""


def to_blob(text: str) -> str:
    """A redacted seal's text as the base64 that the protocol has there."""
    return text.removeprefix(BLOB) if text.startswith(BLOB) else base64.b64encode(text.encode()).decode()


def from_blob(blob: str) -> str:
    """The text of a blob; one that holds no ASCII text stays a blob, with a mark."""
    try:
        data = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return BLOB + blob
    if data.startswith(MARK.encode()):
        return data.decode("utf-8", "replace")
    exact = data.isascii() and base64.b64encode(data).decode() == blob
    return data.decode() if exact else BLOB + blob


def sealed(seal: Seal, word: str, call_id: str = "") -> dict[str, Any]:
    """The member of `reasoningContent` for a seal without text."""
    return {"redactedContent": to_blob(wrap(seal, word, call_id))}


def read_seal(content: dict[str, Any]) -> tuple[Reasoning, str]:
    """A `reasoningContent` as a part, and the id of the tool call whose seal it is, if it is one."""
    blob = content.get("redactedContent")
    if isinstance(blob, str):
        word, seal, call_id = unwrap(from_blob(blob), "redacted")
        return Reasoning(seal=seal, origin=Origin(NAME, format=word)), call_id
    inner = content.get("reasoningText")
    inner = inner if isinstance(inner, dict) else {}
    text, signature = str(inner.get("text") or ""), inner.get("signature")
    if not isinstance(signature, str) or not signature:
        return Reasoning(text=text, origin=Origin(NAME, format=OTHER_SEAL)), ""
    word, seal, _ = unwrap(signature, "signature")
    return Reasoning(text=text, seal=seal, origin=Origin(NAME, format=word)), ""


def format_of(content: dict[str, Any]) -> str:
    """Whose seal it is; empty without one."""
    part, _ = read_seal(content)
    return word_of(part.origin) if part.seal is not None else ""


def signature(seal: Seal, word: str) -> str:
    """The text that stands as a signature."""
    return wrap(seal, word)
