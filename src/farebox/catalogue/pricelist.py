"""Prices as readers of the catalogue see them: decimal strings of USD per unit, right now, and what holds under which
condition. Refuses to charge; that is `money.rating`'s.
"""

from farebox.catalogue.pricing import DAYS
from farebox.catalogue.types import Endpoint
from farebox.money.amounts import usd_from_pico
from farebox.money.rating import current_sheet, prices_now
from farebox.money.sheets import Prices, Window

Json = dict[str, object]

# The reference's names; units it has no name for keep ours.
NAMES = {
    "input_fresh": "prompt",
    "output_text": "completion",
    "input_image_count": "image",
    "input_image": "image_token",
    "output_image": "image_output",
    "input_audio": "audio",
    "output_audio": "audio_output",
    "input_audio_cache_read": "input_audio_cache",
    "search": "web_search",
    "output_reasoning": "internal_reasoning",
    "input_cache_write_5m": "input_cache_write",
}
UNKNOWN = "-1"


def pricing(endpoint: Endpoint, at_s: int) -> Json:
    """The `pricing` object of an endpoint: the price right now, with `overrides` for every other condition."""
    sheet = current_sheet(endpoint.sheets, at_s)
    if sheet is None:
        return {"prompt": UNKNOWN, "completion": UNKNOWN, "discount": 0}
    shown: Json = {"prompt": "0", "completion": "0", **_named(prices_now(sheet, at_s=at_s)), "discount": 0}
    overrides: list[Json] = []
    if sheet.windows:
        touched = set().union(*(window.prices for window in sheet.windows))
        base = {unit: price for unit, price in sheet.prices.items() if unit in touched}
        overrides.append({"utc_start": "0000", "utc_end": "0000", **_named(base)})
        overrides += [_window(window) for window in sheet.windows]
    ordered = sorted(sheet.tiers, key=lambda tier: tier.min_prompt_tokens)
    overrides += [{"min_prompt_tokens": tier.min_prompt_tokens, **_named(tier.prices)} for tier in ordered]
    overrides += [{"service_tier": name, **_named(prices)} for name, prices in sheet.service_tiers.items()]
    for later in endpoint.sheets:
        if later.effective_from_s > sheet.effective_from_s:
            overrides.append({"effective_from": later.effective_from_s, **_named(later.prices)})
    if overrides:
        shown["overrides"] = overrides
    return shown


def price_key(endpoint: Endpoint, at_s: int) -> tuple[int, int]:
    """Prompt and completion price in pico-USD right now; a large number where there is none."""
    sheet = current_sheet(endpoint.sheets, at_s)
    if sheet is None:
        return 10**18, 10**18
    prices = prices_now(sheet, at_s=at_s)
    return prices.get("input_fresh", 0), prices.get("output_text", 0)


def _named(prices: Prices) -> Json:
    return {NAMES.get(unit, unit): usd_from_pico(price) for unit, price in prices.items()}


def _window(window: Window) -> Json:
    shown: Json = {"utc_start": _clock(window.start_minute), "utc_end": _clock(window.end_minute)}
    if window.days:
        shown["utc_days"] = [DAYS[day] for day in window.days]
    return {**shown, **_named(window.prices)}


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}{minute % 60:02d}"
