"""Owns the proof of L9 and L10: one rounding, no free units, no charge above its quote, over every price on sale."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.catalogue.load import load_builtin
from farebox.ir.usage import Unit, Usage
from farebox.money.rating import (
    Bound,
    Implausible,
    Unpriced,
    current_sheet,
    in_window,
    price_of,
    prices_now,
    quote,
    rate,
)
from farebox.money.sheets import PriceSheet, Tier, Window
from farebox.money.units import BOUND, INPUT, OUTPUT

MONDAY_S = 1_767_571_200 + 86_400 * 7  # 2026-01-12 00:00 UTC
OFFERS = [offer for offers in load_builtin().endpoints.values() for offer in offers]
SHEETS = list({sheet.version: sheet for offer in OFFERS for sheet in offer.sheets}.values())
moments = st.integers(min_value=MONDAY_S, max_value=MONDAY_S + 400 * 86_400)
tolls = st.integers(min_value=0, max_value=10_000)
sheets = st.sampled_from(SHEETS)
service_tiers = st.sampled_from(["", "flex", "priority", "batch", "fast", "unheard-of"])


def sheet(**prices: int) -> PriceSheet:
    return PriceSheet(version="v1", effective_from_s=0, prices=prices)


def test_the_parts_of_a_charge() -> None:
    charge = rate(
        sheet(input_fresh=3, output_text=5), Usage({"input_fresh": 1000, "output_text": 1}), at_s=0, toll_bps=500
    )
    # 3,005 pico-USD: 4 nano-USD for the vendor; with 5 % toll 3,155.25 pico, still 4.
    assert (charge.vendor_nano, charge.toll_nano, charge.total_nano) == (4, 0, 4)
    assert (charge.prompt_nano, charge.completion_nano, charge.price_version) == (3, 0, "v1")


def test_free_is_free() -> None:
    assert rate(sheet(input_fresh=0, output_text=0), Usage({"input_fresh": 9}), at_s=0, toll_bps=500).total_nano == 0


@pytest.mark.parametrize("unit", ["search", "output_image_count", "input_character", "output_text"])
def test_a_used_unit_without_a_price_is_refused(unit: str) -> None:
    with pytest.raises(Unpriced, match=unit):
        rate(sheet(input_fresh=1), Usage({"input_fresh": 1, unit: 1}), at_s=0)


def test_an_unused_unit_needs_no_price_and_a_request_no_fee() -> None:
    assert rate(sheet(input_fresh=1000), Usage({"input_fresh": 1, "search": 0, "request": 1}), at_s=0).total_nano == 1
    assert rate(sheet(input_fresh=1000, request=5000), Usage({"request": 1}), at_s=0).total_nano == 5


@pytest.mark.parametrize("count", [-1, 10**8 + 1, 10**30])
def test_a_count_nobody_can_believe_is_refused(count: int) -> None:
    with pytest.raises(Implausible):
        rate(sheet(input_fresh=1), Usage({"input_fresh": count}), at_s=0)


def test_an_unknown_unit_is_refused() -> None:
    with pytest.raises(Implausible):
        rate(sheet(input_fresh=1), Usage({"input_smell": 1}), at_s=0)


def test_missing_prices_fall_back_step_by_step() -> None:
    prices = {"input_fresh": 10, "input_cache_write_5m": 12, "input_audio": 40, "output_text": 90}
    expected = {
        "input_cache_read": 10,
        "input_cache_write_1h": 12,
        "input_cache_write_12h": 12,
        "input_audio_cache_read": 40,
        "input_video": 10,
        "output_reasoning": 90,
        "output_image": 90,
    }
    assert {unit: price_of(prices, unit) for unit in expected} == expected


def test_a_tier_reprices_the_whole_request_from_its_first_token_on() -> None:
    tiered = PriceSheet(
        version="t",
        effective_from_s=0,
        prices={"input_fresh": 1000, "input_cache_read": 100, "output_text": 5000},
        tiers=(Tier(200, {"input_fresh": 3000}), Tier(100, {"input_fresh": 2000, "output_text": 7000})),
    )

    def cost(fresh: int, read: int) -> int:
        return rate(
            tiered, Usage({"input_fresh": fresh, "input_cache_read": read, "output_text": 1}), at_s=0
        ).total_nano

    assert cost(99, 0) == 99 + 5
    assert cost(90, 10) == 180 + 1 + 7  # cached tokens count towards the tier; keys a tier lacks keep the base price
    assert cost(200, 0) == 600 + 5  # the higher tier replaces the base, not the lower tier


@pytest.mark.parametrize(
    ("hour", "day", "inside"),
    [(22, 0, True), (23, 0, True), (1, 1, True), (2, 1, False), (1, 0, False), (22, 1, False)],
)
def test_a_window_that_wraps_belongs_to_the_day_it_began(hour: int, day: int, inside: bool) -> None:
    window = Window(22 * 60, 2 * 60, (0,), {})
    assert in_window(window, MONDAY_S + day * 86_400 + hour * 3600) is inside


def test_a_window_ends_before_its_end_and_may_last_the_whole_day() -> None:
    assert in_window(Window(60, 120, (), {}), MONDAY_S + 3600)
    assert not in_window(Window(60, 120, (), {}), MONDAY_S + 7200)
    assert in_window(Window(840, 0, (), {}), MONDAY_S + 86_399)
    assert not in_window(Window(840, 0, (), {}), MONDAY_S)
    assert all(in_window(Window(0, 0, (), {}), MONDAY_S + hour * 3600) for hour in range(24))


def test_a_service_tier_moves_a_long_prompts_price_in_proportion() -> None:
    both = PriceSheet(
        version="s",
        effective_from_s=0,
        prices={"input_fresh": 1000, "output_text": 4000},
        tiers=(Tier(100, {"input_fresh": 2001}),),
        service_tiers={"flex": {"input_fresh": 500, "output_text": 2000}},
    )
    assert prices_now(both, at_s=0, service_tier="flex") == {"input_fresh": 500, "output_text": 2000}
    assert prices_now(both, at_s=0, prompt_tokens=100, service_tier="flex") == {
        "input_fresh": 1001,
        "output_text": 2000,
    }
    assert prices_now(both, at_s=0, service_tier="default") == both.prices


def test_the_newest_sheet_that_has_begun_is_in_force() -> None:
    first, second = sheet(input_fresh=1), PriceSheet(version="v2", effective_from_s=100, prices={"input_fresh": 2})
    assert current_sheet((first, second), 99) is first
    assert current_sheet((first, second), 100) is second
    assert current_sheet((second,), 99) is None
    assert current_sheet((), 0) is None


@settings(max_examples=400, deadline=None)
@given(st.data(), sheets, moments, service_tiers, tolls)
def test_rounding_and_toll_hold_for_every_price_on_sale(
    data: st.DataObject, on_sale: PriceSheet, at_s: int, service_tier: str, toll_bps: int
) -> None:
    priced = [unit for unit in BOUND if unit in on_sale.prices]
    counts = {unit: data.draw(st.integers(0, min(BOUND[unit], 10**6)), label=unit) for unit in priced}
    charge = rate(on_sale, Usage(counts), at_s=at_s, service_tier=service_tier, toll_bps=toll_bps)
    prompt = sum(counts.get(unit, 0) for unit in INPUT)
    prices = prices_now(on_sale, at_s=at_s, prompt_tokens=prompt, service_tier=service_tier)
    exact = sum(prices[unit] * count for unit, count in counts.items())
    assert 0 <= charge.vendor_nano * 1000 - exact < 1000
    assert 0 <= charge.total_nano * 10_000_000 - exact * (10_000 + toll_bps) < 10_000_000
    assert charge.toll_nano == charge.total_nano - charge.vendor_nano >= 0
    assert charge.prompt_nano + charge.completion_nano <= charge.vendor_nano


@settings(max_examples=200, deadline=None)
@given(sheets, moments, st.integers(1, 10**6))
def test_splitting_a_request_never_makes_it_cheaper(on_sale: PriceSheet, at_s: int, parts: int) -> None:
    unit = "input_fresh" if "input_fresh" in on_sale.prices else next(iter(on_sale.prices))
    parts = min(parts, BOUND[unit])
    single = rate(on_sale, Usage({unit: 1}), at_s=at_s, toll_bps=500).total_nano
    flat = PriceSheet(version="flat", effective_from_s=0, prices=prices_now(on_sale, at_s=at_s))
    whole = rate(flat, Usage({unit: parts}), at_s=at_s, toll_bps=500).total_nano
    assert whole <= single * parts <= whole + parts


@settings(max_examples=400, deadline=None)
@given(st.data(), sheets, moments, service_tiers)
def test_no_charge_exceeds_its_quote(data: st.DataObject, on_sale: PriceSheet, at_s: int, service_tier: str) -> None:
    if "input_fresh" not in on_sale.prices or "output_text" not in on_sale.prices:
        return
    inputs = {
        unit: data.draw(st.integers(0, 200_000)) for unit in data.draw(st.sets(st.sampled_from(INPUT), max_size=3))
    }
    outputs = {
        unit: data.draw(st.integers(0, 90_000)) for unit in data.draw(st.sets(st.sampled_from(OUTPUT), max_size=2))
    }
    bound = Bound(
        prompt_tokens=sum(inputs.values()) + data.draw(st.integers(0, 100_000)),
        answer_tokens=sum(outputs.values()) + data.draw(st.integers(0, 1000)),
    )
    served = data.draw(st.sampled_from(["", service_tier]))
    charged = rate(on_sale, Usage({**inputs, **outputs, "request": 1}), at_s=at_s, service_tier=served, toll_bps=500)
    assert charged.total_nano <= quote(on_sale, bound, at_s=at_s, service_tier=service_tier, toll_bps=500).total_nano


def test_a_quote_refuses_what_it_cannot_price_or_believe() -> None:
    one = Bound(prompt_tokens=1, answer_tokens=1)
    with pytest.raises(Unpriced, match="output_text"):
        quote(sheet(input_fresh=1), one, at_s=0)
    assert quote(sheet(input_fresh=1000), Bound(prompt_tokens=3, answer_tokens=0), at_s=0).total_nano == 3
    with pytest.raises(Implausible):
        quote(sheet(input_fresh=1, output_text=1), Bound(prompt_tokens=10**9, answer_tokens=1), at_s=0)
    with pytest.raises(Implausible):
        quote(sheet(input_fresh=1), Bound(prompt_tokens=1, answer_tokens=0, others={"search": -1}), at_s=0)
    with_search = Bound(prompt_tokens=0, answer_tokens=0, others={"search": 2})
    assert quote(sheet(search=4000), with_search, at_s=0).total_nano == 8


def test_units_may_be_members_or_words() -> None:
    assert rate(sheet(input_fresh=1000), Usage({Unit.INPUT_FRESH: 2}), at_s=0).prompt_nano == 2
