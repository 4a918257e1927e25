"""Owns usage of chat answers as leaves and back; refuses prices."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from farebox.dialects.openai_chat.usage import read_usage, write_usage
from farebox.ir.usage import Usage
from farebox.money.charges import Charge


def read(usage: Any, overrides: dict[str, str] | None = None) -> tuple[Usage | None, list[str]]:
    flags: list[str] = []
    return read_usage(Raw(json.dumps(usage).encode()), overrides, flags), flags


CASES: list[tuple[dict[str, Any], dict[str, int]]] = [
    ({"prompt_tokens": 5, "completion_tokens": 7}, {"input_fresh": 5, "output_text": 7}),
    ({"prompt_tokens": 5, "completion_tokens": 0}, {"input_fresh": 5}),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 2,
            "prompt_tokens_details": {"cached_tokens": 8, "cache_write_tokens": 1},
        },
        {"input_fresh": 1, "input_cache_read": 8, "input_cache_write_5m": 1, "output_text": 2},
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 2},
        {"input_fresh": 2, "input_cache_read": 8, "output_text": 2},
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 2, "cached_tokens": 4},
        {"input_fresh": 6, "input_cache_read": 4, "output_text": 2},
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 6}},
        {"input_fresh": 10, "output_reasoning": 6, "output_text": 3},
    ),
    (
        {
            "prompt_tokens": 10,
            "completion_tokens": 9,
            "total_tokens": 25,
            "completion_tokens_details": {"reasoning_tokens": 6},
        },
        {"input_fresh": 10, "output_reasoning": 6, "output_text": 9},
    ),
    (
        {"prompt_tokens": 10, "completion_tokens": 9, "reasoning_tokens": 6},
        {"input_fresh": 10, "output_reasoning": 6, "output_text": 3},
    ),
    (
        {
            "prompt_tokens": 20,
            "completion_tokens": 9,
            "prompt_tokens_details": {"audio_tokens": 12},
            "completion_tokens_details": {"audio_tokens": 7},
        },
        {"input_fresh": 8, "input_audio": 12, "output_audio": 7, "output_text": 2},
    ),
    (
        {"prompt_tokens": 2, "completion_tokens": 9, "num_search_queries": 3},
        {"input_fresh": 2, "output_text": 9, "search": 3},
    ),
    ({"prompt_tokens": 2.0, "completion_tokens": None}, {"input_fresh": 2}),
]


@pytest.mark.parametrize(("usage", "leaves"), CASES)
def test_totals_become_disjoint_leaves(usage: dict[str, Any], leaves: dict[str, int]) -> None:
    found, flags = read(usage)
    assert found is not None
    assert found.leaves == leaves
    assert flags == []
    assert found.raw is not None
    assert json.loads(bytes(found.raw)) == usage


def test_a_vendor_may_have_its_own_names() -> None:
    found, _ = read({"prompt_tokens": 9, "completion_tokens": 1, "x": {"hits": 4}}, {"input_cache_read": "x.hits"})
    assert found is not None
    assert found.leaves == {"input_fresh": 5, "input_cache_read": 4, "output_text": 1}
    found, _ = read(
        {"prompt_tokens": 1, "completion_tokens": 1, "completion_tokens_details": {"reasoning_tokens": 5}},
        {"reasoning": "outside"},
    )
    assert found is not None
    assert found.completion_tokens() == 6


def test_parts_are_clamped_to_their_total() -> None:
    found, flags = read(
        {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": {"cached_tokens": 50, "audio_tokens": 9}}
    )
    assert found is not None
    assert found.leaves == {"input_cache_read": 5, "output_text": 1}
    assert flags == ["usage_clamped"]


@pytest.mark.parametrize("usage", [{}, {"total_tokens": 5}, [], "x", 5])
def test_no_counts_are_no_usage(usage: Any) -> None:
    assert read(usage) == (None, [])


@pytest.mark.parametrize("value", [-1, "5", True, 0.5, 10**13, [], {}])
@pytest.mark.parametrize("name", ["prompt_tokens", "completion_tokens", "cached_tokens"])
def test_absurd_counts_are_not_believed(name: str, value: Any) -> None:
    assert read({"prompt_tokens": 1, "completion_tokens": 1} | {name: value}) == (None, ["usage_absurd"])


COUNTS = st.integers(0, 10**9)


@given(COUNTS, COUNTS, COUNTS, COUNTS, COUNTS)
def test_leaves_always_add_up(prompt: int, completion: int, cached: int, audio: int, reasoning: int) -> None:
    details = {"cached_tokens": cached, "audio_tokens": audio}
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }
    found, _ = read(usage)
    assert found is not None
    assert found.prompt_tokens() == prompt
    assert found.completion_tokens() == completion
    assert all(count > 0 for count in found.leaves.values())


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "input_fresh",
                "input_cache_read",
                "input_cache_write_5m",
                "output_text",
                "output_reasoning",
                "output_image",
            ]
        ),
        st.integers(1, 10**9),
    )
)
def test_what_is_written_reads_back(leaves: dict[str, int]) -> None:
    written = write_usage(Usage(leaves), Charge(total_nano=1), byok=True)
    found = read_usage(Raw(written), {"reasoning": "inside"})
    assert found is not None
    assert found.leaves == leaves
    told = msgspec.json.decode(written)
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"]
    assert told["is_byok"] is True
