"""How much a model shall think: this protocol's `thinking` and `output_config.effort`, to and from the canonical wish.
Refuses to guess for models of other makers: what it says about Claude's families is the table below.

Facts of 2026-11 (https://docs.claude.com/en/docs/build-with-claude/adaptive-thinking): from 4.6 on models think
adaptively, by effort; earlier ones take a budget of at least 1,024 tokens, below `max_tokens`. From 4.7 on, sampling
parameters are refused, and adaptive thinking is shown only if `display` asks for it. From 4.8 on, a system message may
stand among the others.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.anthropic_messages.words import CHANGED, DROPPED, NAME
from farebox.dialects.ports import Target
from farebox.dialects.shared import effort as efforts
from farebox.dialects.shared.reader import Reader
from farebox.ir.events import Warning
from farebox.ir.request import ReasoningWish

_value = msgspec.json.Decoder().decode
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2}))?(?![\d])")
ROOM_TOKENS = 4096


class Family(Struct, frozen=True):
    """What a model of this protocol takes."""

    max_tokens: int = 8192
    adaptive: bool = False
    sampling: bool = True
    system_turns: bool = False


def family(target: Target) -> Family:
    """The family by name; `Target.settings` (`max_tokens`, `thinking` = `adaptive` or `budget`) overrules."""
    found = _by_name(target.model)
    settings = target.settings
    if target.reasoning_wish in ("adaptive", "thinking_budget"):
        found = msgspec.structs.replace(found, adaptive=target.reasoning_wish == "adaptive")
    if settings.get("max_tokens", "").isdecimal():
        found = msgspec.structs.replace(found, max_tokens=int(settings["max_tokens"]))
    return found


def _by_name(model: str) -> Family:
    match = _VERSION.search(model)
    if match is None:
        return Family()
    version = (int(match.group(1)), int(match.group(2) or 0))
    if version < (3, 5):
        return Family(4096)
    if version < (3, 7):
        return Family(8192)
    return Family(32_000, adaptive=version >= (4, 6), sampling=version < (4, 7), system_turns=version >= (4, 8))


def read_wish(thinking: Raw | None, config: Reader | None) -> ReasoningWish | None:
    """The wish. The raw `thinking` stays in its extras, so that this protocol says it again as it was."""
    effort = config.text("effort") if config is not None else None
    value = _value(thinking) if thinking is not None else None
    if not isinstance(value, dict):
        return ReasoningWish(effort=effort, extras={NAME: {}}) if effort is not None else None
    kind, budget = value.get("type"), value.get("budget_tokens")
    return ReasoningWish(
        effort=effort,
        max_tokens=budget if kind == "enabled" and isinstance(budget, int) else None,
        enabled=kind != "disabled",
        exclude=value.get("display") == "omitted",
        extras={NAME: {"thinking": thinking}} if thinking is not None else {},
    )


def _word(wish: ReasoningWish, max_tokens: int) -> str | None:
    word = wish.effort or (efforts.effort(wish.max_tokens, max_tokens) if wish.max_tokens else None)
    return "low" if word == "minimal" else word


def write_wish(wish: ReasoningWish | None, target: Target, max_tokens: int | None) -> "Thinking":
    """The members for this wish and this model, with the `max_tokens` that they need."""
    kind = family(target)
    if wish is None:
        return Thinking(max_tokens=max_tokens or kind.max_tokens)
    own = wish.extras.get(NAME)
    if own is not None:
        thinking = _value(own["thinking"]) if "thinking" in own else None
        return Thinking(thinking=thinking, effort=wish.effort, max_tokens=max_tokens or kind.max_tokens)
    if wish.enabled is False or wish.effort == "none":
        return Thinking(thinking={"type": "disabled"}, max_tokens=max_tokens or kind.max_tokens)
    if wish.enabled is None and wish.effort is None and not wish.max_tokens:
        return Thinking(max_tokens=max_tokens or kind.max_tokens)
    if kind.adaptive:
        display = {} if wish.exclude else {"display": "summarized"}
        limit = max_tokens or kind.max_tokens
        return Thinking(thinking={"type": "adaptive"} | display, effort=_word(wish, limit), max_tokens=limit)
    return _budgeted(wish, kind, max_tokens)


def _budgeted(wish: ReasoningWish, kind: Family, max_tokens: int | None) -> "Thinking":
    budget = wish.max_tokens or efforts.budget(wish.effort or "medium", max_tokens or kind.max_tokens)
    warnings: list[Warning] = []
    if budget < efforts.BUDGET_MIN:
        budget = efforts.BUDGET_MIN
        warnings.append(Warning(CHANGED, "$.reasoning", f"Thinking takes at least {budget} tokens."))
    limit = max_tokens or max(kind.max_tokens, budget + ROOM_TOKENS)
    if budget >= limit:
        budget = limit - 1
        if budget < efforts.BUDGET_MIN:
            warnings = [Warning(DROPPED, "$.reasoning", "The limit of output tokens leaves no room for thinking.")]
            return Thinking(max_tokens=limit, warnings=tuple(warnings))
        warnings.append(Warning(CHANGED, "$.reasoning", "The thinking budget was cut to the limit of output tokens."))
    return Thinking(thinking={"type": "enabled", "budget_tokens": budget}, max_tokens=limit, warnings=tuple(warnings))


class Thinking(Struct, frozen=True, kw_only=True):
    """The wish as members of a request."""

    thinking: dict[str, Any] | None = None
    effort: str | None = None
    max_tokens: int
    warnings: tuple[Warning, ...] = ()

    @property
    def on(self) -> bool:
        return self.thinking is not None and self.thinking.get("type") != "disabled"
