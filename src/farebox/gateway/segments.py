"""The spool's file format: fixed-size segments of checked records. Refuses to know what a record says.

    segment = "FAREBOX1" | number u64 | record*          record = length u32 | crc32 u32 | kind u8 | payload

The checksum starts from the segment's own number, so what an earlier life of a reused file left behind never reads as a
record. It is zlib's CRC-32: the standard library has it in C, and against torn writes it is as good as CRC-32C.
"""

import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct as Layout

MAGIC = b"FAREBOX1"
HEAD = Layout("<8sQ")
RECORD = Layout("<IIB")
SLOT = Layout("<QI")
RECORD_BYTES_MAX = 8 * 1024 * 1024
SUFFIX = ".segment"
SPARE_SUFFIX = ".spare"
CURSOR = "cursor"
# A position is the segment's number above, and the offset just behind the record below.
OFFSET_BITS = 32
OFFSET_MASK = (1 << OFFSET_BITS) - 1


def seed(number: int, kind: int) -> int:
    """Where the checksum of this segment's records of this kind starts."""
    return zlib.crc32(HEAD.pack(MAGIC, number) + bytes((kind,)))


def encode(number: int, kind: int, payload: bytes) -> bytes:
    return RECORD.pack(len(payload), zlib.crc32(payload, seed(number, kind)), kind) + payload


def path_of(directory: Path, number: int) -> Path:
    return directory / f"{number:012d}{SUFFIX}"


def numbers(directory: Path) -> list[int]:
    """Segments of a folder, oldest first."""
    return sorted(int(path.stem) for path in directory.glob(f"*{SUFFIX}") if path.stem.isdigit())


def scan(path: Path, number: int, start: int = HEAD.size) -> Iterator[tuple[int, int, bytes]]:
    """(end offset, kind, payload) of the whole records from an offset on; stops for good at the first that is not one."""
    with path.open("rb") as file:
        if file.read(HEAD.size) != HEAD.pack(MAGIC, number):
            return
        offset = max(start, HEAD.size)
        file.seek(offset)
        while True:
            head = file.read(RECORD.size)
            if len(head) < RECORD.size:
                return
            length, checksum, kind = RECORD.unpack(head)
            if not 0 < length <= RECORD_BYTES_MAX:
                return
            payload = file.read(length)
            if len(payload) < length or zlib.crc32(payload, seed(number, kind)) != checksum:
                return
            offset += RECORD.size + length
            yield offset, kind, payload


def end_of(path: Path, number: int) -> int:
    """Where the next record would stand."""
    end = HEAD.size
    for end, _, _ in scan(path, number):  # noqa: B007 - the last one counts
        pass
    return end


def read_cursor(directory: Path) -> int:
    """The last position that was acknowledged: the higher of two checked slots, 0 if none is whole."""
    try:
        data = (directory / CURSOR).read_bytes()
    except FileNotFoundError:
        return 0
    best = 0
    for at in (0, SLOT.size):
        slot = data[at : at + SLOT.size]
        if len(slot) == SLOT.size:
            position, checksum = SLOT.unpack(slot)
            if zlib.crc32(slot[:8]) == checksum:
                best = max(best, position)
    return best


def cursor_slot(position: int) -> bytes:
    packed = position.to_bytes(8, "little")
    return packed + zlib.crc32(packed).to_bytes(4, "little")


def allocate(path: Path, size: int) -> int:
    """A new private file with all its blocks reserved; leaves nothing behind if the disk is too full."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
    except OSError:
        os.close(fd)
        path.unlink()
        raise
    return fd
