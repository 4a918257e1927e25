"""What holds of the SQLite file in particular: modes, pragmas, locks, faults of the disk."""

import asyncio
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from farebox.ir.errors import Unavailable
from farebox.storage import migrate
from farebox.storage.sqlite import APPLICATION_ID, SqliteStore, advice, check_version


def make(tx: Connection) -> None:
    tx.exec_driver_sql("CREATE TABLE things (name TEXT PRIMARY KEY, body BLOB)")


def put(tx: Connection, name: str, size: int = 1) -> None:
    tx.exec_driver_sql("INSERT INTO things VALUES (?, ?)", (name, bytes(size)))


def count(tx: Connection) -> int:
    found: int = tx.exec_driver_sql("SELECT count(*) FROM things").scalar_one()
    return found


def pragma(tx: Connection, name: str) -> object:
    return tx.exec_driver_sql(f"PRAGMA {name}").scalar_one()


def test_files_are_private_from_the_start(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    store.write_now(make)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    store.close()
    assert modes == {"x.db": 0o600, "x.db-wal": 0o600, "x.db-shm": 0o600}


def test_the_writer_is_durable_and_strict(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    found = {
        name: store.write_now(pragma, name)
        for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema", "application_id")
    }
    reader = {name: store.read_now(pragma, name) for name in ("query_only", "foreign_keys", "trusted_schema")}
    store.close()
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "trusted_schema": 0,
        "application_id": APPLICATION_ID,
    }
    assert reader == {"query_only": 1, "foreign_keys": 1, "trusted_schema": 0}


def test_a_file_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.commit()
    connection.close()
    with pytest.raises(Unavailable, match="another program"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"not a database, and long enough to be looked at" * 100)
    with pytest.raises(Unavailable):
        SqliteStore(path)


def test_old_libraries_are_refused_and_leaky_ones_named() -> None:
    with pytest.raises(Unavailable, match=r"3\.36\.0 is too old"):
        check_version((3, 36, 0))
    check_version((3, 40, 1))
    assert "WAL-reset" in (advice((3, 40, 1)) or "")
    assert "WAL-reset" in (advice((3, 50, 6)) or "")
    assert [advice(version) for version in ((3, 44, 6), (3, 50, 7), (3, 51, 3), (3, 52, 0), (4, 0, 0))] == [None] * 5


def test_a_file_locked_for_good_is_unavailable_and_comes_back(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db", busy_ms=50)
    store.write_now(make)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Unavailable) as caught:
        store.write_now(put, "a")
    assert caught.value.retry_after_s == 1.0
    # Reading goes on while somebody else holds the write lock.
    assert store.read_now(count) == 0
    other.execute("ROLLBACK")
    other.close()
    store.write_now(put, "a")
    assert store.read_now(count) == 1
    store.close()


def test_a_lock_that_ends_in_time_is_only_waited_for(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    store.write_now(make)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
    timer.start()
    store.write_now(put, "a")
    timer.join()
    other.close()
    assert store.read_now(count) == 1
    store.close()


def test_a_full_disk_is_unavailable_keeps_what_was_acknowledged_and_recovers(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    store.write_now(make)
    pages = store.write_now(pragma, "page_count")
    store.write_now(pragma, f"max_page_count={int(str(pages)) + 20}")
    kept = 0
    with pytest.raises(Unavailable):
        for place in range(200):
            store.write_now(put, f"n{place}", 4000)
            kept += 1
    assert 0 < kept < 200
    assert store.read_now(count) == kept
    store.write_now(pragma, "max_page_count=100000")
    store.write_now(put, "after")
    assert store.read_now(count) == kept + 1
    store.close()


def test_the_queue_is_bounded(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db", queue_max=4)
    store.write_now(make)
    gate, entered = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        entered.set()
        gate.wait(10)

    async def main() -> tuple[int, int]:
        held = asyncio.ensure_future(store.write(hold))
        await asyncio.to_thread(entered.wait, 10)
        waiting = [asyncio.ensure_future(store.write(put, f"n{place}")) for place in range(10)]
        await asyncio.sleep(0)
        gate.set()
        results = await asyncio.gather(held, *waiting, return_exceptions=True)
        return sum(isinstance(result, Unavailable) for result in results), store.read_now(count)

    refused, stored = asyncio.run(main())
    store.close()
    assert refused + stored == 10
    assert refused >= 5


def test_a_group_costs_one_commit(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "x.db")
    store.write_now(make)
    gate, entered = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        entered.set()
        gate.wait(10)

    async def main() -> None:
        held = asyncio.ensure_future(store.write(hold))
        await asyncio.to_thread(entered.wait, 10)
        waiting = [asyncio.ensure_future(store.write(put, f"n{place}")) for place in range(100)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(held, *waiting)

    commits: list[int] = []
    event.listen(store._writing, "commit", lambda _: commits.append(1))
    asyncio.run(main())
    assert store.read_now(count) == 100
    store.close()
    assert len(commits) <= 2


def test_acknowledged_writes_survive_the_loss_of_everything_after(tmp_path: Path) -> None:
    """A copy of database and WAL, taken without closing, is what a killed process leaves."""
    store = SqliteStore(tmp_path / "x.db")
    migrate.upgrade(store)
    store.write_now(make)
    for place in range(20):
        store.write_now(put, f"n{place}")
    after = tmp_path / "after"
    after.mkdir()
    for name in ("x.db", "x.db-wal"):
        (after / name).write_bytes((tmp_path / name).read_bytes())
    store.close()
    found = SqliteStore(after / "x.db")
    assert found.read_now(count) == 20
    found.close()
