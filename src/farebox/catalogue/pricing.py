"""From written prices to price sheets: exact integers, a version that is a digest of the content. Refuses insane prices."""

from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec

from farebox.catalogue.records import Amounts, SheetRecord, WindowRecord
from farebox.money.amounts import pico_from_usd
from farebox.money.sheets import PICO_PER_USD, Prices, PriceSheet, Tier, Window
from farebox.money.units import BOUND, INPUT, OUTPUT

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
TOKEN_UNITS = frozenset(INPUT + OUTPUT)
# The dearest token on the market costs well below a thousandth of a dollar; a price of a dollar is a slip of the unit.
TOKEN_PICO_MAX = PICO_PER_USD
UNIT_PICO_MAX = 100 * PICO_PER_USD


class Pricer:
    """Turns records into sheets, keeping one object for equal values: most endpoints share their prices with others."""

    def __init__(self) -> None:
        self._amounts: dict[str, int] = {}
        self._prices: dict[tuple[tuple[str, int], ...], Prices] = {}
        self._sheets: dict[str, PriceSheet] = {}

    def sheets(self, records: Iterable[SheetRecord]) -> tuple[PriceSheet, ...]:
        """Dated sheets, oldest first. Raises ValueError."""
        made = [self.sheet(record) for record in records]
        for number, sheet in enumerate(made):
            if number and sheet.effective_from_s <= made[number - 1].effective_from_s:
                raise ValueError(f"prices[{number}].from: sheets are appended, each later than the one before")
        return tuple(made)

    def sheet(self, record: SheetRecord) -> PriceSheet:
        content = PriceSheet(
            version="",
            effective_from_s=0 if record.since is None else day_start_s(record.since),
            prices=self.prices(record.usd),
            tiers=tuple(Tier(tier.min_prompt_tokens, self.prices(tier.usd)) for tier in record.tiers),
            windows=tuple(self._window(window) for window in record.windows),
            service_tiers={name: self.prices(usd) for name, usd in record.service_tiers.items()},
        )
        if any(tier.min_prompt_tokens <= 0 for tier in content.tiers):
            raise ValueError("a prompt tier begins above zero tokens")
        version = digest(content)
        known = self._sheets.get(version)
        if known is None:
            known = self._sheets[version] = msgspec.structs.replace(content, version=version)
        return known

    def prices(self, usd: Amounts) -> Prices:
        if not usd:
            raise ValueError("a set of prices is empty")
        made = {unit: self._amount(unit, text) for unit, text in usd.items()}
        return self._prices.setdefault(tuple(made.items()), made)

    def _amount(self, unit: str, text: str) -> int:
        if unit not in BOUND:
            raise ValueError(f"unknown unit {unit!r}")
        pico = self._amounts.get(text)
        if pico is None:
            try:
                pico = self._amounts[text] = pico_from_usd(text)
            except ValueError as problem:
                raise ValueError(f"price of {unit}: {problem}") from None
        if pico >= (TOKEN_PICO_MAX if unit in TOKEN_UNITS else UNIT_PICO_MAX):
            raise ValueError(f"price of {unit}: {text} USD per unit can't be right")
        return pico

    def _window(self, record: WindowRecord) -> Window:
        unknown = [day for day in record.days if day not in DAYS]
        if unknown:
            raise ValueError(f"unknown day {unknown[0]!r}")
        days = tuple(DAYS.index(day) for day in record.days)
        return Window(minute_of(record.start), minute_of(record.end), days, self.prices(record.usd))


def digest(sheet: PriceSheet) -> str:
    """Twelve hex digits of a sheet's content, its own version aside."""
    content = msgspec.json.encode(msgspec.structs.replace(sheet, version=""), order="sorted")
    return blake2b(content, digest_size=6).hexdigest()


def day_start_s(date: str) -> int:
    """The first second of a UTC day written YYYY-MM-DD. Raises ValueError."""
    try:
        return int(datetime.strptime(date, "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
    except ValueError:
        raise ValueError(f"not a date (YYYY-MM-DD): {date[:20]!r}") from None


def minute_of(text: str) -> int:
    """Minutes since midnight of HH:MM. Raises ValueError."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(text) == 5 and (hours + minutes).isascii() and (hours + minutes).isdigit()):
        raise ValueError(f"not a time of day (HH:MM): {text[:20]!r}")
    if int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"not a time of day (HH:MM): {text!r}")
    return int(hours) * 60 + int(minutes)
