"""Health on a clock of its own: when an endpoint opens, cools, is tried again and closes."""

import pytest

from farebox.gateway import health
from farebox.gateway.health import HealthBook
from farebox.ir import errors
from farebox.ir.errors import AttemptError


class House:
    """A health book, its clock and its dice (0.5: no jitter)."""

    def __init__(self, **more: object) -> None:
        self.now = 1_000.0
        self.roll = 0.5
        self.book = HealthBook(clock=lambda: self.now, dice=lambda: self.roll, **more)  # type: ignore[arg-type]

    def fail(self, leaf: type[AttemptError], times: int = 1, *, committed: bool = False, **more: object) -> None:
        for _ in range(times):
            self.book.failed("e", leaf(**more), committed=committed)  # type: ignore[arg-type]

    def good(self, times: int = 1) -> None:
        for _ in range(times):
            self.book.succeeded("e")

    @property
    def state(self) -> str:
        standing = self.book.standing("e")
        if standing.cooling:
            return "cooling"
        return "trial" if standing.trial else "open" if standing.open else "closed"


def test_what_is_unknown_is_healthy() -> None:
    standing = House().book.standing("e")
    assert (standing.open, standing.cooling, standing.trial) == (False, False, False)
    assert standing.success == pytest.approx(0.95)


@pytest.mark.parametrize("leaf", [errors.Unreachable, errors.ConnectTimeout, errors.FirstByteTimeout])
def test_three_local_failures_in_a_row_open(leaf: type[AttemptError]) -> None:
    house = House()
    house.good(50)
    house.fail(leaf, 2)
    house.good()
    house.fail(leaf, 2)
    assert house.state == "closed"
    house.fail(leaf)
    assert house.state == "open"


def test_caller_faults_never_count() -> None:
    house = House()
    for leaf in (errors.VendorRefused, errors.VendorContextTooLong, errors.VendorTooLarge, errors.Filtered):
        house.fail(leaf, 20)
    assert house.state == "closed"
    assert house.book.standing("e").success == pytest.approx(0.95)


def test_a_posterior_below_half_opens_with_enough_samples() -> None:
    house = House()
    house.fail(errors.VendorFailed, 4)
    assert house.state == "closed"
    house.fail(errors.VendorFailed)
    assert house.state == "open"
    busy = House()
    for _ in range(300):
        busy.now += 0.1
        busy.good()
    for _ in range(4):
        busy.fail(errors.VendorFailed)
        busy.good()
    assert busy.state == "closed"


def test_it_opens_at_one_request_a_minute() -> None:
    house = House()
    for _ in range(30):
        house.now += 60.0
        house.good()
    failures = 0
    while house.state == "closed":
        house.now += 60.0
        house.fail(errors.VendorFailed)
        failures += 1
    assert 3 <= failures <= health.STREAK_OPENS


def test_broken_streams_open_by_three_of_ten() -> None:
    house = House()
    for _ in range(2):
        house.fail(errors.Cut, committed=True)
        house.good(4)
    assert house.state == "closed"
    house.fail(errors.VendorFailed, committed=True)
    assert house.state == "closed", "the first break is eleven outcomes ago"
    house.fail(errors.IdleTimeout, committed=True)
    assert house.state == "open"


def test_half_open_takes_one_at_a_time_and_closes_after_three() -> None:
    house = House()
    house.fail(errors.Unreachable, 3)
    house.now += 5.1
    for _ in range(3):
        assert house.state == "trial"
        assert house.book.take_trial("e")
        assert not house.book.take_trial("e")
        assert house.state == "open"
        house.good()
    assert house.state == "closed"
    house.fail(errors.VendorFailed)
    assert house.state == "closed"


def test_an_abandoned_trial_and_a_lost_one_free_the_slot() -> None:
    house = House()
    house.fail(errors.Unreachable, 3)
    house.now += 5.1
    assert house.book.take_trial("e")
    house.book.abandoned("e")
    assert house.book.take_trial("e")
    house.now += health.TRIAL_MAX_S + 0.01
    assert house.state == "trial"
    assert house.book.take_trial("e")


def test_each_failed_trial_doubles_the_wait_up_to_five_minutes() -> None:
    house = House()
    house.fail(errors.Unreachable, 3)
    waits = []
    for _ in range(9):
        waited = 0.0
        while house.state == "open":
            house.now += 0.5
            waited += 0.5
        waits.append(waited)
        assert house.book.take_trial("e")
        house.fail(errors.VendorFailed)
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]


def test_good_times_make_the_next_wait_short_again() -> None:
    house = House()
    house.fail(errors.Unreachable, 3)
    house.now += 5.0
    house.fail(errors.Unreachable)
    house.now += 10.0
    house.good(3)
    assert house.state == "closed"
    house.now += 121.0
    house.fail(errors.Unreachable, 3)
    house.now += 5.0
    assert house.state == "trial"


