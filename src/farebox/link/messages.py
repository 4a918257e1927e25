"""Messages between gateway and control: pulses, acknowledgements, and the port itself. Values only."""

from typing import Protocol

from msgspec import Struct, field

from farebox.accounts.types import Caller


class News(Struct, frozen=True, kw_only=True):
    """Control's answer to a delivery: what was accepted, and which versions hold now.

    `keys_epoch` rises when any key changes: cached callers older than it must be asked for again.
    """

    accepted: int = 0
    catalogue_version: str = ""
    keys_epoch: int = 0


class Pulse(Struct, frozen=True, kw_only=True):
    """What a worker says once a second: who it is and its counters (see `telemetry`)."""

    worker: str
    pid: int
    started_ms: int
    ready: bool = True
    draining: bool = False
    metrics: dict[str, float] = field(default_factory=dict)


class ControlLink(Protocol):
    """The port between the planes. Every method may raise `ir.errors.Unavailable` if control is away."""

    async def snapshot(self, known_version: str) -> bytes | None:
        """The catalogue snapshot as encoded by `catalogue.snapshot.encode`, or None if `known_version` holds."""

    async def authenticate(self, key_id: str, key_digest: str) -> Caller | None:
        """The caller behind a key: `key_digest` is the hex SHA-256 of the whole key. None for an unknown or revoked key."""

    async def deliver(self, records: list[bytes], pulse: Pulse) -> News:
        """Hand over encoded `GenerationRecord`s (JSON). Safe to repeat: an id is stored once."""
