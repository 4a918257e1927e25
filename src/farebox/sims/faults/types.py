"""What a fault is: a name, a sentence, and its variants, each a way to answer. Refuses to know any particular one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from farebox.sims.exchange import Exchange

Play = Callable[[Exchange], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Variant:
    """One way in which a fault shows. `stream_only`: without a stream the answer is honest."""

    name: str
    says: str
    play: Play
    stream_only: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """`id` as in the matrix of faults, lower case; the first variant is the default."""

    id: str
    says: str
    variants: tuple[Variant, ...]


def streaming(play: Play) -> Play:
    """A fault of streams: a request without one is answered honestly."""

    async def either(exchange: Exchange) -> None:
        await (play(exchange) if exchange.stream else exchange.answer())

    return either


def only_stream(name: str, says: str, play: Play) -> Variant:
    """A variant that shows in streams alone."""
    return Variant(name, says, streaming(play), stream_only=True)
