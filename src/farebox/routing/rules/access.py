"""Rules about who may be called at all: kind, dialect, status, credential, the key's and the caller's lists."""

from farebox.catalogue.types import Endpoint
from farebox.routing.rules.ask import Ask, matches, matches_any

SERVING = frozenset(("active", "preview", "deprecated"))


def kind(endpoint: Endpoint, ask: Ask) -> str:
    return "" if endpoint.kind == ask.wish.kind else "kind"


def dialect(endpoint: Endpoint, ask: Ask) -> str:
    return "" if endpoint.dialect in ask.dialects else "dialect"


def status(endpoint: Endpoint, ask: Ask) -> str:
    """A deprecated endpoint serves until it is retired; anything else that is not serving is out."""
    return "" if endpoint.status in SERVING else "not_serving"


def key_providers(endpoint: Endpoint, ask: Ask) -> str:
    allowed = ask.wish.allowed_providers
    return "" if not allowed or matches_any(allowed, endpoint) else "key_providers"


def only(endpoint: Endpoint, ask: Ask) -> str:
    """`only`, and `order` without fallbacks, which is the same wish in other words."""
    preferences = ask.wish.preferences
    if preferences.only and not matches_any(preferences.only, endpoint):
        return "only"
    if preferences.order and not preferences.allow_fallbacks and not matches_any(preferences.order, endpoint):
        return "fallbacks_not_allowed"
    return ""


def ignore(endpoint: Endpoint, ask: Ask) -> str:
    return "ignore" if any(matches(token, endpoint) for token in ask.wish.preferences.ignore) else ""


def live(endpoint: Endpoint, ask: Ask) -> str:
    return "" if endpoint.vendor in ask.live else "no_credential"
