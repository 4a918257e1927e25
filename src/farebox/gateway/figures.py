"""Speed figures of an endpoint: moving averages, and percentiles of the last five minutes in a small ring.

Refuses to read clocks: the caller says when a sample was taken.
"""

from array import array

from farebox.routing.types import Percentiles

SAMPLES = 64
SAMPLE_AGE_S = 300.0
EWMA_PART = 0.1


class Figures:
    """Latency in milliseconds and speed in output tokens per second."""

    __slots__ = ("_at", "_latencies", "_speeds", "_times", "latency_ms", "tokens_per_s")

    def __init__(self) -> None:
        self.latency_ms: float | None = None
        self.tokens_per_s: float | None = None
        self._at = 0
        self._times = array("d")
        self._latencies = array("d")
        self._speeds = array("d")

    def add(self, now: float, latency_ms: float, tokens_per_s: float | None) -> None:
        """One answer; `tokens_per_s` is None where it was too short to tell."""
        old = self.latency_ms
        self.latency_ms = latency_ms if old is None else old + EWMA_PART * (latency_ms - old)
        speed = -1.0
        if tokens_per_s is not None:
            speed = tokens_per_s
            old = self.tokens_per_s
            self.tokens_per_s = speed if old is None else old + EWMA_PART * (speed - old)
        at = self._at
        if at < len(self._times):
            self._times[at], self._latencies[at], self._speeds[at] = now, latency_ms, speed
        else:
            self._times.append(now)
            self._latencies.append(latency_ms)
            self._speeds.append(speed)
        self._at = (at + 1) % SAMPLES

    def latencies(self, now: float) -> Percentiles | None:
        return self._percentiles(self._latencies, now, fast_side=False)

    def speeds(self, now: float) -> Percentiles | None:
        """Counted from the fast side: nine of ten answers were at least as fast as p90."""
        return self._percentiles(self._speeds, now, fast_side=True)

    def _percentiles(self, values: "array[float]", now: float, *, fast_side: bool) -> Percentiles | None:
        oldest = now - SAMPLE_AGE_S
        recent = sorted(
            [value for at, value in zip(self._times, values, strict=True) if value >= 0.0 and at >= oldest],
            reverse=fast_side,
        )
        if not recent:
            return None
        last = len(recent) - 1
        return Percentiles(
            p50=recent[last // 2], p75=recent[last * 3 // 4], p90=recent[last * 9 // 10], p99=recent[last * 99 // 100]
        )
