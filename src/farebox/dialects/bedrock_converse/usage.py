"""Usage of Converse into disjoint leaves. Input tokens exclude what the cache read and took (total = input + output + cache
read + cache write in all recordings with a cache, 2025 to 2026); output tokens include reasoning, which is not told apart.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.telling import count
from farebox.ir.usage import Unit, Usage

_value = msgspec.json.Decoder().decode
_WRITES = {"5m": Unit.INPUT_CACHE_WRITE_5M, "1h": Unit.INPUT_CACHE_WRITE_1H}


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
    return None if leaves is None else Usage({name: tokens for name, tokens in leaves.items() if tokens}, raw)


def _leaves(usage: dict[str, Any]) -> dict[str, int] | None:
    fresh, text = count(usage.get("inputTokens")), count(usage.get("outputTokens"))
    if fresh is None and text is None:
        return None
    leaves = {Unit.INPUT_FRESH.value: fresh or 0, Unit.OUTPUT_TEXT.value: text or 0}
    leaves[Unit.INPUT_CACHE_READ.value] = count(usage.get("cacheReadInputTokens")) or 0
    written = count(usage.get("cacheWriteInputTokens")) or 0
    for detail in usage.get("cacheDetails") or ():
        tokens = min(count(detail.get("inputTokens")) or 0, written)
        unit = _WRITES.get(str(detail.get("ttl")), Unit.INPUT_CACHE_WRITE_5M).value
        leaves[unit] = leaves.get(unit, 0) + tokens
        written -= tokens
    short = Unit.INPUT_CACHE_WRITE_5M.value
    leaves[short] = leaves.get(short, 0) + written
    return leaves
