"""Owns the two C tools, the mock vendor and the load client: builds and runs them; refuses to install a compiler."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import TypedDict

SOURCES = Path(__file__).parent / "native"


class Sample(TypedDict, total=False):
    """One line of the load client; times in µs."""

    done: int
    sec: float
    rps: float
    errors: int
    non200: int
    short: int
    ttfb_p50: float
    ttfb_p99: float
    total_p50: float
    total_p90: float
    total_p99: float
    total_max: float
    transit_p50: float
    transit_p99: float


def missing() -> list[str]:
    """Debian packages without which the benchmark cannot run."""
    needs = {"gcc": "gcc libc6-dev", "nginx": "nginx-light", "taskset": "util-linux"}
    return [package for tool, package in needs.items() if not shutil.which(tool)]


def build(room: Path) -> None:
    for name in ("mock", "load"):
        source, binary = SOURCES / f"{name}.c", room / name
        if not binary.exists() or binary.stat().st_mtime < source.stat().st_mtime:
            subprocess.run(["gcc", "-O2", "-w", "-o", str(binary), str(source), "-lm"], check=True)


def load_command(
    room: Path, *, port: int, path: str, body: str, connections: int, headers: dict[str, str]
) -> list[str]:
    command = [str(room / "load"), "-p", str(port), "-u", path, "-b", str(room / "bodies" / f"{body}.json")]
    command += ["-c", str(connections)]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    return command


def run(command: list[str], *, cpu: int | None) -> Sample:
    """Run one load to its end. Its length is bounded by the client itself."""
    pinned = ["taskset", "-c", str(cpu), *command] if cpu is not None else command
    done = subprocess.run(pinned, capture_output=True, text=True, check=False, timeout=180)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"the load client ended with {done.returncode}")
    sample: Sample = json.loads(done.stdout)
    if done.stderr:
        print("   ", done.stderr.strip()[:300])
    return sample
