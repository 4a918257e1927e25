"""Every store, whichever engine it stands on, keeps the same promises."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, Connection, MetaData, Table, Text, func, inspect, select
from sqlalchemy.exc import IntegrityError

import farebox.accounts.tables
import farebox.insights.tables
import stores
from farebox.ir.errors import NotFound, Unavailable
from farebox.storage import migrate, sql
from farebox.storage.port import Store
from farebox.storage.schema import metadata

things = Table(
    "things", MetaData(), Column("name", Text, primary_key=True), Column("count", BigInteger, nullable=False)
)


@pytest.fixture(params=stores.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with stores.store(request.param, tmp_path, migrated=False) as opened:
        opened.write_now(things.create)
        yield opened


def put(tx: Connection, name: str, count: int = 1) -> str:
    tx.execute(things.insert().values(name=name, count=count))
    return name


def names(tx: Connection) -> list[str]:
    return list(tx.execute(select(things.c.name).order_by(things.c.name)).scalars())


def test_what_is_written_can_be_read_at_once(store: Store) -> None:
    async def main() -> list[str]:
        assert await store.write(put, "a") == "a"
        return await store.read(names)

    assert asyncio.run(main()) == ["a"]


def test_a_failing_function_leaves_nothing_and_raises_what_it_raised(store: Store) -> None:
    def fail(tx: Connection) -> None:
        put(tx, "half")
        raise NotFound("by the function")

    with pytest.raises(NotFound, match="by the function"):
        store.write_now(fail)
    assert store.read_now(names) == []


def test_a_broken_constraint_is_told_as_such_and_takes_only_itself_back(store: Store) -> None:
    async def main() -> list[object]:
        return await asyncio.gather(*(store.write(put, name) for name in ("a", "b", "a", "c")), return_exceptions=True)

    results = asyncio.run(main())
    assert [type(result) for result in results].count(IntegrityError) == 1
    assert store.read_now(names) == ["a", "b", "c"]


def test_many_concurrent_writers_each_hear_their_own_result(store: Store) -> None:
    wanted = [f"n{place:03}" for place in range(200)]

    async def main() -> list[str]:
        return await asyncio.gather(*(store.write(put, name) for name in wanted))

    assert asyncio.run(main()) == wanted
    assert store.read_now(names) == wanted


def test_a_reader_cannot_write(store: Store) -> None:
    with pytest.raises(Unavailable):
        store.read_now(put, "a")
    assert store.read_now(names) == []


def test_an_unknown_table_is_our_fault_and_does_not_show_values(store: Store) -> None:
    lost = Table("lost", MetaData(), Column("name", Text))
    with pytest.raises(Unavailable) as caught:
        store.write_now(lambda tx: tx.execute(lost.insert().values(name="sk-secret-value")))
    assert "sk-secret-value" not in str(caught.value)
    assert "sk-secret-value" not in str(caught.value.__cause__)


def test_sums_add_up_where_the_key_is_there(store: Store) -> None:
    def add(tx: Connection, amount: int) -> None:
        tx.execute(sql.add_up(tx, things, ("count",)), [{"name": "x", "count": amount}, {"name": "y", "count": 1}])

    store.write_now(add, 5)
    store.write_now(add, 7)
    assert store.read_now(lambda tx: tx.execute(select(func.sum(things.c.count))).scalar_one()) == 14


def test_a_cancelled_waiter_does_not_disturb_the_others(store: Store) -> None:
    async def main() -> list[str]:
        first = asyncio.ensure_future(store.write(put, "left"))
        await asyncio.sleep(0)
        first.cancel()
        await store.write(put, "stayed")
        return await store.read(names)

    assert "stayed" in asyncio.run(main())


def test_a_closed_store_refuses(store: Store) -> None:
    store.close()

    async def main() -> None:
        await store.write(put, "late")

    with pytest.raises(Unavailable):
        asyncio.run(main())


@pytest.mark.parametrize("kind", stores.KINDS)
def test_the_upgraded_schema_is_the_fresh_one(kind: str, tmp_path: Path) -> None:
    assert "api_keys" in metadata.tables, (farebox.accounts.tables, farebox.insights.tables)
    (tmp_path / "fresh").mkdir()
    with stores.store(kind, tmp_path) as upgraded, stores.store(kind, tmp_path / "fresh", migrated=False) as fresh:
        fresh.write_now(metadata.create_all)
        assert upgraded.read_now(_shape) == fresh.read_now(_shape)


@pytest.mark.parametrize("kind", stores.KINDS)
def test_upgrading_twice_changes_nothing(kind: str, tmp_path: Path) -> None:
    with stores.store(kind, tmp_path) as store:
        before = store.read_now(_shape)
        assert migrate.upgrade(store) == "0001"
        assert store.read_now(_shape) == before


@pytest.mark.parametrize("kind", stores.KINDS)
def test_a_store_of_a_newer_release_is_refused(kind: str, tmp_path: Path) -> None:
    with stores.store(kind, tmp_path) as store:
        store.write_now(lambda tx: tx.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(Unavailable, match="newer Farebox"):
            migrate.upgrade(store)


def _shape(tx: Connection) -> dict[str, object]:
    """Everything of the schema that a query or a constraint could feel."""
    found = inspect(tx)
    return {
        table: (
            [(c["name"], str(c["type"]), c["nullable"], c["default"]) for c in found.get_columns(table)],
            found.get_pk_constraint(table),
            sorted(found.get_foreign_keys(table), key=str),
            sorted(found.get_indexes(table), key=str),
            sorted(found.get_unique_constraints(table), key=str),
        )
        for table in sorted(found.get_table_names())
        if table != "alembic_version"
    }
