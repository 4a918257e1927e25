"""Rules about prices: an unpriced endpoint is out, and so is one above the caller's ceiling at this moment."""

from farebox.catalogue.types import Endpoint
from farebox.ir.usage import Unit
from farebox.money.sheets import Prices
from farebox.routing.prices import complete
from farebox.routing.rules.ask import Ask, prices_now
from farebox.routing.types import MaxPrice

# The units a ceiling is about; a unit without a price of its own is charged as the last one named.
_CEILINGS: tuple[tuple[str, tuple[Unit, ...]], ...] = (
    ("prompt", (Unit.INPUT_FRESH,)),
    ("completion", (Unit.OUTPUT_TEXT,)),
    ("request", (Unit.REQUEST,)),
    ("image", (Unit.INPUT_IMAGE_COUNT,)),
    ("audio", (Unit.INPUT_AUDIO,)),
)


def unpriced(endpoint: Endpoint, ask: Ask) -> str:
    return "" if complete(endpoint.kind, prices_now(endpoint, ask)) else "unpriced"


def max_price(endpoint: Endpoint, ask: Ask) -> str:
    ceiling = ask.wish.preferences.max_price
    return "max_price" if ceiling is not None and _above(prices_now(endpoint, ask), ceiling) else ""


def _above(found: Prices, ceiling: MaxPrice) -> bool:
    for field, units in _CEILINGS:
        limit: int | None = getattr(ceiling, field)
        if limit is not None and any(found.get(unit, 0) > limit for unit in units):
            return True
    return False
