"""Stores for contract suites: every engine that can be had, each empty and migrated. Refuses to leave anything behind."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, text

from farebox.storage import migrate
from farebox.storage.port import Store
from farebox.storage.postgres import PostgresStore
from farebox.storage.sqlite import SqliteStore

ADDRESS = ("127.0.0.1", 5432)
URL = f"postgresql+psycopg://{os.environ.get('PGUSER', 'postgres')}@{ADDRESS[0]}:{ADDRESS[1]}/test"


def _answers() -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(ADDRESS) == 0


# Where everything must be there (CI), a missing server is a failing test, not a shorter list.
KINDS = ("sqlite", "postgresql") if os.environ.get("CI") == "true" or _answers() else ("sqlite",)


@contextmanager
def store(kind: str, folder: Path, *, migrated: bool = True) -> Iterator[Store]:
    if kind == "sqlite":
        opened: Store = SqliteStore(folder / "house.db")
        try:
            if migrated:
                migrate.upgrade(opened)
            yield opened
        finally:
            opened.close()
        return
    schema = f"farebox_{secrets.token_hex(6)}"
    admin = create_engine(URL, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {schema}"))
    opened = PostgresStore(URL, schema=schema)
    try:
        if migrated:
            migrate.upgrade(opened)
        yield opened
    finally:
        opened.close()
        with admin.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))
        admin.dispose()
