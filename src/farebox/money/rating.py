"""Rating: from counted units and a price sheet to a charge, exactly, with one rounding up at the end.

Owns the choice of the price in force (date, prompt tier, time of day, service tier) and the toll. Integers only. Refuses
to guess: a unit without a price, or a count nobody can believe, is `Unpriced`, never free.

The order in which prices replace one another: base, then the window of the hour, then the prompt tier, then the service
tier. Where a window or prompt tier has already replaced a price, a service tier moves it in the same proportion as it
moves the base price (rounded up), because vendors state a service tier as a factor on whatever else holds.
"""

from collections.abc import Mapping
from typing import Protocol

from msgspec import Struct

from farebox.money.charges import Charge
from farebox.money.sheets import PICO_PER_NANO, Prices, PriceSheet, Window
from farebox.money.units import BOUND, FALLBACK, INPUT, OPTIONAL, OUTPUT, TOKENS_MAX

BPS = 10_000
DAY_S = 86_400
THURSDAY = 3  # 1970-01-01 was one


class Unpriced(Exception):
    """This use can't be priced with this sheet."""

    def __init__(self, unit: str, why: str = "has no price") -> None:
        self.unit = unit
        super().__init__(f"{unit} {why}")


class Implausible(Unpriced):
    """A count below zero or above what any answer can hold."""


class Measured(Protocol):
    """What rating reads of a usage."""

    @property
    def leaves(self) -> Mapping[str, int]: ...


class Bound(Struct, frozen=True, gc=False, kw_only=True):
    """The most that a request can use: tokens in, tokens out (over all its choices), and other units by name."""

    prompt_tokens: int
    answer_tokens: int
    others: Mapping[str, int] = {}


def current_sheet(sheets: tuple[PriceSheet, ...], at_s: int) -> PriceSheet | None:
    """The sheet in force at a moment: the newest that has begun."""
    for sheet in reversed(sheets):
        if sheet.effective_from_s <= at_s:
            return sheet
    return None


