"""Values as people read them: prices, counts, contexts. Pure; refuses HTML."""

from decimal import ROUND_HALF_EVEN, Decimal

DASH = "–"
_PICO_PER_USD_OF_A_MILLION = Decimal(10**6)


def per_million(pico: int | None) -> str:
    """A price per token as USD a million tokens: `$2.50`, `$0.075`, `free`."""
    if pico is None:
        return DASH
    if pico == 0:
        return "free"
    usd = Decimal(pico) / _PICO_PER_USD_OF_A_MILLION
    if usd >= Decimal("0.1"):
        shown = usd.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        # A price is never rounded away: more places where two do not hold it.
        text = f"{shown:,}" if shown == usd else f"{usd.normalize():,f}"
    else:
        text = f"{usd.normalize():f}"
    return f"${text}"


def tokens(count: int | None) -> str:
    """A number of tokens in short: `128K`, `1.05M`."""
    if count is None:
        return DASH
    if count >= 1_000_000:
        return f"{count / 1_000_000:.2f}".rstrip("0").rstrip(".") + "M"
    if count >= 1000:
        return f"{round(count / 1000)}K"
    return str(count)


def number(count: int) -> str:
    return f"{count:,}"


def milliseconds(value: float | None) -> str:
    if value is None:
        return DASH
    return f"{value / 1000:.2f} s" if value >= 1000 else f"{value:.0f} ms"


def percent(value: float | None) -> str:
    return DASH if value is None else f"{value:.2f}".rstrip("0").rstrip(".") + " %"


def rate(value: float | None) -> str:
    return DASH if value is None else f"{value:.0f} tok/s"
