"""Owns the answer of a vendor as its reader sees it, whole or piece by piece; refuses to parse anything."""

import asyncio
from typing import Protocol

from farebox.http.coding import Inflater
from farebox.ir.errors import AnswerTooLarge, AttemptError, Cut


class Line(Protocol):
    """What an answer needs of the connection that it comes on."""

    paused: bool

    def resume(self) -> None: ...
    def drop(self, error: AttemptError) -> None: ...


class Response:
    """An answer whose head is complete; the body is read whole, or piece by piece with back-pressure."""

    __slots__ = (
        "_loop",
        "_waiter",
        "chunks",
        "close_delimited",
        "done",
        "error",
        "headers",
        "high",
        "inflater",
        "is_open",
        "line",
        "size",
        "status",
    )

    def __init__(self, line: Line, loop: asyncio.AbstractEventLoop, high: int) -> None:
        self.status = 0
        self.headers: dict[bytes, bytes] = {}
        self.close_delimited = False
        self.line: Line | None = line
        self._loop = loop
        self.chunks: list[bytes] = []
        self.size = 0
        self.high = high
        self.is_open = False
        self.done = False
        self.error: AttemptError | None = None
        self.inflater: Inflater | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def read(self, limit: int) -> bytes:
        """The whole body; longer than `limit` is an error."""
        self.high = max(self.high, limit + 1)
        self._resume()
        while not self.done:
            if self.size > limit:
                self.give_up(AnswerTooLarge())
            if self.error is not None:
                raise self.error
            await self._wait()
        if self.size > limit:
            raise AnswerTooLarge()
        data = self._take()
        if len(data) > limit:
            raise AnswerTooLarge()
        if self.inflater is not None:
            self.inflater.finish()
        return data

    def __aiter__(self) -> "Response":
        return self

    async def __anext__(self) -> bytes:
        while True:
            if self.chunks:
                data = self._take()
                self._resume()
                if data:
                    return data
            elif self.done:
                if self.inflater is not None:
                    self.inflater.finish()
                raise StopAsyncIteration
            elif self.error is not None:
                raise self.error
            else:
                await self._wait()

    def close(self) -> None:
        """Drop an unfinished exchange: the socket closes at once. Nothing happens when the answer is complete."""
        line = self.line
        if line is not None:
            line.drop(Cut("The exchange was given up."))

    async def opened(self) -> None:
        """Wait for the end of the head."""
        while not self.is_open:
            if self.error is not None:
                raise self.error
            await self._wait()

    async def _wait(self) -> None:
        waiter = self._waiter = self._loop.create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self.close()
            raise

    def wake(self) -> None:
        waiter = self._waiter
        if waiter is not None:
            self._waiter = None
            if not waiter.done():
                waiter.set_result(None)

    def _take(self) -> bytes:
        chunks = self.chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self.size = 0
        if self.inflater is None or not data:
            return data
        try:
            return self.inflater.feed(data)
        except AttemptError as error:
            self.give_up(error)
            raise

    def _resume(self) -> None:
        line = self.line
        if line is not None and line.paused and self.size <= self.high:
            line.resume()

    def give_up(self, error: AttemptError) -> None:
        """Drop the exchange at once; whoever reads it hears this error."""
        self.error = error
        line = self.line
        if line is not None:
            line.drop(error)
