"""Faults of content coding (F32): compressed answers nobody asked for, bombs, lies. Refuses to compress honestly asked ones."""

import gzip
import zlib
from collections.abc import Callable, Iterable

from farebox.sims.exchange import EVENT_STREAM, JSON, Exchange
from farebox.sims.faults.types import Fault, Play, Variant
from farebox.sims.http1 import chunk

BOMB_BYTES = 256 * 1024 * 1024
BLOCK_BYTES = 1024 * 1024
RAW_BLOCK_BYTES = 65_536


def deflated(data: bytes) -> bytes:
    return zlib.compress(data)


def bare_deflated(data: bytes) -> bytes:
    """Without the zlib wrapper, as some servers understand `deflate`."""
    coder = zlib.compressobj(wbits=-15)
    return coder.compress(data) + coder.flush()


def stored_zstd(data: bytes) -> bytes:
    """A zstd frame of raw blocks: magic, single segment with eight bytes of size, blocks of at most 64 KiB."""
    out = [b"\x28\xb5\x2f\xfd\xe0", len(data).to_bytes(8, "little")]
    for at in range(0, max(1, len(data)), RAW_BLOCK_BYTES):
        block = data[at : at + RAW_BLOCK_BYTES]
        last = at + RAW_BLOCK_BYTES >= len(data)
        out += [(len(block) << 3 | last).to_bytes(3, "little"), block]
    return b"".join(out)


def stored_brotli(data: bytes) -> bytes:
    """A brotli stream of uncompressed meta-blocks (RFC 7932 §9.2): window of 16 bits, then length, then the bytes."""
    out: list[bytes] = []
    for at in range(0, len(data), RAW_BLOCK_BYTES):
        block = data[at : at + RAW_BLOCK_BYTES]
        # ISLAST 0, MNIBBLES 4 (0b00), MLEN - 1 in 16 bits, ISUNCOMPRESSED 1; the first block has the window bit before it.
        bits = ((len(block) - 1) << 3) | (1 << 19)
        header = (bits << 1).to_bytes(3, "little") if at == 0 else bits.to_bytes(3, "little")
        out += [header, block]
    return b"".join([*out, b"\x03"]) if out else b"\x06"


def _plain(exchange: Exchange) -> bytes:
    return b"".join(frame.data for frame in exchange.frames) if exchange.stream else exchange.body


def _kind(exchange: Exchange) -> str:
    return EVENT_STREAM if exchange.stream else JSON


def _coded(name: str, code: Callable[[bytes], bytes]) -> Play:
    async def play(exchange: Exchange) -> None:
        await exchange.reply(code(_plain(exchange)), headers=[("Content-Encoding", name)], kind=_kind(exchange))

    return play


async def _gzip(exchange: Exchange) -> None:
    """Streams are flushed after every event, so that each can be read at once."""
    if not exchange.stream:
        await _coded("gzip", gzip.compress)(exchange)
        return
    coder = zlib.compressobj(wbits=31)
    await exchange.open(headers=[("Content-Encoding", "gzip")])
    for frame in exchange.frames:
        await exchange.wire.pause(exchange.orders.seconds("pace_ms"))
        await exchange.raw(chunk(coder.compress(frame.data) + coder.flush(zlib.Z_SYNC_FLUSH)))
    await exchange.raw(chunk(coder.flush()))
    await exchange.end()


def bomb(size: int) -> Iterable[bytes]:
    """A JSON text of `size` spaces, gzipped piece by piece, about 1000:1."""
    coder = zlib.compressobj(9, wbits=31)
    block = b" " * BLOCK_BYTES
    for _ in range(size // BLOCK_BYTES):
        yield coder.compress(block)
    yield coder.compress(b"{}") + coder.flush()


async def _bomb(exchange: Exchange) -> None:
    await exchange.open(headers=[("Content-Encoding", "gzip")], kind=_kind(exchange))
    for piece in bomb(exchange.orders.integer("size", BOMB_BYTES)):
        if piece:
            await exchange.raw(chunk(piece))
    await exchange.end()


FAULTS = (
    Fault(
        "f32",
        "A content coding although none was asked for.",
        (
            Variant("gzip", "gzip; streams flushed after every event.", _gzip),
            Variant("deflate", "deflate in its zlib wrapper.", _coded("deflate", deflated)),
            Variant("bare-deflate", "deflate without the wrapper.", _coded("deflate", bare_deflated)),
            Variant("br", "brotli.", _coded("br", stored_brotli)),
            Variant("zstd", "zstd.", _coded("zstd", stored_zstd)),
            Variant("bomb", "256 MiB (`size`) of spaces in about 260 KB of gzip.", _bomb),
            Variant("twice", "gzip, gzip.", _coded("gzip, gzip", lambda data: gzip.compress(gzip.compress(data)))),
            Variant("truncated", "gzip that ends in its middle.", _coded("gzip", lambda d: gzip.compress(d)[:-12])),
            Variant(
                "trailing", "Bytes behind the end of the gzip.", _coded("gzip", lambda d: gzip.compress(d) + b"more")
            ),
            Variant("lie", "Says gzip, is plain.", _coded("gzip", lambda data: data)),
            Variant("unknown", "A coding nobody knows.", _coded("snappy", lambda data: data)),
        ),
    ),
)
