"""Control: what gateways ask, and what the API and the site read. Refuses HTTP: routes are elsewhere."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection

from farebox import __version__
from farebox.accounts import commands as account_commands
from farebox.accounts import queries as account_queries
from farebox.accounts.types import Caller, Key, KeyChange, KeyWish
from farebox.catalogue.snapshot import encode
from farebox.catalogue.types import Snapshot
from farebox.insights import commands as insight_commands
from farebox.insights import queries as insight_queries
from farebox.insights.queries import KeyUsage, ModelTotal
from farebox.insights.statistics import EndpointStatistics, Figures
from farebox.insights.types import GenerationRecord
from farebox.link.messages import News, Pulse
from farebox.storage.port import Store
from farebox.telemetry.counters import Counters
from farebox.telemetry.exposition import Totals, render

DAY_S = 86_400
TOTALS_FRESH_S = 5.0


class State(Struct, frozen=True, kw_only=True):
    """How the house is, for health checks and the first page."""

    version: str
    ready: bool
    workers: int
    models: int
    live_models: int
    endpoints: int
    providers: int
    catalogue: str
    started_ms: int


@dataclass
class _Cached:
    at_s: float = float("-inf")
    totals: dict[str, ModelTotal] = field(default_factory=dict)


# How long a generation that the caller just made is waited for, and how old its id may be for that.
DELIVERY_LOOKS = 20
DELIVERY_LOOK_S = 0.05
DELIVERY_S_MAX = 5.0


class Control:
    """Implements `link.messages.ControlLink` over the store. One event loop, one instance.

    `live` are the vendors whose credential is present; an endpoint of another vendor is listed but cannot be called.
    """

    def __init__(
        self,
        store: Store,
        snapshot: Snapshot,
        *,
        pepper: bytes,
        live: frozenset[str] = frozenset(),
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._pepper = pepper
        self._clock = clock
        self._started_ms = int(clock() * 1000)
        self._snapshot = snapshot
        self._live = live
        self._encoded = encode(snapshot)
        self._keys_epoch = 0
        self._statistics = EndpointStatistics()
        self._totals = Totals()
        self._cached = _Cached()
        self.counters = Counters()

    async def start(self) -> None:
        """Read what memory holds of the store: the keys' epoch and the last day's statistics."""
        self._keys_epoch = await self._store.read(account_queries.keys_epoch)
        since_ms = self._now_ms() - DAY_S * 1000
        self._statistics.add(await self._store.read(insight_queries.recent, since_ms))

    def swap(self, snapshot: Snapshot, live: frozenset[str]) -> None:
        """Another catalogue from now on; gateways hear of it with their next delivery."""
        self._encoded = encode(snapshot)
        self._snapshot = snapshot
        self._live = live

    # What gateways ask.

    async def snapshot(self, known_version: str) -> bytes | None:
        return None if known_version == self._snapshot.version else self._encoded

    async def authenticate(self, key_id: str, key_digest: str) -> Caller | None:
        if not _is_digest(key_digest):
            return None
        return await self._store.read(account_queries.find_caller, self._pepper, key_id, key_digest)

    async def deliver(self, records: list[bytes], pulse: Pulse) -> News:
        """Every record is accepted: stored, known already, or put aside as unreadable."""
        now_s = self._clock()
        self._totals.report(pulse.worker, pulse.started_ms, pulse.metrics, now_s=now_s)
        if records:
            stored = await self._store.write(_store_records, records, self._now_ms())
            self._statistics.add(stored.new)
            self.counters.inc("farebox_generations_stored_total", len(stored.new))
            if stored.unreadable:
                self.counters.inc("farebox_records_refused_total", stored.unreadable)
        return News(accepted=len(records), catalogue_version=self._snapshot.version, keys_epoch=self._keys_epoch)

    # What the API and the site read.

    @property
    def catalogue(self) -> Snapshot:
        return self._snapshot

    @property
    def live(self) -> frozenset[str]:
        return self._live

    def state(self) -> State:
        snapshot = self._snapshot
        live = sum(any(e.vendor in self._live for e in ends) for ends in snapshot.endpoints.values())
        self._totals.forget_silent(self._clock())
        return State(
            version=__version__,
            ready=True,
            workers=self._totals.workers(),
            models=len(snapshot.models),
            live_models=live,
            endpoints=sum(map(len, snapshot.endpoints.values())),
            providers=len(snapshot.providers),
            catalogue=snapshot.version,
            started_ms=self._started_ms,
        )

    async def check(self) -> None:
        """Raise Unavailable if the store cannot be read."""
        await self._store.read(account_queries.keys_epoch)

    def figures(self, endpoint: str) -> Figures:
        return self._statistics.figures(endpoint, self._now_ms())

    def all_figures(self) -> dict[str, Figures]:
        """Of every endpoint with traffic in the last day."""
        return self._statistics.all_figures(self._now_ms())

    async def model_totals(self) -> dict[str, ModelTotal]:
        """Sums per model over the last day; at most five seconds old."""
        cached, now_s = self._cached, self._clock()
        if now_s - cached.at_s > TOTALS_FRESH_S:
            cached.totals = await self._store.read(insight_queries.model_totals, int(now_s) - DAY_S)
            cached.at_s = now_s
        return cached.totals

    async def generation(self, organisation: str, generation_id: str) -> GenerationRecord | None:
        """The record of a generation. Workers deliver a few times a second: one that was made just now is waited for."""
        for _ in range(DELIVERY_LOOKS):
            found = await self._store.read(insight_queries.get_generation, organisation, generation_id)
            if found is not None or not self._made_just_now(generation_id):
                return found
            await asyncio.sleep(DELIVERY_LOOK_S)
        return None

    def _made_just_now(self, generation_id: str) -> bool:
        """Whether an id says that it is some seconds old; ids begin with their second."""
        second = generation_id.removeprefix("gen-").partition("-")[0]
        return second.isdecimal() and len(second) < 12 and abs(self._clock() - int(second)) < DELIVERY_S_MAX

    def metrics(self) -> str:
        self._totals.forget_silent(self._clock())
        self.counters.set("farebox_workers", self._totals.workers())
        return render(self._totals.sum(self.counters.values))

    # Keys.

    async def list_keys(self, organisation: str, *, offset: int, include_disabled: bool) -> list[Key]:
        return await self._store.read(
            account_queries.list_keys, organisation, offset=offset, include_disabled=include_disabled
        )

    async def key(self, organisation: str, key_id: str) -> Key | None:
        return await self._store.read(account_queries.get_key, organisation, key_id)

    async def key_usage(self, key_id: str) -> KeyUsage:
        day_s = int(self._clock()) // DAY_S * DAY_S
        today = time.gmtime(day_s)
        week_s = day_s - today.tm_wday * DAY_S
        month_s = day_s - (today.tm_mday - 1) * DAY_S
        return await self._store.read(insight_queries.key_usage, key_id, day_s=day_s, week_s=week_s, month_s=month_s)

    async def create_key(self, organisation: str, wish: KeyWish, *, once: str | None = None) -> account_commands.NewKey:
        """`once` is the caller's Idempotency-Key."""
        now_ms = self._now_ms()
        new: account_commands.NewKey
        if once is None:
            new = await self._changing(account_commands.create_key, self._pepper, organisation, wish, now_ms=now_ms)
        else:
            new = await self._changing(
                account_commands.create_key_once, self._pepper, organisation, wish, name=once, now_ms=now_ms
            )
        return new

    async def change_key(self, organisation: str, key_id: str, change: KeyChange) -> Key:
        key: Key = await self._changing(
            account_commands.change_key, organisation, key_id, change, now_ms=self._now_ms()
        )
        return key

    async def revoke_key(self, organisation: str, key_id: str) -> None:
        await self._changing(account_commands.revoke_key, organisation, key_id, now_ms=self._now_ms())

    async def _changing(self, command: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Run a command that changes keys; the epoch is read in the same transaction."""

        def both(tx: Connection) -> tuple[Any, int]:
            return command(tx, *args, **kwargs), account_queries.keys_epoch(tx)

        result, epoch = await self._store.write(both)
        self._keys_epoch = max(self._keys_epoch, epoch)
        return result

    def now_s(self) -> float:
        """The time by the clock that everything here goes by."""
        return self._clock()

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _store_records(tx: Connection, records: list[bytes], now_ms: int) -> insight_commands.Stored:
    return insight_commands.store_batch(tx, insight_commands.read_batch(records), now_ms=now_ms)


def _is_digest(text: str) -> bool:
    return len(text) == 64 and all(char in "0123456789abcdef" for char in text)
