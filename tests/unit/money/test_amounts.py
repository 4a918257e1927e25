"""Owns the proof that amounts survive as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.money.amounts import pico_from_usd, usd_from_pico


@pytest.mark.parametrize(
    ("text", "pico"),
    [("0", 0), ("1", 10**12), ("0.000002", 2_000_000), ("0.0000000127776", 12778), ("12.5", 12_500_000_000_000)],
)
def test_a_decimal_string_becomes_pico_usd(text: str, pico: int) -> None:
    assert pico_from_usd(text) == pico


@pytest.mark.parametrize("text", ["", "-1", "+1", "1e-6", "NaN", "inf", ".5", "1.", "0,1", "1 ", "٣", "1" * 40])
def test_what_is_not_a_plain_decimal_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="plain decimal"):
        pico_from_usd(text)


@given(st.integers(min_value=0, max_value=10**15))
def test_text_and_pico_round_trip(pico: int) -> None:
    assert pico_from_usd(usd_from_pico(pico)) == pico
