"""What is charged when a vendor uses a unit that has no price here."""

from types import SimpleNamespace
from typing import Any, cast

from farebox.gateway.generation import Generation
from farebox.gateway.settle import Bookkeeper
from farebox.ir.usage import Usage
from farebox.money.sheets import PriceSheet
from farebox.telemetry.counters import Counters

SHEET = PriceSheet(version="v", effective_from_s=0, prices={"input_fresh": 1_000_000, "output_text": 2_000_000})


def generation(sheet: PriceSheet | None = SHEET) -> Generation:
    made = SimpleNamespace(
        sheet=sheet,
        created_s=1_795_000_000,
        opened=SimpleNamespace(service_tier=""),
        caller=SimpleNamespace(toll_bps=None),
    )
    return cast("Generation", made)


def rated(leaves: dict[str, int]) -> tuple[int, int, list[str]]:
    books = Bookkeeper(cast("Any", None), Counters(), worker="w", toll_bps=500)
    flags: list[str] = []
    charge = books._rate(generation(), Usage(leaves), flags)
    return charge.vendor_nano, charge.toll_nano, flags


def test_the_priced_units_are_charged_beside_one_without_a_price() -> None:
    vendor, toll, flags = rated({"input_fresh": 1000, "output_text": 500, "search": 3})
    assert (vendor, toll) == (2_000_000, 100_000)
    assert [flag.partition(":")[0] for flag in flags] == ["unpriced"]
    assert "search" in flags[0]


def test_nothing_but_a_unit_without_a_price_costs_nothing_and_is_flagged() -> None:
    vendor, toll, flags = rated({"search": 1})
    assert (vendor, toll) == (0, 0)
    assert len(flags) == 1
