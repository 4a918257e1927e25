"""Owns the limits of the edge and of the vendor client as plain values; refuses to enforce any of them itself."""

import msgspec


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a client of the house may send, and how long it may take."""

    header_bytes: int = 32_768
    """All header lines of a request together."""
    header_lines: int = 100
    request_line_bytes: int = 8_192
    body_bytes: int = 32 * 1024 * 1024
    header_s: float = 10.0
    """From the first byte of a request (or the connection's start) to the end of its head."""
    body_idle_s: float = 15.0
    body_rate_min: int = 1_000
    """Bytes a second that a body must reach on average, after the first `body_idle_s`."""
    keep_alive_s: float = 75.0
    write_stall_s: float = 60.0
    """A client that takes no byte of a waiting answer for this long is cut off."""
    linger_s: float = 2.0
    """After a refusal the rest of the input is read and thrown away for this long, so that the refusal arrives."""
    linger_bytes: int = 256 * 1024
    pipeline: int = 32
    """Complete requests that may wait behind the one being answered."""
    stash_bytes: int = 64 * 1024
    """Unparsed bytes kept while an answer is under way; above it reading pauses."""
    write_high_bytes: int = 256 * 1024
    write_low_bytes: int = 64 * 1024
    connections: int = 16_384
    tls_handshake_s: float = 10.0
    tick_s: float = 0.5
    """How often deadlines are looked at."""


class ClientLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a vendor may send back, and how many connections are kept to it."""

    header_bytes: int = 65_536
    header_lines: int = 200
    interim: int = 10
    """1xx answers skipped before the final one."""
    unread_bytes: int = 256 * 1024
    """Above this much unread body, reading from the vendor pauses."""
    body_bytes: int = 64 * 1024 * 1024
    """Most that one body may decode to when it is compressed."""
    body_ratio: int = 100
    idle_s: float = 60.0
    """How long an unused connection is kept."""
    idle_connections: int = 256
    """Unused connections kept per origin."""
    connections: int = 4_096
    """Connections in use at once over all origins."""
    dns_s: float = 60.0
    dns_names: int = 1_024


class Timeouts(msgspec.Struct, frozen=True):
    """How long one exchange with a vendor may take, by phase."""

    connect_s: float = 3.0
    tls_s: float = 3.0
    send_s: float = 30.0
    first_byte_s: float = 120.0
    """From the end of sending to the end of the answer's head."""
    idle_s: float = 30.0
    """Between two pieces of the body, while someone waits for it."""
    total_s: float = 1_800.0
