"""What is kept of a generation: the record that ledger, activity, statistics and rankings are computed from."""

from msgspec import Struct, field


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try at one endpoint. Times in milliseconds since the generation began; `status` is the vendor's.

    `outcome` is `ok`, `cancelled` (the client left), or the code of the error that ended the attempt.
    """

    endpoint: str
    provider: str
    outcome: str
    status: int | None = None
    started_ms: float = 0.0
    first_byte_ms: float | None = None
    ended_ms: float = 0.0
    reason: str = ""
    upstream_id: str = ""


class GenerationRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that is kept of one generation: written to the spool before the caller sees its end. No prompts, no keys."""

    id: str
    created_ms: int
    organisation: str
    key_id: str
    worker: str
    operation: str
    dialect: str
    model_asked: str
    model: str = ""
    provider: str = ""
    endpoint: str = ""
    upstream_id: str = ""
    upstream_model: str = ""
    streamed: bool = False
    cancelled: bool = False
    status: int = 200
    error: str = ""
    finish: str = ""
    native_finish: str = ""
    usage: dict[str, int] = field(default_factory=dict)
    usage_source: str = ""
    price_version: str = ""
    vendor_cost_nano: int = 0
    toll_nano: int = 0
    total_nano: int = 0
    latency_ms: float | None = None
    duration_ms: float = 0.0
    overhead_us: int = 0
    attempts: tuple[Attempt, ...] = ()
    warnings: tuple[tuple[str, str, str], ...] = ()
    service_tier: str = ""
    session: str = ""
    referer: str = ""
    title: str = ""
    user_agent: str = ""
    flags: tuple[str, ...] = ()
    simulated: bool = False
    tool_calls: int = 0
