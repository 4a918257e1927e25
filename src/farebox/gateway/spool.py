"""The spool: what a worker must not lose, appended to preallocated files before a client sees the end of its answer.

Refuses to know what is written and to send it anywhere. Delivery is at least once: `pending` shows the oldest records,
`ack` forgets them, and after a crash `recover` hands a dead worker's records to whoever finds them. A record is safe from
a killed process when `append` returns, and from a power cut when the next `sync` has returned.
"""

import errno
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from farebox.gateway import segments
from farebox.gateway.segments import HEAD, OFFSET_BITS, OFFSET_MASK, RECORD
from farebox.ir.errors import Unavailable

SEGMENT_BYTES = 16 * 1024 * 1024
RESERVE = 4
QUEUE_RECORDS_MAX = 8192
UNDELIVERED_SEGMENTS_MAX = 64
SYNC_RECORDS = 64
LOCK = "lock"
RECORD_KIND = 1

# A finder of a dead worker's spool holds its lock for a delivery or two.
LOCK_TRIES, LOCK_WAIT_S = 50, 0.1


class SpoolRules(Struct, frozen=True, kw_only=True):
    """Sizes. `reserve` segments stand ready for a full disk; `strict` asks the gateway to sync before a client's end."""

    segment_bytes: int = SEGMENT_BYTES
    reserve: int = RESERVE
    strict: bool = False
    undelivered_segments_max: int = UNDELIVERED_SEGMENTS_MAX
    queue_max: int = QUEUE_RECORDS_MAX


class Disk(Struct, frozen=True, kw_only=True):
    """The system calls, replaceable by tests that play a full, broken or slow disk."""

    write: Callable[[int, bytes, int], int] = os.pwrite
    flush: Callable[[int], None] = os.fdatasync
    wait: Callable[[float], None] = time.sleep


RULES = SpoolRules()
DISK = Disk()


class SpoolBusy(Unavailable):
    """Another living process writes to this spool."""

    public = "Another process holds this worker's spool."


def _lock(directory: Path) -> int | None:
    """The folder's lock, or None if a living process has it."""
    while True:
        fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(fd)
            return None
        with suppress(FileNotFoundError):
            # A lock on a file that was removed meanwhile guards nothing.
            if (directory / LOCK).stat().st_ino == os.fstat(fd).st_ino:
                return fd
        os.close(fd)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _own_lock(directory: Path, wait: Callable[[float], None]) -> int:
    for _ in range(LOCK_TRIES):
        lock = _lock(directory)
        if lock is not None:
            return lock
        wait(LOCK_WAIT_S)
    raise SpoolBusy


