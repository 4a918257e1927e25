"""Who runs a home: the supervisor's lock, and what an earlier supervisor left running. Refuses to signal a stranger.

A process is recorded with its start time, so that a number that was given to another process meanwhile is not mistaken for it.
"""

import fcntl
import os
import signal
import socket
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec
from msgspec import Struct

RECORD = "processes.json"
LOCK = "supervisor.lock"


class Taken(Exception):
    """Somebody else holds the home or the port."""


class Kept(Struct, frozen=True):
    """A child as it is recorded: its name, process number and start time in clock ticks since boot (0: unknown)."""

    name: str
    pid: int
    started: int


class Claim:
    """The right to supervise a home; it ends with the process."""

    def __init__(self, home: Path) -> None:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._home = home
        self._descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 20).decode(errors="replace").strip()
            os.close(self._descriptor)
            raise Taken(f"Farebox already runs on {home} (process {holder or 'unknown'}).") from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def record(self, pids: dict[str, int]) -> None:
        """Write down the running children, so that the next supervisor knows them if this one is killed."""
        kept = [Kept(name, pid, _started(pid)) for name, pid in sorted(pids.items())]
        draft = self._home / f".{RECORD}"
        draft.write_bytes(msgspec.json.encode(kept))
        draft.chmod(0o600)
        draft.replace(self._home / RECORD)

    def leftovers(self) -> list[Kept]:
        """Children of an earlier supervisor that still run. Empty where the system does not tell start times."""
        try:
            kept = msgspec.json.decode((self._home / RECORD).read_bytes(), type=list[Kept])
        except (OSError, msgspec.DecodeError):
            return []
        return [child for child in kept if child.started and _started(child.pid) == child.started]

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> "Claim":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def dismiss(children: list[Kept], *, wait_s: float) -> None:
    """Ask processes to end; those that have not ended in time are killed."""
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGTERM)
    deadline = time.monotonic() + wait_s
    for child in children:
        while _started(child.pid) == child.started:
            if time.monotonic() > deadline:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
                break
            time.sleep(0.02)


def reserve(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Hold a TCP port for workers that share it; port 0 takes a free one. Raises Taken.

    The socket never listens, so no connection reaches it. `shared`: an earlier supervisor's workers may still hold the port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if port and not shared:
        # Without SO_REUSEPORT first: sharing a port with a stranger would mean stealing half of his connections.
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _bind(probe, host, port)
            probe.listen(1)
    held = socket.socket(family, socket.SOCK_STREAM)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        _bind(held, host, port)
    except Taken:
        held.close()
        raise
    return held


def free_port() -> int:
    """A TCP port of the loopback that is free at this moment."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _bind(held: socket.socket, host: str, port: int) -> None:
    try:
        held.bind((host, port))
    except OSError as error:
        raise Taken(f"{host} port {port} cannot be used: {error.strerror}.") from error


def _started(pid: int) -> int:
    """The start time of a process in clock ticks since boot; 0 if there is none, or it is a zombie, or nobody tells."""
    try:
        # The second field, the program's name, may hold spaces and brackets: count from the last bracket.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])
