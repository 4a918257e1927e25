"""Amounts as text: exact decimal strings of USD to and from integers. Refuses floats, exponents and what is not a number."""

import re

from farebox.money.sheets import PICO_PER_USD

_DECIMAL = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,18}))?")
PICO_DIGITS = 12


def pico_from_usd(text: str) -> int:
    """Pico-USD of a decimal string (`"0.000002"` → 2000000). Digits beyond the twelfth are rounded up. Raises ValueError."""
    match = _DECIMAL.fullmatch(text)
    if match is None:
        raise ValueError(f"not a plain decimal amount: {text[:40]!r}")
    whole, rest = match.group(1), match.group(2) or ""
    pico = int(whole) * PICO_PER_USD + int(rest[:PICO_DIGITS].ljust(PICO_DIGITS, "0"))
    return pico + (1 if rest[PICO_DIGITS:].strip("0") else 0)


def usd_from_pico(pico: int) -> str:
    """Pico-USD as a plain decimal string of USD (`2000000` → `"0.000002"`)."""
    whole, rest = divmod(pico, PICO_PER_USD)
    if not rest:
        return str(whole)
    return f"{whole}.{rest:012d}".rstrip("0")
