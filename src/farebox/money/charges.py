"""A charge: what one generation cost, the vendor's part and the toll apart. Values only; see `rating` for the sums."""

from msgspec import Struct

from farebox.money.sheets import NANO_PER_USD


class Charge(Struct, frozen=True, gc=False, kw_only=True):
    """Nano-USD, all of them >= 0. `total = vendor + toll`; `prompt + completion + other = vendor`, up to the one rounding."""

    vendor_nano: int = 0
    toll_nano: int = 0
    total_nano: int = 0
    prompt_nano: int = 0
    completion_nano: int = 0
    price_version: str = ""


FREE = Charge()


def usd_text(nano: int) -> str:
    """Nano-USD as an exact decimal number of USD, fit for JSON (`1234` → `0.000001234`). Never a float."""
    if 0 <= nano < NANO_PER_USD:
        return f"0.{nano:09d}".rstrip("0") if nano else "0"
    sign, nano = ("-", -nano) if nano < 0 else ("", nano)
    whole, rest = divmod(nano, NANO_PER_USD)
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{rest:09d}".rstrip("0")
