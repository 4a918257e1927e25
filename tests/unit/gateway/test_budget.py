"""The retry rule as a table of every error leaf before and after the commit point; the budget as a law."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.gateway.budget import NOT_ACCEPTED, RetryBudget, Situation, Verdict, may_retry
from farebox.ir import errors
from farebox.ir.errors import AttemptError, leaves

LEAVES = sorted({*leaves(AttemptError), errors.VendorRefused}, key=lambda leaf: leaf.__name__)
NEVER = {"VendorRefused", "Filtered"}
FREE = Situation(committed=False, attempts=1, candidates=1, left_s=60.0)


@pytest.mark.parametrize("leaf", LEAVES)
def test_every_leaf_before_and_after_the_commit(leaf: type[AttemptError]) -> None:
    before = may_retry(leaf(), FREE)
    assert before is (Verdict.CLASS if leaf.__name__ in NEVER else Verdict.ELSEWHERE)
    after = may_retry(leaf(), Situation(committed=True, attempts=1, candidates=1, left_s=60.0, other_model=True))
    assert after is Verdict.COMMITTED


@pytest.mark.parametrize("leaf", LEAVES)
def test_side_effects_retry_only_what_was_not_accepted(leaf: type[AttemptError]) -> None:
    verdict = may_retry(leaf(), Situation(committed=False, attempts=1, candidates=1, left_s=60.0, side_effect=True))
    assert verdict.allows == issubclass(leaf, NOT_ACCEPTED)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ({"attempts": 3}, Verdict.ATTEMPTS),
        ({"attempts": 1, "attempts_max": 1}, Verdict.ATTEMPTS),
        ({"candidates": 0}, Verdict.EXHAUSTED),
        ({"left_s": 0.0}, Verdict.DEADLINE),
        ({"left_s": 0.5, "first_token_s": 0.5}, Verdict.DEADLINE),
        ({"budget": False}, Verdict.BUDGET),
        ({"first_token_s": 59.0}, Verdict.ELSEWHERE),
    ],
)
def test_each_condition_forbids_alone(change: dict[str, object], verdict: Verdict) -> None:
    base: dict[str, object] = {"committed": False, "attempts": 1, "candidates": 1, "left_s": 60.0}
    found = may_retry(errors.VendorFailed(), Situation(**(base | change)))  # type: ignore[arg-type]
    assert found is verdict


def test_a_fallback_model_may_take_what_this_one_refused() -> None:
    refused = Situation(committed=False, attempts=1, candidates=1, left_s=60.0, other_model=True)
    assert may_retry(errors.Filtered(), refused) is Verdict.ELSEWHERE


def test_three_retries_always_then_a_fifth() -> None:
    budget = RetryBudget()
    assert [budget.take("o", "v") for _ in range(4)] == [True, True, True, False]
    for _ in range(30):
        budget.start("o", "w")
        budget.start("p", "v")
    # 33 active in each scope and one that asks: six retries at most, three of them taken.
    assert [budget.take("o", "v") for _ in range(5)] == [True, True, True, True, False]


def test_both_scopes_must_have_room() -> None:
    budget = RetryBudget()
    for _ in range(3):
        assert budget.take("o", "v1")
    assert not budget.take("o", "v2")
    assert not budget.take("p", "v1")
    assert budget.take("p", "v2")


@given(st.lists(st.tuples(st.sampled_from("op"), st.sampled_from("vw"), st.booleans()), max_size=80), st.randoms())
def test_the_share_holds_and_nothing_stays_behind(steps: list[tuple[str, str, bool]], dice: object) -> None:
    budget = RetryBudget()
    running: list[tuple[str, str, bool]] = []
    for org, vendor, retry in steps:
        if retry:
            if budget.take(org, vendor):
                running.append((org, vendor, True))
                for at, name in ((0, org), (1, vendor)):
                    same = [each for each in running if each[at] == name]
                    assert sum(each[2] for each in same) <= max(3, len(same) // 5)
        else:
            budget.start(org, vendor)
            running.append((org, vendor, False))
    dice.shuffle(running)  # type: ignore[attr-defined]
    for org, vendor, retry in running:
        budget.end(org, vendor, retry=retry)
    assert budget.running() == 0