class _Backlog:
    """Undelivered records of a folder, oldest first: a bounded queue in memory, the rest read from disk when due."""

    def __init__(self, directory: Path, *, queue_max: int = QUEUE_RECORDS_MAX) -> None:
        self._directory = directory
        self._queue_max = queue_max
        self.acked = segments.read_cursor(directory)
        self._queue: deque[tuple[int, bytes]] = deque()
        self._read_to = self.acked
        # True while records exist on disk behind the queue's end.
        self.behind = True
        self._slot = 0
        self._cursor_fd = os.open(directory / segments.CURSOR, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def add(self, position: int, payload: bytes) -> None:
        if self.behind or len(self._queue) >= self._queue_max:
            self.behind = True
            return
        self._queue.append((position, payload))
        self._read_to = position

    def pending(self, limit: int) -> list[tuple[int, bytes]]:
        if self.behind and len(self._queue) < limit:
            self._fill()
        queue = self._queue
        return [queue[at] for at in range(min(limit, len(queue)))]

    def ack(self, position: int) -> None:
        if position <= self.acked:
            return
        queue = self._queue
        while queue and queue[0][0] <= position:
            queue.popleft()
        self.acked = position
        self._read_to = max(self._read_to, position)
        # A lost cursor only means that records are delivered again.
        os.pwrite(self._cursor_fd, segments.cursor_slot(position), self._slot * segments.SLOT.size)
        self._slot ^= 1

    def _fill(self) -> None:
        for number in segments.numbers(self._directory):
            if number < self._read_to >> OFFSET_BITS:
                continue
            start = self._read_to & OFFSET_MASK if number == self._read_to >> OFFSET_BITS else 0
            for end, _, payload in segments.scan(segments.path_of(self._directory, number), number, start):
                if len(self._queue) >= self._queue_max:
                    return
                self._read_to = number << OFFSET_BITS | end
                self._queue.append((self._read_to, payload))
        self.behind = False

    def close(self) -> None:
        os.close(self._cursor_fd)


class Spool:
    """One worker's spool. `append`, `pending` and `ack` belong to one thread; `sync` and `maintain` may run in another."""

    def __init__(self, directory: Path, worker: str, *, rules: SpoolRules = RULES, disk: Disk = DISK) -> None:
        self.strict = rules.strict
        self._write = disk.write
        self._flush = disk.flush
        self._segment_bytes = rules.segment_bytes
        self._reserve = rules.reserve
        self._undelivered_max = rules.undelivered_segments_max
        self._directory = directory / worker
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = _own_lock(self._directory, disk.wait)
        self._guard = threading.Lock()
        self._spares: deque[tuple[Path, int]] = deque()
        self._spare_count = 0
        self._unsynced: list[tuple[int, bytes]] = []
        self._to_sync: set[int] = set()
        self._fds: dict[int, int] = {}
        self.damaged = False
        self._short = False
        for leftover in self._directory.glob(f"*{segments.SPARE_SUFFIX}"):
            leftover.unlink()
        self._backlog = _Backlog(self._directory, queue_max=rules.queue_max)
        known = segments.numbers(self._directory)
        self._live = deque(known)
        self._number = max(known[-1] if known else 0, self._backlog.acked >> OFFSET_BITS)
        self._top_up()
        self._roll()

    @property
    def admitting(self) -> bool:
        """Whether new work may be taken on: there is room to record how it ends, and control is not hopelessly behind."""
        return not self._short and not self.damaged and len(self._live) <= self._undelivered_max

    @property
    def unsynced(self) -> int:
        """Records that a power cut would lose."""
        return len(self._unsynced)

    @property
    def sync_due(self) -> bool:
        """Whether enough has come together for a sync before its time."""
        return len(self._unsynced) >= SYNC_RECORDS

    def append(self, kind: int, payload: bytes) -> int:
        """Writes one record and answers its position. Raises Unavailable if no segment can take it."""
        size = RECORD.size + len(payload)
        if not payload or size > self._segment_bytes - HEAD.size:
            raise ValueError("a record must not be empty or larger than a segment")
        if self._offset + size > self._segment_bytes:
            self._roll()
        for _ in range(self._reserve + 2):
            if self._put(kind, payload):
                position = self._number << OFFSET_BITS | self._offset
                self._unsynced.append((kind, payload))
                self._backlog.add(position, payload)
                return position
            self._roll()
        raise Unavailable("The spool cannot be written.")

    def _put(self, kind: int, payload: bytes) -> bool:
        record = segments.encode(self._number, kind, payload)
        try:
            done = self._write(self._fd, record, self._offset)
            while done < len(record):
                more = self._write(self._fd, record[done:], self._offset + done)
                if more <= 0:
                    raise OSError(errno.ENOSPC, "nothing was written")
                done += more
        except OSError:
            # What is half written reads as a torn tail; the segment takes no more records.
            self._short = True
            return False
        self._offset += len(record)
        return True

    def sync(self) -> int:
        """Makes everything appended before this call safe from a power cut; answers how many records became so."""
        with self._guard:
            count = len(self._unsynced)
            numbers = sorted(self._to_sync | {self._number}) if count else []
            fds = [self._fds[number] for number in numbers if number in self._fds]
            current = self._number
            try:
                for fd in fds:
                    self._flush(fd)
            except OSError:
                # After a failed sync the kernel may have dropped the pages: the file can't be trusted, ever again.
                self.damaged = True
                return 0
            self._to_sync.difference_update(number for number in numbers if number != current)
            del self._unsynced[:count]
            return count

    def repair(self) -> bool:
        """After a failed sync: writes the unsynced records again, to a fresh segment. Call from the appending thread."""
        if not self.damaged:
            return True
        again = list(self._unsynced)
        self._unsynced.clear()
        self.damaged = False
        try:
            self._roll()
            # The damaged files are given up: syncing them again would prove nothing.
            self._to_sync.clear()
            for kind, payload in again:
                self.append(kind, payload)
        except Unavailable:
            self._unsynced = again
            self.damaged = True
            return False
        if self.sync() < len(again):
            return False
        return not self.damaged

    def pending(self, limit: int) -> list[tuple[int, bytes]]:
        """The oldest undelivered records with their positions; they stay until `ack`."""
        return self._backlog.pending(limit)

    def ack(self, position: int) -> None:
        """Everything up to this position is delivered."""
        self._backlog.ack(position)

    def maintain(self) -> None:
        """The slow part, about once a second: frees delivered segments, refills the reserve, notices a full disk."""
        with self._guard:
            done = self._backlog.acked >> OFFSET_BITS
            while self._live and self._live[0] < min(done, self._number):
                number = self._live.popleft()
                self._to_sync.discard(number)
                self._retire(number)
            self._top_up()

    def close(self) -> None:
        """Syncs and lets go; what is undelivered stays for the next start or for a finder."""
        self.sync()
        with self._guard:
            for fd in self._fds.values():
                os.close(fd)
            self._fds.clear()
            while self._spares:
                path, fd = self._spares.popleft()
                os.close(fd)
                path.unlink(missing_ok=True)
            self._backlog.close()
            os.close(self._lock_fd)

    def _retire(self, number: int) -> None:
        """A delivered segment becomes a spare, or goes."""
        fd = self._fds.pop(number, None)
        path = segments.path_of(self._directory, number)
        if fd is None or len(self._spares) >= self._reserve:
            if fd is not None:
                os.close(fd)
            path.unlink(missing_ok=True)
            return
        spare = self._spare_path()
        path.rename(spare)
        self._spares.append((spare, fd))

    def _spare_path(self) -> Path:
        self._spare_count += 1
        return self._directory / f"{self._spare_count:06d}{segments.SPARE_SUFFIX}"

    def _top_up(self) -> None:
        try:
            while len(self._spares) < self._reserve + (0 if self._fds else 1):
                path = self._spare_path()
                self._spares.append((path, segments.allocate(path, self._segment_bytes)))
        except OSError:
            self._short = True
            return
        self._short = False

    def _roll(self) -> None:
        """Starts a new segment from the reserve. Renaming needs no space, so it works on a full disk."""
        try:
            path, fd = self._spares.popleft()
        except IndexError:
            raise Unavailable("The spool has no room left.") from None
        number = self._number + 1
        self._write_head(fd, number)
        path.rename(segments.path_of(self._directory, number))
        if self._fds:
            self._to_sync.add(self._number)
        self._number = number
        self._fds[number] = fd
        self._live.append(number)
        self._fd = fd
        self._offset = HEAD.size

    def _write_head(self, fd: int, number: int) -> None:
        try:
            self._write(fd, HEAD.pack(segments.MAGIC, number), 0)
        except OSError as error:
            os.close(fd)
            raise Unavailable("The spool cannot be written.") from error


class Estate:
    """What a dead worker left: undelivered records, to be delivered by whoever holds this."""

    def __init__(self, directory: Path, lock_fd: int) -> None:
        self.worker = directory.name
        self._directory = directory
        self._lock_fd = lock_fd
        self._backlog = _Backlog(directory)

    def pending(self, limit: int) -> list[tuple[int, bytes]]:
        return self._backlog.pending(limit)

    def ack(self, position: int) -> None:
        self._backlog.ack(position)

    def settle(self) -> None:
        """Removes the folder if everything is delivered, and lets go of it in any case."""
        empty = not self._backlog.pending(1)
        self._backlog.close()
        if empty:
            for path in self._directory.iterdir():
                if path.name != LOCK:
                    path.unlink()
            (self._directory / LOCK).unlink()
            # A worker of this name may be starting at this moment; then the folder is its own.
            with suppress(OSError):
                self._directory.rmdir()
        os.close(self._lock_fd)


def recover(directory: Path, *, own: str = "") -> Iterator[Estate]:
    """The folders of dead workers: those whose lock can be taken. Call `settle` on each."""
    if not directory.is_dir():
        return
    for folder in sorted(directory.iterdir()):
        if folder.name == own or not folder.is_dir():
            continue
        lock = _lock(folder)
        if lock is not None:
            yield Estate(folder, lock)
