"""Owns the bounded undoing of content codings that were not asked for; refuses stacked and unknown codings and bombs."""

import zlib

from farebox.ir.errors import AnswerTooLarge, Cut, Garbled

FREE_BYTES = 262_144
"""Below this size no ratio is looked at: short repetitive JSON compresses very well."""


class Inflater:
    """Undoes one gzip or deflate coding piece by piece within a size and a ratio."""

    __slots__ = ("_coding", "_engine", "_given", "_limit", "_made", "_ratio")

    def __init__(self, coding: str, *, limit_bytes: int, ratio: int) -> None:
        self._coding = coding
        self._engine: zlib._Decompress | None = zlib.decompressobj(31) if coding == "gzip" else None
        self._limit = limit_bytes
        self._ratio = ratio
        self._given = 0
        self._made = 0

    def feed(self, data: bytes) -> bytes:
        engine = self._engine
        if engine is None:
            # "deflate" is zlib-wrapped by the standard and raw in practice; the first byte tells.
            engine = self._engine = zlib.decompressobj(15 if data[:1] and data[0] & 0x0F == 8 else -15)
        if engine.eof:
            raise Garbled("The provider's compressed answer has bytes after its end.")
        self._given += len(data)
        room = min(self._limit, max(FREE_BYTES, self._given * self._ratio)) - self._made
        try:
            plain = engine.decompress(data, room + 1)
        except zlib.error:
            raise Garbled("The provider's compressed answer is broken.") from None
        self._made += len(plain)
        if len(plain) > room:
            raise AnswerTooLarge("The provider's compressed answer expands too much.")
        if engine.unused_data:
            raise Garbled("The provider's compressed answer has bytes after its end.")
        return plain

    def finish(self) -> None:
        """The body has ended; a coding that has not is a cut."""
        if self._engine is None or not self._engine.eof:
            raise Cut("The provider's compressed answer ended before it was complete.")


def inflater(value: bytes | None, *, limit_bytes: int, ratio: int) -> Inflater | None:
    """What undoes this Content-Encoding; None when there is nothing to undo."""
    coding = (value or b"identity").strip().lower()
    if coding == b"identity":
        return None
    if coding in {b"gzip", b"x-gzip"}:
        return Inflater("gzip", limit_bytes=limit_bytes, ratio=ratio)
    if coding == b"deflate":
        return Inflater("deflate", limit_bytes=limit_bytes, ratio=ratio)
    raise Garbled("The provider used a content coding that was not asked for.")
