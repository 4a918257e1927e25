"""One gateway worker: builds the data plane from its configuration and its link, runs it, drains it.

Refuses to read settings and to open a database.
"""

import asyncio
import contextlib
import gc
import random
from collections.abc import Callable

import msgspec

from farebox.gateway.attempts import Runner
from farebox.gateway.budget import RetryBudget
from farebox.gateway.config import GatewayConfig
from farebox.gateway.delivery import Delivery
from farebox.gateway.front import FrontDoor
from farebox.gateway.gateway import Gateway
from farebox.gateway.health import HealthBook
from farebox.gateway.keys import KeyCache
from farebox.gateway.settle import Bookkeeper
from farebox.gateway.spool import Spool, SpoolRules
from farebox.gateway.tokens import TokenKeeper
from farebox.gateway.world import World, WorldBuilder, credential_of
from farebox.http.pool import Pool
from farebox.http.server import Server
from farebox.http.tls import client_context, server_context
from farebox.ir.errors import FareboxError, Unavailable
from farebox.link.messages import ControlLink
from farebox.telemetry.counters import Counters

# After a stop is asked for, the listener stays open this long, so that balancers see "not ready" before "refused".
LISTEN_ON_S = 1.0
# Requests make few cycles; looking for them after every 700 objects costs more than it frees.
GC_THRESHOLDS = (20_000, 20, 20)


def describe(error: FareboxError) -> tuple[bytes, bytes]:
    """Headers and body of an error that no dialect claims: framing errors and the front door's own."""
    body = {"error": {"code": error.status, "message": error.message, "metadata": {"error_type": error.code}}}
    head = b"Content-Type: application/json\r\nCache-Control: no-store\r\n"
    if error.retry_after_s is not None or error.status == Unavailable.status:
        head += b"Retry-After: %d\r\n" % max(1, round(error.retry_after_s or 1))
    return head, msgspec.json.encode(body)


class Worker:
    """The data plane of one process."""

    def __init__(self, config: GatewayConfig, link: ControlLink) -> None:
        gc.set_threshold(*GC_THRESHOLDS)
        self._config = config
        self._stop = asyncio.Event()
        self.port = 0
        loop = asyncio.get_running_loop()
        clock = loop.time
        counters = Counters()
        self.pool = Pool(
            limits=config.client_limits,
            tls=client_context(config.tls_ca),
            proxy=config.proxy,
            tick_s=min(0.05, config.timeouts.idle_s / 10),
        )
        self._front_pool = Pool(limits=config.client_limits)
        self.spool = Spool(config.spool_dir, config.worker, rules=SpoolRules(strict=config.spool_strict))
        self._keys = KeyCache(link, clock, fresh_s=config.key_fresh_s, stale_s=config.key_stale_s)
        self.health = HealthBook(clock=clock, dice=random.random, credential_of=credential_of)
        self._books = Bookkeeper(self.spool, counters, worker=config.worker, toll_bps=config.toll_bps or 0)
        self.runner = Runner(config, self.pool, self._books, self.health, RetryBudget(), clock)
        self._delivery = Delivery(config.worker, link, self.spool, self._keys, counters, WorldBuilder(config.environ))
        https = config.tls_certificate is not None
        front = FrontDoor(config.front_socket, self._front_pool, describe, self._ready, https=https)
        self.gateway = Gateway(self._keys, self.runner, self._books, front, counters, self.health.retry_after_s)
        self._tokens = TokenKeeper(self.pool)
        tls = None
        if config.tls_certificate is not None and config.tls_key is not None:
            tls = server_context(config.tls_certificate, config.tls_key)
        self.server = Server(self.gateway.handle, limits=config.limits, error=describe, tls=tls, hosts=config.hosts)

    def begin_drain(self) -> None:
        """Stop soon: not ready at once, no new connections after a second, running answers to their end."""
        self._stop.set()

    async def run(self, ready: Callable[[int], None] | None = None) -> None:
        """Serve until `begin_drain`, then drain. `ready` hears the port once requests are taken."""
        config = self._config
        opening = asyncio.ensure_future(self._delivery.open())
        stopping = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((opening, stopping), return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            self._close()
            return
        stopping.cancel()
        self._enter(opening.result())
        self.port = await self.server.start(config.host, config.port, reuse_port=True)
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(self._delivery.run(config.delivery_s, config.spool_dir, self._enter)),
                group.create_task(self._delivery.sync()),
                group.create_task(self._ticks()),
                group.create_task(self._tokens.run()),
            ]
            if ready is not None:
                ready(self.port)
            await self._stop.wait()
            await self._drain()
            for task in loops:
                task.cancel()
        await self._last_words()
        await self.pool.close()
        await self._front_pool.close()
        self._close()

    def _enter(self, world: World) -> None:
        """From now on this is the world. It lives long and holds no cycles: the collector need not look at it again."""
        self.gateway.world = world
        self._tokens.world = world
        if self._config.toll_bps is None:
            self._books.toll_bps = world.snapshot.toll_bps
        gc.collect()
        gc.freeze()

    def _ready(self) -> bool:
        return self.gateway.world is not None and not self._stop.is_set() and self.spool.admitting

    async def _ticks(self) -> None:
        while True:
            await asyncio.sleep(self._config.tick_s)
            self.runner.tick()

    async def _drain(self) -> None:
        self._delivery.draining = True
        await asyncio.sleep(min(LISTEN_ON_S, self._config.drain_s))
        self.runner.draining = True
        await self.server.drain(self._config.drain_s)

    async def _last_words(self) -> None:
        """Hand over what is left; what control cannot take now stays in the spool for the next start."""
        with contextlib.suppress(Unavailable, TimeoutError):
            async with asyncio.timeout(5.0):
                await self._delivery.deliver(pulse=True)

    def _close(self) -> None:
        self.spool.close()
