"""Rules about special versions of an endpoint: faster and dearer, or slower and cheaper, only for those who ask.

A version is asked for by its own tag in `order` or `only`, by the service tier, or by a suffix (`:nitro`, `:floor`).
"""

from farebox.catalogue.types import Endpoint
from farebox.money.rating import current_sheet
from farebox.routing.rules.ask import Ask, matches

# Versions that are not for everyone, and the tier that admits them; "" is admitted by name only.
OPT_IN = {
    "flex": "flex",
    "spot": "flex",
    "batch": "batch",
    "priority": "priority",
    "fast": "priority",
    "fast-us": "priority",
    "highspeed": "priority",
    "ultra": "priority",
    "ultrafast": "ultrafast",
    "ultraspeed": "ultrafast",
    "contributor": "",
}
# Words of several protocols for "no special tier".
STANDARD = frozenset(("", "auto", "default", "standard", "standard_only", "on_demand"))
# Where a dear tier is asked for, the next lower one may serve; a cheap tier never becomes the standard one.
ADMITTED = {"ultrafast": ("ultrafast", "priority"), "fast": ("priority",), "scale": ("priority",)}
STRICT = frozenset(("flex", "batch"))


def admitted(tier: str) -> tuple[str, ...]:
    return () if tier in STANDARD else ADMITTED.get(tier, (tier,))


def opt_in(endpoint: Endpoint, ask: Ask) -> str:
    tier = OPT_IN.get(endpoint.variant) if endpoint.variant else None
    if tier is None:
        return "service_tier" if ask.tier in STRICT and not _offers(endpoint, ask) and not _named(endpoint, ask) else ""
    if _named(endpoint, ask) or (tier and (tier in admitted(ask.tier) or tier == ask.admits)):
        return ""
    return "opt_in"


def rank(endpoint: Endpoint, ask: Ask) -> int:
    """0 for an endpoint of the tier asked for, 1 for the next lower one, and so on."""
    wanted = admitted(ask.tier)
    if not wanted:
        return 0
    tier = OPT_IN.get(endpoint.variant or "")
    if tier in wanted:
        return wanted.index(tier)
    return 0 if _offers(endpoint, ask) else len(wanted)


def _offers(endpoint: Endpoint, ask: Ask) -> bool:
    """Whether the endpoint itself takes the service tier, at a price that is known."""
    sheet = current_sheet(endpoint.sheets, ask.at_s)
    return sheet is not None and ask.tier in sheet.service_tiers


def _named(endpoint: Endpoint, ask: Ask) -> bool:
    preferences = ask.wish.preferences
    return any("/" in token and matches(token, endpoint) for token in preferences.order + preferences.only)
