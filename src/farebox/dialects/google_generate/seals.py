"""Thought signatures as seals of reasoning parts, and foreign seals as thought signatures.

A signature stands on one part and must come back on exactly that part. In the canonical form it is a sealed reasoning
part right before it (`encrypted`, with the call's id if the part is a call), or the seal of the thought itself. A seal of
another house travels through this dialect's clients wrapped; it is never sent to Google. Refuses to look into signatures.
"""

import base64
from typing import Any

import msgspec

from farebox.dialects.google_generate.words import FORMAT, NAME
from farebox.ir.request import Origin, Reasoning, Seal

ORIGIN = Origin(NAME, format=FORMAT)
# Documented for histories that another model made: https://ai.google.dev/gemini-api/docs/thought-signatures (2026-11-24).
STAND_IN = "skip_thought_signature_validator"
_PREFIX = b"fbseal"
_MARK = base64.b64encode(_PREFIX).decode()


def before(signature: str, call_id: str = "") -> Reasoning:
    """The sealed part that says: the next part (or this call) bears this signature."""
    return Reasoning(seal=Seal("encrypted", signature, call_id), origin=ORIGIN)


def is_ours(part: Reasoning) -> bool:
    """Whether Google made this seal."""
    return part.origin is not None and part.origin.format == FORMAT


def wrapped(part: Reasoning) -> str:
    """A foreign seal as base64 text, which is what this dialect's libraries take."""
    seal = part.seal
    assert seal is not None
    inner = {
        "f": part.origin.format if part.origin else "",
        "k": seal.form,
        "d": seal.data,
        "i": seal.item_id,
    }
    return base64.b64encode(_PREFIX + msgspec.json.encode(inner)).decode()


def is_wrapped(signature: str) -> bool:
    return signature.startswith(_MARK)


def unwrapped(signature: str, text: str) -> Reasoning | None:
    """The foreign sealed part in a signature that we made, with the thought it seals; `None` if it was spoilt."""
    try:
        plain = base64.b64decode(signature.replace("-", "+").replace("_", "/"))
        inner: Any = msgspec.json.decode(plain[len(_PREFIX) :])
        seal = Seal(str(inner["k"]), str(inner["d"]), str(inner["i"]))
        origin = Origin(NAME, format=str(inner["f"]))
        return told(Reasoning(seal=seal, origin=origin), text)
    except (ValueError, KeyError, TypeError):
        return None


def told(part: Reasoning, text: str) -> Reasoning:
    """The part with what can be read of it: beside an encrypted thought that is its summary, else the thought itself."""
    if part.seal is not None and part.seal.form == "encrypted":
        return msgspec.structs.replace(part, summary=text)
    return msgspec.structs.replace(part, text=text)
