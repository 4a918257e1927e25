"""Splicing of chunks that differ in one string only. A vendor's stream repeats the same bytes around each piece of text;
a template learnt once turns a whole buffer of such chunks into ours by a few C-speed byte operations.

It refuses to guess: a buffer that is not exactly a run of the known chunk, with valid JSON strings in it, is left to the
slow path. That is safe because a line feed cannot stand inside a JSON string.
"""

from collections.abc import Callable

import msgspec

MARK = "@@slot@@"
_MARK_BYTES = MARK.encode()
_strings = msgspec.json.Decoder(list[str]).decode


class Template:
    """`head` + text + `tail` of the vendor becomes the pieces of `ours` with the text between them."""

    __slots__ = ("_between", "_first", "_inner", "_last", "head", "joint", "key", "tail")

    def __init__(self, head: bytes, tail: bytes, ours: list[bytes], key: bytes) -> None:
        self.head = head
        self.tail = tail
        self.joint = tail + head
        self.key = key
        self._first = ours[0]
        self._last = ours[-1]
        self._inner = ours[1] if len(ours) == 3 else None
        self._between = ours[-1] + ours[0]

    def run(self, data: bytes) -> tuple[bytes, str] | None:
        """Our bytes for a buffer of the vendor's, and the text in it; `None` if it is not such a buffer."""
        parts = data[len(self.head) : -len(self.tail)].split(self.joint)
        try:
            texts = _strings(b'["' + b'","'.join(parts) + b'"]')
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if len(texts) != len(parts):
            return None
        if self._inner is not None:
            if "" in texts:
                return None
            inner = self._inner
            parts = [part + inner + part for part in parts]
        return self._first + self._between.join(parts) + self._last, "".join(texts)


def learn(event: bytes, keys: tuple[bytes, ...], rewrite: Callable[[bytes], bytes]) -> Template | None:
    """A template from one event (with its framing), if exactly one string in it varies under one of the keys.

    `rewrite` gives our event for a vendor's, without side effects.
    """
    for key in keys:
        for spelled in (b'"' + key + b'":"', b'"' + key + b'": "'):
            at = event.find(spelled)
            if at < 0:
                continue
            start = at + len(spelled)
            end = _string_end(event, start)
            if end <= start or event.find(spelled, end) >= 0:
                return None
            head, tail = event[:start], event[end:]
            ours = rewrite(head + _MARK_BYTES + tail).split(_MARK_BYTES)
            return Template(head, tail, ours, key) if len(ours) in (2, 3) else None
    return None


def _string_end(event: bytes, start: int) -> int:
    at = start
    while (at := event.find(b'"', at)) >= 0:
        before = at
        while before > start and event[before - 1] == 0x5C:
            before -= 1
        if (at - before) % 2 == 0:
            return at
        at += 1
    return -1
