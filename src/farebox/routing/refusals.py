"""What the caller is told when a plan is empty: the error that names what could be changed, or that the fault is ours."""

from collections import Counter

from farebox.ir.errors import (
    ContextTooLong,
    FareboxError,
    Forbidden,
    InvalidRequest,
    NoEndpoint,
    NotFound,
    RateLimited,
    UnknownModel,
    UnsupportedFeature,
)
from farebox.routing.types import Plan, Wish

# Causes that the caller can't lift: nothing is configured, known or healthy here.
OURS = frozenset(("no_credential", "dialect", "not_serving", "unpriced", "cooling_down"))
_PREFERENCES = frozenset(
    (
        "only",
        "ignore",
        "fallbacks_not_allowed",
        "quantization",
        "max_price",
        "data_policy:training",
        "data_policy:zdr",
        "opt_in",
        "service_tier",
    )
)


def refusal(plan: Plan, wish: Wish, *, retry_after_s: float | None = None) -> FareboxError:
    """The error for a plan without candidates. `retry_after_s`: when the first cooling endpoint may be tried again."""
    if not plan.models:
        return _unknown(plan, wish)
    causes = Counter(exclusion.cause for exclusion in plan.exclusions)
    models = ", ".join(plan.models)
    metadata: dict[str, object] = {
        "excluded_by": dict(sorted(causes.items())),
        "requested_models": list(wish.models),
    }
    theirs = {cause for cause in causes if cause not in OURS}
    if not theirs or causes["cooling_down"]:
        if causes["cooling_down"] and retry_after_s is not None:
            return RateLimited(
                f"Every provider of {models} limits its rate for now.", retry_after_s=retry_after_s, metadata=metadata
            )
        return NoEndpoint(
            f"No endpoint of {models} can be reached at present.", retry_after_s=retry_after_s, metadata=metadata
        )
    return _constrained(theirs, models, wish, metadata)


def _unknown(plan: Plan, wish: Wish) -> FareboxError:
    names = ", ".join(repr(name[:128]) for name in plan.unknown_models or wish.models)
    hint = f" Did you mean {' or '.join(plan.suggestions[:3])}?" if plan.suggestions else ""
    return UnknownModel(
        f"No such model: {names}.{hint}", path="$.model", metadata={"suggestions": list(plan.suggestions)}
    )


def _constrained(theirs: set[str], models: str, wish: Wish, metadata: dict[str, object]) -> FareboxError:
    """The most telling of the caller's own constraints: what no wish can lift first, then the request, then its wishes."""
    error: FareboxError
    if theirs <= {"key_models", "key_providers"}:
        error = Forbidden(f"This key may not use {models}.", metadata=metadata)
    elif theirs == {"kind"}:
        error = InvalidRequest(f"{models} does not serve this address.", path="$.model", metadata=metadata)
    elif "context_length" in theirs and theirs.isdisjoint(_PREFERENCES):
        asked = wish.prompt_bound + (wish.max_tokens or 0)
        error = ContextTooLong(f"About {asked} tokens are more than any endpoint of {models} takes.", metadata=metadata)
    elif theirs == {"max_output"}:
        error = InvalidRequest(
            f"No endpoint of {models} writes {wish.max_tokens} tokens.", path="$.max_tokens", metadata=metadata
        )
    elif theirs <= {"modality", "require_parameters", "kind", "max_output"}:
        error = UnsupportedFeature(metadata=metadata)
    else:
        words = ", ".join(sorted(theirs))
        error = NotFound(f"No endpoint of {models} passes what the request asks for: {words}.", metadata=metadata)
    return error
