"""Reasoning: sealed blocks there and back byte for byte, and the wish to think in the spelling a model takes.
Refuses to send a seal to another maker's model.

Spellings of the wish (`Target.reasoning_wish`, else by family): `thinking` (a budget), `adaptive` (an effort),
`reasoningConfig`, `reasoning_config` (a bare word), `reasoning_effort`, `none`.
"""

import base64
import binascii
from typing import Any

from farebox.dialects.bedrock_converse.seals import BLOB, to_blob
from farebox.dialects.bedrock_converse.sending import REASONING_DROPPED, SEAL_DROPPED, Losses
from farebox.dialects.bedrock_converse.words import CLAUDE_SEAL, NAME, Family
from farebox.dialects.ports import Target
from farebox.dialects.shared import effort as efforts
from farebox.ir.request import Origin, Reasoning, ReasoningWish, Seal

BUDGET_MIN = efforts.BUDGET_MIN
_WORDS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def origin(kind: Family, target: Target) -> Origin:
    """Where reasoning of this family was made."""
    return Origin(NAME, target.vendor, kind.seal)


def redacted(blobs: list[str], kind: Family) -> Seal:
    """Redacted reasoning, maybe in pieces. Claude's own data is text, and here it comes as base64 of it."""
    try:
        pieces = [base64.b64decode(blob, validate=True) for blob in blobs]
    except (binascii.Error, ValueError):
        return Seal("redacted", BLOB + "".join(blobs))
    if kind.seal == CLAUDE_SEAL and all(map(bytes.isascii, pieces)):
        exact = all(base64.b64encode(piece).decode() == blob for piece, blob in zip(pieces, blobs, strict=True))
        if exact:
            return Seal("redacted", b"".join(pieces).decode())
    data = blobs[0] if len(blobs) == 1 else base64.b64encode(b"".join(pieces)).decode()
    return Seal("redacted", BLOB + data if kind.seal == CLAUDE_SEAL else data)


def block(part: Reasoning, kind: Family, target: Target, losses: Losses, *, path: str) -> dict[str, Any] | None:
    """A part as a block, or nothing if it may not or need not go back."""
    seal = part.seal
    made = part.origin.format if part.origin is not None else ""
    if target.reasoning_replay == "never":
        losses.say(REASONING_DROPPED, path, "This provider takes no earlier reasoning back.")
        return None
    if seal is not None and made != kind.seal:
        losses.say(SEAL_DROPPED, path, "Sealed reasoning goes back only to where it was made.")
        seal = None
    if seal is None and (kind.signed or made != kind.seal):
        losses.say(REASONING_DROPPED, path, "Reasoning without a seal of this provider was left out.")
        return None
    if seal is not None and seal.form != "signature" and not part.text:
        return {"reasoningContent": {"redactedContent": _blob(seal.data, kind)}}
    inner: dict[str, Any] = {"text": part.text or part.summary}
    if seal is not None:
        inner["signature"] = seal.data
    return {"reasoningContent": {"reasoningText": inner}}


def _blob(data: str, kind: Family) -> str:
    return to_blob(data) if kind.seal == CLAUDE_SEAL else data


def wanted(wish: ReasoningWish | None) -> bool | None:
    """Whether thinking is wanted; `None` if nothing was said."""
    if wish is None:
        return None
    if wish.enabled is not None:
        return wish.enabled
    if wish.effort is not None:
        return wish.effort != "none"
    return True if wish.max_tokens else None


def wish_fields(wish: ReasoningWish, spelling: str, max_tokens: int | None, losses: Losses) -> dict[str, Any]:
    """The members of `additionalModelRequestFields` for this wish; empty if there is nothing to say."""
    on = wanted(wish)
    if on is None:
        return {}
    word = wish.effort if wish.effort not in (None, "none") else None
    if word is None:
        word = efforts.effort(wish.max_tokens, max_tokens) if wish.max_tokens else "medium"
    plain = _WORDS.get(word, "medium")
    if spelling == "thinking":
        return _thinking(wish, on, max_tokens, losses)
    if spelling == "adaptive":
        if not on:
            return {"thinking": {"type": "disabled"}}
        effort = "low" if word == "minimal" else word
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": effort}}
    if spelling == "reasoningConfig":
        config = {"type": "enabled", "maxReasoningEffort": plain} if on else {"type": "disabled"}
        return {"reasoningConfig": config}
    if spelling in ("reasoning_config", "reasoning_effort"):
        if not on:
            losses.say("parameter_changed", "$.reasoning", "This model cannot be told not to think.")
            return {spelling: "low"} if spelling == "reasoning_effort" else {}
        return {spelling: plain}
    if on:
        losses.say("parameter_dropped", "$.reasoning", "This provider takes no reasoning parameters.")
    return {}


def _thinking(wish: ReasoningWish, on: bool, max_tokens: int | None, losses: Losses) -> dict[str, Any]:
    if not on:
        return {"thinking": {"type": "disabled"}}
    budget = wish.max_tokens or efforts.budget(wish.effort or "medium", max_tokens)
    fit = max(budget, BUDGET_MIN)
    if max_tokens is not None and fit >= max_tokens:
        if max_tokens <= BUDGET_MIN:
            losses.say("parameter_dropped", "$.reasoning", "The answer's limit leaves no room for the smallest budget.")
            return {}
        fit = max_tokens - 1
    if wish.max_tokens is not None and fit != wish.max_tokens:
        losses.say("parameter_changed", "$.reasoning.max_tokens", f"The thinking budget was set to {fit}.")
    return {"thinking": {"type": "enabled", "budget_tokens": fit}}
