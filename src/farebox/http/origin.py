"""Owns where a vendor is reached; refuses credentials, which are bound to an origin elsewhere."""

import msgspec


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """Scheme (`http`, `https` or `unix`), host and port; for `unix` the path of the socket."""

    scheme: str
    host: str
    port: int = 0
    socket: str = ""

    @property
    def target_port(self) -> int:
        return self.port or (443 if self.scheme == "https" else 80)
