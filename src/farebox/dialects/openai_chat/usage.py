"""Usage of chat completions, read into disjoint leaves and written in OpenRouter's shape. Refuses to price it.

Prompt totals include cached tokens; completion totals include reasoning, except where the total says otherwise
(one vendor counts `total = prompt + completion + reasoning`, recorded 2025 to 2026).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.openai_chat import usual
from farebox.ir.usage import Unit, Usage
from farebox.money.charges import Charge, usd_text

COUNT_MAX = 10**12

_decode = msgspec.json.Decoder().decode
_PROMPT_LEAVES = (
    (
        Unit.INPUT_CACHE_READ,
        (
            "prompt_tokens_details.cached_tokens",
            "prompt_cache_hit_tokens",
            "cached_tokens",
            "input_tokens_details.cached_tokens",
        ),
    ),
    (
        Unit.INPUT_CACHE_WRITE_5M,
        (
            "prompt_tokens_details.cache_write_tokens",
            "prompt_tokens_details.cache_creation_tokens",
            "cache_creation_input_tokens",
        ),
    ),
    (Unit.INPUT_AUDIO, ("prompt_tokens_details.audio_tokens",)),
    (Unit.INPUT_IMAGE, ("prompt_tokens_details.image_tokens",)),
    (Unit.INPUT_VIDEO, ("prompt_tokens_details.video_tokens",)),
)
_COMPLETION_LEAVES = (
    (Unit.OUTPUT_AUDIO, ("completion_tokens_details.audio_tokens",)),
    (Unit.OUTPUT_IMAGE, ("completion_tokens_details.image_tokens",)),
)
_REASONING = ("completion_tokens_details.reasoning_tokens", "reasoning_tokens")
_SEARCHES = ("num_search_queries", "server_tool_use_details.web_search_requests", "server_tool_use.web_search_requests")


class Absurd(Exception):
    """A counter that is no count: negative, text, not a number, or beyond all bounds."""


def _at(usage: dict[str, Any], path: str) -> Any:
    value: Any = usage
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def _count(usage: dict[str, Any], paths: tuple[str, ...]) -> int:
    for path in paths:
        value = usage.get(path) if "." not in path else _at(usage, path)
        if value is None:
            continue
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not 0 <= value <= COUNT_MAX:
            raise Absurd(path)
        if value:
            return value
    return 0


def read_usage(raw: Raw, overrides: Mapping[str, str] | None = None, flags: list[str] | None = None) -> Usage | None:
    """The leaves, or `None` if there are no counts, or none to believe (then `flags` says `usage_absurd`).

    `overrides` maps a leaf to the path of its counter; `reasoning` = `outside` says that completions exclude it.
    """
    if not overrides:
        try:
            plain = usual.usage(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            plain = None
        if plain is not None:
            return plain
    usage = _decode(raw)
    if not isinstance(usage, dict):
        return None
    try:
        leaves = _leaves(usage, overrides or {}, flags)
    except Absurd:
        if flags is not None:
            flags.append("usage_absurd")
        return None
    return None if leaves is None else Usage(leaves, raw)


def _leaves(usage: dict[str, Any], overrides: Mapping[str, str], flags: list[str] | None) -> dict[str, int] | None:
    prompt_value, completion_value = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if prompt_value is None and completion_value is None:
        return None
    prompt = _count(usage, ("prompt_tokens",))
    completion = _count(usage, ("completion_tokens",))
    leaves: dict[str, int] = {}
    fresh = prompt
    for leaf, paths in _PROMPT_LEAVES:
        fresh -= _take(leaves, leaf, _count(usage, _paths(overrides, leaf, paths)), fresh, flags)
    if fresh:
        leaves[Unit.INPUT_FRESH.value] = fresh
    reasoning = _count(usage, _paths(overrides, Unit.OUTPUT_REASONING, _REASONING))
    outside = overrides.get("reasoning") == "outside" or (
        reasoning > 0 and usage.get("total_tokens") == prompt + completion + reasoning
    )
    text = completion + reasoning if outside else completion
    text -= _take(leaves, Unit.OUTPUT_REASONING, reasoning, text, flags)
    for leaf, paths in _COMPLETION_LEAVES:
        text -= _take(leaves, leaf, _count(usage, _paths(overrides, leaf, paths)), text, flags)
    if text:
        leaves[Unit.OUTPUT_TEXT.value] = text
    searches = _count(usage, _paths(overrides, Unit.SEARCH, _SEARCHES))
    if searches:
        leaves[Unit.SEARCH.value] = searches
    return leaves


def _paths(overrides: Mapping[str, str], leaf: Unit, paths: tuple[str, ...]) -> tuple[str, ...]:
    own = overrides.get(leaf.value)
    return (own, *paths) if own else paths


def _take(leaves: dict[str, int], leaf: Unit, count: int, room: int, flags: list[str] | None) -> int:
    """A part of a total is never more than what is left of it."""
    if count > room:
        count = room
        if flags is not None and "usage_clamped" not in flags:
            flags.append("usage_clamped")
    if count:
        leaves[leaf.value] = count
    return count


def write_usage(usage: Usage, charge: Charge, *, byok: bool) -> bytes:
    """The usage object of an answer, costs as exact decimal numbers."""
    get = usage.leaves.get
    prompt, completion = usage.prompt_tokens(), usage.completion_tokens()
    writes = get("input_cache_write_5m", 0) + get("input_cache_write_1h", 0) + get("input_cache_write_12h", 0)
    searches = get("search", 0)
    tools = f',"server_tool_use_details":{{"web_search_requests":{searches}}}' if searches else ""
    return (
        f'{{"prompt_tokens":{prompt},"completion_tokens":{completion},"total_tokens":{prompt + completion}'
        f',"cost":{usd_text(charge.total_nano)},"is_byok":{"true" if byok else "false"}'
        f',"prompt_tokens_details":{{"cached_tokens":{get("input_cache_read", 0) + get("input_audio_cache_read", 0)}'
        f',"cache_write_tokens":{writes},"audio_tokens":{get("input_audio", 0)},"video_tokens":{get("input_video", 0)}}}'
        f',"completion_tokens_details":{{"reasoning_tokens":{get("output_reasoning", 0)}'
        f',"audio_tokens":{get("output_audio", 0)},"image_tokens":{get("output_image", 0)}}}'
        f',"cost_details":{{"upstream_inference_cost":{usd_text(charge.vendor_nano)}'
        f',"upstream_inference_prompt_cost":{usd_text(charge.prompt_nano)}'
        f',"upstream_inference_completions_cost":{usd_text(charge.completion_nano)}'
        f',"toll_cost":{usd_text(charge.toll_nano)}}}{tools}}}'
    ).encode()
