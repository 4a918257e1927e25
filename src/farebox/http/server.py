"""Owns listening, deadlines and drain of the client side of the edge; refuses to know what is served."""

import asyncio
import socket
import ssl
from collections.abc import Collection
from email.utils import formatdate
from pathlib import Path

from farebox.http.limits import Limits
from farebox.http.messages import Request
from farebox.http.parsing import Board, Describe, Handler
from farebox.http.reply import Reply
from farebox.http.serving import ClientConnection

__all__ = ["Describe", "Handler", "Reply", "Request", "Server"]


class Server:
    """Listens, gives each complete request to `handler` as one task, and cuts off who is too slow."""

    def __init__(
        self,
        handler: Handler,
        *,
        limits: Limits,
        error: Describe,
        tls: ssl.SSLContext | None = None,
        hosts: Collection[str] | None = None,
    ) -> None:
        self._handler = handler
        self._limits = limits
        self._error = error
        self._tls = tls
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._board: Board | None = None
        self._listeners: list[asyncio.Server] = []
        self._timer: asyncio.TimerHandle | None = None

    @property
    def connections(self) -> int:
        return 0 if self._board is None else len(self._board.connections)

    async def start(self, host: str, port: int, *, reuse_port: bool = True, backlog: int = 4096) -> int:
        """Listen on an address; returns the port (useful for port 0)."""
        board = self._open()
        listener = await board.loop.create_server(
            lambda: ClientConnection(board),
            host,
            port,
            reuse_port=reuse_port,
            backlog=backlog,
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake_s,
        )
        self._listeners.append(listener)
        return int(listener.sockets[0].getsockname()[1])

    async def start_socket(self, sock: socket.socket, *, backlog: int = 4096) -> None:
        """Listen on a socket that somebody else has bound."""
        board = self._open()
        listener = await board.loop.create_server(
            lambda: ClientConnection(board),
            sock=sock,
            backlog=backlog,
            ssl=self._tls,
            ssl_handshake_timeout=self._handshake_s,
        )
        self._listeners.append(listener)

    async def start_unix(self, path: str | Path, *, backlog: int = 4096) -> None:
        board = self._open()
        listener = await board.loop.create_unix_server(lambda: ClientConnection(board), str(path), backlog=backlog)
        self._listeners.append(listener)

    def stop_accepting(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def drain(self, deadline_s: float) -> None:
        """Idle connections close at once, busy ones after their answer; what is left at the deadline is cut off."""
        self.stop_accepting()
        board = self._board
        if board is None:
            return
        board.draining = True
        board.outbox.flush()
        board.emptied = asyncio.Event()
        for connection in list(board.connections):
            if connection.idle:
                connection.transport.close()
        if board.connections:
            try:
                async with asyncio.timeout(deadline_s):
                    await board.emptied.wait()
            except TimeoutError:
                for connection in list(board.connections):
                    connection.transport.abort()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _open(self) -> Board:
        if self._board is None:
            self._board = Board(self._handler, limits=self._limits, describe=self._error, hosts=self._hosts)
            self._tick()
        return self._board

    @property
    def _handshake_s(self) -> float | None:
        return None if self._tls is None else self._limits.tls_handshake_s

    def _tick(self) -> None:
        board = self._board
        assert board is not None
        board.lines.set_date(formatdate(usegmt=True))
        now = board.loop.time()
        for connection in list(board.connections):
            connection.sweep(now)
        self._timer = board.loop.call_later(self._limits.tick_s, self._tick)
