"""Generation ids: `gen-<epoch seconds>-<96 random bits>`. Refuses to be guessable."""

import os
import time
from collections.abc import Callable

RANDOM_BYTES = 12
# One system call serves this many ids.
BATCH = 256


class Ids:
    """Makes ids from batches of the kernel's randomness; each byte is used once."""

    __slots__ = ("_at", "_clock", "_pool")

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._pool = b""
        self._at = 0

    def new(self) -> str:
        """An id that sorts roughly by time and cannot be guessed."""
        at = self._at
        if at >= len(self._pool):
            self._pool = os.urandom(RANDOM_BYTES * BATCH)
            at = 0
        self._at = at + RANDOM_BYTES
        return f"gen-{int(self._clock())}-{self._pool[at : at + RANDOM_BYTES].hex()}"
