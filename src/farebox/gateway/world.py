"""The world as one worker sees it: a catalogue snapshot joined with the vendors it can reach. Immutable; swapped whole.

Refuses to fetch anything: control sends the snapshot, the environment holds the credentials.
"""

from collections.abc import Mapping

import msgspec

from farebox.catalogue.types import Endpoint, Snapshot
from farebox.dialects.ports import ClientHalf, Relay, Target
from farebox.dialects.registry import CLIENTS, RELAYS
from farebox.http.origin import Origin
from farebox.ir.errors import AttemptError
from farebox.routing.plan import Planner
from farebox.vendors.connect import Connection, connect
from farebox.vendors.google_token import GoogleTokens
from farebox.vendors.registry import from_server
from farebox.vendors.registry import load_builtin as load_vendors
from farebox.vendors.types import Vendor


class Prepared:
    """An endpoint made ready to be called: where to, with which head, in which dialect."""

    __slots__ = ("_connection", "_head_stream", "_head_whole", "client", "endpoint", "origin", "relay", "target")

    def __init__(self, endpoint: Endpoint, connection: Connection) -> None:
        self.endpoint = endpoint
        self.origin: Origin = connection.origin
        self.target: Target = connection.target(endpoint.vendor_model)
        self.client: ClientHalf = CLIENTS[endpoint.dialect]
        self.relay: Relay | None = RELAYS.get(endpoint.dialect)
        self._connection = connection
        self._head_whole = connection.head(self.client.path(self.target, stream=False))
        self._head_stream = connection.head(self.client.path(self.target, stream=True))

    def head(self, body: bytes, *, stream: bool, at_s: int) -> bytes:
        """The request head for this body. Raises CredentialRejected while the vendor's access token is not there."""
        if self._connection.changing:
            return self.head_for(self.client.path(self.target, stream=stream), body, at_s=at_s)
        return self._head_stream if stream else self._head_whole

    def conceal(self, error: AttemptError) -> None:
        """Take our credential out of what the vendor said."""
        hide = self._connection.leaks.hide
        error.message, error.detail = hide(error.message), hide(error.detail)

    def head_for(self, path: str, body: bytes, *, at_s: int) -> bytes:
        """The request head for another path of the same vendor."""
        return self._connection.signed_head(path, body, at_s=at_s)


class World:
    """A snapshot, the connections to its live vendors, and a planner over both."""

    def __init__(self, snapshot: Snapshot, vendors: Mapping[str, Vendor], environ: Mapping[str, str]) -> None:
        self.snapshot = snapshot
        known = {**vendors, **{slug: from_server(server) for slug, server in snapshot.servers.items()}}
        self._connections: dict[str, Connection] = {}
        for name, vendor in known.items():
            connection = connect(vendor, environ)
            if connection is not None:
                self._connections[name] = connection
        self.live = frozenset(self._connections)
        self.planner = Planner(self._within_reach(snapshot), live=self.live, dialects=frozenset(CLIENTS))
        self._prepared: dict[str, Prepared] = {}

    def _within_reach(self, snapshot: Snapshot) -> Snapshot:
        """Without the endpoints of regions that the configured addresses don't serve: another region has another price."""
        bound = {name: each for name, each in self._connections.items() if each.location}
        if not bound:
            return snapshot
        return msgspec.structs.replace(
            snapshot,
            endpoints={
                slug: tuple(e for e in offers if e.vendor not in bound or bound[e.vendor].serves(e.region))
                for slug, offers in snapshot.endpoints.items()
            },
        )

    def tokens(self) -> list[GoogleTokens]:
        """The access tokens that must be kept fresh."""
        return [connection.tokens for connection in self._connections.values() if connection.tokens is not None]

    def prepared(self, endpoint: Endpoint) -> Prepared:
        """The endpoint ready to be called; made once. It must be live, as every endpoint of a plan is."""
        found = self._prepared.get(endpoint.id)
        if found is None:
            found = self._prepared[endpoint.id] = Prepared(endpoint, self._connections[endpoint.vendor])
        return found


class WorldBuilder:
    """Makes worlds of snapshots; the vendors' descriptions are read once."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._vendors = load_vendors()

    def build(self, snapshot: Snapshot) -> World:
        return World(snapshot, self._vendors, self._environ)


def credential_of(endpoint_id: str) -> str:
    """Endpoints of one provider are called with one credential: `model@provider/region` → `provider`."""
    return endpoint_id.rpartition("@")[2].partition("/")[0]
