"""Faults that end an answer early (F21, F22, F24, F25): error events, FIN, RST, short framing. Refuses slowness."""

from farebox.sims.answers.documents import Frame
from farebox.sims.exchange import JSON, Exchange
from farebox.sims.faults.types import Fault, Play, Variant, only_stream
from farebox.sims.http1 import Json, chunk, dump, head


def _problem(exchange: Exchange, message: str, kind: str, code: int | str) -> Json:
    return {"error": {"message": exchange.orders.text("message", message), "type": kind, "param": None, "code": code}}


def error_after(message: str, kind: str, code: int | str, *, named: bool = False, ends: bool = True) -> Play:
    """`after` content events, then an error event, then the end of the body."""

    async def play(exchange: Exchange) -> None:
        problem = dump(_problem(exchange, message, kind, code))
        before, _ = exchange.split()
        await exchange.open()
        await exchange.events(before)
        await exchange.event(Frame("error", raw=(b"event: error\n" if named else b"") + b"data: " + problem + b"\n\n"))
        if ends:
            await exchange.event(Frame("done"))
        await exchange.end()

    return play


async def _choice_error(exchange: Exchange) -> None:
    before, rest = exchange.split()
    envelope = {**(rest[0].payload or {})}
    choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
    error = {"code": 502, "message": "Provider disconnected"}
    await exchange.open()
    await exchange.events(before)
    await exchange.event(Frame("error", {**envelope, "choices": [choice], "error": error}))
    await exchange.event(Frame("done"))
    await exchange.end()


def _first(message: str, kind: str, code: int | str, *, named: bool = False) -> Play:
    async def play(exchange: Exchange) -> None:
        problem = dump(_problem(exchange, message, kind, code))
        await exchange.open()
        await exchange.event(Frame("error", raw=(b"event: error\n" if named else b"") + b"data: " + problem + b"\n\n"))
        await exchange.event(Frame("done"))
        await exchange.end()

    return play


def _cut(*, reset: bool) -> Play:
    async def play(exchange: Exchange) -> None:
        if exchange.stream:
            before, _ = exchange.split()
            await exchange.open()
            await exchange.events(before)
        else:
            body = exchange.body
            lines = [*exchange.common(), ("Content-Type", JSON), ("Content-Length", str(len(body)))]
            await exchange.raw(head(200, lines) + body[: len(body) // 2], status=200)
        await exchange.cut(reset=reset)

    return play


async def _short_length(exchange: Exchange) -> None:
    """Fewer bytes than Content-Length promised, then FIN."""
    body = b"".join(frame.data for frame in exchange.frames) if exchange.stream else exchange.body
    kind = "text/event-stream" if exchange.stream else JSON
    lines = [*exchange.common(), ("Content-Type", kind), ("Content-Length", str(len(body) + 1_000))]
    await exchange.raw(head(200, lines), status=200)
    if exchange.stream:
        for frame in exchange.split()[0]:
            await exchange.raw(frame.data)
    else:
        await exchange.raw(body)
    await exchange.cut()


async def _unfinished_chunk(exchange: Exchange) -> None:
    """A chunk that is announced longer than it is, then FIN."""
    if exchange.stream:
        before, rest = exchange.split()
        data = rest[0].data
        await exchange.open()
        await exchange.events(before)
    else:
        data = exchange.body
        await exchange.open(kind=JSON)
    await exchange.raw(chunk(data)[: len(data) // 2])
    await exchange.cut()


async def _cut_head(exchange: Exchange) -> None:
    await exchange.raw(head(200, exchange.common())[:-14])
    await exchange.cut()


async def _no_last_chunk(exchange: Exchange) -> None:
    """Everything is sent but the terminating chunk."""
    frames = [f for f in exchange.frames if f.kind not in ("finish", "usage", "done")]
    await exchange.open()
    await exchange.events(frames)
    await exchange.cut()


def _without(*kinds: str) -> Play:
    """A body that ends properly, but lacks these frames."""

    async def play(exchange: Exchange) -> None:
        await exchange.play(frame for frame in exchange.frames if frame.kind not in kinds)

    return play


def _after_finish(*, how: str) -> Play:
    async def play(exchange: Exchange) -> None:
        frames = [frame for frame in exchange.frames if frame.kind not in ("usage", "done")]
        await exchange.open()
        await exchange.events(frames)
        if how == "end":
            await exchange.end()
        else:
            await exchange.cut(reset=how == "rst")

    return play


_SERVER = ("The server had an error while processing your request.", "server_error", 500)

FAULTS = (
    Fault(
        "f21",
        "The first event is an error (status 200).",
        (
            only_stream("error", '`data: {"error": …}` and [DONE].', _first(*_SERVER)),
            only_stream("named", "The same behind `event: error`.", _first(*_SERVER, named=True)),
            only_stream("overloaded", "overloaded_error, code 529.", _first("Overloaded", "overloaded_error", 529)),
            only_stream("limited", "rate_limit_exceeded, code 429.", _first("Rate limit reached.", "requests", 429)),
            only_stream(
                "invalid", "invalid_request_error, code 400.", _first("Bad value.", "invalid_request_error", 400)
            ),
        ),
    ),
    Fault(
        "f22",
        "An error event mid-stream, after `after` content events.",
        (
            only_stream("error", '`data: {"error": …}` and [DONE].', error_after(*_SERVER)),
            only_stream("named", "The same behind `event: error`.", error_after(*_SERVER, named=True)),
            only_stream("choice", "A chunk with finish_reason `error` and an `error` beside it.", _choice_error),
            only_stream("bare", "The error event is the last; no [DONE].", error_after(*_SERVER, ends=False)),
        ),
    ),
    Fault(
        "f24",
        "The answer is cut, after `after` content events or in the middle of the body.",
        (
            Variant("fin", "FIN in the middle.", _cut(reset=False)),
            Variant("rst", "RST in the middle.", _cut(reset=True)),
            Variant("length", "Content-Length promises 1,000 bytes more than come; FIN.", _short_length),
            Variant("chunk", "A chunk ends in its middle; FIN.", _unfinished_chunk),
            Variant("head", "The answer's head ends in its middle; FIN.", _cut_head),
            only_stream("no-last-chunk", "All words are sent, then FIN: no finish, no last chunk.", _no_last_chunk),
            only_stream(
                "no-finish",
                "The body ends properly without finish_reason or [DONE].",
                _without("finish", "usage", "done"),
            ),
            only_stream("no-finish-done", "[DONE] comes, finish_reason does not.", _without("finish", "usage")),
        ),
    ),
    Fault(
        "f25",
        "The answer is cut after finish_reason, before usage and [DONE].",
        (
            only_stream("fin", "FIN.", _after_finish(how="fin")),
            only_stream("rst", "RST.", _after_finish(how="rst")),
            only_stream("end", "The body ends properly.", _after_finish(how="end")),
        ),
    ),
)
