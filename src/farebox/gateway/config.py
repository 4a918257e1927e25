"""What a gateway worker is told at its start: one frozen value. Refuses to read settings files or the environment."""

from pathlib import Path

from msgspec import Struct

from farebox.http.limits import ClientLimits, Limits, Timeouts


class GatewayConfig(Struct, frozen=True, kw_only=True):
    """Everything a worker needs besides its link to control.

    `environ` holds the vendors' secrets by the names their descriptions use. `front_socket` is where every path that is
    not inference is forwarded; None answers 404 instead (a gateway alone, far from control's site). `time_scale` divides
    every wait, for tests. Seconds unless the name says otherwise.
    """

    worker: str
    host: str = "127.0.0.1"
    port: int = 8080
    spool_dir: Path
    environ: dict[str, str]
    front_socket: Path | None = None
    hosts: frozenset[str] | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    tls_ca: Path | None = None
    proxy: str | None = None
    limits: Limits = Limits()
    client_limits: ClientLimits = ClientLimits()
    timeouts: Timeouts = Timeouts()
    attempts_max: int = 3
    processing_s: float = 10.0
    token_idle_s: float = 120.0
    drain_s: float = 300.0
    delivery_s: float = 0.1
    key_fresh_s: float = 60.0
    key_stale_s: float = 600.0
    toll_bps: int | None = None
    answer_bytes_max: int = 64 * 1024 * 1024
    spool_strict: bool = False
    tick_s: float = 0.25
