"""Owns a run from start to end: build, start, interleave, report. Refuses to install system packages: it names them.

./dev bench [--targets direct,nginx,farebox,litellm] [--scenarios json,burst,…,idle,beside] [--rounds 5]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from bench import bodies, chart, native, report
from bench.measure import Result, beside, idle_streams, measure, results_path
from bench.processes import Server
from bench.scenarios import SCENARIOS, SPECIAL
from bench.targets import LOAD_CPU, MOCK_PORT, TARGETS, Target, freeze

ROOM = Path(__file__).parents[1] / ".bench"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description="Farebox beside nginx and LiteLLM, interleaved.")
    parser.add_argument("--targets", default=",".join(t.name for t in TARGETS))
    parser.add_argument("--scenarios", default=",".join([*SCENARIOS, *SPECIAL]))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a bar is missed")
    return parser.parse_args()


def start(names: list[str]) -> list[Target]:
    up = []
    for kind in TARGETS:
        if kind.name not in names:
            continue
        target = kind(ROOM)
        begin = time.monotonic()
        target.start()
        if target.wait():
            print(f"bench: {target.name} answers after {time.monotonic() - begin:.1f} s")
            up.append(target)
            freeze(target)
        else:
            print(f"bench: {target.name} did NOT come up; see {ROOM / (target.name + '.log')}")
            target.close()
    return up


def rounds(up: list[Target], wanted: list[str], count: int) -> list[Result]:
    results: list[Result] = []
    for number in range(count):
        for target in up:
            if target.server is not None:
                with target.server.thawed():
                    results += one_round(target, wanted, number)
            else:
                results += one_round(target, wanted, number)
        print(f"bench: round {number + 1} of {count} done", flush=True)
    return results


def one_round(target: Target, wanted: list[str], number: int) -> list[Result]:
    found = []
    for name in wanted:
        if name in SCENARIOS:
            found.append(measure(target, SCENARIOS[name]))
        elif number == 0 and target.name in {"nginx", "farebox"}:
            found.append(idle_streams(target) if name == "idle" else beside(target))
    for result in found:
        result["round"] = number
    return found


def picture(results: list[Result]) -> str:
    groups = {
        SCENARIOS[name].title: {
            target: statistics.median(r["cpu_us"] for r in found)
            for target in report.targets_of(results)
            if (found := report.rows(results, target, name)) and any(r["cpu_us"] for r in found)
        }
        for name in ("json", "burst", "paced")
    }
    note = "all of a server's processes; medians of interleaved rounds; logarithmic; shorter is better"
    return chart.svg("CPU per request, µs", note, {title: bars for title, bars in groups.items() if bars})


def main() -> int:
    options = arguments()
    if lacking := native.missing():
        print(f"bench: these Debian packages are missing: apt-get install {' '.join(lacking)}")
        return 2
    ROOM.mkdir(exist_ok=True)
    native.build(ROOM)
    bodies.write(ROOM / "bodies")
    mock = Server([str(ROOM / "mock"), "-p", str(MOCK_PORT)], log=ROOM / "mock.log", cpu=LOAD_CPU)
    up: list[Target] = []
    try:
        time.sleep(0.3)
        up = start(options.targets.split(","))
        results = rounds(up, options.scenarios.split(","), options.rounds)
    finally:
        for target in up:
            target.close()
        mock.close()
    print(report.table(results))
    verdict = report.verdict(results)
    print("\n" + verdict)
    path = results_path(ROOM)
    path.write_text(json.dumps(results, indent=1))
    path.with_suffix(".svg").write_text(picture(results))
    print(f"\nbench: {path} and {path.with_suffix('.svg').name}")
    return 1 if options.strict and ("MISSED" in verdict or len(up) < len(options.targets.split(","))) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(f"bench: {error}")
