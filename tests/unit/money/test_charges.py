"""Owns the proof that an amount is shown exactly, as JSON can hold it."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.money.charges import usd_text


@pytest.mark.parametrize(
    ("nano", "text"), [(0, "0"), (1234, "0.000001234"), (10**9, "1"), (1_500_000_000, "1.5"), (-1, "-0.000000001")]
)
def test_nano_usd_as_text(nano: int, text: str) -> None:
    assert usd_text(nano) == text


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
def test_the_text_is_json_and_exact(nano: int) -> None:
    assert json.loads(usd_text(nano), parse_float=Decimal, parse_int=Decimal) * 10**9 == nano
