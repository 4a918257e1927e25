"""`usageMetadata`, read into disjoint leaves and written from them. Refuses to price it.

The prompt total includes cached tokens and excludes what server tools read (`toolUsePromptTokenCount`); the candidates'
total excludes thoughts. Details by modality are parts of their totals. Recorded 2024 to 2026.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.words import MODALITY_NUMBERS
from farebox.ir.usage import Unit, Usage
from farebox.money.charges import Charge, usd_text

COUNT_MAX = 10**12
_INPUT = {"AUDIO": Unit.INPUT_AUDIO, "IMAGE": Unit.INPUT_IMAGE, "VIDEO": Unit.INPUT_VIDEO}
_OUTPUT = {"AUDIO": Unit.OUTPUT_AUDIO, "IMAGE": Unit.OUTPUT_IMAGE}
_TOTALS = ("promptTokenCount", "candidatesTokenCount", "totalTokenCount", "thoughtsTokenCount")
_encode = msgspec.json.encode


class Absurd(Exception):
    """A counter that is no count."""


def _count(usage: dict[str, Any], name: str) -> int:
    value = usage.get(name)
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise Absurd(name)
    return value


def _details(usage: dict[str, Any], name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    entries = usage.get(name)
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict):
            modality = entry.get("modality")
            word = MODALITY_NUMBERS.get(modality, "") if isinstance(modality, int) else str(modality)
            found[word] = found.get(word, 0) + _count(entry, "tokenCount")
    return found


def read_usage(usage: dict[str, Any], searches: int = 0, flags: list[str] | None = None) -> Usage | None:
    """The leaves, or `None` if there are no counts, or none to believe (then `flags` says `usage_absurd`)."""
    if all(usage.get(name) is None for name in _TOTALS):
        return None
    try:
        leaves = _leaves(usage, flags)
    except Absurd:
        if flags is not None and "usage_absurd" not in flags:
            flags.append("usage_absurd")
        return None
    if searches:
        leaves[Unit.SEARCH.value] = searches
    return Usage({name: count for name, count in leaves.items() if count}, Raw(_encode(usage)))


def _leaves(usage: dict[str, Any], flags: list[str] | None) -> dict[str, int]:
    prompt, cached = _count(usage, "promptTokenCount"), _count(usage, "cachedContentTokenCount")
    if cached > prompt:
        cached = prompt
        _flag(flags)
    leaves: dict[str, int] = {}
    held = _details(usage, "cacheTokensDetails")
    heard = min(held.get("AUDIO", 0), cached)
    leaves[Unit.INPUT_AUDIO_CACHE_READ.value] = heard
    leaves[Unit.INPUT_CACHE_READ.value] = cached - heard
    fresh = prompt - cached
    for modality, count in _details(usage, "promptTokensDetails").items():
        if modality in _INPUT:
            uncached = min(max(count - held.get(modality, 0), 0), fresh)
            leaves[_INPUT[modality].value] = uncached
            fresh -= uncached
    for modality, count in _details(usage, "toolUsePromptTokensDetails").items():
        if modality in _INPUT:
            unit = _INPUT[modality].value
            leaves[unit] = leaves.get(unit, 0) + count
            fresh -= count
    leaves[Unit.INPUT_FRESH.value] = max(fresh + _count(usage, "toolUsePromptTokenCount"), 0)
    text = _count(usage, "candidatesTokenCount")
    for modality, count in _details(usage, "candidatesTokensDetails").items():
        if modality in _OUTPUT:
            if count > text:
                _flag(flags)
            leaves[_OUTPUT[modality].value] = min(count, text)
            text -= min(count, text)
    leaves[Unit.OUTPUT_TEXT.value] = text
    leaves[Unit.OUTPUT_REASONING.value] = _count(usage, "thoughtsTokenCount")
    return leaves


def _flag(flags: list[str] | None) -> None:
    if flags is not None and "usage_clamped" not in flags:
        flags.append("usage_clamped")


# Totals that only this protocol spells so; others end in `TokenCount` too (Converse: `cacheReadInputTokenCount`).
_OWN = (b'"promptTokenCount"', b'"candidatesTokenCount"', b'"totalTokenCount"')


def write_usage(usage: Usage, charge: Charge, *, byok: bool) -> bytes:
    """The object for an answer: as received if Google made it, else computed of the leaves; the cost is added."""
    raw = bytes(usage.raw) if usage.raw is not None else b""
    told = raw if raw.startswith(b"{") and any(name in raw for name in _OWN) else _encode(_told(usage))
    mine = b'"cost":%b,"isByok":%b}' % (usd_text(charge.total_nano).encode(), b"true" if byok else b"false")
    return told[:-1] + (b"," if len(told) > 2 else b"") + mine


def _told(usage: Usage) -> dict[str, object]:
    get = usage.leaves.get
    prompt, output = usage.prompt_tokens(), usage.completion_tokens()
    thoughts = get("output_reasoning", 0)
    cached_audio = get("input_audio_cache_read", 0)
    cached = get("input_cache_read", 0) + cached_audio
    out: dict[str, object] = {
        "promptTokenCount": prompt,
        "candidatesTokenCount": output - thoughts,
        "totalTokenCount": prompt + output,
    }
    if thoughts:
        out["thoughtsTokenCount"] = thoughts
    if cached:
        out["cachedContentTokenCount"] = cached
    heard = {
        "AUDIO": get("input_audio", 0) + cached_audio,
        "IMAGE": get("input_image", 0),
        "VIDEO": get("input_video", 0),
    }
    made = {"AUDIO": get("output_audio", 0), "IMAGE": get("output_image", 0)}
    for name, parts, total in (("prompt", heard, prompt), ("candidates", made, output - thoughts)):
        entries = [{"modality": word, "tokenCount": count} for word, count in parts.items() if count]
        if entries:
            rest = total - sum(parts.values())
            out[f"{name}TokensDetails"] = [{"modality": "TEXT", "tokenCount": rest}, *entries] if rest else entries
    if cached_audio:
        entries = [{"modality": "AUDIO", "tokenCount": cached_audio}]
        if cached > cached_audio:
            entries.append({"modality": "TEXT", "tokenCount": cached - cached_audio})
        out["cacheTokensDetails"] = entries
    return out
