"""What routing is asked and what it answers. Frozen values."""

from msgspec import Struct

from farebox.catalogue.types import Endpoint


class MaxPrice(Struct, frozen=True, gc=False, kw_only=True):
    """Hard price ceilings in pico-USD per unit (the caller writes USD per million tokens)."""

    prompt: int | None = None
    completion: int | None = None
    request: int | None = None
    image: int | None = None
    audio: int | None = None


class Percentiles(Struct, frozen=True, gc=False, kw_only=True):
    """Bounds per percentile: tokens per second for throughput, milliseconds for latency."""

    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p99: float | None = None


class Preferences(Struct, frozen=True, gc=False, kw_only=True):
    """The caller's `provider` object, checked. Slugs match a provider, or a provider/region or provider/tier tag."""

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    require_parameters: bool = False
    data_collection: str = "allow"
    zdr: bool = False
    quantizations: tuple[str, ...] = ()
    sort: str = ""
    sort_across_models: bool = False
    max_price: MaxPrice | None = None
    preferred_min_throughput: Percentiles | None = None
    preferred_max_latency: Percentiles | None = None


class Wish(Struct, frozen=True, gc=False, kw_only=True):
    """Everything about one request that routing looks at.

    `models` are slugs as asked, in order, variants (`:nitro`, `:floor`, `:free`, …) included. `parameters` are the names of
    the request's optional parameters. `prompt_bound` is an upper estimate of the prompt in tokens.
    """

    models: tuple[str, ...]
    kind: str = "chat"
    parameters: frozenset[str] = frozenset()
    modalities: frozenset[str] = frozenset()
    prompt_bound: int = 0
    max_tokens: int | None = None
    service_tier: str = ""
    preferences: Preferences = Preferences()
    allowed_models: tuple[str, ...] = ()
    allowed_providers: tuple[str, ...] = ()


class Standing(Struct, frozen=True, gc=False):
    """How an endpoint stands in this worker's eyes: may it be tried, how likely does it succeed, how fast is it.

    `open`: its breaker is open, or it said that it is overloaded: not tried while another can serve. `cooling`: it set a
    wait itself, or its credential is quarantined: not tried at all. `trial`: it is half open and one request may prove it.
    The percentiles are of the last five minutes; `tokens_per_s` percentiles count from the fast side (p90: nine of ten
    answers were at least so fast).
    """

    open: bool = False
    cooling: bool = False
    success: float = 1.0
    latency_ms: float | None = None
    tokens_per_s: float | None = None
    trial: bool = False
    latency_percentiles: Percentiles | None = None
    throughput_percentiles: Percentiles | None = None


HEALTHY = Standing()


class Candidate(Struct, frozen=True, gc=False):
    """An endpoint of the plan and why it stands where it stands.

    `warnings` are (code, path, message) of parameters this endpoint is not known to take. `trial` says that the attempt
    needs the endpoint's half-open slot first.
    """

    endpoint: Endpoint
    reasons: tuple[str, ...] = ()
    warnings: tuple[tuple[str, str, str], ...] = ()
    trial: bool = False


class Exclusion(Struct, frozen=True, gc=False):
    """An endpoint that may not serve the request, and the stable word of the cause (`max_price`, `data_policy`, …)."""

    endpoint: str
    cause: str


class Plan(Struct, frozen=True, kw_only=True):
    """Endpoints in the order of trying. `models` are the slugs that the wish resolved to, `strategy` how they were found:
    `direct`, `alias`, `latest` or `fallback` (several models).
    """

    candidates: tuple[Candidate, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    models: tuple[str, ...] = ()
    strategy: str = "direct"
    unknown_models: tuple[str, ...] = ()
    suggestions: tuple[str, ...] = ()
