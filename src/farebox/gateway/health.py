"""Health of endpoints as one worker sees it: how likely they succeed, how fast they are, and when to leave them alone.

Refuses to read clocks or dice of its own (both are injected) and to choose endpoints: it only answers with standings.

Success is a Beta posterior: outcomes with a half-life of 30 s, over a prior with one of 10 min whose weight is capped, so
that an endpoint with one request a minute is judged as well as one with a thousand a second.
"""

from collections.abc import Callable, Iterable
from math import exp2

from msgspec import Struct

from farebox.gateway.figures import Figures
from farebox.ir.errors import AttemptError, EmptyAnswer, Health, TlsFailed
from farebox.routing.types import HEALTHY, Standing

HALF_LIFE_S = 30.0
PRIOR_HALF_LIFE_S = 600.0
PRIOR_WEIGHT_MAX = 8.0
# What is assumed of an endpoint before anything is known: nineteen of twenty succeed, held loosely.
BASE_GOOD, BASE_BAD = 0.95, 0.05
DECAY_STEP_S = 1.0
OPEN_FIRST_S, OPEN_MAX_S = 5.0, 300.0
JITTER = 0.2
LOCAL_STREAK_OPENS = 3
# A busy endpoint that only fails need not wait for its posterior to fall.
STREAK_OPENS = 10
POSTERIOR_OPENS = 0.5
POSTERIOR_SAMPLES_MIN = 5.0
BREAKS_OPEN, BREAKS_OF = 3, 10
GOOD_CLOSE = 3
LEVEL_DECAY_S = 60.0
TRIAL_MAX_S = 120.0
WAIT_MIN_S, WAIT_MAX_S = 0.5, 60.0
RATE_FIRST_S, RATE_MAX_S = 1.0, 30.0
OVERLOAD_MIN_S, OVERLOAD_MAX_S = 5.0, 30.0
QUARANTINE_FIRST_S, QUARANTINE_MAX_S = 60.0, 600.0
STANDING_FRESH_S = 0.25
STATISTICS_FRESH_S = 5.0
UNITS_MAX = 16_384


class Report(Struct, frozen=True, kw_only=True):
    """One endpoint's state, for pulses and pages."""

    endpoint: str
    state: str
    success: float
    samples: float
    latency_ms: float | None
    tokens_per_s: float | None
    succeeded: int
    failed: int
    rate_limited: int


class _Unit:
    """One (endpoint, credential)."""

    __slots__ = (
        "bad", "breaks", "closed_at", "cool_level", "cool_until", "credential", "decayed_at", "ease_until", "failed",
        "figures", "good", "level", "local_streak", "open_until", "prior_bad", "prior_good", "proven", "rate_limited",
        "standing", "standing_until", "statistics_until", "streak", "succeeded", "taken_at",
    )  # fmt: skip

    def __init__(self, credential: str, now: float) -> None:
        self.credential = credential
        self.good = self.bad = self.prior_good = self.prior_bad = 0.0
        self.decayed_at = now
        self.streak = self.local_streak = 0
        self.breaks = 0
        self.level = 0
        self.open_until = 0.0
        self.closed_at = now
        self.taken_at = 0.0
        self.proven = 0
        self.cool_until = self.ease_until = 0.0
        self.cool_level = 0
        self.figures = Figures()
        self.succeeded = self.failed = self.rate_limited = 0
        self.standing = HEALTHY
        self.standing_until = 0.0
        self.statistics_until = 0.0

    def posterior(self) -> float:
        good = self.good + self.prior_good + BASE_GOOD
        return good / (good + self.bad + self.prior_bad + BASE_BAD)


class _Quarantine:
    __slots__ = ("level", "until")

    def __init__(self) -> None:
        self.level = 0
        self.until = 0.0


