"""What a caller put into `additionalModelRequestFields`, read as wishes that every dialect knows. Refuses to take what it does
not know: that stays where it was.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.words import NAME
from farebox.ir.request import ReasoningWish


def read_more(more: dict[str, Any]) -> tuple[ReasoningWish | None, int | None]:
    """(the wish to think, top_k); what was read is taken out of `more`. The wish keeps how it was said."""
    before = dict(more)
    wish = _thinking(more) or _config(more) or _word(more)
    if wish is not None:
        taken = {name: Raw(msgspec.json.encode(value)) for name, value in before.items() if name not in more}
        wish = msgspec.structs.replace(wish, extras={NAME: taken})
    top_k = more.pop("top_k") if type(more.get("top_k")) is int else None
    inner = more.get("inferenceConfig")
    if top_k is None and isinstance(inner, dict) and type(inner.get("topK")) is int:
        top_k = inner.pop("topK")
        if not inner:
            del more["inferenceConfig"]
    return wish, top_k


def _thinking(more: dict[str, Any]) -> ReasoningWish | None:
    value = more.get("thinking")
    if not isinstance(value, dict):
        return None
    kind = value.get("type")
    if kind == "adaptive" and set(value) == {"type"}:
        del more["thinking"]
        output = more.get("output_config")
        effort = output.get("effort") if isinstance(output, dict) and set(output) == {"effort"} else None
        if isinstance(effort, str):
            del more["output_config"]
            return ReasoningWish(effort=effort)
        return ReasoningWish(enabled=True)
    budget = value.get("budget_tokens")
    if kind == "enabled" and type(budget) is int:
        del more["thinking"]
        return ReasoningWish(enabled=True, max_tokens=budget)
    if kind == "disabled":
        del more["thinking"]
        return ReasoningWish(enabled=False)
    return None


def _config(more: dict[str, Any]) -> ReasoningWish | None:
    value = more.get("reasoningConfig")
    if not isinstance(value, dict):
        return None
    kind, effort = value.get("type"), value.get("maxReasoningEffort")
    if kind == "disabled":
        del more["reasoningConfig"]
        return ReasoningWish(enabled=False)
    if kind == "enabled" and isinstance(effort, str):
        del more["reasoningConfig"]
        return ReasoningWish(effort=effort)
    return None


def _word(more: dict[str, Any]) -> ReasoningWish | None:
    for name in ("reasoning_effort", "reasoning_config"):
        if isinstance(more.get(name), str):
            return ReasoningWish(effort=more.pop(name))
    return None
