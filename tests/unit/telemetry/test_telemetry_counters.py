"""Counters of a process and their sum over workers."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from farebox.telemetry import counters
from farebox.telemetry.counters import Counters, sample
from farebox.telemetry.exposition import Totals, render


def parsed(text: str) -> dict[str, float]:
    """By another reader than ours."""
    return {
        sample(each.name, **each.labels): each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def test_a_sample_is_its_text() -> None:
    assert sample("a_total") == "a_total"
    assert sample("a_total", b="2", a="1") == 'a_total{a="1",b="2"}'


@given(st.text(max_size=60))
def test_any_label_survives_the_text_format(value: str) -> None:
    values = Counters()
    values.inc(sample("farebox_x_total", label=value), 2)
    found = [each for family in text_string_to_metric_families(render(values.values)) for each in family.samples]
    kept = [(each.labels["label"], each.value) for each in found if each.name == "farebox_x_total"]
    # A line break of Unicode's other kinds ends a line for Python's reader only; the format knows `\n` alone.
    assert kept == [(value, 2.0)] or any(char in value for char in "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029")


def test_a_histogram_counts_into_cumulative_buckets() -> None:
    own = Counters()
    seen = own.histogram("d_seconds", (0.1, 1.0), model="m")
    for value in (0.05, 0.1, 0.5, 7.0):
        seen.observe(value)
    found = parsed(render(own.values))
    assert found == {
        'd_seconds_bucket{le="0.1",model="m"}': 2,
        'd_seconds_bucket{le="1.0",model="m"}': 3,
        'd_seconds_bucket{le="+Inf",model="m"}': 4,
        'd_seconds_sum{model="m"}': 7.65,
        'd_seconds_count{model="m"}': 4,
    }
    assert "# TYPE d_seconds histogram" in render(own.values)


def test_the_same_histogram_is_found_again() -> None:
    own = Counters()
    assert own.histogram("d_seconds", a="1") is own.histogram("d_seconds", a="1")
    own.observe("d_seconds", 0.2, a="1")
    assert own.values['d_seconds_count{a="1"}'] == 1


def test_the_number_of_series_is_bounded() -> None:
    own = Counters()
    for place in range(counters.SERIES_MAX + 100):
        own.inc(f"n{place}_total")
    own.histogram("late_seconds").observe(1)
    own.inc("n5_total")
    assert len(own.values) == counters.SERIES_MAX
    assert own.values["n5_total"] == 2


def test_sums_do_not_go_back_when_workers_come_and_go() -> None:
    totals = Totals()
    totals.report("w1", 1, {"a_total": 5, "g": 3}, now_s=0)
    totals.report("w2", 1, {"a_total": 7, "g": 4}, now_s=0)
    assert totals.sum({"a_total": 1}) == {"a_total": 13, "g": 7}
    totals.report("w1", 2, {"a_total": 1, "g": 1}, now_s=20)
    assert totals.sum() == {"a_total": 13, "g": 5}
    totals.forget_silent(40)
    assert totals.workers() == 1
    assert totals.sum() == {"a_total": 13, "g": 1}


def test_a_lying_worker_cannot_break_the_text() -> None:
    text = render({"a_total": 1, "b_total 5\nc_total": 1, 'd{x="1"}{y="2"}': 1, "": 1, 'e{l="x\ny"}': 1})
    assert [line for line in text.splitlines() if not line.startswith("#")] == ["a_total 1"]


def test_the_names_are_the_conventions() -> None:
    own = Counters()
    own.inc(sample(counters.TOKENS, gen_ai_token_type="input"), 3)
    own.observe(counters.REQUEST_SECONDS, 0.2)
    own.observe(counters.FIRST_TOKEN_SECONDS, 0.1)
    own.observe(counters.OVERHEAD_SECONDS, 0.0003, counters.OVERHEAD_S)
    text = render(own.values)
    for line in (
        'gen_ai_client_token_usage_total{gen_ai_token_type="input"} 3',
        "gen_ai_server_request_duration_seconds_count 1",
        "gen_ai_server_time_to_first_token_seconds_sum 0.1",
        'farebox_overhead_seconds_bucket{le="0.0005"} 1',
    ):
        assert line in text.splitlines()
