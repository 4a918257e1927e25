"""Delivery: hand the spool's records to control in batches, hear what is new, keep the world up to date.

Everything here may fail and be repeated; nothing is lost, since the spool forgets a record only when control has it.
"""

import asyncio
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from farebox.catalogue.snapshot import decode
from farebox.gateway.keys import KeyCache
from farebox.gateway.spool import Estate, Spool, recover
from farebox.gateway.world import World, WorldBuilder
from farebox.ir.errors import Unavailable
from farebox.link.messages import ControlLink, News, Pulse
from farebox.telemetry.counters import Counters

BATCH_MAX = 500
PULSE_S = 1.0
SYNC_S = 0.05
ESTATES_S = 5.0
BACKOFF_MAX_S = 2.0
log = structlog.get_logger("farebox.delivery")


class Delivery:
    """The loop between one worker and control."""

    def __init__(  # noqa: PLR0917 - built once, by the worker
        self,
        worker: str,
        link: ControlLink,
        spool: Spool,
        keys: KeyCache,
        counters: Counters,
        builder: WorldBuilder,
    ) -> None:
        self._worker = worker
        self._link = link
        self._spool = spool
        self._keys = keys
        self._counters = counters
        self._builder = builder
        self._started_ms = time.time_ns() // 1_000_000
        self.world: World | None = None
        self.draining = False

    async def open(self) -> World:
        """The first world; waits until control gives a snapshot."""
        wait_s = 0.02
        while True:
            try:
                await self._renew("")
            except Unavailable:
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 1.5, BACKOFF_MAX_S)
                continue
            if self.world is not None:
                return self.world

    async def run(self, interval_s: float, spool_dir: Path, changed: Callable[[World], None]) -> None:
        """Deliver until cancelled. `changed` is called with each new world."""
        pulse_at = estates_at = 0.0
        loop = asyncio.get_running_loop()
        backoff_s = 0.0
        while True:
            await asyncio.sleep(max(interval_s, backoff_s))
            now = loop.time()
            try:
                pulse = now >= pulse_at
                if pulse:
                    pulse_at = now + PULSE_S
                await self.deliver(pulse=pulse)
                if pulse and self.world is not None and await self._news_of_world():
                    changed(self.world)
                if now >= estates_at:
                    estates_at = now + ESTATES_S
                    await self._estates(spool_dir)
                backoff_s = 0.0
            except Unavailable:
                # Fail static: what we hold goes on serving, and the spool keeps what was not delivered.
                backoff_s = min(max(backoff_s, interval_s) * 2, BACKOFF_MAX_S)

    async def deliver(self, *, pulse: bool) -> None:
        """Everything that is pending, in batches; at least one message if `pulse`."""
        while True:
            records = self._spool.pending(BATCH_MAX)
            if not records and not pulse:
                return
            news = await self._link.deliver([payload for _, payload in records], self._pulse())
            pulse = False
            if records:
                self._spool.ack(records[-1][0])
            self._heard(news)
            if len(records) < BATCH_MAX:
                return

    async def sync(self) -> None:
        """Make settlements safe from a power cut, together; until cancelled. A failed sync is written again elsewhere."""
        loop = asyncio.get_running_loop()
        maintain_at = 0.0
        while True:
            await asyncio.sleep(SYNC_S)
            if self._spool.unsynced:
                try:
                    await loop.run_in_executor(None, self._spool.sync)
                except OSError:
                    log.exception("sync")
                    self._spool.repair()
            if loop.time() >= maintain_at:
                maintain_at = loop.time() + 1.0
                await loop.run_in_executor(None, self._spool.maintain)

    def _pulse(self) -> Pulse:
        values: Mapping[str, float] = self._counters.values
        return Pulse(
            worker=self._worker,
            pid=os.getpid(),
            started_ms=self._started_ms,
            ready=self.world is not None and not self.draining,
            draining=self.draining,
            metrics=dict(values),
        )

    def _heard(self, news: News) -> None:
        self._version = news.catalogue_version
        self._keys.epoch = news.keys_epoch

    async def _news_of_world(self) -> bool:
        """Fetch the snapshot if control has another one; whether the world changed."""
        world = self.world
        if world is None or not self._version or self._version == world.snapshot.version:
            return False
        return await self._renew(world.snapshot.version)

    async def _renew(self, known: str) -> bool:
        packed = await self._link.snapshot(known)
        if packed is None:
            return False
        self.world = self._builder.build(decode(packed))
        return True

    _version = ""

    async def _estates(self, spool_dir: Path) -> None:
        """What dead workers left behind."""
        for estate in recover(spool_dir, own=self._worker):
            try:
                await self._inherit(estate)
            finally:
                estate.settle()

    async def _inherit(self, estate: Estate) -> None:
        while records := estate.pending(BATCH_MAX):
            await self._link.deliver([payload for _, payload in records], self._pulse())
            estate.ack(records[-1][0])
