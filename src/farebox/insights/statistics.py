"""How endpoints did lately: uptime, latency, throughput in moving windows, from records. Refuses storage and clocks.

Latency and throughput are kept as counts in logarithmic buckets of 8 %, which add up over minutes; a percentile is right
within one bucket.
"""

import math
from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from farebox.insights.types import Attempt, GenerationRecord
from farebox.ir.usage import OUTPUT_UNITS

WINDOW_MINUTES = 24 * 60
PERCENTILES = (50, 75, 90, 99)
LEAST_ATTEMPTS = 5
_STEP = math.log(1.08)

OK = "ok"
# Ends that say nothing about the endpoint: the caller's own doing, or the caller's leaving.
NEUTRAL = frozenset(
    {
        "cancelled",
        "invalid_request",
        "context_length_exceeded",
        "unsupported_feature",
        "content_policy_violation",
        "payload_too_large",
        "rate_limit_exceeded",
    }
)

Percentiles = dict[str, float]


class Figures(Struct, frozen=True, kw_only=True):
    """One endpoint's figures. Uptime in percent, None with too little traffic to say; latency in ms; tokens a second."""

    uptime_last_5m: float | None = None
    uptime_last_30m: float | None = None
    uptime_last_1d: float | None = None
    latency_last_30m: Percentiles | None = None
    throughput_last_30m: Percentiles | None = None
    requests_last_30m: int = 0


NO_FIGURES = Figures()


class _Minute:
    __slots__ = ("good", "latency", "minute", "throughput", "total")

    def __init__(self, minute: int) -> None:
        self.minute = minute
        self.good = 0
        self.total = 0
        self.latency: dict[int, int] = {}
        self.throughput: dict[int, int] = {}


class EndpointStatistics:
    """The last day of every endpoint, minute by minute; only minutes with traffic take memory."""

    def __init__(self) -> None:
        self._endpoints: dict[str, deque[_Minute]] = {}

    def add(self, records: Iterable[GenerationRecord]) -> None:
        for record in records:
            minute = record.created_ms // 60_000
            for attempt in record.attempts:
                if attempt.outcome not in NEUTRAL:
                    self._add(minute, record, attempt)

    def figures(self, endpoint: str, now_ms: int) -> Figures:
        minutes = self._endpoints.get(endpoint)
        if minutes is None:
            return NO_FIGURES
        now = now_ms // 60_000
        while minutes and minutes[0].minute <= now - WINDOW_MINUTES:
            minutes.popleft()
        if not minutes:
            del self._endpoints[endpoint]
            return NO_FIGURES
        half_hour = [m for m in minutes if m.minute > now - 30]
        return Figures(
            uptime_last_5m=_uptime(m for m in half_hour if m.minute > now - 5),
            uptime_last_30m=_uptime(half_hour),
            uptime_last_1d=_uptime(minutes),
            latency_last_30m=_percentiles(m.latency for m in half_hour),
            throughput_last_30m=_percentiles((m.throughput for m in half_hour), falling=True),
            requests_last_30m=sum(m.total for m in half_hour),
        )

    def all_figures(self, now_ms: int) -> dict[str, Figures]:
        return {endpoint: self.figures(endpoint, now_ms) for endpoint in list(self._endpoints)}

    def _add(self, minute: int, record: GenerationRecord, attempt: Attempt) -> None:
        cell = self._cell(attempt.endpoint, minute)
        if cell is None:
            return
        cell.total += 1
        if attempt.outcome != OK:
            return
        cell.good += 1
        first_ms = record.latency_ms if record.latency_ms is not None else attempt.first_byte_ms
        if first_ms is None:
            return
        _count(cell.latency, first_ms - attempt.started_ms)
        # A whole answer arrives at once: only a stream shows how fast tokens follow each other.
        if record.streamed:
            tokens = sum(record.usage.get(unit, 0) for unit in OUTPUT_UNITS)
            seconds = (attempt.ended_ms - first_ms) / 1000
            if tokens > 1 and seconds > 0:
                _count(cell.throughput, tokens / seconds)

    def _cell(self, endpoint: str, minute: int) -> _Minute | None:
        minutes = self._endpoints.setdefault(endpoint, deque())
        if not minutes or minutes[-1].minute < minute:
            minutes.append(_Minute(minute))
            while minutes[0].minute <= minute - WINDOW_MINUTES:
                minutes.popleft()
            return minutes[-1]
        # Spools of several workers arrive a little out of order; what is older than the window is left out.
        for place in range(len(minutes) - 1, -1, -1):
            found = minutes[place].minute
            if found == minute:
                return minutes[place]
            if found < minute:
                minutes.insert(place + 1, _Minute(minute))
                return minutes[place + 1]
        if minute <= minutes[-1].minute - WINDOW_MINUTES:
            return None
        minutes.appendleft(_Minute(minute))
        return minutes[0]


def _count(buckets: dict[int, int], value: float) -> None:
    place = math.floor(math.log(max(value, 0.001)) / _STEP)
    buckets[place] = buckets.get(place, 0) + 1


def _uptime(minutes: Iterable[_Minute]) -> float | None:
    good = total = 0
    for minute in minutes:
        good += minute.good
        total += minute.total
    return round(100 * good / total, 2) if total >= LEAST_ATTEMPTS else None


def _percentiles(parts: Iterable[dict[int, int]], *, falling: bool = False) -> Percentiles | None:
    """`falling`: more is better, so that p90 is what nine of ten requests reach at least."""
    merged: dict[int, int] = {}
    for part in parts:
        for place, count in part.items():
            merged[place] = merged.get(place, 0) + count
    total = sum(merged.values())
    if not total:
        return None
    places = sorted(merged, reverse=falling)
    found: Percentiles = {}
    for percent in PERCENTILES:
        wanted = math.ceil(total * percent / 100)
        seen = 0
        for place in places:
            seen += merged[place]
            if seen >= wanted:
                found[f"p{percent}"] = _rounded(math.exp((place + 0.5) * _STEP))
                break
    return found


def _rounded(value: float) -> float:
    """Three significant digits: the buckets are no finer."""
    return float(f"{value:.3g}")
