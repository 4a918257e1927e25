"""The spool: nothing acknowledged is lost, nothing torn is read, a full or broken disk is survived."""

import errno
import os
import random
import stat
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from farebox.gateway import segments
from farebox.gateway.spool import LOCK, Disk, Spool, SpoolBusy, SpoolRules, recover
from farebox.ir.errors import Unavailable

SMALL = SpoolRules(segment_bytes=4096, reserve=2)


def payload(at: int, size: int = 100) -> bytes:
    return f"{at:06d}".encode() + b"x" * (size - 6)


def drain(spool: Spool) -> list[bytes]:
    """Everything undelivered, acknowledged in batches."""
    found: list[bytes] = []
    while batch := spool.pending(7):
        found += [data for _, data in batch]
        spool.ack(batch[-1][0])
    return found


def test_records_come_back_in_order_across_segments(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    wanted = []
    for at in range(300):
        wanted.append(payload(at))
        spool.append(1, wanted[-1])
        if at % 30 == 0:
            spool.maintain()
    assert drain(spool) == wanted
    spool.maintain()
    assert len(segments.numbers(tmp_path / "w0")) == 1
    spool.close()


def test_files_are_private_and_their_blocks_reserved(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    spool.append(1, b"{}")
    files = list((tmp_path / "w0").iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    big = [path for path in files if path.suffix in (segments.SUFFIX, segments.SPARE_SUFFIX)]
    assert len(big) == 3
    assert all(path.stat().st_size == 4096 and path.stat().st_blocks * 512 >= 4096 for path in big)
    spool.close()


def test_a_restart_goes_on_where_delivery_stopped(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    positions = [spool.append(1, payload(at)) for at in range(100)]
    spool.pending(10)
    spool.ack(positions[41])
    spool.close()
    again = Spool(tmp_path, "w0", rules=SMALL)
    again.append(1, payload(100))
    assert drain(again) == [payload(at) for at in range(42, 101)]
    again.close()


def test_a_lost_cursor_only_delivers_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    for at in range(5):
        spool.append(1, payload(at))
    drain(spool)
    spool.close()
    (tmp_path / "w0" / segments.CURSOR).write_bytes(b"\xff" * 24)
    again = Spool(tmp_path, "w0", rules=SMALL)
    assert drain(again) == [payload(at) for at in range(5)]
    again.close()


def test_memory_is_bounded_while_nothing_is_delivered(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SpoolRules(segment_bytes=1 << 16, reserve=1, queue_max=8))
    assert spool.pending(1) == []
    for at in range(200):
        spool.append(1, payload(at))
    assert len(spool._backlog._queue) == 8
    assert drain(spool) == [payload(at) for at in range(200)]
    spool.append(1, payload(200))
    assert drain(spool) == [payload(200)]
    spool.close()


def test_only_one_living_process_writes(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    waits: list[float] = []
    with pytest.raises(SpoolBusy):
        Spool(tmp_path, "w0", rules=SMALL, disk=Disk(wait=waits.append))
    assert sum(waits) == pytest.approx(5.0)
    assert list(recover(tmp_path)) == []
    spool.close()
    Spool(tmp_path, "w0", rules=SMALL).close()


def test_a_dead_workers_records_are_found_and_its_folder_goes(tmp_path: Path) -> None:
    pid = os.fork()
    if not pid:
        spool = Spool(tmp_path, "w1", rules=SMALL)
        for at in range(60):
            spool.append(1, payload(at))
        spool.ack(spool.pending(10)[-1][0])
        os._exit(0)
    os.waitpid(pid, 0)
    own = Spool(tmp_path, "w0", rules=SMALL)
    (estate,) = recover(tmp_path, own="w0")
    assert estate.worker == "w1"
    first = estate.pending(20)
    estate.ack(first[-1][0])
    estate.settle()
    (estate,) = recover(tmp_path, own="w0")
    rest = estate.pending(1000)
    assert [data for _, data in first + rest] == [payload(at) for at in range(10, 60)]
    estate.ack(rest[-1][0])
    estate.settle()
    assert not (tmp_path / "w1").exists()
    assert list(recover(tmp_path, own="w0")) == []
    own.close()


def test_a_lock_on_a_removed_folder_guards_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    spool.close()
    (estate,) = recover(tmp_path)
    estate.settle()
    assert not (tmp_path / "w0" / LOCK).exists()
    Spool(tmp_path, "w0", rules=SMALL).close()


def test_a_torn_tail_is_cut_at_every_byte(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    ends = [spool.append(1, payload(at, 40)) & segments.OFFSET_MASK for at in range(3)]
    spool.close()
    path = segments.path_of(tmp_path / "w0", segments.numbers(tmp_path / "w0")[0])
    number = int(path.stem)
    whole = path.read_bytes()
    assert segments.end_of(path, number) == ends[2]
    for cut in range(ends[1], ends[2]):
        path.write_bytes(whole[:cut] + b"\0" * (len(whole) - cut))
        assert segments.end_of(path, number) == ends[1]
        path.write_bytes(whole[:cut])
        assert segments.end_of(path, number) == ends[1]
    for at in range(ends[1], ends[2]):
        path.write_bytes(whole[:at] + bytes((whole[at] ^ 1,)) + whole[at + 1 :])
        assert segments.end_of(path, number) == ends[1], f"a flipped bit at {at} is seen"


def test_a_reused_segment_never_shows_its_earlier_life(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SpoolRules(segment_bytes=1024, reserve=1))
    for at in range(400):
        spool.append(1, payload(at, 100))
        assert drain(spool) == [payload(at, 100)]
        spool.maintain()
    spool.append(1, b"last")
    spool.close()
    again = Spool(tmp_path, "w0", rules=SMALL)
    assert drain(again) == [b"last"]
    again.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 600), min_size=1, max_size=40), st.randoms(use_true_random=False), st.data())
def test_replay_in_any_order_ends_in_the_same_state(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], dice: random.Random, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("replay")
    spool = Spool(folder, "w0", rules=SpoolRules(segment_bytes=1024, reserve=40))
    wanted = [payload(at, size + 6) for at, size in enumerate(sizes)]
    for each in wanted:
        spool.append(1, each)
    spool.close()
    numbers = segments.numbers(folder / "w0")
    torn = 0
    last = next(
        number for number in reversed(numbers) if segments.end_of(segments.path_of(folder / "w0", number), number) > 16
    )
    path = segments.path_of(folder / "w0", last)
    ends = [end for end, _, _ in segments.scan(path, last)]
    cut = data.draw(st.integers((ends[-2] if len(ends) > 1 else segments.HEAD.size), ends[-1]))
    if cut < ends[-1]:
        path.write_bytes(path.read_bytes()[:cut])
        torn = 1
    replay = numbers * 2
    dice.shuffle(replay)
    state: dict[bytes, bytes] = {}
    for number in replay:
        for _, _, record in segments.scan(segments.path_of(folder / "w0", number), number):
            state.setdefault(record[:6], record)
    assert state == {each[:6]: each for each in wanted[: len(wanted) - torn]}


class Playing:
    """A disk whose writes and syncs fail on command."""

    def __init__(self) -> None:
        self.failing = False
        self.short = False
        self.sync_fails = 0
        self.synced: list[int] = []

    def write(self, fd: int, data: bytes, offset: int) -> int:
        if self.failing:
            os.pwrite(fd, data[: len(data) // 2], offset)
            raise OSError(errno.ENOSPC, "full")
        if self.short and len(data) > 10:
            return os.pwrite(fd, data[:10], offset)
        return os.pwrite(fd, data, offset)

    def flush(self, fd: int) -> None:
        if self.sync_fails:
            self.sync_fails -= 1
            raise OSError(errno.EIO, "broken")
        self.synced.append(fd)

    def as_disk(self) -> Disk:
        return Disk(write=self.write, flush=self.flush)


def test_short_writes_are_continued(tmp_path: Path) -> None:
    disk = Playing()
    disk.short = True
    spool = Spool(tmp_path, "w0", rules=SMALL, disk=disk.as_disk())
    spool.append(1, payload(1))
    assert spool.admitting
    spool.close()
    again = Spool(tmp_path, "w0", rules=SMALL)
    assert drain(again) == [payload(1)]
    again.close()


def test_a_disk_that_refuses_stops_admission_and_comes_back(tmp_path: Path) -> None:
    disk = Playing()
    spool = Spool(tmp_path, "w0", rules=SpoolRules(segment_bytes=4096, reserve=4), disk=disk.as_disk())
    spool.append(1, payload(1))
    disk.failing = True
    with pytest.raises(Unavailable):
        spool.append(1, payload(2))
    assert not spool.admitting
    disk.failing = False
    spool.maintain()
    assert spool.admitting
    spool.append(1, payload(3))
    assert drain(spool) == [payload(1), payload(3)]
    spool.close()


def test_with_no_space_left_the_reserve_still_takes_what_is_in_flight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)

    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(os, "posix_fallocate", full)
        wanted = []
        with pytest.raises(Unavailable):
            for at in range(1000):
                spool.append(1, payload(at))
                wanted.append(payload(at))
                spool.maintain()
        assert len(wanted) >= 3 * (4096 // 110)
        assert not spool.admitting
        assert drain(spool) == wanted
        spool.maintain()
        assert spool.admitting, "delivered segments became the reserve again"
    spool.append(1, payload(7))
    assert drain(spool) == [payload(7)]
    spool.close()


def test_a_failed_sync_is_never_believed(tmp_path: Path) -> None:
    disk = Playing()
    spool = Spool(tmp_path, "w0", rules=SMALL, disk=disk.as_disk())
    spool.append(1, payload(1))
    assert spool.sync() == 1
    spool.append(1, payload(2))
    spool.append(1, payload(3))
    disk.sync_fails = 1
    assert spool.sync() == 0
    assert not spool.admitting
    assert spool.unsynced == 2
    before = len(disk.synced)
    assert spool.repair()
    assert spool.admitting
    assert spool.unsynced == 0
    assert len(disk.synced) == before + 1, "only the fresh segment is synced"
    assert drain(spool) == [payload(at) for at in (1, 2, 3, 2, 3)]
    spool.close()


def test_sync_covers_segments_left_behind(tmp_path: Path) -> None:
    disk = Playing()
    spool = Spool(tmp_path, "w0", rules=SMALL, disk=disk.as_disk())
    for at in range(70):
        spool.append(1, payload(at))
    assert spool.sync_due
    assert spool.sync() == 70
    assert len(set(disk.synced)) == 2
    assert not spool.sync_due
    spool.close()


def test_too_much_undelivered_stops_admission(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SpoolRules(segment_bytes=1024, reserve=2, undelivered_segments_max=3))
    while spool.admitting:
        spool.append(1, payload(0))
        spool.maintain()
    assert len(segments.numbers(tmp_path / "w0")) == 4
    drain(spool)
    spool.maintain()
    assert spool.admitting
    spool.close()


@pytest.mark.parametrize("size", [0, 5000])
def test_impossible_records_are_refused(tmp_path: Path, size: int) -> None:
    spool = Spool(tmp_path, "w0", rules=SMALL)
    with pytest.raises(ValueError, match="record"):
        spool.append(1, b"x" * size)
    spool.close()


def test_sync_and_maintenance_in_another_thread_lose_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "w0", rules=SpoolRules(segment_bytes=1 << 14, reserve=3))
    done = threading.Event()

    def behind() -> None:
        while not done.is_set():
            spool.sync()
            spool.maintain()

    thread = threading.Thread(target=behind)
    thread.start()
    found: list[bytes] = []
    wanted = []
    at = 0
    while at < 3000:
        try:
            spool.append(1, payload(at))
        except Unavailable:
            # The other thread has not refilled the reserve yet.
            done.wait(0.001)
            continue
        wanted.append(payload(at))
        at += 1
        if at % 50 == 0:
            found += drain(spool)
    found += drain(spool)
    done.set()
    thread.join()
    spool.sync()
    assert found == wanted
    assert spool.unsynced == 0
    spool.close()
