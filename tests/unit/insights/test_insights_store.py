"""Generations are stored once, whole, with sums that agree, on every engine."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import func, select

import stores
from farebox.insights import commands, queries
from farebox.insights.tables import generations, unreadable_records, usage_hours
from farebox.insights.types import Attempt, GenerationRecord
from farebox.storage.port import Store

HOUR_MS = 3_600_000
NOW = 500_000 * HOUR_MS


@pytest.fixture(params=stores.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with stores.store(request.param, tmp_path) as opened:
        yield opened


def record(name: str, **changes: object) -> GenerationRecord:
    values: dict[str, object] = {
        "id": name,
        "created_ms": NOW,
        "organisation": "owner",
        "key_id": "k1",
        "worker": "w1",
        "operation": "chat",
        "dialect": "openai_chat",
        "model_asked": "a/b",
        "model": "a/b",
        "provider": "p",
        "endpoint": "a/b@p",
        "usage": {"input_fresh": 10, "input_cache_read": 5, "output_text": 7, "output_reasoning": 1},
        "vendor_cost_nano": 100,
        "toll_nano": 5,
        "total_nano": 105,
        "attempts": (Attempt(endpoint="a/b@p", provider="p", outcome="ok"),),
    }
    return GenerationRecord(**(values | changes))  # type: ignore[arg-type]


def deliver(store: Store, *lines: GenerationRecord | bytes) -> commands.Stored:
    encoded = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
    batch = commands.read_batch(encoded)
    return store.write_now(commands.store_batch, batch, now_ms=NOW)


def sums(store: Store) -> tuple[int, ...]:
    names = ("requests", "failures", "prompt_tokens", "completion_tokens", "total_nano")
    statement = select(*(func.coalesce(func.sum(usage_hours.c[name]), 0) for name in names))
    return tuple(int(value) for value in store.read_now(lambda tx: tx.execute(statement).one()))


def test_a_record_comes_back_as_it_was(store: Store) -> None:
    given = record("gen-1", warnings=(("w", "$.x", "text"),), flags=("f",), title="\x1b<script>\u2028")
    assert deliver(store, given).new == [given]
    assert store.read_now(queries.get_generation, "owner", "gen-1") == given


def test_the_workers_bytes_are_kept(store: Store) -> None:
    line = b'{"later_field": 1, ' + msgspec.json.encode(record("gen-1"))[1:]
    deliver(store, line)
    assert bytes(store.read_now(lambda tx: tx.execute(select(generations.c.record)).scalar_one())) == line


def test_an_id_is_stored_and_summed_once(store: Store) -> None:
    first = deliver(store, record("gen-1"), record("gen-1"), record("gen-2", error="cut"))
    assert (len(first.new), first.repeated) == (2, 1)
    again = deliver(store, record("gen-2", error="cut"), record("gen-1", total_nano=9999), record("gen-3"))
    assert ([each.id for each in again.new], again.repeated) == (["gen-3"], 2)
    assert sums(store) == (3, 1, 45, 24, 315)


def test_hours_keys_and_endpoints_have_their_own_sums(store: Store) -> None:
    deliver(
        store,
        record("1"),
        record("2", created_ms=NOW + HOUR_MS),
        record("3", key_id="k2"),
        record("4", endpoint="a/b@q"),
        record("5", created_ms=NOW + HOUR_MS - 1),
    )
    rows = store.read_now(lambda tx: tx.execute(select(usage_hours.c.requests).order_by(usage_hours.c.requests)).all())
    assert [row.requests for row in rows] == [1, 1, 1, 2]


def test_another_organisations_generation_is_as_good_as_none(store: Store) -> None:
    deliver(store, record("gen-1", organisation="other"))
    assert store.read_now(queries.get_generation, "owner", "gen-1") is None
    assert store.read_now(queries.get_generation, "other", "gen-1") is not None


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"null",
        b"[]",
        b"\xff",
        b"{}",
        msgspec.json.encode(record("")),
        msgspec.json.encode(record("x", created_ms=-1)),
        msgspec.json.encode(record("x", total_nano=-1)),
        msgspec.json.encode(record("x", usage={"input_fresh": 2**60})),
        msgspec.json.encode(record("x", model="a\0b")),
        msgspec.json.encode(record("x", title="t" * commands.RECORD_BYTES_MAX)),
    ],
)
def test_an_unreadable_record_is_put_aside_and_keeps_nobody_waiting(store: Store, line: bytes) -> None:
    for _ in range(2):
        assert deliver(store, line, record("gen-good")).unreadable == 1
    aside = store.read_now(lambda tx: tx.execute(select(unreadable_records)).all())
    assert [bytes(row.record) for row in aside] == [line[: commands.RECORD_BYTES_MAX]]
    assert sums(store)[0] == 1


def test_totals_and_key_usage(store: Store) -> None:
    deliver(
        store,
        record("1"),
        record("2", model="c/d"),
        record("3", created_ms=NOW - 50 * HOUR_MS),
        record("4", key_id="k2"),
    )
    totals = store.read_now(queries.model_totals, NOW // 1000)
    assert {slug: (total.requests, total.prompt_tokens) for slug, total in totals.items()} == {
        "a/b": (2, 30),
        "c/d": (1, 15),
    }
    usage = store.read_now(queries.key_usage, "k1", day_s=NOW // 1000, week_s=NOW // 1000 - 9 * 86_400, month_s=0)
    assert (usage.total_nano, usage.day_nano, usage.week_nano, usage.month_nano, usage.requests) == (
        315,
        210,
        315,
        315,
        3,
    )
    assert store.read_now(queries.key_usage, "nobody", day_s=0, week_s=0, month_s=0) == queries.KeyUsage()


def test_recent_records_come_oldest_first(store: Store) -> None:
    deliver(store, *(record(f"{place}", created_ms=NOW + place) for place in (3, 1, 2)))
    assert [each.id for each in store.read_now(queries.recent, NOW, 2)] == ["2", "3"]


def test_an_empty_batch_is_nothing(store: Store) -> None:
    assert deliver(store) == commands.Stored([], 0, 0)
