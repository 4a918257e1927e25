"""Usage of responses, read to disjoint leaves and written back as totals. Refuses prices: the charge is given.

`input_tokens` includes cached and cache-write tokens, `output_tokens` includes reasoning tokens, at every host recorded
(156 answers of 11 hosts, 2025 to 2026). Searches are counted beside the tokens: `tool_usage.web_search.num_requests` of the
response, `server_side_tool_usage_details` of the usage, or the search items themselves.
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Raw

from farebox.dialects.openai_responses.words import given, value_of
from farebox.ir.usage import Unit, Usage
from farebox.money.charges import Charge, usd_text

COUNT_MAX = 10**12

_INPUT = (
    (Unit.INPUT_CACHE_READ, ("input_tokens_details", "cached_tokens")),
    (Unit.INPUT_CACHE_WRITE_5M, ("input_tokens_details", "cache_write_tokens")),
    (Unit.INPUT_AUDIO, ("input_tokens_details", "audio_tokens")),
    (Unit.INPUT_IMAGE, ("input_tokens_details", "image_tokens")),
    (Unit.INPUT_VIDEO, ("input_tokens_details", "video_tokens")),
)
_OUTPUT = (
    (Unit.OUTPUT_REASONING, ("output_tokens_details", "reasoning_tokens")),
    (Unit.OUTPUT_AUDIO, ("output_tokens_details", "audio_tokens")),
    (Unit.OUTPUT_IMAGE, ("output_tokens_details", "image_tokens")),
)
_SEARCHES = ("web_search_calls", "x_search_calls")


class Absurd(Exception):
    """A counter that is no count: negative, text, not a number, or beyond all bounds."""


def _count(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise Absurd
    return value


def _at(usage: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        usage = usage.get(step) if isinstance(usage, dict) else None
    return usage


def _share(
    usage: dict[str, Any], total: int, parts: Any, overrides: Mapping[str, str], flags: list[str]
) -> dict[str, int]:
    """The leaves of one total; a part is never more than what is left of it. The rest stands under the empty name."""
    leaves: dict[str, int] = {}
    for unit, path in parts:
        own = overrides.get(unit.value)
        count = _count(_at(usage, tuple(own.split(".")))) if own else 0
        count = count or _count(_at(usage, path))
        if count > total:
            count = total
            if "usage_clamped" not in flags:
                flags.append("usage_clamped")
        if count:
            leaves[unit.value] = count
            total -= count
    leaves[""] = total
    return leaves


def read_usage(raw: Raw | None, overrides: Mapping[str, str], flags: list[str], searches: int = 0) -> Usage | None:
    """The leaves, or `None` if there are no counts, or none to believe (then `flags` says `usage_absurd`).

    `overrides` maps a leaf to the path of its counter; `reasoning` = `outside` says that the output excludes it.
    """
    usage = value_of(raw) if raw is not None and given(raw) else None
    if not isinstance(usage, dict) or (usage.get("input_tokens") is None and usage.get("output_tokens") is None):
        return None
    try:
        prompt, completion = _count(usage.get("input_tokens")), _count(usage.get("output_tokens"))
        if overrides.get("reasoning") == "outside":
            completion += _count(_at(usage, ("output_tokens_details", "reasoning_tokens")))
        leaves = _share(usage, prompt, _INPUT, overrides, flags)
        fresh = leaves.pop("")
        if fresh:
            leaves[Unit.INPUT_FRESH.value] = fresh
        outputs = _share(usage, completion, _OUTPUT, overrides, flags)
        text = outputs.pop("")
        leaves.update(outputs)
        if text:
            leaves[Unit.OUTPUT_TEXT.value] = text
        details = usage.get("server_side_tool_usage_details")
        counted = sum(_count(details.get(name)) for name in _SEARCHES) if isinstance(details, dict) else 0
        counted = counted or _count(_at(usage, ("server_tool_use_details", "web_search_requests")))
    except Absurd:
        flags.append("usage_absurd")
        return None
    if counted or searches:
        leaves[Unit.SEARCH.value] = counted or searches
    return Usage(leaves, raw)


def searches_of(response: Mapping[str, Raw], items: int) -> int:
    """How many searches a response says it made, else how many search items it has."""
    told = _at(value_of(given(response.get("tool_usage")) or b"{}"), ("web_search", "num_requests"))
    return told if type(told) is int and 0 <= told <= COUNT_MAX else items


def write_usage(usage: Usage, charge: Charge, *, byok: bool) -> bytes:
    """The usage object of an answer, costs as exact decimal numbers."""
    get = usage.leaves.get
    prompt, completion = usage.prompt_tokens(), usage.completion_tokens()
    writes = get("input_cache_write_5m", 0) + get("input_cache_write_1h", 0) + get("input_cache_write_12h", 0)
    searches = get("search", 0)
    tools = f',"server_tool_use_details":{{"web_search_requests":{searches}}}' if searches else ""
    return (
        f'{{"input_tokens":{prompt}'
        f',"input_tokens_details":{{"cached_tokens":{get("input_cache_read", 0) + get("input_audio_cache_read", 0)}'
        f',"cache_write_tokens":{writes}}}'
        f',"output_tokens":{completion}'
        f',"output_tokens_details":{{"reasoning_tokens":{get("output_reasoning", 0)}}}'
        f',"total_tokens":{prompt + completion}'
        f',"cost":{usd_text(charge.total_nano)},"is_byok":{"true" if byok else "false"}'
        f',"cost_details":{{"upstream_inference_cost":{usd_text(charge.vendor_nano)}'
        f',"upstream_inference_input_cost":{usd_text(charge.prompt_nano)}'
        f',"upstream_inference_output_cost":{usd_text(charge.completion_nano)}'
        f',"toll_cost":{usd_text(charge.toll_nano)}}}{tools}}}'
    ).encode()
