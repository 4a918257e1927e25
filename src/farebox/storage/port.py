"""What a store is to the rest of the house: it runs functions in transactions. Refuses to know what they do."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Concatenate, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from farebox.ir.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")

RETRY_AFTER_S = 1.0


class Store(Protocol):
    """Functions on a transaction, committed if they return and rolled back if they raise.

    A fault of the engine (locked, full, away, too much waiting) is `ir.errors.Unavailable`; whatever the function raises
    reaches the caller as it is. A result is given only after it is durable.
    """

    engine: str

    async def write(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    async def read(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    def write_now(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    def read_now(
        self, function: Callable[Concatenate[Connection, P], T], /, *args: P.args, **kwargs: P.kwargs
    ) -> T: ...

    def close(self) -> None: ...


def unavailable(cause: BaseException) -> Unavailable:
    """The engine's fault as ours. The driver's text stays in the chained cause: it may quote values."""
    fault = Unavailable("The store cannot be used at present.", retry_after_s=RETRY_AFTER_S)
    fault.__cause__ = cause
    return fault


def busy(what: str) -> Unavailable:
    return Unavailable(f"Too many {what} are waiting for the store.", retry_after_s=RETRY_AFTER_S)


@contextmanager
def engine_faults() -> Iterator[None]:
    """Turn faults of the engine into Unavailable; a broken constraint is the function's own business."""
    try:
        yield
    except IntegrityError:
        raise
    except (DatabaseError, InterfaceError, PoolTimeout) as cause:
        raise unavailable(cause) from cause
