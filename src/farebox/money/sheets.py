"""Price sheets: what one unit costs, by tier, time of day and service tier. Refuses to apply them (see `rating`)."""

from msgspec import Struct

PICO_PER_USD = 10**12
NANO_PER_USD = 10**9
PICO_PER_NANO = 1000

Prices = dict[str, int]


class Tier(Struct, frozen=True, gc=False):
    """From `min_prompt_tokens` on (inclusive, whole prompt) these prices replace the base ones, for the whole request."""

    min_prompt_tokens: int
    prices: Prices


class Window(Struct, frozen=True, gc=False):
    """Prices by time of day in UTC. Minutes since midnight; `end` <= `start` wraps. `days`: 0 = Monday; empty = all."""

    start_minute: int
    end_minute: int
    days: tuple[int, ...]
    prices: Prices


class PriceSheet(Struct, frozen=True, gc=False, kw_only=True):
    """Prices in pico-USD per unit (`ir.usage.Unit` names). Appended with a start date, never edited.

    A unit that is missing falls back (see `units.FALLBACK`): in the end an input unit to `input_fresh`, an output unit to
    `output_text`; a sheet without the price of a unit that was used, and without its fallback, makes the endpoint
    unpriced: refused, never free. Only a missing `request` fee is no fee.
    """

    version: str
    effective_from_s: int
    prices: Prices
    tiers: tuple[Tier, ...] = ()
    windows: tuple[Window, ...] = ()
    service_tiers: dict[str, Prices] = {}
