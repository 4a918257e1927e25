"""Owns the fuzz target of the server side of a connection; refuses a real socket."""

import asyncio

from farebox.http.limits import Limits
from farebox.http.messages import Request
from farebox.http.parsing import Board
from farebox.http.reply import Reply
from farebox.http.serving import ClientConnection
from farebox.ir.errors import FareboxError
from fuzz.transports import Nowhere, loop_that_complains, pieces, turn

LIMITS = Limits(body_bytes=16 * 1024)
LOOP, COMPLAINTS = loop_that_complains()


async def _answer(request: Request, reply: Reply) -> None:
    assert len(request.body) <= LIMITS.body_bytes
    assert request.path.startswith("/") or request.path == "*"
    assert all(name == name.lower() for name in request.headers)
    if request.query:
        reply.start(200, b"Content-Type: text/plain\r\n")
        reply.write(request.body)
        reply.end()
    else:
        reply.send(200, b"Content-Type: text/plain\r\n", request.body)


async def _board() -> Board:
    return Board(_answer, limits=LIMITS, describe=_describe, hosts=None)


def _describe(error: FareboxError) -> tuple[bytes, bytes]:
    return b"Content-Type: text/plain\r\n", error.code.encode()


BOARD = LOOP.run_until_complete(_board())


def one(data: bytes) -> None:
    """Feed it in pieces, let handlers run between, lose the connection; nothing may be left or complained about."""
    transport, connection = Nowhere(), ClientConnection(BOARD)
    connection.connection_made(transport)
    for piece in pieces(data):
        if transport.is_closing():
            break
        connection.data_received(piece)
        turn(LOOP, 2)
    if not transport.is_closing():
        connection.eof_received()
    turn(LOOP, 3)
    connection.connection_lost(None)
    turn(LOOP, 3)
    assert transport.sent.startswith(b"HTTP/1.1 ") or not transport.sent
    assert not BOARD.connections, "a lost connection is still counted"
    left = asyncio.all_tasks(LOOP)
    assert not left, f"tasks are left: {left}"
    if COMPLAINTS:
        complaint = COMPLAINTS.pop()
        COMPLAINTS.clear()
        raise AssertionError(complaint) from complaint.get("exception")  # type: ignore[arg-type]
