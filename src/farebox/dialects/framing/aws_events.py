"""The AWS event stream: length-prefixed binary frames with two checksums, split incrementally at any cut, and written.
Refuses to look into payloads, frames above a limit, and frames whose checksums do not hold.

A frame: total length, header length, CRC-32 of these eight bytes, headers, payload, CRC-32 of all before it
(https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html, 2026-11).
"""

import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from zlib import crc32

from farebox.ir.errors import AnswerTooLarge, Garbled

FRAME_BYTES_MAX = 4 << 20
_HEADS_KEPT = 64
_OVERHEAD = 16
_prelude = struct.Struct(">III").unpack_from
_number = struct.Struct(">I").unpack_from
# Sizes of header values by their type; `None`: a two-byte length goes before.
_SIZES: tuple[int | None, ...] = (0, 0, 1, 2, 4, 8, None, None, 8, 16)


class AwsEvent(NamedTuple):
    """`kind` is event, exception or error; `name` its type; `headers` those of type text, with their colons."""

    kind: str
    name: str
    payload: bytes
    headers: Mapping[str, str]


class FrameSplitter:
    """Bytes in, whole frames out."""

    __slots__ = ("_buffer", "_heads", "_need", "limit")

    def __init__(self, limit: int = FRAME_BYTES_MAX) -> None:
        self.limit = limit
        self._buffer = bytearray()
        self._need = 0
        self._heads: dict[bytes, tuple[str, str, dict[str, str]]] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing of an unfinished frame is held."""
        return not self._buffer

    def feed(self, data: bytes) -> Iterator[AwsEvent]:
        """The frames that became complete; those before a broken one come before its error: `AnswerTooLarge`, `Garbled`."""
        held = self._buffer
        held += data
        if len(held) < self._need:
            return
        whole = bytes(held)
        end, at = len(whole), 0
        self._need = 0
        while end - at >= 12:
            total, head, check = _prelude(whole, at)
            if crc32(whole[at : at + 8]) != check or head + _OVERHEAD > total:
                raise Garbled(metadata={"what": "frame"})
            if total > self.limit:
                raise AnswerTooLarge(metadata={"what": "frame"})
            if end - at < total:
                self._need = total
                break
            yield self._frame(whole[at : at + total], head)
            at += total
        if at:
            del held[:at]

    def _frame(self, frame: bytes, head: int) -> AwsEvent:
        if crc32(frame[:-4]) != _number(frame, len(frame) - 4)[0]:
            raise Garbled(metadata={"what": "frame checksum"})
        raw = frame[12 : 12 + head]
        known = self._heads.get(raw)
        if known is None:
            known = _head(raw)
            if len(self._heads) < _HEADS_KEPT:
                self._heads[raw] = known
        kind, name, headers = known
        return AwsEvent(kind, name, frame[12 + head : -4], headers)


def _head(raw: bytes) -> tuple[str, str, dict[str, str]]:
    try:
        headers = dict(_headers(raw))
    except (IndexError, struct.error, UnicodeDecodeError):
        raise Garbled(metadata={"what": "frame headers"}) from None
    kind = headers.get(":message-type", "event")
    name = headers.get({"exception": ":exception-type", "error": ":error-code"}.get(kind, ":event-type"), "")
    return kind, name, headers


def _headers(raw: bytes) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    at = 0
    while at < len(raw):
        end = at + 1 + raw[at]
        name, kind = raw[at + 1 : end].decode(), raw[end]
        at = end + 1
        size = _SIZES[kind]
        if size is None:
            size = int.from_bytes(raw[at : at + 2])
            at += 2
        value = raw[at : at + size]
        if len(value) != size:
            raise IndexError
        at += size
        if kind == 7:
            found.append((name, value.decode()))
    return found


def frame(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One frame with these headers, all of type text."""
    head = b"".join(
        [
            bytes((len(name.encode()),)) + name.encode() + b"\x07" + len(value.encode()).to_bytes(2) + value.encode()
            for name, value in headers.items()
        ]
    )
    lengths = struct.pack(">II", len(head) + len(payload) + _OVERHEAD, len(head))
    body = lengths + crc32(lengths).to_bytes(4) + head + payload
    return body + crc32(body).to_bytes(4)
