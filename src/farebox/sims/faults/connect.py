"""Faults before a request can be sent (F1–F4): they live on addresses of their own. Refuses to play them on a connection."""

from farebox.sims.exchange import Exchange
from farebox.sims.faults.types import Fault, Play, Variant


def _elsewhere(name: str) -> Play:
    async def play(exchange: Exchange) -> None:
        message = f"{name} happens before a request is sent; GET /_sim/listeners tells the address that behaves so."
        await exchange.error(501, message, kind="sim_listener_fault")

    return play


def _fault(identity: str, says: str, *variants: tuple[str, str]) -> Fault:
    return Fault(
        identity, says, tuple(Variant(name, text, _elsewhere(f"{identity}-{name}")) for name, text in variants)
    )


FAULTS = (
    _fault("f1", "The name does not resolve (an address of its own).", ("nxdomain", "A host name under `.invalid`.")),
    _fault(
        "f2",
        "The connection is refused (an address of its own).",
        ("refused", "A port that is taken but not listened on: SYN is answered with RST."),
    ),
    _fault(
        "f3",
        "The connection is never established (an address of its own).",
        ("blackhole", "A listener whose queue is full: SYN is not answered."),
        ("mute", "The connection is accepted; nothing is ever read or written."),
    ),
    _fault(
        "f4",
        "TLS fails (addresses of their own, `https`).",
        ("good", "No fault: a certificate for this host from the authority in `ca_file`."),
        ("expired", "The certificate ended a year ago."),
        ("wrong-name", "The certificate is for another host."),
        ("unknown-ca", "The certificate comes from an authority that nobody knows."),
        ("self-signed", "The certificate signs itself."),
        ("alert", "The handshake is answered with a fatal alert."),
        ("old-protocol", "The server speaks TLS 1.0 and nothing newer."),
        ("plain", "The server speaks plain HTTP where TLS is expected."),
        ("cut", "The connection ends in the middle of the handshake."),
        ("mute", "The handshake is never answered."),
    ),
)
