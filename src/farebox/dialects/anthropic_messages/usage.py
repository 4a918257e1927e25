"""Usage of this protocol, read into disjoint leaves and written back. Refuses to price it.

`input_tokens` excludes what was read from and written to the cache; `output_tokens` includes thinking. Counters of a
stream are cumulative; any of them may be null or missing, and a later zero does not unsay an earlier count
(some hosts repeat only the output, recorded 2024 to 2026).
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.ir.usage import Unit, Usage
from farebox.money.charges import Charge, usd_text

COUNT_MAX = 10**12
_decode = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode
_COUNTED = frozenset(
    (
        "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "cache_creation",
        "cost", "is_byok", "cost_details",
    )
)  # fmt: skip


class Absurd(Exception):
    """A counter that is no count: negative, text, not a number, or beyond all bounds."""


def _count(holder: Any, name: str) -> int:
    value = holder.get(name) if isinstance(holder, dict) else None
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise Absurd(name)
    return value


def merge(seen: dict[str, Raw], raw: Raw | bytes | None) -> None:
    """Puts a later report over the earlier ones."""
    if raw is None or bytes(raw)[:1] != b"{":
        return
    for name, value in _members(raw).items():
        data = bytes(value)
        if name not in seen or data not in (b"null", b"0"):
            seen[name] = value


def read_usage(seen: dict[str, Raw], flags: list[str] | None = None) -> Usage | None:
    """The leaves of merged counters, or `None` if there are none, or none to believe (then `flags` says so)."""
    raw = Raw(_encode(seen))
    usage = _decode(raw)
    if usage.get("input_tokens") is None and usage.get("output_tokens") is None:
        return None
    try:
        leaves = _leaves(usage)
    except Absurd:
        if flags is not None and "usage_absurd" not in flags:
            flags.append("usage_absurd")
        return None
    return Usage({name: count for name, count in leaves.items() if count}, raw)


def _leaves(usage: dict[str, Any]) -> dict[str, int]:
    split = usage.get("cache_creation")
    hour = _count(split, "ephemeral_1h_input_tokens")
    written = max(_count(usage, "cache_creation_input_tokens"), hour + _count(split, "ephemeral_5m_input_tokens"))
    output = _count(usage, "output_tokens")
    thinking = min(_count(usage.get("output_tokens_details"), "thinking_tokens"), output)
    return {
        Unit.INPUT_FRESH.value: _count(usage, "input_tokens"),
        Unit.INPUT_CACHE_READ.value: _count(usage, "cache_read_input_tokens"),
        Unit.INPUT_CACHE_WRITE_5M.value: written - hour,
        Unit.INPUT_CACHE_WRITE_1H.value: hour,
        Unit.OUTPUT_TEXT.value: output - thinking,
        Unit.OUTPUT_REASONING.value: thinking,
        Unit.SEARCH.value: _count(usage.get("server_tool_use"), "web_search_requests"),
    }


def usage_fields(usage: Usage) -> dict[str, Any]:
    """The counters in this protocol's words, with what else its own vendors said."""
    get = usage.leaves.get
    hour = get("input_cache_write_1h", 0)
    written = get("input_cache_write_5m", 0) + get("input_cache_write_12h", 0)
    read = get("input_cache_read", 0) + get("input_audio_cache_read", 0)
    out: dict[str, Any] = {
        "input_tokens": usage.prompt_tokens() - read - written - hour,
        "cache_creation_input_tokens": written + hour,
        "cache_read_input_tokens": read,
        "cache_creation": {"ephemeral_5m_input_tokens": written, "ephemeral_1h_input_tokens": hour},
        "output_tokens": usage.completion_tokens(),
    }
    thinking, searches = get("output_reasoning", 0), get("search", 0)
    if thinking:
        out["output_tokens_details"] = {"thinking_tokens": thinking}
    if searches:
        out["server_tool_use"] = {"web_search_requests": searches}
    if usage.raw is not None and b'"prompt_tokens"' not in bytes(usage.raw):
        received = _members(usage.raw)
        if "cache_read_input_tokens" in received or "cache_creation_input_tokens" in received:
            out.update({name: raw for name, raw in received.items() if name not in _COUNTED})
    return out


def write_usage(usage: Usage, charge: Charge, *, byok: bool) -> bytes:
    """The usage object of an answer's end, costs as exact decimal numbers."""
    return b'%b,"cost":%b,"is_byok":%b,"cost_details":%b}' % (
        _encode(usage_fields(usage))[:-1],
        usd_text(charge.total_nano).encode(),
        b"true" if byok else b"false",
        (
            f'{{"upstream_inference_cost":{usd_text(charge.vendor_nano)}'
            f',"upstream_inference_prompt_cost":{usd_text(charge.prompt_nano)}'
            f',"upstream_inference_completions_cost":{usd_text(charge.completion_nano)}'
            f',"toll_cost":{usd_text(charge.toll_nano)}}}'
        ).encode(),
    )


def received_with_charge(seen: dict[str, Raw], charge: Charge, *, byok: bool) -> bytes:
    """What a vendor of this protocol counted, untouched, with the charge beside it; for the relay."""
    usage = Usage({})
    ours = _members(write_usage(usage, charge, byok=byok))
    kept: dict[str, Raw] = {name: raw for name, raw in seen.items() if name not in ("cost", "is_byok", "cost_details")}
    for name in ("input_tokens", "output_tokens"):
        kept.setdefault(name, Raw(b"0"))
    return _encode(kept | {name: ours[name] for name in ("cost", "is_byok", "cost_details")})
