"""Children are kept alive, given up and ended as promised; every wait is for an event, bounded by a deadline."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from farebox.app.supervisor import Event, Program, StartFailed, Supervisor

LIMIT_S = 30.0

READY = "import os; os.write(int(os.environ['FAREBOX_READY_FD']), b'{}\\n');"
STAYS = READY + "import signal; signal.sigwait([signal.SIGTERM])"
PATIENT = "import signal; signal.signal(signal.SIGTERM, lambda *_: None);" + READY + "\nwhile True: signal.pause()"


def program(name: str, code: str, **rest: object) -> Program:
    return Program(name=name, argv=(sys.executable, "-S", "-c", code), **rest)  # type: ignore[arg-type]


class Watcher:
    """Keeps every event and lets a test wait for one."""

    def __init__(self) -> None:
        self.events: list[tuple[float, Event]] = []
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        self.events.append((time.monotonic(), event))
        self._news.set()

    def of(self, kind: str, name: str) -> list[tuple[float, Event]]:
        return [(at, event) for at, event in self.events if (event.kind, event.name) == (kind, name)]

    async def until(self, kind: str, name: str, count: int = 1) -> tuple[float, Event]:
        async with asyncio.timeout(LIMIT_S):
            while len(self.of(kind, name)) < count:
                self._news.clear()
                await self._news.wait()
        return self.of(kind, name)[count - 1]


def supervised(test: Callable[[Supervisor, Watcher], Awaitable[None]]) -> Watcher:
    async def whole() -> Watcher:
        watcher = Watcher()
        supervisor = Supervisor(told=watcher, environ=os.environ)
        try:
            await asyncio.wait_for(test(supervisor, watcher), LIMIT_S)
        finally:
            supervisor.stop()
            supervisor.stop()
            await asyncio.wait_for(supervisor.wait(), LIMIT_S)
        assert supervisor.pids == {}
        return watcher

    return asyncio.run(whole())


def test_a_killed_child_is_back_within_two_seconds() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(program("one", STAYS))
        supervisor.add(program("two", STAYS))
        await supervisor.ready("one", "two")
        untouched = supervisor.pids["two"]
        os.kill(supervisor.pids["one"], signal.SIGKILL)
        ended, event = await watcher.until("ended", "one")
        assert event.code == -signal.SIGKILL
        again, _ = await watcher.until("ready", "one", 2)
        assert again - ended < 2.0
        assert supervisor.pids["two"] == untouched

    supervised(test)


def test_a_child_that_keeps_dying_is_restarted_ever_more_slowly() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(program("one", READY))
        await watcher.until("waiting", "one", 4)

    watcher = supervised(test)
    assert [event.wait_s for _, event in watcher.of("waiting", "one")][:4] == [0.0, 0.25, 0.5, 1.0]


def test_a_needed_child_that_never_serves_is_given_up() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(program("bad", "raise SystemExit(3)"))
        with pytest.raises(StartFailed) as caught:
            await supervisor.ready("bad")
        assert (caught.value.name, caught.value.code) == ("bad", 3)
        assert len(watcher.of("started", "bad")) == 5

    supervised(test)


def test_a_final_exit_code_is_not_tried_again() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(program("bad", "raise SystemExit(3)", final=frozenset({3})))
        with pytest.raises(StartFailed):
            await supervisor.ready("bad")
        assert len(watcher.of("started", "bad")) == 1

    supervised(test)


def test_a_program_that_does_not_exist_is_given_up() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(Program(name="none", argv=("/nonexistent/program",)))
        with pytest.raises(StartFailed) as caught:
            await supervisor.ready("none")
        assert caught.value.code == 127

    supervised(test)


def test_a_child_that_is_silent_too_long_is_killed_and_tried_again() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(program("mute", "import time; time.sleep(60)", ready_s=0.3))
        await watcher.until("late", "mute")
        await watcher.until("started", "mute", 2)

    supervised(test)


def test_facts_of_readiness_are_told() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(program("one", STAYS.replace("{}", '{"port": 7}')))
        _, event = await watcher.until("ready", "one")
        assert event.facts == {"port": 7}

    supervised(test)


def test_higher_ranks_end_first_and_completely() -> None:
    async def whole() -> list[str]:
        watcher = Watcher()
        supervisor = Supervisor(told=watcher, environ=os.environ)
        supervisor.add(program("control", STAYS, rank=0))
        supervisor.add(program("worker", STAYS, rank=1))
        await supervisor.ready("control", "worker")
        supervisor.stop()
        await asyncio.wait_for(supervisor.wait(), LIMIT_S)
        return [event.name for _, event in watcher.events if event.kind == "ended"]

    assert asyncio.run(whole()) == ["worker", "control"]


def test_a_child_that_does_not_end_is_killed_at_its_deadline() -> None:
    async def whole() -> list[int]:
        watcher = Watcher()
        supervisor = Supervisor(told=watcher, environ=os.environ)
        supervisor.add(program("one", PATIENT, stop_s=0.2))
        await supervisor.ready("one")
        supervisor.stop()
        await asyncio.wait_for(supervisor.wait(), LIMIT_S)
        return [event.code for _, event in watcher.of("ended", "one")]

    assert asyncio.run(whole()) == [-signal.SIGKILL]


def test_a_second_stop_makes_the_end_quick() -> None:
    async def whole() -> float:
        supervisor = Supervisor(told=Watcher(), environ=os.environ)
        supervisor.add(program("one", PATIENT, stop_s=600))
        await supervisor.ready("one")
        supervisor.stop()
        ending = asyncio.create_task(supervisor.wait())
        supervisor.stop()
        began = time.monotonic()
        await asyncio.wait_for(ending, LIMIT_S)
        return time.monotonic() - began

    assert asyncio.run(whole()) < LIMIT_S


def test_a_replacement_serves_before_the_old_child_ends() -> None:
    async def test(supervisor: Supervisor, watcher: Watcher) -> None:
        supervisor.add(program("old", STAYS))
        await supervisor.ready("old")
        await supervisor.replace("old", program("new", STAYS))
        kinds = [(event.kind, event.name) for _, event in watcher.events]
        assert kinds.index(("ready", "new")) < kinds.index(("ended", "old"))
        assert set(supervisor.pids) == {"new"}

    supervised(test)


ORPHAN_MAKER = """
import asyncio, os, sys
from farebox.app.supervisor import Program, Supervisor
async def main():
    supervisor = Supervisor(told=lambda event: None, environ=os.environ)
    supervisor.add(Program(name="child", argv=(sys.executable, "-c", sys.argv[1])))
    await supervisor.ready("child")
    print(supervisor.pids["child"], flush=True)
    os.kill(os.getpid(), 9)
asyncio.run(main())
"""

ORPHAN = """
import asyncio, os, sys
from pathlib import Path
from farebox.app.child import Leash
async def main():
    leash, over = Leash(os.environ), asyncio.Event()
    leash.watch(asyncio.get_running_loop(), over.set, grace_s=0.05)
    leash.ready()
    await over.wait()
    Path(sys.argv[1] if len(sys.argv) > 1 else os.environ["ORPHAN_FILE"]).write_text("left")
asyncio.run(main())
"""


def test_an_orphan_notices_and_leaves(tmp_path: Path) -> None:
    async def whole() -> None:
        told = tmp_path / "told"
        environ = {**os.environ, "ORPHAN_FILE": str(told)}
        parent = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ORPHAN_MAKER, ORPHAN, env=environ, stdout=asyncio.subprocess.PIPE
        )
        assert parent.stdout is not None
        # The child holds the write end of the pipe as its standard output: its end of file is the child's end.
        text = await asyncio.wait_for(parent.stdout.read(), LIMIT_S)
        await parent.wait()
        assert int(text) > 0
        assert told.read_text() == "left"

    asyncio.run(whole())
