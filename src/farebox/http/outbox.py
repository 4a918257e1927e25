"""Owns the writes of one pass of the event loop, so that they go to the kernel one right after the other; refuses to keep any
longer than that.

A write wakes the process at the other end. With a request's worth of Python between two writes the other end falls asleep
in between and every write pays for a wake-up; written together, one wake-up serves them all. With a single connection at
work there is nothing to wait for, and the write happens in the next pass, some microseconds later.
"""

import asyncio


class Outbox:
    """Writes in the order of their arrival. Whoever writes to or closes a transport past it calls `flush` first."""

    __slots__ = ("_items", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._items: list[tuple[asyncio.Transport, bytes]] = []

    def put(self, transport: asyncio.Transport, data: bytes) -> None:
        """Write this at the end of the pass."""
        items = self._items
        if not items:
            self._loop.call_soon(self.flush)
        items.append((transport, data))

    def flush(self) -> None:
        """Write everything now. What a lost connection was to be sent is dropped."""
        items = self._items
        if not items:
            return
        self._items = []
        for transport, data in items:
            if not transport.is_closing():
                transport.write(data)
