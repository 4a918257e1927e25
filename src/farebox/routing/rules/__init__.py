"""Eligibility: one function a rule, in the order of `RULES`; the first cause found is the one reported. Endpoints out of
reach come early, so that every later cause is one that the caller could lift.

Refuses to look at health, time or load: these rules hold as long as the catalogue and the wish do.
"""

from collections.abc import Callable

from farebox.catalogue.types import Endpoint
from farebox.routing.rules import abilities, access, policy, tiers
from farebox.routing.rules.ask import Ask
from farebox.routing.rules.price import max_price, unpriced

Rule = Callable[[Endpoint, Ask], str]

RULES: tuple[Rule, ...] = (
    access.kind,
    access.live,
    access.dialect,
    access.status,
    access.key_providers,
    access.only,
    access.ignore,
    tiers.opt_in,
    abilities.modalities,
    abilities.required_parameters,
    policy.data_collection,
    policy.zero_retention,
    policy.quantization,
    unpriced,
    max_price,
)


def cause(endpoint: Endpoint, ask: Ask) -> str:
    """Why the endpoint may not serve, or an empty string."""
    for rule in RULES:
        found = rule(endpoint, ask)
        if found:
            return found
    return ""
