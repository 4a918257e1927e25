"""The few statements that the two engines spell differently. Refuses to hide the others."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as insert_postgres
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

# Numbers of the places that only one transaction at a time may pass (see `serialise`).
MIGRATING = 4611
REPEATED_CALLS = 4612
GENERATIONS = 4613


def insert(tx: Connection, table: Table) -> SqliteInsert | PostgresInsert:
    """An INSERT that knows `on_conflict_do_nothing` and `on_conflict_do_update` on either engine."""
    return insert_postgres(table) if tx.dialect.name == "postgresql" else insert_sqlite(table)


def add_up(tx: Connection, table: Table, sums: tuple[str, ...]) -> Any:
    """An INSERT that adds to the named columns where the primary key is already there."""
    statement: Any = insert(tx, table)
    keys = [column.name for column in table.primary_key]
    adding = {name: table.c[name] + statement.excluded[name] for name in sums}
    return statement.on_conflict_do_update(index_elements=keys, set_=adding)


def serialise(tx: Connection, number: int) -> None:
    """Let only one transaction at a time pass here. SQLite has a single writer already."""
    if tx.dialect.name == "postgresql":
        tx.exec_driver_sql("SELECT pg_advisory_xact_lock(%s)", (number,))
