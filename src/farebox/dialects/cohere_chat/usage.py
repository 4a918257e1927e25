"""Usage of chat, embeddings and reranking into disjoint leaves. Refuses to price.

`billed_units` are the leaves, since the price list charges them; `tokens` counts the house's own templates as well (500 for a
prompt of 5, recorded 2026-07) and its `cached_tokens` are part of that larger count, without a price of their own. Only
`tokens.reasoning_tokens` is taken from there: billed output includes it. Without `billed_units`, `tokens` stand in.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.telling import count
from farebox.ir.usage import Unit, Usage

_value = msgspec.json.Decoder().decode


def read_usage(raw: Raw, flags: list[str]) -> Usage | None:
    """The leaves; `None` if there are no counts, or none to believe (then a flag says so)."""
    usage = _value(raw)
    if not isinstance(usage, dict):
        return None
    try:
        leaves = _leaves(usage)
    except (ValueError, AttributeError):
        flags.append("usage_absurd")
        return None
    return None if leaves is None else Usage({name: amount for name, amount in leaves.items() if amount}, raw)


def _leaves(usage: dict[str, Any]) -> dict[str, int] | None:
    billed, tokens = usage.get("billed_units") or {}, usage.get("tokens") or {}
    known = billed if "input_tokens" in billed or "output_tokens" in billed else tokens
    if not known and not billed:
        return None
    output = count(known.get("output_tokens")) or 0
    thought = min(count(tokens.get("reasoning_tokens")) or 0, output)
    image = count(billed.get("image_tokens")) or 0
    return {
        Unit.INPUT_FRESH.value: count(known.get("input_tokens")) or 0,
        Unit.INPUT_IMAGE.value: image,
        Unit.OUTPUT_TEXT.value: output - thought,
        Unit.OUTPUT_REASONING.value: thought,
        Unit.SEARCH_UNIT.value: count(billed.get("search_units")) or 0,
    }
