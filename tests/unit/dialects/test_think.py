"""Owns think tags and effort words; refuses where they stand on the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.dialects.shared.effort import BUDGET_MAX, BUDGET_MIN, EFFORTS, budget, effort
from farebox.dialects.shared.think import ThinkSplitter, split

CASES = [
    ("hello", ("", "hello")),
    ("<think>why</think>yes", ("why", "yes")),
    ("\n<think>\nwhy\n</think>\n\nyes", ("why\n", "yes")),
    ("<think>never closed", ("never closed", "")),
    ("<think></think>yes", ("", "yes")),
    ("say <think>x</think>", ("", "say <think>x</think>")),
    ("<thin", ("", "<thin")),
    ("<think>a</thin", ("a</thin", "")),
    ("<think>a</think>b</think>c", ("a", "b</think>c")),
    ("", ("", "")),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_whole(text: str, expected: tuple[str, str]) -> None:
    assert split(text) == expected


@given(st.lists(st.sampled_from(["<think>", "</think>", "<", "think>", "</", "a", "\n", " "]), max_size=8), st.data())
def test_cuts_never_matter(words: list[str], data: st.DataObject) -> None:
    text = "".join(words)
    splitter, at = ThinkSplitter(), 0
    thought = answer = ""
    while at < len(text):
        size = data.draw(st.integers(1, 4))
        more = splitter.feed(text[at : at + size])
        thought, answer, at = thought + more[0], answer + more[1], at + size
    more = splitter.close()
    assert (thought + more[0], answer + more[1]) == split(text)


def test_budgets_of_efforts() -> None:
    assert [budget(word, 100_000) for word in EFFORTS] == [0, 10_000, 20_000, 50_000, 80_000, 95_000, 95_000]
    assert budget("max", 10**9) == BUDGET_MAX
    assert budget("low", 100) == BUDGET_MIN


@pytest.mark.parametrize("word", ["minimal", "low", "medium", "high", "xhigh"])
def test_efforts_of_budgets(word: str) -> None:
    assert effort(budget(word, 100_000), 100_000) == word
    assert effort(0, None) == "none"
