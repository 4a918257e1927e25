"""Faults of time (F18–F20, F23, F44): late, dripping, stalled. Refuses to say anything false."""

from farebox.sims.answers.documents import Frame
from farebox.sims.exchange import EVENT_STREAM, JSON, Exchange
from farebox.sims.faults.types import Fault, Play, Variant, only_stream
from farebox.sims.http1 import head

DRIP_S = 1.0
PING_S = 5.0
LATE_S = 150.0


async def _hold(exchange: Exchange) -> None:
    """Wait as long as was ordered, or until the client leaves; raises in the latter case."""
    hold_s = exchange.orders.seconds("hold_s", -1.0)
    if hold_s < 0:
        await exchange.wire.hang()
    await exchange.wire.pause(hold_s)


async def _late_head(exchange: Exchange) -> None:
    await _hold(exchange)
    await exchange.answer()


async def _late_body(exchange: Exchange) -> None:
    body = b"".join(frame.data for frame in exchange.frames) if exchange.stream else exchange.body
    kind = EVENT_STREAM if exchange.stream else JSON
    lines = [*exchange.common(), ("Content-Type", kind), ("Content-Length", str(len(body)))]
    await exchange.raw(head(200, lines), status=200)
    await _hold(exchange)
    await exchange.raw(body)


async def _drip(exchange: Exchange) -> None:
    body = b"".join(frame.data for frame in exchange.frames) if exchange.stream else exchange.body
    kind = EVENT_STREAM if exchange.stream else JSON
    lines = [*exchange.common(), ("Content-Type", kind), ("Content-Length", str(len(body)))]
    await exchange.raw(head(200, lines), status=200)
    await _drop_by_drop(exchange, body)


async def _drip_head(exchange: Exchange) -> None:
    body = exchange.body
    lines = [*exchange.common(), ("Content-Type", JSON), ("Content-Length", str(len(body)))]
    await _drop_by_drop(exchange, head(200, lines))
    await exchange.raw(body, status=200)


async def _drop_by_drop(exchange: Exchange, data: bytes) -> None:
    for at in range(len(data)):
        await exchange.wire.pause(DRIP_S)
        await exchange.raw(data[at : at + 1])


def _pings(frame: Frame, *, leading: bool) -> Play:
    """The same empty event for ever, before anything else or in the middle."""

    async def play(exchange: Exchange) -> None:
        await exchange.open()
        if not leading:
            await exchange.events(exchange.split()[0])
        while True:
            await exchange.event(frame)
            await exchange.wire.pause(PING_S)

    return play


async def _empty_deltas(exchange: Exchange) -> None:
    await exchange.open()
    while True:
        await exchange.event(exchange.frames[0])
        await exchange.wire.pause(PING_S)


async def _stall(exchange: Exchange) -> None:
    if not exchange.stream:
        body = exchange.body
        lines = [*exchange.common(), ("Content-Type", JSON), ("Content-Length", str(len(body)))]
        await exchange.raw(head(200, lines) + body[: len(body) // 2], status=200)
        await _hold(exchange)
        await exchange.raw(body[len(body) // 2 :])
        return
    before, rest = exchange.split()
    await exchange.open()
    await exchange.events(before)
    await _hold(exchange)
    await exchange.events(rest)
    await exchange.end()


async def _stall_before_end(exchange: Exchange) -> None:
    """All is said, but the body does not end."""
    await exchange.open()
    await exchange.events(frame for frame in exchange.frames if frame.kind not in ("usage", "done"))
    await _hold(exchange)
    await exchange.events(frame for frame in exchange.frames if frame.kind in ("usage", "done"))
    await exchange.end()


async def _late_success(exchange: Exchange) -> None:
    """The vendor works on, whether anybody waits or not, and then answers in full."""
    exchange.wire.deaf = True
    await exchange.wire.pause(exchange.orders.seconds("hold_s", LATE_S))
    await exchange.answer()


_COMMENT = Frame("ping", raw=b": ping\n\n")
_PING = Frame("ping", raw=b'event: ping\ndata: {"type": "ping"}\n\n')

FAULTS = (
    Fault(
        "f18",
        "The head comes too late, after `hold_s` (default: never).",
        (
            Variant("head", "Nothing at all, then the whole answer.", _late_head),
            Variant("body", "The head at once, the body late.", _late_body),
            Variant("drip", "The head comes byte by byte, one a second.", _drip_head),
        ),
    ),
    Fault("f19", "The body comes too slowly.", (Variant("drip", "One byte a second.", _drip),)),
    Fault(
        "f20",
        "A head, then only signs of life, for ever.",
        (
            only_stream("comments", "A comment every 5 s.", _pings(_COMMENT, leading=True)),
            only_stream("pings", "An `event: ping` every 5 s.", _pings(_PING, leading=True)),
            only_stream("empty", "A chunk without content every 5 s.", _empty_deltas),
        ),
    ),
    Fault(
        "f23",
        "The answer stalls after `after` content events, for `hold_s` (default: for ever).",
        (
            Variant("stall", "Silence in the middle.", _stall),
            only_stream("comments", "Only comments in the middle, for ever.", _pings(_COMMENT, leading=False)),
            only_stream("end", "Silence between finish_reason and [DONE].", _stall_before_end),
        ),
    ),
    Fault(
        "f44",
        "A late success: the vendor goes on after the client left and answers after `hold_s` (default 150 s).",
        (Variant("late", "The whole answer, late.", _late_success),),
    ),
)
