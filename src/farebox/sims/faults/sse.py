"""Odd but legal event streams (F28): the same events, written in every way that the format allows. Refuses broken ones."""

import re
from collections.abc import Callable, Iterable

from farebox.sims.exchange import JSON, Exchange
from farebox.sims.faults.types import Fault, Play, Variant
from farebox.sims.http1 import chunk

Rewrite = Callable[[int, bytes], bytes]
Cuts = Callable[[bytes], Iterable[bytes]]


def _as_is(turn: int, event: bytes) -> bytes:
    return event


def _one(data: bytes) -> Iterable[bytes]:
    return (data,)


def _written(rewrite: Rewrite = _as_is, *, cuts: Cuts = _one, lead: bytes = b"", joined: bool = False) -> Play:
    """Every event rewritten, then cut into chunks. A whole answer is cut alike."""

    async def play(exchange: Exchange) -> None:
        if not exchange.stream:
            await exchange.open(kind=JSON)
            for piece in cuts(b" \r\n\t" + exchange.body + b"\r\n"):
                await exchange.raw(chunk(piece))
            await exchange.end()
            return
        events = [rewrite(turn, frame.data) for turn, frame in enumerate(exchange.frames)]
        events[0] = lead + events[0]
        await exchange.open()
        for event in [b"".join(events)] if joined else events:
            await exchange.wire.pause(exchange.orders.seconds("pace_ms"))
            for piece in cuts(event):
                await exchange.raw(chunk(piece))
            exchange.entry.events_sent += 1
        await exchange.end()

    return play


def _ends(end: bytes) -> Rewrite:
    return lambda turn, event: event.replace(b"\n", end)


def _mixed(turn: int, event: bytes) -> bytes:
    return event.replace(b"\n", (b"\n", b"\r\n", b"\r")[turn % 3])


def _fields(turn: int, event: bytes) -> bytes:
    return b"id: %d\nretry: 3000\nx-unknown: word\nnovalue\n" % turn + event


def _comments(turn: int, event: bytes) -> bytes:
    return b": keep-alive\n\n:\n" + event.replace(b"\ndata", b"\n: between\ndata")


def _lines(turn: int, event: bytes) -> bytes:
    """JSON over several data lines: a line break is allowed wherever JSON allows space."""
    return event.replace(b'{"id":', b'{\ndata: "id":', 1).replace(b',"choices":[', b',\ndata: "choices":\ndata: [', 1)


def _bytewise(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def _inside_letters(data: bytes) -> Iterable[bytes]:
    """Cut before every continuation byte of UTF-8."""
    return re.findall(rb"[\x80-\xbf]?[^\x80-\xbf]*", data)[:-1]


def _inside_line_ends(data: bytes) -> Iterable[bytes]:
    return re.findall(rb"\n?[^\n]+|\n", data)


def _escaped(turn: int, event: bytes) -> bytes:
    """The same JSON with its slashes and letters escaped."""
    return event.replace(b'"delta"', b'"\\u0064elta"').replace(b'"content"', b'"\\u0063ontent"').replace(b"/", b"\\/")


FAULTS = (
    Fault(
        "f28",
        "Odd but legal: the content must arrive unchanged.",
        (
            Variant("crlf", "Lines end in CR LF.", _written(_ends(b"\r\n"))),
            Variant("cr", "Lines end in CR.", _written(_ends(b"\r"))),
            Variant("mixed", "LF, CR LF and CR in turn.", _written(_mixed)),
            Variant("split-crlf", "CR LF, cut between CR and LF.", _written(_ends(b"\r\n"), cuts=_inside_line_ends)),
            Variant("bom", "A byte order mark at the start.", _written(lead=b"\xef\xbb\xbf")),
            Variant("no-space", "No space after the colon.", _written(lambda turn, e: e.replace(b"data: ", b"data:"))),
            Variant("comments", "Comments before and between.", _written(_comments)),
            Variant("fields", "`id`, `retry`, unknown fields, a field without a value.", _written(_fields)),
            Variant("named", "`event: message` before every event.", _written(lambda turn, e: b"event: message\n" + e)),
            Variant("multi-line", "The JSON over several data lines.", _written(_lines)),
            Variant("blank", "Empty lines between the events.", _written(lambda turn, e: b"\n\n" + e + b"\n\n\n")),
            Variant("escaped", "JSON escapes where none are needed.", _written(_escaped)),
            Variant("bytes", "Every byte in a chunk of its own.", _written(cuts=_bytewise)),
            Variant("utf8", "Cut inside every letter of more than one byte.", _written(cuts=_inside_letters)),
            Variant("joined", "All events in one chunk.", _written(joined=True)),
        ),
    ),
)
