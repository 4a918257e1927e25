"""Keeping child processes alive: start, readiness, restart with bounded backoff, orderly stop.

Refuses to know what the children serve.
"""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Mapping
from contextlib import suppress

from msgspec import Struct

from farebox.app.child import ALIVE_FD, READY_FD

# A child that lived this long was healthy: its next death is restarted at once again.
HEALTHY_S = 5.0
BACKOFF_S = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
STARTS_MAX = 5


class Program(Struct, frozen=True, kw_only=True):
    """A child to keep alive.

    `rank` orders the stop: higher ranks go first and completely. `ready_s` is the longest start, `stop_s` the longest
    orderly end. `needed`: the house is not up without it; otherwise its failures are told and it is tried on. An exit code
    in `final` would only come again: before the first readiness it ends the trying.
    """

    name: str
    argv: tuple[str, ...]
    environ: dict[str, str] = {}
    rank: int = 0
    ready_s: float = 30.0
    stop_s: float = 10.0
    needed: bool = True
    final: frozenset[int] = frozenset()


class Event(Struct, frozen=True, kw_only=True):
    """What happened to a child: `started`, `ready`, `late`, `ended` (with its code), `waiting` (before a restart)."""

    kind: str
    name: str
    pid: int = 0
    code: int = 0
    wait_s: float = 0.0
    facts: dict[str, str | int] = {}


class StartFailed(Exception):
    """A needed child never became ready."""

    def __init__(self, name: str, code: int) -> None:
        self.name = name
        self.code = code
        super().__init__(f"{name} could not be started (last exit code {code}).")


class _Child:
    """One program and its present process."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: asyncio.subprocess.Process | None = None
        self.ready = asyncio.Event()
        self.failed: StartFailed | None = None
        self.deaths = 0
        self.ever_ready = False

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                self.process.send_signal(number)


class Supervisor:
    """Children under one roof. Use: `start()`, then `wait()` until `stop()`; `run()` is all of it."""

    def __init__(self, *, told: Callable[[Event], object], environ: Mapping[str, str]) -> None:
        self._told = told
        self._environ = dict(environ)
        self._children: dict[str, _Child] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = asyncio.Event()
        self._hurry = asyncio.Event()
        self._change = asyncio.Event()
        self._alive_read, self._alive_write = os.pipe()

    @property
    def pids(self) -> dict[str, int]:
        """The running children."""
        return {
            name: child.process.pid
            for name, child in self._children.items()
            if child.process is not None and child.process.returncode is None
        }

    @property
    def stopping(self) -> bool:
        return self._stopping.is_set()

    def add(self, program: Program) -> None:
        """Start a program and keep it alive from now on."""
        child = self._children[program.name] = _Child(program)
        self._tasks[program.name] = asyncio.create_task(self._keep(child), name=f"keep {program.name}")

    async def ready(self, *names: str) -> None:
        """Wait until these children serve. Raises StartFailed if one of them gave up, returns early when stopping."""
        while not self._stopping.is_set():
            children = [self._children[name] for name in names]
            for child in children:
                if child.failed is not None:
                    raise child.failed
            if all(child.ready.is_set() for child in children):
                return
            self._change.clear()
            await self._change.wait()

    def stop(self) -> None:
        """Begin the orderly end; a second call makes it quick."""
        if self._stopping.is_set():
            self._hurry.set()
        self._stopping.set()
        self._change.set()

    async def wait(self) -> None:
        """Sleep until a stop is asked for, then end every child, rank by rank."""
        await self._stopping.wait()
        for rank in sorted({child.program.rank for child in self._children.values()}, reverse=True):
            await asyncio.gather(*(self._end(child) for child in self._children.values() if child.program.rank == rank))
        self.close()

    async def replace(self, old: str, program: Program) -> None:
        """Start a program, and only when it serves end the one whose place it takes."""
        self.add(program)
        await self.ready(program.name)
        await self._end(self._children[old])
        del self._children[old], self._tasks[old]

    def close(self) -> None:
        """Close the pipe that tells children that the supervisor lives."""
        for descriptor in (self._alive_read, self._alive_write):
            if descriptor >= 0:
                os.close(descriptor)
        self._alive_read = self._alive_write = -1

    async def _keep(self, child: _Child) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            code = await self._live(child)
            child.deaths = 1 if loop.time() - began >= HEALTHY_S else child.deaths + 1
            hopeless = code in child.program.final or (child.program.needed and child.deaths >= STARTS_MAX)
            if hopeless and not child.ever_ready:
                child.failed = StartFailed(child.program.name, code)
                self._change.set()
                return
            wait_s = BACKOFF_S[min(child.deaths - 1, len(BACKOFF_S) - 1)]
            self._told(Event(kind="waiting", name=child.program.name, code=code, wait_s=wait_s))
            await asyncio.sleep(wait_s)

    async def _live(self, child: _Child) -> int:
        """One life of a child, from its start to its end. Returns its exit code."""
        program = child.program
        reader, writer = os.pipe()
        environ = {**self._environ, **program.environ, READY_FD: str(writer), ALIVE_FD: str(self._alive_read)}
        try:
            child.process = await asyncio.create_subprocess_exec(
                *program.argv,
                env=environ,
                pass_fds=(writer, self._alive_read),
                stdin=asyncio.subprocess.DEVNULL,
                # Ctrl-C in a terminal reaches the whole foreground group; only the supervisor shall hear it.
                start_new_session=True,
            )
        except OSError:
            os.close(reader)
            return 127
        finally:
            os.close(writer)
        process = child.process
        self._told(Event(kind="started", name=program.name, pid=process.pid))
        listening = asyncio.create_task(self._listen(child, reader))
        try:
            code = await process.wait()
        finally:
            listening.cancel()
            with suppress(asyncio.CancelledError):
                await listening
        child.ready.clear()
        self._told(Event(kind="ended", name=program.name, pid=process.pid, code=code))
        return code

    async def _listen(self, child: _Child, descriptor: int) -> None:
        """Wait for the child's word that it serves; a child that stays silent too long is killed."""
        program = child.program
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(descriptor, "rb", buffering=0)
        )
        try:
            line = await asyncio.wait_for(stream.readline(), program.ready_s)
            if line:
                child.ever_ready = True
                child.ready.set()
                pid = child.process.pid if child.process else 0
                self._told(Event(kind="ready", name=program.name, pid=pid, facts=json.loads(line)))
                self._change.set()
        except TimeoutError:
            self._told(Event(kind="late", name=program.name, wait_s=program.ready_s))
            child.signal(signal.SIGKILL)
        finally:
            transport.close()

    async def _end(self, child: _Child) -> None:
        """Ask a child to end, wait as long as its program allows, then make it end."""
        keeper = self._tasks[child.program.name]
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        process = child.process
        if process is None or process.returncode is not None:
            return
        child.signal(signal.SIGTERM)
        ended = asyncio.create_task(process.wait())
        hurried = asyncio.create_task(self._hurry.wait())
        await asyncio.wait({ended, hurried}, timeout=child.program.stop_s, return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ended.done():
            child.signal(signal.SIGKILL)
        code = await ended
        self._told(Event(kind="ended", name=child.program.name, pid=process.pid, code=code))
