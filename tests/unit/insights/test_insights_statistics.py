"""Endpoint figures in moving windows."""

import random

from farebox.insights.statistics import NO_FIGURES, EndpointStatistics
from farebox.insights.types import Attempt, GenerationRecord

MINUTE = 60_000
NOW = 1_000_000 * MINUTE


def made(created_ms: int, outcome: str = "ok", latency_ms: float = 100.0, **changes: object) -> GenerationRecord:
    attempt = Attempt(
        endpoint="e",
        provider="p",
        outcome=outcome,
        started_ms=0.0,
        first_byte_ms=latency_ms,
        ended_ms=latency_ms + 1000,
    )
    values: dict[str, object] = {"streamed": True, "usage": {"output_text": 50}, "attempts": (attempt,)}
    return GenerationRecord(
        id="g",
        created_ms=created_ms,
        organisation="o",
        key_id="k",
        worker="w",
        operation="chat",
        dialect="openai_chat",
        model_asked="m",
        latency_ms=latency_ms,
        **(values | changes),  # type: ignore[arg-type]
    )


def test_windows_hold_what_is_in_them() -> None:
    statistics = EndpointStatistics()
    for age, good, bad in ((1, 9, 1), (10, 8, 2), (600, 5, 5)):
        statistics.add(made(NOW - age * MINUTE) for _ in range(good))
        statistics.add(made(NOW - age * MINUTE, "upstream_error") for _ in range(bad))
    figures = statistics.figures("e", NOW)
    assert (figures.uptime_last_5m, figures.uptime_last_30m, figures.uptime_last_1d) == (90.0, 85.0, 73.33)
    assert figures.requests_last_30m == 20


def test_too_little_traffic_says_nothing() -> None:
    statistics = EndpointStatistics()
    statistics.add(made(NOW) for _ in range(4))
    assert statistics.figures("e", NOW).uptime_last_5m is None
    assert statistics.figures("unknown", NOW) == NO_FIGURES


def test_the_callers_own_doing_does_not_count() -> None:
    statistics = EndpointStatistics()
    statistics.add(made(NOW) for _ in range(5))
    statistics.add(made(NOW, outcome) for outcome in ("cancelled", "invalid_request", "content_policy_violation") * 5)
    assert statistics.figures("e", NOW).uptime_last_5m == 100.0


def test_percentiles_are_right_within_a_bucket() -> None:
    statistics = EndpointStatistics()
    draw = random.Random(7)
    values = sorted(draw.lognormvariate(6, 1) for _ in range(2000))
    statistics.add(made(NOW - draw.randrange(20) * MINUTE, latency_ms=value) for value in values)
    found = statistics.figures("e", NOW).latency_last_30m
    assert found is not None
    for percent in (50, 75, 90, 99):
        exact = values[len(values) * percent // 100 - 1]
        assert abs(found[f"p{percent}"] - exact) <= exact * 0.08


def test_pace_is_of_streams_and_its_high_percentiles_are_the_slow_ones() -> None:
    statistics = EndpointStatistics()
    statistics.add(made(NOW, usage={"output_text": tokens}) for tokens in (10, 20, 30, 40, 50))
    statistics.add([made(NOW, streamed=False, usage={"output_text": 5000})])
    pace = statistics.figures("e", NOW).throughput_last_30m
    assert pace is not None
    assert 46 < pace["p50"] < 54 or 27 < pace["p50"] < 33
    assert pace["p99"] < pace["p50"] < 60


def test_late_records_find_their_minute_and_old_ones_are_left_out() -> None:
    statistics = EndpointStatistics()
    for age in (0, 3, 1, 2, 1, 40, 2000):
        statistics.add([made(NOW - age * MINUTE)])
    assert statistics.figures("e", NOW).requests_last_30m == 5
    minutes = [cell.minute for cell in statistics._endpoints["e"]]
    assert minutes == sorted(set(minutes))
    assert len(minutes) == 5


def test_a_day_later_nothing_is_left() -> None:
    statistics = EndpointStatistics()
    statistics.add([made(NOW)])
    assert list(statistics.all_figures(NOW)) == ["e"]
    assert statistics.figures("e", NOW + 24 * 60 * MINUTE) == NO_FIGURES
    assert statistics.all_figures(NOW + 24 * 60 * MINUTE) == {}
