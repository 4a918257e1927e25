"""One request being answered: what to say and the ways to say it, honest or not. Refuses to choose (see `server`, `faults`)."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from farebox.sims.answers.documents import CONTENT_KINDS, Frame
from farebox.sims.http1 import LAST_CHUNK, Headers, Json, Request, chunk, dump, head
from farebox.sims.journal import Entry
from farebox.sims.orders import Orders
from farebox.sims.wire import Connection

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"
AFTER_DEFAULT = 3


@dataclass(slots=True)
class Exchange:
    """What a fault gets to play with. `frames` is empty unless the request asked for a stream."""

    wire: Connection
    request: Request
    orders: Orders
    entry: Entry
    rng: random.Random
    document: Json
    frames: tuple[Frame, ...] = ()
    keep: bool = True
    """Whether the connection serves another request afterwards."""

    @property
    def stream(self) -> bool:
        return bool(self.frames)

    @property
    def body(self) -> bytes:
        return dump(self.document)

    def split(self) -> tuple[tuple[Frame, ...], tuple[Frame, ...]]:
        """The frames before and from the fault on: `after` content frames come first."""
        left = self.orders.integer("after", AFTER_DEFAULT)
        for at, frame in enumerate(self.frames):
            if frame.kind in CONTENT_KINDS or frame.kind in ("finish", "usage", "done"):
                if left == 0 or frame.kind not in CONTENT_KINDS:
                    return self.frames[:at], self.frames[at:]
                left -= 1
        return self.frames, ()

    def common(self) -> list[tuple[str, str]]:
        """The headers that every honest answer carries."""
        return [("Server", "farebox-sims"), ("X-Request-Id", f"req-sim-{self.entry.number}")]

    async def raw(self, data: bytes, *, status: int | None = None) -> None:
        """Bytes as they are."""
        if status is not None:
            self.entry.status = status
        await self.wire.send(data)

    async def wait(self) -> None:
        """The latency that was ordered."""
        jitter = self.orders.seconds("jitter_ms")
        await self.wire.pause(self.orders.seconds("delay_ms") + (self.rng.random() * jitter if jitter else 0))

    async def reply(self, body: bytes, *, status: int = 200, headers: Headers = (), kind: str = JSON) -> None:
        """A whole answer with its length."""
        lines = [*self.common(), ("Content-Type", kind), *headers, ("Content-Length", str(len(body)))]
        await self.raw(head(status, lines) + body, status=status)

    async def error(
        self, status: int, message: str, *, kind: str, code: str | None = None, headers: Headers = ()
    ) -> None:
        """A whole error document."""
        body = {"error": {"message": self.orders.text("message", message), "type": kind, "param": None, "code": code}}
        await self.reply(dump(body), status=status, headers=headers)

    async def open(self, *, headers: Headers = (), kind: str = EVENT_STREAM) -> None:
        """The head of a chunked answer."""
        lines = [*self.common(), ("Content-Type", kind), ("Cache-Control", "no-cache"), *headers]
        await self.raw(head(200, [*lines, ("Transfer-Encoding", "chunked")]), status=200)

    async def event(self, frame: Frame) -> None:
        """One frame as one chunk in one write, at the pace that was ordered."""
        if frame.kind in CONTENT_KINDS:
            await self.wire.pause(self.orders.seconds("pace_ms"))
        await self.wire.send(chunk(frame.data))
        self.entry.events_sent += 1

    async def events(self, frames: Iterable[Frame]) -> None:
        for frame in frames:
            await self.event(frame)

    async def end(self) -> None:
        """The end of a chunked answer."""
        await self.wire.send(LAST_CHUNK)

    async def play(self, frames: Iterable[Frame]) -> None:
        """A whole stream of these frames."""
        await self.open()
        await self.events(frames)
        await self.end()

    async def answer(self) -> None:
        """The honest answer."""
        if self.stream:
            await self.play(self.frames)
        else:
            pace_s = self.orders.seconds("pace_ms")
            usage = self.document.get("usage")
            if pace_s and isinstance(usage, dict):
                await self.wire.pause(pace_s * usage.get("completion_tokens", 0))
            await self.reply(self.body)

    async def cut(self, *, reset: bool = False) -> None:
        """End the connection here and now."""
        self.keep = False
        if reset:
            await self.wire.reset()
        else:
            self.wire.close()
