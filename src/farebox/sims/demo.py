"""The demonstration: simulated models at simulated providers, as plain data. Refuses to look like anything real."""

from farebox.sims.http1 import Json

# Prices in US dollars per million tokens, as texts. `path` follows the server's base URL.
# `vendor_model` is the name on the wire; `slug` what callers ask for.
MODELS: tuple[Json, ...] = (
    {
        "slug": "simulated/parrot",
        "name": "Simulated: Parrot",
        "kind": "chat",
        "description": "A simulated chat model. It writes deterministic sentences about your words. Offered by three simulated"
        " providers at different prices and speeds, to show routing and failover.",
        "context_length": 32_768,
        "max_output_tokens": 4_096,
        "input_modalities": ["text", "image"],
        "features": ["tools", "structured_outputs", "logprobs", "prefill"],
    },
    {
        "slug": "simulated/ponder",
        "name": "Simulated: Ponder",
        "kind": "chat",
        "description": "A simulated model that thinks aloud before it answers.",
        "context_length": 65_536,
        "max_output_tokens": 8_192,
        "input_modalities": ["text"],
        "features": ["reasoning", "tools", "structured_outputs"],
    },
    {
        "slug": "simulated/handy",
        "name": "Simulated: Handy",
        "kind": "chat",
        "description": "A simulated model that calls a tool whenever one is offered, several at once if asked for both.",
        "context_length": 32_768,
        "max_output_tokens": 4_096,
        "input_modalities": ["text"],
        "features": ["tools", "structured_outputs"],
    },
    {
        "slug": "simulated/moody",
        "name": "Simulated: Moody",
        "kind": "chat",
        "description": "A simulated model whose first provider fails often, in many ways; its second is steady.",
        "context_length": 16_384,
        "max_output_tokens": 2_048,
        "input_modalities": ["text"],
        "features": ["tools"],
    },
    {
        "slug": "simulated/sprint",
        "name": "Simulated: Sprint",
        "kind": "chat",
        "description": "A simulated model that answers at once, without the pauses of the others. Free of charge.",
        "context_length": 8_192,
        "max_output_tokens": 2_048,
        "input_modalities": ["text"],
        "features": ["tools", "structured_outputs"],
    },
    {
        "slug": "simulated/compass",
        "name": "Simulated: Compass",
        "kind": "embedding",
        "description": "A simulated embedding model: 256 numbers that depend on the text alone.",
        "context_length": 8_192,
        "max_output_tokens": None,
        "input_modalities": ["text"],
        "features": [],
    },
)

PROVIDERS: tuple[Json, ...] = (
    {"slug": "sim-alpha", "name": "Simulated Alpha", "path": "/alpha/v1", "says": "quick and dear"},
    {"slug": "sim-beta", "name": "Simulated Beta", "path": "/beta/v1", "says": "cheap and slow"},
    {"slug": "sim-gamma", "name": "Simulated Gamma", "path": "/gamma/v1", "says": "cheapest, and often in trouble"},
    {"slug": "sim-delta", "name": "Simulated Delta", "path": "/delta/v1", "says": "specialities: thinking, embeddings"},
)


def _price(fresh: str, cached: str, *, output: str) -> Json:
    return {"input": fresh, "cache_read": cached, "output": output}


ENDPOINTS: tuple[Json, ...] = (
    {
        "model": "simulated/parrot",
        "provider": "sim-alpha",
        "vendor_model": "parrot",
        "usd_per_mtok": _price("0.40", "0.10", output="1.20"),
    },
    {
        "model": "simulated/parrot",
        "provider": "sim-beta",
        "vendor_model": "parrot",
        "usd_per_mtok": _price("0.20", "0.05", output="0.60"),
    },
    {
        "model": "simulated/parrot",
        "provider": "sim-gamma",
        "vendor_model": "parrot",
        "usd_per_mtok": _price("0.10", "0.10", output="0.30"),
    },
    {
        "model": "simulated/ponder",
        "provider": "sim-alpha",
        "vendor_model": "ponder",
        "usd_per_mtok": _price("1.10", "0.55", output="4.40"),
    },
    {
        "model": "simulated/ponder",
        "provider": "sim-delta",
        "vendor_model": "ponder",
        "usd_per_mtok": _price("0.55", "0.14", output="2.20"),
    },
    {
        "model": "simulated/handy",
        "provider": "sim-alpha",
        "vendor_model": "handy",
        "usd_per_mtok": _price("0.50", "0.25", output="1.50"),
    },
    {
        "model": "simulated/handy",
        "provider": "sim-beta",
        "vendor_model": "handy",
        "usd_per_mtok": _price("0.30", "0.15", output="0.90"),
    },
    {
        "model": "simulated/moody",
        "provider": "sim-gamma",
        "vendor_model": "moody",
        "usd_per_mtok": _price("0.05", "0.05", output="0.10"),
    },
    {
        "model": "simulated/moody",
        "provider": "sim-beta",
        "vendor_model": "moody",
        "usd_per_mtok": _price("0.25", "0.12", output="0.75"),
    },
    {
        "model": "simulated/sprint",
        "provider": "sim-alpha",
        "vendor_model": "sprint",
        "usd_per_mtok": _price("0", "0", output="0"),
    },
    {
        "model": "simulated/compass",
        "provider": "sim-delta",
        "vendor_model": "compass",
        "usd_per_mtok": _price("0.02", "0.02", output="0"),
    },
)

OFFER: Json = {"models": MODELS, "providers": PROVIDERS, "endpoints": ENDPOINTS}

_TROUBLE = (
    ("F16-retry", 0.10),
    ("F13", 0.10),
    ("F15-502", 0.10),
    ("F24", 0.05),
    ("F22", 0.05),
)

SCENARIO: Json = {
    "seed": 1,
    "rule": [
        *({"match": {"scope": "gamma", "chance": chance}, "do": f"fault={fault}"} for fault, chance in _TROUBLE),
        {"match": {"model": "moody", "scope": "gamma", "chance": 0.5}, "do": "fault=F15"},
        {"match": {"model": "sprint"}, "do": "delay_ms=0;jitter_ms=0;pace_ms=0"},
        {"match": {"model": "ponder"}, "do": "reasoning=reasoning_content"},
        {"match": {"model": "handy"}, "do": "tools=always"},
        {"match": {"scope": "alpha"}, "do": "delay_ms=80;jitter_ms=40;pace_ms=8"},
        {"match": {"scope": "beta"}, "do": "delay_ms=300;jitter_ms=200;pace_ms=25"},
        {"match": {"scope": "gamma"}, "do": "delay_ms=150;jitter_ms=300;pace_ms=15"},
        {"match": {"scope": "delta"}, "do": "delay_ms=120;jitter_ms=80;pace_ms=12"},
    ],
}


def scopes() -> dict[str, tuple[str, ...]]:
    """Which vendor models live under which path."""
    found: dict[str, tuple[str, ...]] = {}
    for provider in PROVIDERS:
        scope = provider["path"].strip("/").removesuffix("/v1")
        found[scope] = tuple(e["vendor_model"] for e in ENDPOINTS if e["provider"] == provider["slug"])
    return found