def test_jitter_spreads_by_a_fifth() -> None:
    for roll, wait in ((0.0, 4.0), (1.0, 6.0)):
        house = House()
        house.roll = roll
        house.fail(errors.Unreachable, 3)
        house.now += wait - 0.01
        assert house.state == "open"
        house.now += 0.02
        assert house.state == "trial"


@pytest.mark.parametrize(("said", "wait"), [(0.0, 0.5), (-7.0, 0.5), (1e9, 60.0), (7.0, 7.0), (None, 1.0)])
def test_rate_limits_cool_and_are_no_failures(said: float | None, wait: float) -> None:
    house = House()
    house.fail(errors.VendorRateLimited, retry_after_s=said)
    assert house.state == "cooling"
    assert house.book.retry_after_s(["e", "other"]) == pytest.approx(wait)
    assert house.book.standing("e").success == pytest.approx(0.95)
    house.now += wait + 0.01
    assert house.state == "closed"
    assert house.book.retry_after_s(["e"]) is None


def test_silent_rate_limits_double_until_a_success() -> None:
    house = House()
    waits = []
    for _ in range(7):
        house.fail(errors.VendorRateLimited)
        waits.append(house.book.retry_after_s(["e"]))
        house.now += 31.0
    assert waits == pytest.approx([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0])
    house.good()
    house.fail(errors.VendorRateLimited)
    assert house.book.retry_after_s(["e"]) == pytest.approx(1.0)


def test_overload_stands_aside_for_five_to_thirty_seconds_at_half_weight() -> None:
    house = House()
    house.roll = 0.0
    house.fail(errors.Overloaded)
    assert house.book.standing("e").open
    assert not house.book.standing("e").cooling
    assert house.book.standing("e").success == pytest.approx(0.95 / 1.5)
    house.now += 5.1
    assert house.state == "closed"
    house.fail(errors.Overloaded, retry_after_s=500.0)
    house.now += 29.9
    assert house.state == "open"
    house.now += 0.2
    assert house.state == "closed"


def test_a_rejected_credential_takes_all_its_endpoints_out_and_no_other() -> None:
    house = House(credential_of=lambda endpoint: endpoint[0])
    house.book.standing("e2")
    house.book.failed("e", errors.CredentialRejected())
    assert [house.book.standing(name).cooling for name in ("e", "e2", "e3", "f")] == [True, True, True, False]
    assert house.book.retry_after_s(["e"]) is None
    house.now += 61.0
    assert not house.book.standing("e2").cooling
    house.book.failed("e2", errors.CredentialExhausted())
    house.now += 119.0
    assert house.book.standing("e").cooling
    house.now += 2.0
    house.book.succeeded("e")
    house.book.failed("e", errors.CredentialRejected())
    house.now += 61.0
    assert not house.book.standing("e").cooling


@pytest.mark.parametrize("leaf", [errors.VendorModelMissing, errors.TlsFailed])
def test_wrong_configuration_is_quarantined_at_once(leaf: type[AttemptError]) -> None:
    house = House()
    house.fail(leaf)
    assert house.state == "cooling"
    house.now += 61.0
    assert house.state == "closed"


def test_figures_follow_and_percentiles_forget() -> None:
    house = House()
    for at in range(100):
        house.book.succeeded("e", latency_ms=100.0 + at, tokens_per_s=50.0)
    standing = house.book.standing("e")
    assert standing.latency_ms is not None
    assert 180.0 < standing.latency_ms < 199.0
    assert standing.tokens_per_s == pytest.approx(50.0)
    assert standing.latency_percentiles is not None
    assert standing.latency_percentiles.p50 == pytest.approx(167.0, abs=2.0)
    assert standing.latency_percentiles.p99 == pytest.approx(198.0, abs=2.0)
    house.now += 301.0
    assert house.book.standing("e").latency_percentiles is None


def test_throughput_percentiles_count_from_the_fast_side() -> None:
    house = House()
    for speed in range(1, 61):
        house.book.succeeded("e", latency_ms=1.0, tokens_per_s=float(speed))
    found = house.book.standing("e").throughput_percentiles
    assert found is not None
    assert found.p50 is not None
    assert found.p99 is not None
    assert found.p50 > found.p99
    assert found.p99 <= 3.0


def test_memory_is_bounded_and_reports_name_what_was_tried() -> None:
    house = House(units_max=10)
    for at in range(50):
        house.book.succeeded(f"e{at}")
    reports = house.book.reports()
    assert [report.endpoint for report in reports] == [f"e{at}" for at in range(40, 50)]
    assert {report.state for report in reports} == {"closed"}
