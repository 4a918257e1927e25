"""Server-sent events, split incrementally: any cut, LF, CRLF or CR, a byte order mark, comments, data over several lines.
Refuses to look into the data, and events above a limit.
"""

from typing import NamedTuple

from farebox.ir.errors import AnswerTooLarge

EVENT_BYTES_MAX = 1 << 20
_BOM = b"\xef\xbb\xbf"


class SseEvent(NamedTuple):
    """`name` is empty for the default event; `data` are the data lines joined by LF."""

    name: bytes
    data: bytes


class Splitter:
    """Bytes in, whole events out. Comments are counted, ids and retry times dropped."""

    __slots__ = ("_begun", "_data", "_held", "_line", "_name", "_size", "_skip_lf", "comments", "limit")

    def __init__(self, limit: int = EVENT_BYTES_MAX) -> None:
        self.limit = limit
        self.comments = 0
        self._line: list[bytes] = []
        self._held = 0
        self._data: list[bytes] = []
        self._name = b""
        self._size = 0
        self._begun = False
        self._skip_lf = False

    @property
    def idle(self) -> bool:
        """Whether nothing of an unfinished event is held."""
        return not self._line and not self._data and not self._name

    def feed(self, data: bytes) -> list[SseEvent]:
        """The events that became complete. Raises `AnswerTooLarge`."""
        if self._skip_lf and data:
            self._skip_lf = False
            if data.startswith(b"\n"):
                data = data[1:]
        if self._line:
            self._line.append(data)
            self._held += len(data)
            if b"\n" not in data and b"\r" not in data and self._begun:
                self._check(self._held)
                return []
            data = b"".join(self._line)
            self._line.clear()
        if not self._begun:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._keep(data)
                return []
            self._begun = True
            if data.startswith(_BOM):
                data = data[3:]
        if b"\r" in data:
            self._skip_lf = data.endswith(b"\r")
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = data.split(b"\n")
        self._keep(lines.pop())
        return self._lines(lines)

    def _keep(self, begun: bytes) -> None:
        """The begin of a line; its pieces are joined only once it is whole, so that tiny cuts cost no more."""
        self._held = len(begun)
        self._check(self._held)
        if begun:
            self._line.append(begun)

    def _check(self, size: int) -> None:
        if size > self.limit:
            raise AnswerTooLarge(metadata={"what": "event"})

    def _lines(self, lines: list[bytes]) -> list[SseEvent]:
        events: list[SseEvent] = []
        for line in lines:
            if not line:
                if self._data:
                    events.append(SseEvent(self._name, b"\n".join(self._data)))
                    self._data = []
                self._name = b""
                self._size = 0
            elif line.startswith(b"data:"):
                self._take(line[6:] if line.startswith(b"data: ") else line[5:])
            elif line.startswith(b":"):
                self.comments += 1
            elif line.startswith(b"event:"):
                self._name = line[6:].removeprefix(b" ")
            elif line == b"data":
                self._take(b"")
        return events

    def _take(self, value: bytes) -> None:
        self._size += len(value) + 1
        self._check(self._size)
        self._data.append(value)

    def rest(self) -> list[SseEvent]:
        """The body ended: an event whose closing blank line never came. Lenient, since vendors do end like that."""
        if not self._line and not self._data:
            return []
        return self.feed(b"\n\n")
