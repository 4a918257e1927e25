"""The child's side of supervision: say that it is ready, notice that its supervisor is gone. Refuses to know what the child does.

A supervisor hands two pipes down by number: the child writes one line of JSON into `FAREBOX_READY_FD` when it serves, and
reads the end of file of `FAREBOX_ALIVE_FD` when the supervisor has died.
"""

import asyncio
import json
import os
import select
import signal
from collections.abc import Callable, Mapping

READY_FD = "FAREBOX_READY_FD"
ALIVE_FD = "FAREBOX_ALIVE_FD"
ORPHAN_S = 30.0


class Leash:
    """What ties a child to its supervisor. Without one (started by hand) both directions do nothing."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._ready = int(environ[READY_FD]) if READY_FD in environ else -1
        self._alive = int(environ[ALIVE_FD]) if ALIVE_FD in environ else -1

    def ready(self, **facts: str | int) -> None:
        """Tell the supervisor, once, that this child serves. A supervisor that is gone does not matter."""
        if self._ready < 0:
            return
        descriptor, self._ready = self._ready, -1
        try:
            os.write(descriptor, json.dumps(facts).encode() + b"\n")
        except BrokenPipeError:
            pass
        finally:
            os.close(descriptor)

    def watch(
        self, loop: asyncio.AbstractEventLoop, orphaned: Callable[[], object], *, grace_s: float = ORPHAN_S
    ) -> None:
        """Call `orphaned` in the loop `grace_s` after the supervisor died."""
        if self._alive < 0:
            return

        def gone() -> None:
            loop.remove_reader(self._alive)
            loop.call_later(grace_s, orphaned)

        loop.add_reader(self._alive, gone)

    def hold(self, *, grace_s: float = ORPHAN_S) -> None:
        """Block a child whose work runs in other threads until it is told to stop or has been an orphan for `grace_s`."""
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        watched = [reader, *([self._alive] if self._alive >= 0 else [])]
        readable, _, _ = select.select(watched, [], [])
        if reader not in readable:
            select.select([reader], [], [], grace_s)


def on_stop(loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> None:
    """Call `stop` for SIGTERM and SIGINT."""
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
