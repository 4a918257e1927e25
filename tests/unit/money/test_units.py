"""Owns the proof that money knows every unit the canonical form counts."""

from farebox.ir.usage import INPUT_UNITS, OUTPUT_UNITS, Unit
from farebox.money.units import BOUND, FALLBACK, INPUT, OUTPUT


def test_every_unit_has_a_bound_and_no_other_has() -> None:
    assert BOUND.keys() == {unit.value for unit in Unit}


def test_families_are_those_of_the_canonical_form() -> None:
    assert tuple(INPUT_UNITS) == INPUT
    assert tuple(OUTPUT_UNITS) == OUTPUT


def test_every_token_unit_falls_back_to_its_plain_one() -> None:
    for family in (INPUT, OUTPUT):
        for unit in family[1:]:
            steps = [unit]
            while steps[-1] in FALLBACK:
                steps.append(FALLBACK[steps[-1]])
                assert len(steps) <= 4
            assert steps[-1] == family[0]
