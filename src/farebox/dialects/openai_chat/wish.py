"""The reasoning wish of a caller in the spelling a vendor takes. Refuses to know vendors: `Target.reasoning_wish` decides.

Spellings: `reasoning_effort` (also the empty default), `reasoning` (the object), `thinking` (`{"type": "enabled"}`),
`thinking_effort` (the same, with `reasoning_effort` beside it), `thinking_budget` (the same, with `budget_tokens`),
`enable_thinking` (with `thinking_budget`), `chat_template_kwargs` (`{"enable_thinking": …}`), `none` (takes no wish).
"""

import msgspec
from msgspec import Raw

from farebox.dialects.ports import Target
from farebox.dialects.shared import effort as efforts
from farebox.ir.events import Warning
from farebox.ir.request import ReasoningWish

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
DROPPED = "parameter_dropped"


def read_wish(fields: dict[str, Raw]) -> ReasoningWish | None:
    """The wish in its three spellings; the object wins."""
    value = _decode(fields["reasoning"]) if "reasoning" in fields else None
    word = _decode(fields["reasoning_effort"]) if "reasoning_effort" in fields else None
    shown = _decode(fields["include_reasoning"]) if "include_reasoning" in fields else None
    if value is None and word is None and shown is None:
        return None
    value = value or {}
    known = ("effort", "max_tokens", "enabled", "exclude", "summary")
    rest = {name: Raw(_encode(inner)) for name, inner in value.items() if name not in known}
    return ReasoningWish(
        effort=value.get("effort") or word,
        max_tokens=value.get("max_tokens"),
        enabled=value.get("enabled"),
        exclude=bool(value.get("exclude")) if value.get("exclude") is not None else shown is False,
        summary=value.get("summary"),
        extras={"openai_chat": rest} if rest else {},
    )


def _on(wish: ReasoningWish) -> bool | None:
    if wish.enabled is not None:
        return wish.enabled
    if wish.effort is not None:
        return wish.effort != "none"
    return True if wish.max_tokens else None


def _effort(wish: ReasoningWish, max_tokens: int | None) -> str | None:
    if wish.enabled is False:
        return "none"
    if wish.effort is not None:
        return wish.effort
    if wish.max_tokens is not None:
        return efforts.effort(wish.max_tokens, max_tokens)
    return "medium" if wish.enabled else None


def _budget(wish: ReasoningWish, max_tokens: int | None) -> int | None:
    if wish.max_tokens is not None:
        return wish.max_tokens
    return efforts.budget(wish.effort, max_tokens) if wish.effort is not None else None


def _object(wish: ReasoningWish) -> dict[str, object]:
    given = {
        "effort": wish.effort,
        "max_tokens": wish.max_tokens,
        "enabled": wish.enabled,
        "summary": wish.summary,
    }
    out: dict[str, object] = {name: value for name, value in given.items() if value is not None}
    if wish.exclude:
        out["exclude"] = True
    out.update(wish.extras.get("openai_chat", {}))
    return out


def write_wish(wish: ReasoningWish, target: Target, max_tokens: int | None) -> tuple[dict[str, bytes], list[Warning]]:
    """The vendor's members for this wish."""
    spelling = target.reasoning_wish or "reasoning_effort"
    if spelling == "reasoning":
        return {"reasoning": _encode(_object(wish))}, []
    on = _on(wish)
    if on is None:
        return {}, []
    word = _effort(wish, max_tokens)
    out: dict[str, object]
    match spelling:
        case "reasoning_effort":
            out = {"reasoning_effort": word} if word is not None else {}
        case "thinking" | "thinking_effort" | "thinking_budget":
            out = _thinking(spelling, wish, max_tokens, on=on)
        case "enable_thinking":
            budget = _budget(wish, max_tokens) if on else None
            out = {"enable_thinking": on} | ({"thinking_budget": budget} if budget else {})
        case "chat_template_kwargs":
            out = {"chat_template_kwargs": {"enable_thinking": on}}
        case _:
            return {}, [Warning(DROPPED, "$.reasoning", "This provider takes no reasoning parameters.")]
    return {name: _encode(value) for name, value in out.items()}, []


def _thinking(spelling: str, wish: ReasoningWish, max_tokens: int | None, *, on: bool) -> dict[str, object]:
    thinking: dict[str, object] = {"type": "enabled" if on else "disabled"}
    budget, word = _budget(wish, max_tokens), _effort(wish, max_tokens)
    if spelling == "thinking_budget" and on and budget:
        thinking["budget_tokens"] = budget
    out: dict[str, object] = {"thinking": thinking}
    if spelling == "thinking_effort" and on and word is not None:
        out["reasoning_effort"] = word
    return out
