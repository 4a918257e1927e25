"""A vendor's stream as whole JSON documents: server-sent events, a JSON array sent piece by piece, or one document where a
stream was asked for. Every byte is looked at once, however the body was cut. Refuses to read the documents.
"""

import re

from farebox.dialects.framing.sse import Splitter
from farebox.ir.errors import AnswerTooLarge, Garbled

# Images come inside events.
DOCUMENT_BYTES_MAX = 64 << 20
_BLANK = b"\xef\xbb\xbf \t\r\n"
_outside = re.compile(rb'["{}\[\]]')
_inside = re.compile(rb'["\\]')
_BETWEEN = b", \t\r\n"


class ArrayCutter:
    """Cuts the elements out of `[{…},{…}]` as they arrive."""

    __slots__ = ("_depth", "_pieces", "_quoted", "_size", "_skip", "ended")

    def __init__(self) -> None:
        self._depth = 0
        self._quoted = self._skip = False
        self._pieces: list[bytes] = []
        self._size = 0
        self.ended = False

    def feed(self, data: bytes) -> list[bytes]:
        found: list[bytes] = []
        at = begin = 0
        if self._skip and data:
            self._skip = False
            at = 1
        while not self.ended:
            if self._quoted:
                at = self._through_string(data, at)
            mark = None if self._quoted else _outside.search(data, at)
            if mark is None:
                break
            at = mark.end()
            char = data[at - 1 : at]
            if char == b'"':
                self._quoted = True
                continue
            opened = char in b"{["
            self._depth += 1 if opened else -1
            if self._depth == 1:
                if not opened:
                    found.append(self._element(data[begin:at]))
                begin = at
            self.ended = self._depth <= 0
        if not self.ended:
            self._keep(data[begin:])
        return found

    def _through_string(self, data: bytes, at: int) -> int:
        """Where the string ends that is open, or the end of the data."""
        while (mark := _inside.search(data, at)) is not None:
            at = mark.end()
            if data[at - 1 : at] == b'"':
                self._quoted = False
                return at
            self._skip = at == len(data)
            at += 1
        return at

    def _element(self, last: bytes) -> bytes:
        element = b"".join([*self._pieces, last]).strip(_BETWEEN)
        self._pieces.clear()
        self._size = 0
        return element

    def _keep(self, rest: bytes) -> None:
        if rest:
            self._pieces.append(rest)
            self._size += len(rest)
            if self._size > DOCUMENT_BYTES_MAX:
                raise AnswerTooLarge(metadata={"what": "event"})


class Documents:
    """Bytes in, whole documents out."""

    __slots__ = ("_array", "_kind", "_pieces", "_size", "_splitter")

    def __init__(self) -> None:
        self._kind = b""
        self._pieces: list[bytes] = []
        self._size = 0
        self._splitter = Splitter(DOCUMENT_BYTES_MAX)
        self._array = ArrayCutter()

    def feed(self, data: bytes) -> list[bytes]:
        if not self._kind:
            data = data.lstrip(_BLANK)
            if not data:
                return []
            self._kind = data[:1] if data[:1] in b"{[<" else b"d"
        if self._kind == b"d":
            return self._events(data)
        if self._kind == b"[":
            return self._array.feed(data)
        if self._kind == b"<":
            raise Garbled(metadata={"what": "html"})
        self._hold(data)
        return []

    def _events(self, data: bytes) -> list[bytes]:
        if data.endswith(b"\r\n\r\n") and not self._pieces and self._splitter.idle:
            # Google's own framing, whole events: nothing to remember.
            blocks = data[:-4].split(b"\r\n\r\n")
            if data.count(b"\n") == data.count(b"\r") == 2 * len(blocks) and all(
                block.startswith(b"data: ") for block in blocks
            ):
                return [block[6:] for block in blocks]
        if self._pieces or (b"\n" not in data and b"\r" not in data):
            self._hold(data)
            if b"\n" not in data and b"\r" not in data:
                return []
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
        cut = max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
        if cut < len(data):
            self._hold(data[cut:])
            data = data[:cut]
        return [event.data for event in self._splitter.feed(data)]

    def _hold(self, data: bytes) -> None:
        self._pieces.append(data)
        self._size += len(data)
        if self._size > DOCUMENT_BYTES_MAX:
            raise AnswerTooLarge(metadata={"what": "body"})

    def close(self) -> list[bytes]:
        """The body ended: what was still open."""
        rest = b"".join(self._pieces)
        self._pieces.clear()
        if self._kind == b"d":
            found = [event.data for event in self._splitter.feed(rest)] if rest else []
            return found + [event.data for event in self._splitter.rest()]
        return [rest] if self._kind == b"{" and rest.strip() else []
