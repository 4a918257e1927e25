"""One thread that owns one connection and commits in groups. Refuses to grow: its queue is bounded.

Many small transactions cost one fsync together: each job runs in its own savepoint, so a failing job takes only itself
back, and every caller hears the result after the commit that holds it.
"""

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DatabaseError, IntegrityError, SQLAlchemyError

from farebox.ir.errors import Unavailable
from farebox.storage.port import busy, unavailable

QUEUE_MAX = 1024
GROUP_MAX = 256

Outcome = tuple[bool, Any]


class Job:
    """A function to run on the writer's connection and whoever waits for it."""

    __slots__ = ("function", "future", "loop")

    def __init__(
        self,
        function: Callable[[Connection], Any],
        future: "asyncio.Future[Any] | Future[Any]",
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.function = function
        self.future = future
        self.loop = loop


class Writer:
    """The single writer. `submit` from a loop, `call` from any other thread."""

    def __init__(self, engine: Engine, *, queue_max: int = QUEUE_MAX, group_max: int = GROUP_MAX) -> None:
        self._engine = engine
        self._queue: queue.Queue[Job | None] = queue.Queue(queue_max)
        self._group_max = group_max
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="farebox-writer", daemon=True)
        self._thread.start()

    def submit(self, function: Callable[[Connection], Any]) -> "asyncio.Future[Any]":
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        self._put(Job(function, future, loop))
        return future

    def call(self, function: Callable[[Connection], Any]) -> Any:
        future: Future[Any] = Future()
        self._put(Job(function, future, None))
        return future.result()

    def close(self) -> None:
        """Finish what was accepted, then stop. Later jobs are refused."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
            self._thread.join()

    def _put(self, job: Job) -> None:
        if self._closed:
            raise Unavailable("The store is closed.")
        try:
            self._queue.put_nowait(job)
        except queue.Full:
            raise busy("writes") from None

    def _run(self) -> None:
        last = False
        while not last:
            group, last = self._take()
            if group:
                self._commit(group)

    def _take(self) -> tuple[list[Job], bool]:
        """What is waiting now, at least one job; True if the end was asked for."""
        job = self._queue.get()
        group: list[Job] = []
        while job is not None:
            group.append(job)
            if len(group) >= self._group_max:
                return group, False
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                return group, False
        return group, True

    def _commit(self, group: list[Job]) -> None:
        outcomes: list[Outcome] = []
        try:
            with self._engine.begin() as tx:
                outcomes.extend(_attempt(tx, job) for job in group)
        except SQLAlchemyError as cause:
            # Nothing of the group is durable, whatever single jobs said.
            outcomes = [(False, unavailable(cause)) for _ in group]
        _settle(group, outcomes)


def _attempt(tx: Connection, job: Job) -> Outcome:
    tx.exec_driver_sql("SAVEPOINT job")
    try:
        result = job.function(tx)
    except IntegrityError as broken:
        _take_back(tx)
        return False, broken
    except DatabaseError as cause:
        # A full disk or a failing file may have ended the transaction itself; then the savepoint is gone as well.
        _take_back(tx)
        return False, unavailable(cause)
    except BaseException as error:  # the job's own error, handed to whoever waits for it
        _take_back(tx)
        return False, error
    tx.exec_driver_sql("RELEASE job")
    return True, result


def _take_back(tx: Connection) -> None:
    tx.exec_driver_sql("ROLLBACK TO job")
    tx.exec_driver_sql("RELEASE job")


def _settle(group: list[Job], outcomes: list[Outcome]) -> None:
    """Wake every loop once, however many of its jobs were in the group."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Outcome]]] = {}
    for job, outcome in zip(group, outcomes, strict=True):
        if job.loop is None:
            _resolve(job.future, outcome)
        else:
            by_loop.setdefault(job.loop, []).append((job.future, outcome))  # type: ignore[arg-type]
    for loop, pairs in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve_all, pairs)
        except RuntimeError:
            # The loop was closed while its jobs were committed: nobody waits any more.
            continue


def _resolve_all(pairs: list[tuple["asyncio.Future[Any]", Outcome]]) -> None:
    for future, outcome in pairs:
        _resolve(future, outcome)


def _resolve(future: "asyncio.Future[Any] | Future[Any]", outcome: Outcome) -> None:
    if future.done():
        return
    done, value = outcome
    if done:
        future.set_result(value)
    else:
        future.set_exception(value)
