"""Owns the fuzz target of the client side of a connection: what a broken or hostile vendor may send. Refuses sockets."""

import asyncio

from farebox.http.exchange import VendorConnection
from farebox.http.limits import ClientLimits, Timeouts
from farebox.http.origin import Origin
from farebox.http.outbox import Outbox
from farebox.ir.errors import AttemptError
from fuzz.transports import Nowhere, loop_that_complains, pieces, turn

LOOP, COMPLAINTS = loop_that_complains()
ORIGIN = Origin("http", "127.0.0.1", 9)
READ_BYTES = 64 * 1024


class Keeper:
    """Stands in for the pool: counts what began and ended."""

    limits = ClientLimits()

    def __init__(self) -> None:
        self.under_way = 0
        self.alarms = 0
        self.outbox = Outbox(LOOP)

    def began(self, connection: VendorConnection) -> None:
        self.under_way += 1

    def ended(self, connection: VendorConnection, *, reusable: bool) -> None:
        self.under_way -= 1
        assert self.under_way >= 0, "an exchange ended twice"

    def lost(self, connection: VendorConnection) -> None:
        pass


async def _exchange(data: bytes) -> None:
    keeper, transport = Keeper(), Nowhere()
    connection = VendorConnection(keeper, ORIGIN, LOOP)
    connection.connection_made(transport)
    response = connection.begin(b"POST / HTTP/1.1\r\n", b"{}", Timeouts(), reused=False)
    for piece in pieces(data):
        if transport.is_closing():
            break
        connection.data_received(piece)
    if not transport.is_closing():
        connection.eof_received()
    connection.connection_lost(None)
    try:
        async with asyncio.timeout(5):
            body = await response.read(READ_BYTES)
        assert len(body) <= READ_BYTES
    except AttemptError:
        pass
    response.close()
    assert keeper.under_way == 0, "an exchange never ended"


def one(data: bytes) -> None:
    """Whatever comes, the response is read or fails as an attempt, and the exchange ends exactly once."""
    LOOP.run_until_complete(_exchange(data))
    turn(LOOP)
    if COMPLAINTS:
        complaint = COMPLAINTS.pop()
        COMPLAINTS.clear()
        raise AssertionError(complaint) from complaint.get("exception")  # type: ignore[arg-type]
