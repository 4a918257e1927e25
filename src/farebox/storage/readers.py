"""A small pool of reading threads. Refuses to grow: what waits is bounded."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from farebox.ir.errors import Unavailable
from farebox.storage.port import busy

T = TypeVar("T")

WAITING_MAX = 256


class Readers:
    """Runs blocking functions on `threads` threads; more than `waiting_max` unfinished ones are refused."""

    def __init__(self, threads: int, *, name: str, waiting_max: int = WAITING_MAX) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._waiting = 0
        self._waiting_max = waiting_max
        self._closed = False

    async def run(self, function: Callable[[], T]) -> T:
        if self._closed:
            raise Unavailable("The store is closed.")
        if self._waiting >= self._waiting_max:
            raise busy("requests")
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._pool, function)
        # Counted until the thread is done with it, even if the waiting task is cancelled before.
        future.add_done_callback(self._finished)
        return await future

    def _finished(self, _: object) -> None:
        self._waiting -= 1

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
