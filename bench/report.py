"""Owns what a reader sees: medians, paired ratios, the bars; refuses to hide a scenario that failed."""

import statistics
from collections.abc import Callable, Iterable

from bench.measure import Result
from bench.scenarios import SCENARIOS, SPECIAL

YARDSTICK = "nginx"
COLUMNS = f"{'':10s} {'CPU µs':>9s} {'× nginx':>8s} {'req/s':>9s} {'p50 ms':>8s} {'p99 ms':>8s} {'event p50':>9s} {'RSS MiB':>8s}"


def rows(results: Iterable[Result], target: str, scenario: str) -> list[Result]:
    return [r for r in results if r["target"] == target and r["scenario"] == scenario]


def median(found: list[Result], read: Callable[[Result], float]) -> float:
    return statistics.median(read(r) for r in found)


def ratio(results: list[Result], scenario: str, target: str, to: str) -> float | None:
    """The median over rounds of (target / other), each pair measured within one round."""
    other = {r["round"]: r["cpu_us"] for r in rows(results, to, scenario)}
    pairs = [
        r["cpu_us"] / other[r["round"]]
        for r in rows(results, target, scenario)
        if other.get(r["round"], 0) > 0 and r["cpu_us"]
    ]
    return statistics.median(pairs) if pairs else None


def targets_of(results: list[Result]) -> list[str]:
    return list(dict.fromkeys(r["target"] for r in results))


def _line(results: list[Result], target: str, scenario: str) -> str:
    found = rows(results, target, scenario)
    times = ratio(results, scenario, target, YARDSTICK)
    line = f"{target:10s} {median(found, lambda r: r['cpu_us']):9.1f} " + (f"{times:8.2f}" if times else f"{'':8s}")
    line += f" {median(found, lambda r: r['rps']):9.0f} {median(found, lambda r: r['total_p50']) / 1000:8.2f}"
    line += f" {median(found, lambda r: r['total_p99']) / 1000:8.2f} {median(found, lambda r: r['transit_p50']) / 1000:9.2f}"
    line += f" {median(found, lambda r: r['worker_rss_kib']) / 1024:8.1f}"
    faults = sum(r.get("faults", 0) for r in found)
    return line + _parts(found) + (f"  {faults} FAULTS" if faults else "")


def _parts(found: list[Result]) -> str:
    """Where the processor time of several processes went."""
    names = {name for r in found for name, spent in r["parts"].items() if spent >= 1}
    if len(names) < 2:
        return ""
    shares = {name: median(found, lambda r, name=name: r["parts"].get(name, 0)) for name in names}  # type: ignore[misc]
    return "  " + ", ".join(f"{name} {spent:.0f}" for name, spent in sorted(shares.items(), key=lambda item: -item[1]))


def table(results: list[Result]) -> str:
    out = []
    for name, scenario in SCENARIOS.items():
        present = [t for t in targets_of(results) if rows(results, t, name)]
        if present:
            out += ["", f"{scenario.title} ({name})", COLUMNS, *(_line(results, t, name) for t in present)]
    for target in targets_of(results):
        for r in rows(results, target, "idle"):
            out += ["", f"{SPECIAL['idle']}: {target} {r['stream_kib']:.1f} KiB, {r['faults']} failed"]
        for r in rows(results, target, "beside"):
            out += [
                f"{SPECIAL['beside']}: {target} p50 {r['delay_p50'] / 1000:+.2f} ms, p99 {r['delay_p99'] / 1000:+.2f} ms, "
                f"worst {r['delay_max'] / 1000:+.2f} ms"
            ]
    return "\n".join(out)


def bars(results: list[Result]) -> list[tuple[str, float, str, float]]:
    """The promises that can be checked on these results: (what, measured, relation, bar)."""
    found: list[tuple[str, float, str, float]] = []
    limits = (("json", 4.0, "CPU of a request ÷ nginx"), ("burst", 3.0, "CPU of a burst of 20 ÷ nginx"))
    for scenario, limit, what in (*limits, ("paced", 2.0, "CPU of a paced stream ÷ nginx")):
        if times := ratio(results, scenario, "farebox", YARDSTICK):
            found.append((what, times, "≤", limit))
    if less := ratio(results, "json", "litellm", "farebox"):
        found.append(("CPU of a request, LiteLLM ÷ Farebox", less, "≥", 100.0))
    direct, ours = rows(results, "direct", "lat"), rows(results, "farebox", "lat")
    if direct and ours:
        added = median(ours, lambda r: r["total_p50"]) - median(direct, lambda r: r["total_p50"])
        found.append(("added p50 at one request at a time, ms", added / 1000, "≤", 0.35))
    if served := [r for r in results if r["target"] == "farebox" and r.get("worker_rss_kib")]:
        found.append(("RSS of a worker, MiB", max(r["worker_rss_kib"] for r in served) / 1024, "≤", 70.0))
    for r in rows(results, "farebox", "idle"):
        found.append(("memory of an open stream, KiB", r["stream_kib"], "≤", 40.0))
    for r in rows(results, "farebox", "beside"):
        found.append(("delay beside a 1 MiB request, p99, ms", r["delay_p99"] / 1000, "≤", 5.0))
    sizes = {n: rows(results, "farebox", n) for n in ("json4k", "json1m")}
    if all(sizes.values()):
        small, large = (median(sizes[n], lambda r: r["cpu_us"]) for n in ("json4k", "json1m"))
        found.append(("CPU growth from 4 KiB to 1 MiB ÷ growth of bytes", large / small / 256, "≤", 1.0))
    return found


def verdict(results: list[Result]) -> str:
    lines = []
    for what, value, relation, bar in bars(results):
        kept = value <= bar if relation == "≤" else value >= bar
        lines.append(f"{'kept  ' if kept else 'MISSED'} {what:52s} {value:8.2f}  (bar {relation} {bar:g})")
    return "\n".join(lines)
