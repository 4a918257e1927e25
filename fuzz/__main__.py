"""Owns a fuzzing run: one process a target, bounded in time; refuses to keep what it finds to itself.

./dev fuzz [TARGET…] [--minutes 10]     minutes are shared by the targets
"""

import argparse
import subprocess
import sys
from pathlib import Path

from fuzz import TARGETS

CORPUS = Path(__file__).parent / "corpus"
ROOM = Path(__file__).parents[1] / ".fuzz"
HANG_S = 1
MEMORY_MIB = 1024
INPUT_BYTES = 64 * 1024


def fuzz(target: str, seconds: int) -> int:
    """Coverage-guided: new inputs go to .fuzz/<target>, those that break something beside it."""
    found = ROOM / target
    found.mkdir(parents=True, exist_ok=True)
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    print(f"fuzz: {target} for {seconds} s: {TARGETS[target]}", flush=True)
    options = [
        f"-max_total_time={seconds}",
        f"-timeout={HANG_S}",
        f"-rss_limit_mb={MEMORY_MIB}",
        f"-max_len={INPUT_BYTES}",
    ]
    options += [f"-artifact_prefix={ROOM / target}-", "-print_final_stats=1", "-verbosity=0"]
    command = [sys.executable, "-m", "fuzz.run", target, *options, str(found), str(CORPUS / target)]
    return subprocess.run(command, check=False).returncode


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev fuzz", description="Coverage-guided fuzzing with atheris.")
    parser.add_argument("targets", nargs="*", default=list(TARGETS), help=", ".join(TARGETS))
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    if unknown := [name for name in options.targets if name not in TARGETS]:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    seconds = max(1, int(options.minutes * 60 / len(options.targets)))
    broken = [name for name in options.targets if fuzz(name, seconds)]
    for name in broken:
        print(f"fuzz: {name} BROKE; the inputs are {ROOM}/{name}-*: add them to fuzz/corpus/{name}/ with the fix")
    print(f"{len(options.targets) - len(broken)} targets held, {len(broken)} broke")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
