"""Owns which connections to vendors exist, are busy or kept; refuses to share one between origins."""

import asyncio
import math
import ssl

from farebox.http.connect import Dialler, Policy
from farebox.http.exchange import Stale, VendorConnection
from farebox.http.limits import ClientLimits, Timeouts
from farebox.http.origin import Origin
from farebox.http.outbox import Outbox
from farebox.http.response import Response
from farebox.http.tls import client_context
from farebox.ir.errors import Unreachable


class Pool:
    """Keep-alive connections per origin, newest first, with one coarse sweeper for all deadlines."""

    __slots__ = (
        "_active",
        "_dialler",
        "_idle",
        "_loop",
        "_policy",
        "_proxy",
        "_tick_s",
        "_timer",
        "_tls",
        "alarms",
        "limits",
        "outbox",
    )

    def __init__(
        self,
        *,
        limits: ClientLimits,
        tls: ssl.SSLContext | None = None,
        proxy: str | None = None,
        policy: Policy | None = None,
        tick_s: float = 0.05,
    ) -> None:
        self.limits = limits
        self.alarms = 0
        self._tls = tls
        self._proxy = proxy
        self._policy = policy
        self._tick_s = tick_s
        self._active: set[VendorConnection] = set()
        self._idle: dict[Origin, list[VendorConnection]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._dialler: Dialler | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> int:
        """Connections that carry an exchange."""
        return len(self._active)

    @property
    def kept(self) -> int:
        """Connections that wait for the next exchange."""
        return sum(map(len, self._idle.values()))

    async def send(self, origin: Origin, head: bytes, body: bytes, timeouts: Timeouts) -> Response:
        """Send one request and return its answer when the head is complete.

        A kept connection that turns out to be closed before any byte of the answer is replaced once by a fresh one.
        """
        connection = self._take(origin)
        if connection is not None:
            response = connection.begin(head, body, timeouts, reused=True)
            try:
                await response.opened()
            except Stale:
                pass
            else:
                return response
        connection = await self._connect(origin, timeouts)
        response = connection.begin(head, body, timeouts, reused=False)
        await response.opened()
        return response

    async def close(self) -> None:
        """Cut what is busy and let go of what is kept."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for connection in list(self._active):
            connection.drop(Unreachable("The house is closing its connections."))
        for kept in list(self._idle.values()):
            for connection in list(kept):
                connection.lost = True
                connection.transport.abort()
        self._idle.clear()
        await asyncio.sleep(0)

    def _take(self, origin: Origin) -> VendorConnection | None:
        kept = self._idle.get(origin)
        now = self._loop.time() if self._loop is not None else 0.0
        while kept:
            connection = kept.pop()
            if connection.quiet(idle_s=now - connection.idle_since):
                return connection
            connection.lost = True
            connection.transport.abort()
        return None

    async def _connect(self, origin: Origin, timeouts: Timeouts) -> VendorConnection:
        loop = self._loop
        if loop is None:
            loop = self._loop = asyncio.get_running_loop()
            self.outbox = Outbox(loop)
        if len(self._active) >= self.limits.connections:
            raise Unreachable("The house has too many connections in use.")
        if self._dialler is None:
            tls = self._tls or client_context()
            self._dialler = Dialler(limits=self.limits, tls=tls, proxy=self._proxy, policy=self._policy)
        connection = await self._dialler.open(origin, timeouts, lambda: VendorConnection(self, origin, loop))
        assert isinstance(connection, VendorConnection)
        if self._timer is None:
            self._timer = loop.call_later(self._tick_s, self._tick)
        return connection

    # --- what connections tell ------------------------------------------------------------------------------------

    def began(self, connection: VendorConnection) -> None:
        self._active.add(connection)

    def ended(self, connection: VendorConnection, *, reusable: bool) -> None:
        self._active.discard(connection)
        if not reusable:
            return
        kept = self._idle.get(connection.origin)
        if kept is None:
            kept = self._idle[connection.origin] = []
        if len(kept) >= self.limits.idle_connections:
            connection.lost = True
            connection.transport.abort()
            return
        assert self._loop is not None
        connection.idle_since = self._loop.time()
        kept.append(connection)

    def lost(self, connection: VendorConnection) -> None:
        kept = self._idle.get(connection.origin)
        if kept is not None and connection in kept:
            kept.remove(connection)

    def _tick(self) -> None:
        loop = self._loop
        assert loop is not None
        now = loop.time()
        for connection in list(self._active):
            if now > connection.deadline or now > connection.total_deadline or connection.uploading:
                connection.sweep(now)
        expired = now - self.limits.idle_s
        nearest = math.inf
        for origin, kept in list(self._idle.items()):
            while kept and kept[0].idle_since < expired:
                connection = kept.pop(0)
                connection.lost = True
                connection.transport.abort()
            if kept:
                nearest = min(nearest, kept[0].idle_since)
            else:
                del self._idle[origin]
        if self._active or self._idle:
            self._timer = loop.call_later(self._tick_s, self._tick)
        else:
            self._timer = None
