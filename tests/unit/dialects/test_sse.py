"""Owns the splitting of event streams at any cut; refuses what the events mean."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.dialects.framing.sse import EVENT_BYTES_MAX, Splitter, SseEvent
from farebox.ir.errors import AnswerTooLarge

ODD = {
    "plain": (b"data: x\n\n", [(b"", b"x")]),
    "no space": (b"data:x\n\n", [(b"", b"x")]),
    "CRLF": (b"data: x\r\n\r\n", [(b"", b"x")]),
    "CR": (b"data: x\r\r", [(b"", b"x")]),
    "mixed": (b"data: x\r\n\ndata: y\r\r\ndata: z\n\r\n", [(b"", b"x"), (b"", b"y"), (b"", b"z")]),
    "byte order mark": (b"\xef\xbb\xbfdata: x\n\n", [(b"", b"x")]),
    "comments": (b": hello\n\n:\n\ndata: x\n: inside\n\n", [(b"", b"x")]),
    "unknown fields": (b"id: 1\nretry: 0\nfoo: bar\nbaz\ndata: x\n\n", [(b"", b"x")]),
    "several lines": (b"data: a\ndata: b\ndata\n\n", [(b"", b"a\nb\n")]),
    "named": (b"event: error\ndata: x\n\ndata: y\n\n", [(b"error", b"x"), (b"", b"y")]),
    "name without data": (b"event: ping\n\ndata: y\n\n", [(b"", b"y")]),
    "empty data": (b"data:\n\n", [(b"", b"")]),
    "two spaces": (b"data:  x\n\n", [(b"", b" x")]),
    "id with NUL": (b"id: \x00\ndata: x\n\n", [(b"", b"x")]),
}


@pytest.mark.parametrize(("data", "events"), ODD.values(), ids=ODD.keys())
def test_odd_but_legal_streams_are_read(data: bytes, events: list[tuple[bytes, bytes]]) -> None:
    assert Splitter().feed(data) == events
    one_by_one = Splitter()
    assert [event for byte in data for event in one_by_one.feed(bytes([byte]))] == events
    assert one_by_one.idle


@given(st.lists(st.sampled_from(sorted(ODD)), max_size=6), st.lists(st.integers(0, 200), max_size=12))
def test_cuts_never_matter(names: list[str], cuts: list[int]) -> None:
    data = b"".join(ODD[name][0] for name in names if name != "byte order mark")
    whole = Splitter().feed(data)
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    splitter = Splitter()
    found: list[SseEvent] = []
    for begin, end in itertools.pairwise(edges):
        found += splitter.feed(data[begin:end])
    assert found == whole


def test_an_event_that_was_never_closed_is_given_at_the_end() -> None:
    splitter = Splitter()
    assert splitter.feed(b"data: x\ndata: y") == []
    assert not splitter.idle
    assert splitter.rest() == [(b"", b"x\ny")]
    assert Splitter().rest() == []


def test_comments_are_counted() -> None:
    splitter = Splitter()
    splitter.feed(b": one\n\n: two\n\n")
    assert splitter.comments == 2


def test_one_event_has_a_limit_however_it_comes() -> None:
    with pytest.raises(AnswerTooLarge):
        Splitter().feed(b"data: " + b"x" * (EVENT_BYTES_MAX + 1))
    many = Splitter()
    with pytest.raises(AnswerTooLarge):
        for _ in range(1100):
            many.feed(b"data: " + b"x" * 1000 + b"\n")
    pieces = Splitter()
    with pytest.raises(AnswerTooLarge):
        for _ in range(1100):
            pieces.feed(b"x" * 1000)
