"""Owns the fuzz target of the event stream splitter; its law: the cuts never matter. Refuses looking into events."""

from farebox.dialects.framing.sse import Splitter, SseEvent
from farebox.ir.errors import AnswerTooLarge
from fuzz.transports import pieces

LIMIT = 8 * 1024


def _split(parts: list[bytes]) -> list[SseEvent]:
    splitter = Splitter(LIMIT)
    events = [event for part in parts for event in splitter.feed(part)]
    return events + splitter.rest()


def one(data: bytes) -> None:
    try:
        whole = _split([data])
    except AnswerTooLarge:
        return
    assert all(len(event.data) <= LIMIT for event in whole)
    assert _split(pieces(data)) == whole
    if len(data) <= 512:
        assert _split([data[at : at + 1] for at in range(len(data))]) == whole