class HealthBook:
    """All endpoints of one worker. `clock` is monotonic seconds, `dice` gives floats in [0, 1).

    `credential_of` names the credential an endpoint is called with: those that share one are quarantined together.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float],
        dice: Callable[[], float],
        credential_of: Callable[[str], str] = lambda endpoint: "",
        units_max: int = UNITS_MAX,
    ) -> None:
        self._clock = clock
        self._dice = dice
        self._credential_of = credential_of
        self._units: dict[str, _Unit] = {}
        self._units_max = units_max
        self._quarantines: dict[str, _Quarantine] = {}

    def standing(self, endpoint: str) -> Standing:
        """How the endpoint stands now; at most a quarter of a second old where nothing bad happened."""
        unit = self._units.get(endpoint)
        now = self._clock()
        if unit is None:
            unit = self._unit(endpoint, now)
        if now < unit.standing_until:
            return unit.standing
        return self._refresh(unit, now)

    def take_trial(self, endpoint: str) -> bool:
        """Takes the half-open slot for one attempt; False if another attempt has it. Needed only for trial candidates."""
        now = self._clock()
        unit = self._unit(endpoint, now)
        if not unit.open_until or (unit.taken_at and now - unit.taken_at < TRIAL_MAX_S):
            return not unit.open_until
        unit.taken_at = now or 1e-9
        unit.standing_until = 0.0
        return True

    def abandoned(self, endpoint: str) -> None:
        """The attempt ended without a verdict (the client left): its half-open slot is free again."""
        unit = self._units.get(endpoint)
        if unit is not None:
            unit.taken_at = 0.0
            unit.standing_until = 0.0

    def succeeded(self, endpoint: str, *, latency_ms: float | None = None, tokens_per_s: float | None = None) -> None:
        """An attempt ended well."""
        now = self._clock()
        unit = self._units.get(endpoint)
        if unit is None:
            unit = self._unit(endpoint, now)
        if now - unit.decayed_at >= DECAY_STEP_S:
            _decay(unit, now)
        unit.good += 1.0
        unit.succeeded += 1
        unit.streak = unit.local_streak = 0
        if unit.breaks:
            unit.breaks = unit.breaks << 1 & (1 << BREAKS_OF) - 1
        if latency_ms is not None:
            unit.figures.add(now, latency_ms, tokens_per_s)
        if unit.open_until or unit.cool_level or (self._quarantines and unit.credential in self._quarantines):
            self._recover(unit, now)

    def failed(self, endpoint: str, error: AttemptError, *, committed: bool = False) -> None:
        """An attempt failed. After the commit point every vendor fault is a broken stream."""
        now = self._clock()
        unit = self._unit(endpoint, now)
        _decay(unit, now)
        unit.standing_until = 0.0
        kind = error.health
        if committed and kind in (Health.LOCAL, Health.EXTERNAL, Health.OVERLOAD):
            kind = Health.MID_STREAM
        if kind is Health.NONE:
            unit.taken_at = 0.0
        elif kind is Health.RATE_LIMITED:
            self._cool(unit, now, error.retry_after_s)
        elif kind is Health.CREDENTIAL:
            self._quarantine(unit.credential or endpoint, now)
            unit.credential = unit.credential or endpoint
            unit.taken_at = 0.0
        elif kind is Health.CONFIGURATION or isinstance(error, TlsFailed):
            self._count(unit, 1.0)
            unit.local_streak += isinstance(error, TlsFailed)
            unit.cool_until = max(unit.cool_until, now + self._jittered(QUARANTINE_FIRST_S))
        else:
            self._fault(unit, now, kind, error)

    def retry_after_s(self, endpoints: Iterable[str]) -> float | None:
        """When the first of these that waits because of a rate limit may be tried again; None if none does."""
        now = self._clock()
        waits = [
            unit.cool_until - now
            for endpoint in endpoints
            if (unit := self._units.get(endpoint)) is not None and unit.cool_level and unit.cool_until > now
        ]
        return min(waits, default=None)

    def reports(self) -> list[Report]:
        """Every endpoint that was tried."""
        now = self._clock()
        return [
            self._report(endpoint, unit, now)
            for endpoint, unit in self._units.items()
            if unit.succeeded or unit.failed or unit.rate_limited
        ]

    def _unit(self, endpoint: str, now: float) -> _Unit:
        unit = self._units.get(endpoint)
        if unit is None:
            while len(self._units) >= self._units_max:
                del self._units[next(iter(self._units))]
            unit = self._units[endpoint] = _Unit(self._credential_of(endpoint), now)
        return unit

    def _refresh(self, unit: _Unit, now: float) -> Standing:
        _decay(unit, now)
        quarantine = self._quarantines.get(unit.credential)
        shut = now < unit.open_until
        half = bool(unit.open_until) and not shut
        slot = not unit.taken_at or now - unit.taken_at >= TRIAL_MAX_S
        latencies, speeds = unit.standing.latency_percentiles, unit.standing.throughput_percentiles
        if now >= unit.statistics_until:
            unit.statistics_until = now + STATISTICS_FRESH_S
            latencies, speeds = unit.figures.latencies(now), unit.figures.speeds(now)
        unit.standing = Standing(
            open=shut or now < unit.ease_until or (half and not slot),
            cooling=now < unit.cool_until or (quarantine is not None and now < quarantine.until),
            success=unit.posterior(),
            latency_ms=unit.figures.latency_ms,
            tokens_per_s=unit.figures.tokens_per_s,
            trial=half and slot,
            latency_percentiles=latencies,
            throughput_percentiles=speeds,
        )
        unit.standing_until = now + STANDING_FRESH_S
        if shut or half or unit.cool_until > now or unit.ease_until > now or quarantine is not None:
            # What ends by itself ends on time.
            held = quarantine.until if quarantine is not None else 0.0
            ends = (unit.open_until, unit.ease_until, unit.cool_until, held, unit.taken_at + TRIAL_MAX_S)
            unit.standing_until = min([unit.standing_until, *[end for end in ends if end > now]])
        return unit.standing

    def _fault(self, unit: _Unit, now: float, kind: Health, error: AttemptError) -> None:
        half = kind is Health.OVERLOAD
        self._count(unit, 0.5 if half else 1.0)
        if half and not isinstance(error, EmptyAnswer):
            wait = error.retry_after_s
            if wait is None:
                wait = OVERLOAD_MIN_S * exp2(min(unit.streak - 1, 8)) if unit.streak else OVERLOAD_MIN_S
            unit.ease_until = now + self._jittered(min(max(wait, OVERLOAD_MIN_S), OVERLOAD_MAX_S), upward=True)
        elif error.retry_after_s is not None and kind is Health.EXTERNAL:
            unit.ease_until = now + min(max(error.retry_after_s, WAIT_MIN_S), WAIT_MAX_S)
        if kind is Health.LOCAL:
            unit.local_streak += 1
        else:
            unit.local_streak = 0
        if kind is Health.MID_STREAM:
            unit.breaks = (unit.breaks << 1 | 1) & (1 << BREAKS_OF) - 1
        if unit.open_until:
            # In panic an open endpoint is tried as well; its failure there is no news.
            if now >= unit.open_until:
                self._open(unit, now)
        elif _broken(unit):
            self._open(unit, now)

    def _count(self, unit: _Unit, weight: float) -> None:
        unit.bad += weight
        unit.failed += 1
        unit.streak += 1

    def _open(self, unit: _Unit, now: float) -> None:
        if not unit.open_until:
            unit.level = max(0, unit.level - int((now - unit.closed_at) / LEVEL_DECAY_S))
        unit.open_until = now + self._jittered(min(OPEN_FIRST_S * exp2(unit.level), OPEN_MAX_S))
        unit.level = min(unit.level + 1, 10)
        unit.taken_at = 0.0
        unit.proven = 0

    def _recover(self, unit: _Unit, now: float) -> None:
        """After a success while something was held against the endpoint or its credential."""
        unit.cool_level = 0
        self._quarantines.pop(unit.credential, None)
        unit.standing_until = 0.0
        if not unit.open_until:
            return
        unit.taken_at = 0.0
        unit.proven += 1
        if unit.proven >= GOOD_CLOSE:
            unit.open_until = 0.0
            unit.closed_at = now
            unit.proven = 0
            unit.breaks = 0
            # The outage is over: what it left behind must not open the breaker again.
            unit.bad = unit.prior_bad = 0.0

    def _cool(self, unit: _Unit, now: float, retry_after_s: float | None) -> None:
        unit.rate_limited += 1
        unit.taken_at = 0.0
        if retry_after_s is None:
            wait = self._jittered(min(RATE_FIRST_S * exp2(min(unit.cool_level, 8)), RATE_MAX_S))
        else:
            wait = min(max(retry_after_s, WAIT_MIN_S), WAIT_MAX_S)
        unit.cool_level = min(unit.cool_level + 1, 9)
        unit.cool_until = max(unit.cool_until, now + wait)

    def _quarantine(self, credential: str, now: float) -> None:
        found = self._quarantines.setdefault(credential, _Quarantine())
        if now < found.until:
            return
        found.until = now + self._jittered(min(QUARANTINE_FIRST_S * exp2(found.level), QUARANTINE_MAX_S))
        found.level = min(found.level + 1, 8)
        for unit in self._units.values():
            unit.standing_until = 0.0

    def _jittered(self, seconds: float, *, upward: bool = False) -> float:
        """Spread by a fifth to both sides, or only upwards, so that workers don't come back together."""
        return seconds * (1.0 + JITTER * (self._dice() if upward else 2.0 * self._dice() - 1.0))

    def _report(self, endpoint: str, unit: _Unit, now: float) -> Report:
        standing = self._refresh(unit, now)
        state = (
            "cooling" if standing.cooling else "half_open" if standing.trial else "open" if standing.open else "closed"
        )
        return Report(
            endpoint=endpoint,
            state=state,
            success=standing.success,
            samples=unit.good + unit.bad,
            latency_ms=unit.figures.latency_ms,
            tokens_per_s=unit.figures.tokens_per_s,
            succeeded=unit.succeeded,
            failed=unit.failed,
            rate_limited=unit.rate_limited,
        )


