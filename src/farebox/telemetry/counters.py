"""Counters of one process: sample text → value, ready to be sent and summed. Refuses label sets without bound.

The key of a counter is its whole Prometheus sample, `farebox_requests_total{operation="chat"}`, built once by `sample` and
kept by the caller; counting is then one addition in one dict.
"""

from bisect import bisect_left

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
OVERHEAD_S = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 1.0)
SERIES_MAX = 20_000
LABEL_CHARS = 120

# The names of the field's conventions: OpenTelemetry's for generative AI, spelled as its Prometheus exporter spells them.
TOKENS = "gen_ai_client_token_usage_total"
REQUEST_SECONDS = "gen_ai_server_request_duration_seconds"
FIRST_TOKEN_SECONDS = "gen_ai_server_time_to_first_token_seconds"  # noqa: S105 - the name of a metric
OVERHEAD_SECONDS = "farebox_overhead_seconds"


def sample(name: str, **labels: str) -> str:
    """The text of a sample: `name{label="value"}`, labels in order of their names, values escaped and cut."""
    if not labels:
        return name
    inner = ",".join(f'{label}="{escape(value)}"' for label, value in sorted(labels.items()))
    return f"{name}{{{inner}}}"


def escape(value: str) -> str:
    value = value[:LABEL_CHARS]
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class Histogram:
    """Observations in fixed buckets, under prepared sample keys. Made by `Counters.histogram`, once per label set."""

    __slots__ = ("_bounds", "_count", "_keys", "_sum", "_values")

    def __init__(self, values: dict[str, float], name: str, bounds: tuple[float, ...], labels: dict[str, str]) -> None:
        self._values = values
        self._bounds = bounds
        # Each observation touches one bucket only; `exposition.render` adds them up as Prometheus wants it.
        self._keys = [sample(f"{name}_bucket", **labels, le=_number(bound)) for bound in bounds]
        self._keys.append(sample(f"{name}_bucket", **labels, le="+Inf"))
        self._sum = sample(f"{name}_sum", **labels)
        self._count = sample(f"{name}_count", **labels)
        for key in (*self._keys, self._sum, self._count):
            values.setdefault(key, 0.0)

    def observe(self, value: float) -> None:
        values = self._values
        values[self._keys[bisect_left(self._bounds, value)]] += 1
        values[self._sum] += value
        values[self._count] += 1


class Counters:
    """All counters of one process. `values` is what a pulse carries."""

    __slots__ = ("_histograms", "values")

    def __init__(self) -> None:
        self.values: dict[str, float] = {}
        self._histograms: dict[tuple[str, tuple[tuple[str, str], ...]], Histogram] = {}

    def inc(self, key: str, amount: float = 1.0) -> None:
        """Add to a counter; `key` is a whole sample (see `sample`). Beyond 20,000 series new ones are not begun."""
        values = self.values
        if key in values:
            values[key] += amount
        elif len(values) < SERIES_MAX:
            values[key] = amount

    def set(self, key: str, value: float) -> None:
        """A gauge: the value as it is now. Gauges of several workers are summed as well."""
        if key in self.values or len(self.values) < SERIES_MAX:
            self.values[key] = value

    def histogram(self, name: str, bounds: tuple[float, ...] = SECONDS, **labels: str) -> Histogram:
        """The histogram of this name and these labels. Keep it: finding it costs more than observing.

        Beyond the bound on series, an unlisted one is returned that counts for nobody.
        """
        key = (name, tuple(sorted(labels.items())))
        found = self._histograms.get(key)
        if found is None:
            room = len(self.values) + len(bounds) + 3 <= SERIES_MAX
            found = Histogram(self.values if room else {}, name, bounds, labels)
            if room:
                self._histograms[key] = found
        return found

    def observe(self, name: str, value: float, bounds: tuple[float, ...] = SECONDS, **labels: str) -> None:
        """`histogram(...).observe(value)`, for places that are not hot."""
        self.histogram(name, bounds, **labels).observe(value)


def _number(value: float) -> str:
    return repr(value) if value != int(value) else str(int(value)) + ".0"
