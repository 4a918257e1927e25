"""The store in PostgreSQL: one transaction a function, on a bounded pool. Refuses to start without the `postgres` extra."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import QueuePool

from farebox.storage.port import engine_faults
from farebox.storage.readers import Readers

P = ParamSpec("P")
T = TypeVar("T")

CONNECTIONS = 8
WAIT_S = 5
STATEMENT_MS = 30_000


class PostgresStore:
    """`url` is `postgresql+psycopg://…`. Reads run in read-only transactions."""

    engine = "postgresql"

    def __init__(self, url: str, *, connections: int = CONNECTIONS, schema: str | None = None) -> None:
        options = f"-c statement_timeout={STATEMENT_MS} -c lock_timeout={WAIT_S * 1000} -c timezone=UTC"
        if schema is not None:
            options += f" -c search_path={schema}"
        self._engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=WAIT_S,
            pool_pre_ping=True,
            connect_args={"connect_timeout": WAIT_S, "options": options},
            hide_parameters=True,
        )
        self._threads = Readers(connections, name="farebox-postgres")

    async def write(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._threads.run(lambda: self.write_now(function, *args, **kwargs))

    async def read(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._threads.run(lambda: self.read_now(function, *args, **kwargs))

    def write_now(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with engine_faults(), self._engine.begin() as tx:
            return function(tx, *args, **kwargs)

    def read_now(self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        with engine_faults(), self._engine.connect() as tx:
            tx.exec_driver_sql("SET TRANSACTION READ ONLY")
            return function(tx, *args, **kwargs)

    def close(self) -> None:
        self._threads.close()
        self._engine.dispose()