def _broken(unit: _Unit) -> bool:
    if unit.local_streak >= LOCAL_STREAK_OPENS or unit.streak >= STREAK_OPENS:
        return True
    if unit.breaks.bit_count() >= BREAKS_OPEN:
        return True
    return unit.good + unit.bad >= POSTERIOR_SAMPLES_MIN and unit.posterior() < POSTERIOR_OPENS


def _decay(unit: _Unit, now: float) -> None:
    """Ages the window and the prior. What leaves the window has by then been seen by the prior, too."""
    passed = now - unit.decayed_at
    if passed < DECAY_STEP_S:
        return
    unit.decayed_at = now
    kept = exp2(-passed / HALF_LIFE_S)
    prior_kept = exp2(-passed / PRIOR_HALF_LIFE_S)
    unit.prior_good = unit.prior_good * prior_kept + unit.good * (1.0 - kept)
    unit.prior_bad = unit.prior_bad * prior_kept + unit.bad * (1.0 - kept)
    weight = unit.prior_good + unit.prior_bad
    if weight > PRIOR_WEIGHT_MAX:
        unit.prior_good *= PRIOR_WEIGHT_MAX / weight
        unit.prior_bad *= PRIOR_WEIGHT_MAX / weight
    unit.good *= kept
    unit.bad *= kept
