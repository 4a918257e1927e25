"""What eligibility rules are given besides the endpoint. Values only; refuses to decide."""

from collections.abc import Mapping

from msgspec import Struct

from farebox.catalogue.types import Endpoint, Provider
from farebox.money.sheets import Prices
from farebox.routing.prices import in_force
from farebox.routing.types import Wish


class Ask(Struct, frozen=True, gc=False, kw_only=True):
    """One model of a wish. `tier` is the service tier asked for, `admits` the tier a suffix lets in besides."""

    wish: Wish
    live: frozenset[str]
    dialects: frozenset[str]
    providers: Mapping[str, Provider]
    at_s: int
    prompt_tokens: int = 0
    tier: str = ""
    admits: str = ""


def matches(token: str, endpoint: Endpoint) -> bool:
    """Whether a caller's slug means this endpoint: the provider's slug all of its endpoints, a tag only those below it."""
    tag = endpoint.tag
    return token in (endpoint.provider, tag) or tag.startswith(token + "/")


def matches_any(tokens: tuple[str, ...], endpoint: Endpoint) -> bool:
    return any(matches(token, endpoint) for token in tokens)


def prices_now(endpoint: Endpoint, ask: Ask) -> Prices:
    """The prices that would hold for this wish; empty if no sheet has begun."""
    return in_force(endpoint, ask.at_s, prompt_tokens=ask.prompt_tokens, service_tier=ask.tier)