def in_window(window: Window, at_s: int) -> bool:
    """Whether the moment lies in the window. After midnight a wrapped window belongs to the day on which it began."""
    minute = at_s % DAY_S // 60
    start, end = window.start_minute, window.end_minute
    day = (at_s // DAY_S + THURSDAY) % 7
    if end > start:
        inside = start <= minute < end
    else:
        inside = minute >= start or minute < end
        if minute < end:
            day = (day - 1) % 7
    return inside and (not window.days or day in window.days)


def prices_now(sheet: PriceSheet, *, at_s: int, prompt_tokens: int = 0, service_tier: str = "") -> Prices:
    """Every price in force for a request of this size at this moment."""
    prices = sheet.prices
    moved: Prices = {}
    for window in sheet.windows:
        if in_window(window, at_s):
            moved = moved | window.prices
    best = None
    for tier in sheet.tiers:
        if tier.min_prompt_tokens <= prompt_tokens and (
            best is None or tier.min_prompt_tokens > best.min_prompt_tokens
        ):
            best = tier
    if best is not None:
        moved = moved | best.prices
    service = sheet.service_tiers.get(service_tier)
    if moved:
        prices = prices | moved
    if service is None:
        return prices
    served = prices | service
    for unit in service.keys() & moved.keys():
        base = sheet.prices.get(unit, 0)
        served[unit] = -(-moved[unit] * service[unit] // base) if base else moved[unit]
    return served


def price_of(prices: Prices, unit: str) -> int:
    """Pico-USD per unit, by the unit's own price or what it falls back to. Raises `Unpriced`."""
    name: str | None = unit
    while name is not None:
        price = prices.get(name)
        if price is not None:
            return price
        name = FALLBACK.get(name)
    if unit in OPTIONAL:
        return 0
    raise Unpriced(unit)


def rate(sheet: PriceSheet, usage: Measured, *, at_s: int, service_tier: str = "", toll_bps: int = 0) -> Charge:
    """What this usage costs. `at_s` is the moment of admission, at which the price was frozen. Raises `Unpriced`."""
    leaves = usage.leaves
    prices = sheet.prices
    if sheet.tiers or sheet.windows or sheet.service_tiers:
        prompt = sum([leaves.get(unit, 0) for unit in INPUT])
        prices = prices_now(sheet, at_s=at_s, prompt_tokens=prompt, service_tier=service_tier)
    vendor_pico = prompt_pico = completion_pico = 0
    for unit, count in leaves.items():
        if not 0 <= count <= BOUND.get(unit, -1):
            raise Implausible(unit, f"can't be {count}")
        price = prices.get(unit)
        if price is None:
            if not count:
                continue
            price = price_of(prices, unit)
        pico = count * price
        vendor_pico += pico
        if unit in INPUT:
            prompt_pico += pico
        elif unit in OUTPUT:
            completion_pico += pico
    return _charge(sheet.version, vendor_pico, prompt_pico, completion_pico, toll_bps)


def quote(sheet: PriceSheet, bound: Bound, *, at_s: int, service_tier: str = "", toll_bps: int = 0) -> Charge:
    """The most that a request within the bound can cost. Raises `Unpriced`.

    Every token counts as the dearest of its side that the sheet could apply: any cache or media class, any prompt tier that
    the bound may reach, the asked service tier as well as the standard one (a vendor may serve the other).
    """
    if not 0 <= bound.prompt_tokens <= TOKENS_MAX or not 0 <= bound.answer_tokens <= TOKENS_MAX:
        raise Implausible("prompt or answer", "is larger than any request")
    variants = _reachable(sheet, at_s, bound.prompt_tokens, service_tier)
    prompt_pico = completion_pico = other_pico = 0
    if bound.prompt_tokens:
        prompt_pico = bound.prompt_tokens * max(_dearest(prices, INPUT) for prices in variants)
    if bound.answer_tokens:
        completion_pico = bound.answer_tokens * max(_dearest(prices, OUTPUT) for prices in variants)
    for unit, count in {"request": 1, **bound.others}.items():
        if not 0 <= count <= BOUND.get(unit, -1):
            raise Implausible(unit, f"can't be {count}")
        other_pico += count * max(price_of(prices, unit) for prices in variants) if count else 0
    return _charge(sheet.version, prompt_pico + completion_pico + other_pico, prompt_pico, completion_pico, toll_bps)


def _reachable(sheet: PriceSheet, at_s: int, prompt_bound: int, service_tier: str) -> list[Prices]:
    """Every set of prices that may apply: below and above each prompt tier within the bound, both service tiers."""
    sizes = [0, *(tier.min_prompt_tokens for tier in sheet.tiers if tier.min_prompt_tokens <= prompt_bound)]
    tiers = {"", service_tier}
    return [prices_now(sheet, at_s=at_s, prompt_tokens=size, service_tier=tier) for size in sizes for tier in tiers]


def _dearest(prices: Prices, family: tuple[str, ...]) -> int:
    """The highest price of a family; its plain unit must have one."""
    price_of(prices, family[0])
    return max(price for unit, price in prices.items() if unit in family)


def _charge(version: str, vendor_pico: int, prompt_pico: int, completion_pico: int, toll_bps: int) -> Charge:
    """Both sums are rounded up from the same pico-USD, so the toll is never negative and never rounded twice."""
    vendor = -(-vendor_pico // PICO_PER_NANO)
    total = -(-vendor_pico * (BPS + toll_bps) // (BPS * PICO_PER_NANO))
    return Charge(
        vendor_nano=vendor,
        toll_nano=total - vendor,
        total_nano=total,
        prompt_nano=prompt_pico // PICO_PER_NANO,
        completion_nano=completion_pico // PICO_PER_NANO,
        price_version=version,
    )
