"""A dry run of routing: the plan told in JSON, with expected cost and latency of every ranked endpoint."""

import msgspec
from msgspec import Raw

from farebox.money.charges import usd_text
from farebox.money.sheets import PICO_PER_NANO
from farebox.routing.order import TYPICAL_OUTPUT_TOKENS, duration_ms
from farebox.routing.plan import Planner, Standings
from farebox.routing.prices import in_force
from farebox.routing.types import Candidate, Standing, Wish


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """One endpoint of the plan. Cost is the provider's price of the expected request, without the toll."""

    rank: int
    endpoint: str
    model: str
    provider: str
    tag: str
    reasons: tuple[str, ...]
    warnings: tuple[str, ...]
    expected_cost: Raw
    expected_latency_ms: float | None
    expected_duration_ms: float | None
    success: float


class Excluded(msgspec.Struct, frozen=True):
    endpoint: str
    cause: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a caller may want to know of a routing decision before making it."""

    strategy: str
    models: tuple[str, ...]
    unknown_models: tuple[str, ...]
    suggestions: tuple[str, ...]
    endpoints: tuple[Ranked, ...]
    excluded: tuple[Excluded, ...]


def explain(planner: Planner, wish: Wish, standings: Standings, *, at_s: int, seed: int) -> Explanation:
    """What `plan` would answer with these arguments, in words and figures."""
    plan = planner.plan(wish, standings, at_s=at_s, seed=seed)
    output = min(wish.max_tokens or TYPICAL_OUTPUT_TOKENS, TYPICAL_OUTPUT_TOKENS)
    return Explanation(
        strategy=plan.strategy,
        models=plan.models,
        unknown_models=plan.unknown_models,
        suggestions=plan.suggestions,
        endpoints=tuple(
            _ranked(rank, candidate, standings(candidate.endpoint.id), wish=wish, at_s=at_s, output=output)
            for rank, candidate in enumerate(plan.candidates, 1)
        ),
        excluded=tuple(Excluded(exclusion.endpoint, exclusion.cause) for exclusion in plan.exclusions),
    )


def _ranked(rank: int, candidate: Candidate, standing: Standing, *, wish: Wish, at_s: int, output: int) -> Ranked:
    endpoint = candidate.endpoint
    return Ranked(
        rank=rank,
        endpoint=endpoint.id,
        model=endpoint.model,
        provider=endpoint.provider_name,
        tag=endpoint.tag,
        reasons=candidate.reasons,
        warnings=tuple(path for _, path, _ in candidate.warnings),
        expected_cost=Raw(usd_text(_cost_nano(candidate, wish, at_s=at_s, output=output)).encode()),
        expected_latency_ms=standing.latency_ms,
        expected_duration_ms=duration_ms(standing, output),
        success=round(standing.success, 4),
    )


def _cost_nano(candidate: Candidate, wish: Wish, *, at_s: int, output: int) -> int:
    """Rounded up, as a charge would be."""
    found = in_force(candidate.endpoint, at_s, prompt_tokens=wish.prompt_bound, service_tier=wish.service_tier)
    pico = (
        found.get("input_fresh", 0) * wish.prompt_bound + found.get("output_text", 0) * output + found.get("request", 0)
    )
    return -(-pico // PICO_PER_NANO)
