"""Counters of many processes as one Prometheus text. Refuses to interpret them: a sum is a sum."""

import re
from collections.abc import Iterable, Mapping

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
DEAD_AFTER_S = 30.0
WORKERS_MAX = 4096

HELP: dict[str, str] = {
    "gen_ai_client_token_usage": "Tokens by type, as billed.",
    "gen_ai_server_request_duration_seconds": "From the request's head to the end of the answer.",
    "gen_ai_server_time_to_first_token_seconds": "From the request's head to the first content.",
    "farebox_overhead_seconds": "Time a generation spent in the house itself, waits for vendors left out.",
    "farebox_requests": "Requests by operation and status.",
    "farebox_attempts": "Attempts at vendors by outcome.",
    "farebox_generations_stored": "Generation records stored.",
    "farebox_records_refused": "Records that could not be read and were put aside.",
    "farebox_workers": "Gateway workers heard of lately.",
    "farebox_api_requests": "Requests to the management API and the site, by status.",
}

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_SAMPLE = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\.)*",?)*\})?')
_BOUND = re.compile(r',?le="([^"]+)"')


class Totals:
    """Sums over workers. A worker that is restarted or gone keeps its part in the sum, so that no counter goes back."""

    def __init__(self) -> None:
        self._latest: dict[str, tuple[int, Mapping[str, float], float]] = {}
        self._kept: dict[str, float] = {}

    def report(self, worker: str, started_ms: int, values: Mapping[str, float], *, now_s: float) -> None:
        """Take in a worker's counters. Another `started_ms` under the same name is another process."""
        known = self._latest.get(worker)
        if known is not None and known[0] != started_ms:
            self._keep(known[1])
        if known is None and len(self._latest) >= WORKERS_MAX:
            return
        self._latest[worker] = (started_ms, values, now_s)

    def forget_silent(self, now_s: float) -> None:
        for worker, (_, values, heard_s) in list(self._latest.items()):
            if now_s - heard_s > DEAD_AFTER_S:
                self._keep(values)
                del self._latest[worker]

    def workers(self) -> int:
        return len(self._latest)

    def sum(self, *own: Mapping[str, float]) -> dict[str, float]:
        total = dict(self._kept)
        for values in (*(entry[1] for entry in self._latest.values()), *own):
            _add(total, values)
        return total

    def _keep(self, values: Mapping[str, float]) -> None:
        # A gauge of a worker that is gone is gone with it.
        _add(self._kept, {key: value for key, value in values.items() if _kind(_NAME.match(key)) != "gauge"})


def render(values: Mapping[str, float]) -> str:
    """The Prometheus text: grouped by metric, buckets added up, each with its type. Malformed samples are left out."""
    families: dict[str, list[tuple[str, float]]] = {}
    for key, value in values.items():
        match = _SAMPLE.fullmatch(key)
        if match is not None:
            families.setdefault(_family(key), []).append((key, value))
    lines: list[str] = []
    for family in sorted(families):
        samples = families[family]
        name = samples[0][0].partition("{")[0]
        kind = "histogram" if name != family and not name.endswith("_total") else _kind(_NAME.match(name))
        title = name if kind == "counter" else family
        lines.append(f"# HELP {title} {HELP.get(family, family.replace('_', ' ') + '.')}")
        lines.append(f"# TYPE {title} {kind}")
        lines.extend(_histogram(samples) if kind == "histogram" else _plain(samples))
    return "\n".join(lines) + "\n"


def _plain(samples: Iterable[tuple[str, float]]) -> list[str]:
    return [f"{key} {_number(value)}" for key, value in sorted(samples)]


def _histogram(samples: list[tuple[str, float]]) -> list[str]:
    """Buckets arrive disjoint and leave cumulative, in order of their bounds."""
    buckets: dict[str, list[tuple[float, str, float]]] = {}
    rest: list[tuple[str, float]] = []
    for key, value in samples:
        bound = _BOUND.search(key)
        if bound is None:
            rest.append((key, value))
        else:
            buckets.setdefault(_BOUND.sub("", key), []).append((float(bound[1]), key, value))
    lines: list[str] = []
    for series in sorted(buckets):
        total = 0.0
        for _, key, value in sorted(buckets[series]):
            total += value
            lines.append(f"{key} {_number(total)}")
    return lines + _plain(rest)


def _family(key: str) -> str:
    name = key.partition("{")[0]
    for suffix in ("_bucket", "_sum", "_count", "_total"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _kind(name: "re.Match[str] | None") -> str:
    if name is None:
        return "gauge"
    return "counter" if name[0].endswith(("_total", "_bucket", "_sum", "_count")) else "gauge"


def _add(total: dict[str, float], values: Mapping[str, float]) -> None:
    for key, value in values.items():
        total[key] = total.get(key, 0.0) + value


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)
