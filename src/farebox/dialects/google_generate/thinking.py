"""The reasoning wish as `thinkingConfig`. Gemini 2.5 takes a budget in tokens, later generations a level.
Refuses to know which models think (https://ai.google.dev/gemini-api/docs/thinking, 2026-11-24).
"""

from typing import Any

import msgspec

from farebox.dialects.google_generate.words import NAME, family
from farebox.dialects.ports import Target
from farebox.dialects.shared import effort as efforts
from farebox.ir.events import Warning
from farebox.ir.request import ReasoningWish

CHANGED = "parameter_changed"
LEVELS = ("minimal", "low", "medium", "high")
BUDGET_MAX = 32_768
_LEVEL = {"none": "minimal", "xhigh": "high", "max": "high"}
LEVELS_SINCE = 3


def write_wish(
    wish: ReasoningWish, target: Target, max_tokens: int | None
) -> tuple[dict[str, Any] | msgspec.Raw | None, list[Warning]]:
    """The configuration, `None` if nothing is to be said."""
    own = wish.extras.get(NAME, {}).get("thinkingConfig")
    if own is not None:
        return own, []
    kind = target.reasoning_wish or ("thinking_budget" if 0 < family(target.model) < LEVELS_SINCE else "thinking_level")
    if kind == "none":
        dropped = Warning("parameter_dropped", "$.reasoning", "This provider takes no wish for reasoning.")
        return None, [dropped] if _said(wish) else []
    warnings = [
        Warning("unsupported", "$.reasoning", f"An extension of {dialect} cannot be said here.")
        for dialect in wish.extras
    ]
    out: dict[str, Any] = {}
    off = wish.enabled is False or wish.effort == "none"
    if off:
        if kind == "thinking_budget":
            return {"thinkingBudget": 0}, warnings
        warnings.append(Warning(CHANGED, "$.reasoning", "This model cannot stop thinking; it thinks minimally."))
        return {"thinkingLevel": _level("none", target)}, warnings
    if _said(wish):
        out["includeThoughts"] = not wish.exclude
    if kind == "thinking_budget":
        budget = _budget(wish, max_tokens)
        if budget is not None:
            out["thinkingBudget"] = budget
    else:
        word = wish.effort
        if word is None and wish.max_tokens is not None:
            word = efforts.effort(wish.max_tokens, max_tokens)
            warnings.append(Warning(CHANGED, "$.reasoning.max_tokens", "This model takes a level, not a budget."))
        if word is not None:
            out["thinkingLevel"] = _level(word, target)
    return out or None, warnings


def _said(wish: ReasoningWish) -> bool:
    return wish.effort is not None or wish.max_tokens is not None or wish.enabled is not None


def _budget(wish: ReasoningWish, max_tokens: int | None) -> int | None:
    if wish.max_tokens is not None:
        return min(wish.max_tokens, BUDGET_MAX)
    if wish.effort is not None:
        return min(efforts.budget(wish.effort, max_tokens), BUDGET_MAX)
    return -1 if wish.enabled else None


def _level(effort: str, target: Target) -> str:
    """The nearest level that the model takes."""
    word = _LEVEL.get(effort, effort)
    taken = [level for level in LEVELS if level in target.settings.get("thinking_levels", ",".join(LEVELS)).split(",")]
    if word in taken or word not in LEVELS or not taken:
        return word
    wanted = LEVELS.index(word)
    return min(taken, key=lambda level: abs(LEVELS.index(level) - wanted))
