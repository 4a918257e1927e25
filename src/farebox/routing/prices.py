"""The prices of an endpoint as routing sees them: now, for a prompt of this length, in this service tier. Exact integers.

Refuses to charge: it compares and bounds; what a generation costs is `money.rating`'s.
"""

from farebox.catalogue.types import Endpoint
from farebox.ir.usage import Unit
from farebox.money.sheets import Prices, PriceSheet, Window

MINUTES_PER_DAY = 1440
_DAY_S = 86_400


def current(sheets: tuple[PriceSheet, ...], at_s: int) -> PriceSheet | None:
    """The sheet that holds at a moment: the last one that has begun."""
    found: PriceSheet | None = None
    for sheet in sheets:
        if sheet.effective_from_s <= at_s and (found is None or sheet.effective_from_s >= found.effective_from_s):
            found = sheet
    return found


def next_change_s(sheets: tuple[PriceSheet, ...], at_s: int) -> int | None:
    """When the next dated sheet begins."""
    return min((sheet.effective_from_s for sheet in sheets if sheet.effective_from_s > at_s), default=None)


def thresholds(endpoints: tuple[Endpoint, ...]) -> tuple[int, ...]:
    """Prompt lengths at which some endpoint's price changes, ascending."""
    return tuple(
        sorted({tier.min_prompt_tokens for endpoint in endpoints for sheet in endpoint.sheets for tier in sheet.tiers})
    )


def prices(sheet: PriceSheet, at_s: int, *, prompt_tokens: int = 0, service_tier: str = "") -> Prices:
    """Base prices with the prompt tier, the time of day and the service tier laid over them, in this order."""
    merged = sheet.prices
    reached = [tier for tier in sheet.tiers if prompt_tokens >= tier.min_prompt_tokens]
    if reached:
        merged = merged | max(reached, key=lambda tier: tier.min_prompt_tokens).prices
    for window in sheet.windows:
        if _inside(window, at_s):
            merged = merged | window.prices
    return merged | sheet.service_tiers[service_tier] if service_tier in sheet.service_tiers else merged


def _inside(window: Window, at_s: int) -> bool:
    minute = at_s % _DAY_S // 60
    day = (at_s // _DAY_S + 3) % 7  # 1970-01-01 was a Thursday; 0 is Monday
    if window.start_minute < window.end_minute:
        return window.start_minute <= minute < window.end_minute and _on(window, day)
    # The part after midnight belongs to the day on which the window began.
    return (minute >= window.start_minute and _on(window, day)) or (
        minute < window.end_minute and _on(window, (day - 1) % 7)
    )


def _on(window: Window, day: int) -> bool:
    return not window.days or day in window.days


def complete(kind: str, found: Prices) -> bool:
    """Whether the prices cover what a generation of this kind certainly uses. An unpriced endpoint is never free."""
    if kind == "chat":
        return Unit.INPUT_FRESH in found and Unit.OUTPUT_TEXT in found
    if kind == "embedding":
        return Unit.INPUT_FRESH in found
    return bool(found)
