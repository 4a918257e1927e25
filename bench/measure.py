"""Owns one measurement: a load against one target and what it cost the target's processes; refuses to judge it."""

import json
import subprocess
import time
from pathlib import Path
from typing import TypedDict

from bench import native
from bench.processes import cpu_ns, memory, role
from bench.scenarios import Scenario
from bench.targets import LOAD_CPU, Target


class Result(TypedDict, total=False):
    """One row of the result file: times in µs, memory in KiB."""

    target: str
    scenario: str
    round: int
    requests: int
    connections: int
    rps: float
    cpu_us: float
    parts: dict[str, float]
    ttfb_p50: float
    total_p50: float
    total_p99: float
    transit_p50: float
    transit_p99: float
    rss_kib: int
    worker_rss_kib: int
    stream_kib: float
    delay_p50: float
    delay_p99: float
    delay_max: float
    faults: int


def _cpu(target: Target) -> dict[int, int]:
    return cpu_ns(target.server.pid) if target.server else {}


def _sizes(target: Target) -> tuple[int, int]:
    """KiB of the whole tree, and of the largest process that serves requests."""
    if target.server is None:
        return 0, 0
    sizes = memory(target.server.pid)
    serving = [size for command, size in sizes.values() if "farebox.app.worker" in command] or [
        s for _, s in sizes.values()
    ]
    return sum(size for _, size in sizes.values()), max(serving, default=0)


def _load(target: Target, scenario: Scenario, connections: int) -> list[str]:
    return native.load_command(
        target.room,
        port=target.port,
        path=target.path(scenario),
        body=scenario.body,
        connections=connections,
        headers=target.headers,
    )


def measure(target: Target, scenario: Scenario) -> Result:
    """A warm-up that also finds the pace, then a fixed number of requests between two readings of the CPU clock."""
    connections = min(scenario.connections, target.connections_most)
    command = _load(target, scenario, connections)
    if scenario.requests_per_connection:
        requests = connections * scenario.requests_per_connection
    else:
        warm = native.run([*command, "-t", "0.4", "-w", "0.2"], cpu=LOAD_CPU)
        requests = max(connections * 2, int(warm["rps"] * scenario.seconds))
    marks = ["-m", str(scenario.events)] if scenario.events else []
    before = _cpu(target)
    sample = native.run([*command, "-n", str(requests), "-t", "60", *marks], cpu=LOAD_CPU)
    time.sleep(0.3)  # what is done after the answer (records, batches) belongs to the request too
    after = _cpu(target)
    parts: dict[str, float] = {}
    for pid, spent in after.items():
        name = role(pid)
        parts[name] = parts.get(name, 0) + (spent - before.get(pid, 0)) / 1000 / max(1, sample["done"])
    total, worker = _sizes(target)
    return Result(
        target=target.name,
        scenario=scenario.name,
        requests=sample["done"],
        connections=connections,
        rps=sample["rps"],
        cpu_us=sum(parts.values()),
        parts=parts,
        ttfb_p50=sample["ttfb_p50"],
        total_p50=sample["total_p50"],
        total_p99=sample["total_p99"],
        transit_p50=sample["transit_p50"],
        transit_p99=sample["transit_p99"],
        rss_kib=total,
        worker_rss_kib=worker,
        faults=sample["errors"] + sample["non200"] + sample["short"],
    )


def idle_streams(target: Target, streams: int = 2000) -> Result:
    """Memory of each open stream that is waiting: the growth of the serving process, divided."""
    scenario = Scenario(name="idle", title="", body="idle", connections=streams, pace="/d9000n3")
    _, before = _sizes(target)
    command = [*_load(target, scenario, streams), "-n", str(streams), "-t", "60"]
    load = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        time.sleep(14)  # all are open, each has had its first event, none its last
        _, during = _sizes(target)
        sample: native.Sample = json.loads(load.communicate(timeout=90)[0])
    finally:
        load.kill()
        load.wait()
    return Result(
        target=target.name,
        scenario="idle",
        connections=streams,
        requests=sample["done"],
        stream_kib=(during - before) / streams,
        faults=streams - sample["done"],
    )


def beside(target: Target, seconds: float = 4.0) -> Result:
    """Latency of small requests, one at a time, while 1 MiB requests pass one after another."""
    small = Scenario(name="small", title="", body="json", connections=1)
    large = Scenario(name="large", title="", body="json1m", connections=1)
    alone = native.run([*_load(target, small, 1), "-t", str(seconds / 2), "-w", "0.3"], cpu=LOAD_CPU)
    load = subprocess.Popen(
        [*_load(target, large, 1), "-t", str(seconds + 2), "-w", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        time.sleep(0.5)
        crowded = native.run([*_load(target, small, 1), "-t", str(seconds), "-w", "0.3"], cpu=LOAD_CPU)
        load.wait(60)
    finally:
        load.kill()
        load.wait()
    return Result(
        target=target.name,
        scenario="beside",
        delay_p50=crowded["total_p50"] - alone["total_p50"],
        delay_p99=crowded["total_p99"] - alone["total_p99"],
        delay_max=crowded["total_max"] - alone["total_p50"],
        faults=crowded["errors"] + crowded["non200"],
    )


def results_path(room: Path) -> Path:
    return room / time.strftime("results-%Y%m%d-%H%M%S.json")
