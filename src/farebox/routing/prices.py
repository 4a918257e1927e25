"""The prices of an endpoint as routing sees them: now, for a prompt of this length, in this service tier. Exact integers.

Refuses to charge: it compares; which price is in force, and what a generation costs, is `money.rating`'s.
"""

from farebox.catalogue.types import Endpoint
from farebox.ir.usage import Unit
from farebox.money.rating import current_sheet, prices_now
from farebox.money.sheets import Prices, PriceSheet


def in_force(endpoint: Endpoint, at_s: int, *, prompt_tokens: int = 0, service_tier: str = "") -> Prices:
    """The prices that would hold for such a request; empty if no sheet has begun."""
    sheet = current_sheet(endpoint.sheets, at_s)
    if sheet is None:
        return {}
    return prices_now(sheet, at_s=at_s, prompt_tokens=prompt_tokens, service_tier=service_tier)


def next_change_s(sheets: tuple[PriceSheet, ...], at_s: int) -> int | None:
    """When the next dated sheet begins."""
    return min((sheet.effective_from_s for sheet in sheets if sheet.effective_from_s > at_s), default=None)


def thresholds(endpoints: tuple[Endpoint, ...]) -> set[int]:
    """Prompt lengths from which on some endpoint's price changes."""
    return {tier.min_prompt_tokens for endpoint in endpoints for sheet in endpoint.sheets for tier in sheet.tiers}


def complete(kind: str, found: Prices) -> bool:
    """Whether the prices cover what a generation of this kind certainly uses. An unpriced endpoint is never free."""
    if kind == "chat":
        return Unit.INPUT_FRESH in found and Unit.OUTPUT_TEXT in found
    if kind == "embedding":
        return Unit.INPUT_FRESH in found
    return bool(found)
