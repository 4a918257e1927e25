"""Seals of other origins inside this protocol's thinking blocks, and names that this protocol does not allow, written so that
they can be read back. Refuses to touch its own seals: those are the bytes they were.

A foreign seal stands in `signature` (or in `data` of a redacted block) behind a mark, with the words that say whose it is;
clients replay such blocks unread, and the next turn finds its way back to the same origin.
"""

import re

import msgspec

from farebox.dialects.anthropic_messages.words import FORMAT
from farebox.ir.request import Seal

MARK = "farebox-seal-v1:"
NAME_CHARS_MAX = 128
_list = msgspec.json.Decoder(list[str]).decode
_LEGAL = re.compile(r"[a-zA-Z0-9_-]*")
_ILLEGAL = re.compile(r"[^a-zA-Z0-9_-]|-(?=x)")
_ESCAPED = re.compile(r"-x([0-9a-f]{1,6})-")


def wrap(seal: Seal, word: str, call_id: str = "") -> str:
    """The seal as text of this protocol. `call_id` says that it belongs to that tool call."""
    if word == FORMAT and not call_id:
        return seal.data
    return MARK + msgspec.json.encode([word, seal.form, seal.item_id, call_id, seal.data]).decode()


def unwrap(text: str, form: str) -> tuple[str, Seal, str]:
    """(format word, seal, call id) of a text; without the mark it is this protocol's own, of the given form."""
    if text.startswith(MARK):
        try:
            word, inner, item_id, call_id, data = _list(text[len(MARK) :])
        except (msgspec.MsgspecError, ValueError):
            return FORMAT, Seal(form, text), ""
        return word, Seal(inner, data, item_id), call_id
    return FORMAT, Seal(form, text), ""


def escape(name: str) -> str:
    """A name of letters, digits, `_` and `-` only. One that is so already stays, and `unescape` is its exact inverse."""
    if _LEGAL.fullmatch(name) and not _ESCAPED.search(name):
        return name
    return _ILLEGAL.sub(lambda found: f"-x{ord(found.group()):x}-", name)


def unescape(name: str) -> str:
    """The name before `escape`."""
    if "-x" not in name:
        return name
    return _ESCAPED.sub(_char, name)


def _char(found: re.Match[str]) -> str:
    number = int(found.group(1), 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else found.group()
