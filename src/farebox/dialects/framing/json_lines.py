"""JSON lines (newline-delimited JSON), split incrementally at any cut, LF or CRLF. Refuses to look into the lines, and lines
above a limit.
"""

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

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that became complete. Raises `AnswerTooLarge`."""
        if b"\n" not in data:
            self._hold(data)
            return []
        lines = data.split(b"\n")
        if self._held:
            self._held.append(lines[0])
            lines[0] = b"".join(self._held)
            self._held, self._size = [], 0
        self._hold(lines.pop())
        if max(map(len, lines)) > self.limit:
            raise AnswerTooLarge(metadata={"what": "line"})
        return [line for line in map(bytes.strip, lines) if line]

    def _hold(self, data: bytes) -> None:
        if data:
            self._size += len(data)
            if self._size > self.limit:
                raise AnswerTooLarge(metadata={"what": "line"})
            self._held.append(data)

    def rest(self) -> list[bytes]:
        """The body ended: a last line without its line feed."""
        return self.feed(b"\n")
