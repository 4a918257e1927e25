"""Owns the binary frames: any cut, both checksums, every header type; refuses what is inside them."""

import itertools
import random
import struct
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.dialects.framing.aws_events import AwsEvent, FrameSplitter, frame
from farebox.ir.errors import AnswerTooLarge, Garbled
from unit.dialects.bedrock_converse.native_traffic import exchanges

EVENT = {":event-type": "messageStart", ":content-type": "application/json", ":message-type": "event"}
STREAM = (
    frame(EVENT, b'{"role":"assistant"}') + frame(EVENT | {":event-type": "ping"}, b"") + frame(EVENT, b"\x00" * 300)
)


def read(data: bytes) -> list[AwsEvent]:
    return list(FrameSplitter().feed(data))


RECORDED = [item for item in exchanges("bedrock/bedrock.converse_stream*.json") if item.status == 200]


def test_a_frame_says_what_it_is() -> None:
    first, second, third = read(STREAM)
    assert (first.kind, first.name, first.payload) == ("event", "messageStart", b'{"role":"assistant"}')
    assert (second.name, second.payload) == ("ping", b"")
    assert third.headers == EVENT


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_the_cut_does_not_matter(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(STREAM)]
    splitter = FrameSplitter()
    found = [event for begin, end in itertools.pairwise(edges) for event in splitter.feed(STREAM[begin:end])]
    assert found == read(STREAM)
    assert splitter.idle


@pytest.mark.parametrize("exchange", RECORDED, ids=[item.name for item in RECORDED])
def test_recorded_frames_are_written_back_byte_for_byte(exchange) -> None:  # type: ignore[no-untyped-def]
    events = read(exchange.body)
    assert events
    assert b"".join(frame(event.headers, event.payload) for event in events) == exchange.body


def test_no_flipped_bit_goes_unseen() -> None:
    whole = frame(EVENT, b'{"role":"assistant"}')
    for at in range(len(whole)):
        for bit in range(8):
            broken = bytearray(whole)
            broken[at] ^= 1 << bit
            with pytest.raises((Garbled, AnswerTooLarge)):
                read(bytes(broken))


def test_every_header_type_is_skipped_over() -> None:
    raw = b"".join(
        [
            bytes((1,)) + name + kind + value
            for name, kind, value in (
                (b"a", b"\x00", b""), (b"b", b"\x01", b""), (b"c", b"\x02", b"x"), (b"d", b"\x03", b"xx"),
                (b"e", b"\x04", b"xxxx"), (b"f", b"\x05", b"x" * 8), (b"g", b"\x06", b"\x00\x03xyz"),
                (b"h", b"\x08", b"x" * 8), (b"i", b"\x09", b"x" * 16), (b"j", b"\x07", b"\x00\x02ok"),
            )
        ]
    )  # fmt: skip
    (event,) = read(sealed(raw, b"p"))
    assert event.headers == {"j": "ok"}
    assert event.payload == b"p"


def sealed(head: bytes, payload: bytes, total: int | None = None) -> bytes:
    lengths = struct.pack(">II", len(head) + len(payload) + 16 if total is None else total, len(head))
    body = lengths + crc32(lengths).to_bytes(4) + head + payload
    return body + crc32(body).to_bytes(4)


@pytest.mark.parametrize("head", [b"\x05ab", b"\x01a\x07\x00\x09x", b"\x01a\x0b", b"\x01\xff\x07\x00\x00", b"\x01a"])
def test_broken_headers_are_garbled(head: bytes) -> None:
    with pytest.raises(Garbled):
        read(sealed(head, b""))


def test_headers_longer_than_the_frame_are_garbled() -> None:
    lengths = struct.pack(">II", 20, 100)
    with pytest.raises(Garbled):
        read(lengths + crc32(lengths).to_bytes(4) + b"x" * 40)


def test_a_frame_above_the_limit_is_refused_before_it_came() -> None:
    lengths = struct.pack(">II", 5 << 20, 10)
    with pytest.raises(AnswerTooLarge):
        read(lengths + crc32(lengths).to_bytes(4))


def test_a_large_frame_in_small_pieces() -> None:
    payload = random.Random(7).randbytes(200_000)
    whole = frame(EVENT, payload)
    splitter = FrameSplitter()
    found = [event for at in range(0, len(whole), 1000) for event in splitter.feed(whole[at : at + 1000])]
    assert [event.payload for event in found] == [payload]


def test_what_is_no_frame_is_garbled() -> None:
    with pytest.raises(Garbled):
        read(b"<html><body>Bad gateway</body></html>")
