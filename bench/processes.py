"""Owns processes under measurement: start, freeze, CPU and memory from /proc, end; refuses to touch any it did not start."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found, left = [], [pid]
    while left:
        current = left.pop()
        found.append(current)
        with contextlib.suppress(OSError):
            for task in (PROC / str(current) / "task").iterdir():
                left += map(int, (task / "children").read_text().split())
    return found


def cpu_ns(pid: int) -> dict[int, int]:
    """Nanoseconds the scheduler has given to each process of the tree, exact to the last switch."""
    found = {}
    for member in tree(pid):
        with contextlib.suppress(OSError):
            tasks = (PROC / str(member) / "task").iterdir()
            found[member] = sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)
    return found


def role(pid: int) -> str:
    """What a process is for, by its command line: the last word of the module or program it runs."""
    with contextlib.suppress(OSError):
        words = (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        if "-m" in words:
            return words[words.index("-m") + 1].split(".")[-1]
        return Path(words[1 if "python" in words[0] and len(words) > 2 else 0]).name.split(":")[0]
    return "?"


def rss_kib(pid: int) -> int:
    """Resident memory of one process."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def memory(pid: int) -> dict[int, tuple[str, int]]:
    """Command line and resident KiB of every process of the tree."""
    found = {}
    for member in tree(pid):
        with contextlib.suppress(OSError):
            command = (PROC / str(member) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found[member] = (command.strip(), rss_kib(member))
    return found


class Server:
    """A started server: the root of a process tree that can be frozen while others are measured."""

    def __init__(
        self, command: Sequence[str], *, log: Path, environ: Mapping[str, str] | None = None, cpu: int | None
    ) -> None:
        pinned = ["taskset", "-c", str(cpu), *command] if cpu is not None else [*command]
        self._log = log.open("ab")
        self._process = subprocess.Popen(
            pinned, env={**os.environ, **(environ or {})}, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def signal(self, number: int) -> None:
        for member in tree(self.pid):
            with contextlib.suppress(OSError):
                os.kill(member, number)

    @contextlib.contextmanager
    def thawed(self) -> Iterator[None]:
        self.signal(signal.SIGCONT)
        time.sleep(0.2)
        try:
            yield
        finally:
            self.signal(signal.SIGSTOP)

    def close(self) -> None:
        self.signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self.signal(signal.SIGKILL)
            self._process.wait(10)
        self._log.close()
