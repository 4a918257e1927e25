"""The store in one SQLite file: WAL, one writer, a few readers. Refuses old libraries, foreign files and shared writing."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import QueuePool, StaticPool

from farebox.ir.errors import Unavailable
from farebox.storage.home import PRIVATE_FILE
from farebox.storage.port import engine_faults
from farebox.storage.readers import Readers
from farebox.storage.writer import QUEUE_MAX, Writer

P = ParamSpec("P")
T = TypeVar("T")

# "Fare" in ASCII, so that `file` and other programs can tell whose database it is.
APPLICATION_ID = 0x46617265
OLDEST = (3, 37, 0)
# Until these releases a checkpoint could meet a writer on another connection at the wrong moment and lose pages
# (https://sqlite.org/wal.html, "WAL-reset bug", checked 2026-11-20). Here only the writer ever writes or checkpoints.
CALM = ((3, 44, 6), (3, 50, 7), (3, 51, 3))
BUSY_MS = 5000
READERS = 4


def check_version(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> None:
    if version < OLDEST:
        have, need = (".".join(map(str, parts)) for parts in (version, OLDEST))
        raise Unavailable(f"SQLite {have} is too old: {need} or newer is needed.")


def advice(version: tuple[int, int, int] = sqlite3.sqlite_version_info) -> str | None:
    """What an operator should know about this SQLite library, or None."""
    repaired = any(version[:2] == calm[:2] and version >= calm for calm in CALM) or version >= CALM[-1]
    if repaired:
        return None
    text = ".".join(map(str, version))
    return (
        f"SQLite {text} has the WAL-reset bug, repaired in 3.51.3 (and 3.44.6, 3.50.7). Farebox writes through a single "
        "connection, which keeps clear of it; do not write to the file with other programs."
    )


class SqliteStore:
    """`write` queues on the single writer, `read` runs on a small pool of connections that cannot write."""

    engine = "sqlite"

    def __init__(
        self, path: Path, *, queue_max: int = QUEUE_MAX, busy_ms: int = BUSY_MS, readers: int = READERS
    ) -> None:
        check_version()
        _claim(path)
        self._writing = _engine(path, busy_ms, writer=True)
        with engine_faults():
            _identify(self._writing)
        path.chmod(PRIVATE_FILE)
        self._reading = _engine(path, busy_ms, writer=False, size=readers)
        self._writer = Writer(self._writing, queue_max=queue_max)
        self._readers = Readers(readers, name="farebox-reader")

    async def write(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = await self._writer.submit(lambda tx: function(tx, *args, **kwargs))
        return result

    async def read(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._readers.run(lambda: self.read_now(function, *args, **kwargs))

    def write_now(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        result: T = self._writer.call(lambda tx: function(tx, *args, **kwargs))
        return result

    def read_now(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with engine_faults(), self._reading.connect() as tx:
            return function(tx, *args, **kwargs)

    def close(self) -> None:
        self._writer.close()
        self._readers.close()
        self._reading.dispose()
        self._writing.dispose()


def _claim(path: Path) -> None:
    """Make the file private from its first moment: SQLite gives its journals the mode of the database."""
    path.touch(mode=PRIVATE_FILE, exist_ok=True)


def _engine(path: Path, busy_ms: int, *, writer: bool, size: int = 1) -> Engine:
    url = f"sqlite:///{path}"
    arguments = {"check_same_thread": False, "timeout": busy_ms / 1000, "isolation_level": None}
    if writer:
        engine = create_engine(url, poolclass=StaticPool, connect_args=arguments, hide_parameters=True)
    else:
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=size,
            max_overflow=0,
            pool_timeout=busy_ms / 1000,
            connect_args=arguments,
            hide_parameters=True,
        )

    @event.listens_for(engine, "connect")
    def _connect(connection: sqlite3.Connection, _: object) -> None:
        for pragma in _pragmas(busy_ms, writer=writer):
            connection.execute(f"PRAGMA {pragma}")

    # The driver's own transactions are off (`isolation_level`): it would begin them late and only before some statements.
    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writer else "BEGIN")

    return engine


def _pragmas(busy_ms: int, *, writer: bool) -> list[str]:
    common = [f"busy_timeout={busy_ms}", "foreign_keys=ON", "trusted_schema=OFF", "cell_size_check=ON"]
    if writer:
        return [*common, "journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=1000"]
    return [*common, "query_only=ON", "wal_autocheckpoint=0"]


def _identify(engine: Engine) -> None:
    """Refuse a file that belongs to another program; mark a new one as ours."""
    with engine.begin() as tx:
        mode = tx.exec_driver_sql("PRAGMA journal_mode").scalar_one()
        if mode != "wal":
            raise Unavailable(f"The folder of the database cannot hold a WAL ({mode}); is it a network file system?")
        found = tx.exec_driver_sql("PRAGMA application_id").scalar_one()
        if found == APPLICATION_ID:
            return
        tables = tx.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar_one()
        if found or tables:
            raise Unavailable("The database file belongs to another program.")
        tx.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
