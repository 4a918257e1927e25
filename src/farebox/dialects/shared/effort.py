"""Reasoning effort words and token budgets, one into the other. Refuses to know how a vendor spells them.

The shares are those of the service that we are compatible with (reference of 2026-11).
"""

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_SHARES = {"max": 0.95, "xhigh": 0.95, "high": 0.8, "medium": 0.5, "low": 0.2, "minimal": 0.1}
BUDGET_MIN = 1024
BUDGET_MAX = 128_000
ASSUMED_MAX_TOKENS = 32_000


def budget(effort: str, max_tokens: int | None) -> int:
    """The thinking budget in tokens that an effort stands for; 0 for `none`."""
    share = _SHARES.get(effort, 0.0)
    if not share:
        return 0
    return max(min(int((max_tokens or ASSUMED_MAX_TOKENS) * share), BUDGET_MAX), BUDGET_MIN)


def effort(budget_tokens: int, max_tokens: int | None) -> str:
    """The effort word whose share is nearest to this budget."""
    if budget_tokens <= 0:
        return "none"
    share = budget_tokens / (max_tokens or ASSUMED_MAX_TOKENS)
    return min(("minimal", "low", "medium", "high", "xhigh"), key=lambda word: abs(_SHARES[word] - share))
