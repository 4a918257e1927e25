"""JSON lines (newline-delimited JSON), split incrementally at any cut, LF or CRLF. Refuses to look into the lines, and lines
above a limit.
"""

from collections.abc import Iterator

from farebox.ir.errors import AnswerTooLarge

LINE_BYTES_MAX = 1 << 20


class LineSplitter:
    """Bytes in, whole lines out; blank ones are dropped."""

    __slots__ = ("_held", "_size", "limit")

    def __init__(self, limit: int = LINE_BYTES_MAX) -> None:
        self.limit = limit
        self._held: list[bytes] = []
        self._size = 0

    @property
    def idle(self) -> bool:
        """Whether nothing of an unfinished line is held."""
        return not self._held

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The lines that became complete; those before one that is too long come before its error, `AnswerTooLarge`."""
        *lines, last = data.split(b"\n")
        for piece in lines:
            line = b"".join([*self._held, piece])
            self._held, self._size = [], 0
            if len(line) > self.limit:
                raise AnswerTooLarge(metadata={"what": "line"})
            if stripped := line.strip():
                yield stripped
        if last:
            self._hold(last)

    def _hold(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > self.limit:
            raise AnswerTooLarge(metadata={"what": "line"})
        self._held.append(data)

    def rest(self) -> Iterator[bytes]:
        """The body ended: a last line without its line feed."""
        return self.feed(b"\n")
