"""Shortlists: everything about a wish that does not depend on the moment, worked out once and kept for many requests.

Refuses to look at health or at the size of a prompt, except for the price tier it falls into.
"""

from bisect import bisect_right
from hashlib import blake2b

from msgspec import Struct

from farebox.catalogue.lookup import Resolved, resolve
from farebox.catalogue.lookup import suggestions as near_names
from farebox.catalogue.types import Endpoint, Snapshot
from farebox.ir.usage import Unit
from farebox.routing import prices
from farebox.routing.order import Row, premium
from farebox.routing.rules import abilities, cause, tiers
from farebox.routing.rules.ask import Ask, matches, prices_now
from farebox.routing.types import Candidate, Exclusion, Wish


class Leg(Struct, frozen=True, gc=False):
    """One model of the chain: its rows, and how they are to be sorted ("": by shares)."""

    slug: str
    rows: tuple[Row, ...]
    sort: str = ""


class Shortlist(Struct, frozen=True, gc=False, kw_only=True):
    """Eligible rows by model, and every exclusion. Holds from `since_s` until before `until_s`.

    `context_min`, `prompt_min` and `output_min` are the smallest limits of any row: a request below them fits everywhere.
    """

    legs: tuple[Leg, ...]
    exclusions: tuple[Exclusion, ...]
    models: tuple[str, ...]
    unknown: tuple[str, ...]
    suggestions: tuple[str, ...]
    strategy: str
    since_s: int
    until_s: int
    context_min: int
    prompt_min: int
    output_min: int
    banded: bool


UNLIMITED = 1 << 62


class Reach(Struct, frozen=True, gc=False):
    """What this gateway can reach: vendors with a connection, and dialects it speaks."""

    live: frozenset[str]
    dialects: frozenset[str]


def price_bucket(limits: tuple[int, ...], prompt_tokens: int) -> int:
    """In which interval between price tiers a prompt falls."""
    return bisect_right(limits, prompt_tokens)


def build(snapshot: Snapshot, reach: Reach, wish: Wish, *, at_s: int, prompt_tokens: int) -> Shortlist:
    """The shortlist of a wish at this minute, for prompts in the same price tier as `prompt_tokens`."""
    legs: list[Leg] = []
    exclusions: list[Exclusion] = []
    unknown: list[str] = []
    near: list[str] = []
    strategy = ""
    until_s = at_s - at_s % 60 + 60
    for name in dict.fromkeys(wish.models):
        named = resolve(snapshot, name)
        if named is None:
            unknown.append(name)
            near += near_names(snapshot, name)
            continue
        strategy = strategy or _strategy(named, name)
        if any(leg.slug == named.slug for leg in legs):
            continue
        leg, change_s = _leg(
            snapshot, reach, wish=wish, named=named, moment=(at_s, prompt_tokens, len(legs)), exclusions=exclusions
        )
        legs.append(leg)
        until_s = min(until_s, change_s)
    rows = [row for leg in legs for row in leg.rows]
    return Shortlist(
        legs=tuple(legs),
        exclusions=tuple(exclusions),
        models=tuple(leg.slug for leg in legs),
        unknown=tuple(unknown),
        suggestions=tuple(dict.fromkeys(near)),
        strategy="fallback" if len(legs) > 1 else strategy or "direct",
        since_s=at_s,
        until_s=until_s,
        context_min=min((row.context for row in rows), default=UNLIMITED),
        prompt_min=min((row.prompt_max for row in rows), default=UNLIMITED),
        output_min=min((row.output_max for row in rows), default=UNLIMITED),
        banded=len({row.band for row in rows}) > 1,
    )


def _strategy(named: Resolved, name: str) -> str:
    if not named.alias:
        return "direct"
    return "latest" if name.startswith("~") else "alias"


def _leg(
    snapshot: Snapshot,
    reach: Reach,
    *,
    wish: Wish,
    named: Resolved,
    moment: tuple[int, int, int],
    exclusions: list[Exclusion],
) -> tuple[Leg, int]:
    at_s, prompt_tokens, index = moment
    ask = Ask(
        wish=wish,
        live=reach.live,
        dialects=reach.dialects,
        providers=snapshot.providers,
        at_s=at_s,
        prompt_tokens=prompt_tokens,
        tier=wish.service_tier,
        admits=named.admits,
    )
    barred = bool(wish.allowed_models) and not _allowed(named.slug, wish.allowed_models)
    eligible: list[Endpoint] = []
    change_s = UNLIMITED
    for endpoint in named.endpoints:
        found = "key_models" if barred else cause(endpoint, ask)
        if found:
            exclusions.append(Exclusion(endpoint.id, found))
        else:
            eligible.append(endpoint)
        change_s = min(change_s, prices.next_change_s(endpoint.sheets, at_s) or UNLIMITED)
    sort = named.sort or wish.preferences.sort
    return Leg(named.slug, _rows(eligible, ask, index, sort), sort), change_s


def _allowed(slug: str, patterns: tuple[str, ...]) -> bool:
    return any(slug == each or (each.endswith("*") and slug.startswith(each[:-1])) for each in patterns)


def _rows(eligible: list[Endpoint], ask: Ask, index: int, sort: str) -> tuple[Row, ...]:
    priced = [(endpoint, prices_now(endpoint, ask)) for endpoint in eligible]
    # Three tokens in for one out is the usual shape of traffic; only used to compare a region with its siblings.
    blended = [
        (endpoint, 3 * found.get(Unit.INPUT_FRESH, 0) + found.get(Unit.OUTPUT_TEXT, 0)) for endpoint, found in priced
    ]
    rows = []
    for (endpoint, found), (_, blend) in zip(priced, blended, strict=True):
        band, reasons = _band(endpoint, ask, dear=premium(endpoint, blend, blended), sort=sort)
        if index:
            reasons = (*reasons, "fallback_model")
        rows.append(
            Row(
                candidate=Candidate(endpoint, reasons, abilities.warnings(endpoint, ask.wish.parameters)),
                endpoint_id=endpoint.id,
                salt=int.from_bytes(blake2b(endpoint.id.encode(), digest_size=8).digest(), "little"),
                input_price=found.get(Unit.INPUT_FRESH, 0),
                output_price=found.get(Unit.OUTPUT_TEXT, 0),
                request_price=found.get(Unit.REQUEST, 0),
                context=endpoint.context_length or UNLIMITED,
                prompt_max=endpoint.max_prompt_tokens or UNLIMITED,
                output_max=endpoint.max_output_tokens or UNLIMITED,
                band=band,
                model=index,
            )
        )
    return tuple(rows)


def _band(endpoint: Endpoint, ask: Ask, *, dear: bool, sort: str) -> tuple[int, tuple[str, ...]]:
    """Which band, and the reasons: the caller's order counts most, then the tier, then abilities, then the region's price."""
    order = ask.wish.preferences.order
    place = next((at for at, token in enumerate(order) if matches(token, endpoint)), len(order))
    lacks = abilities.lacking(endpoint, ask.wish.parameters)
    tier = tiers.rank(endpoint, ask)
    reasons = [f"order:{place + 1}"] if place < len(order) else [f"sort:{sort}"] if sort else ["share"]
    reasons += [f"lacks:{word}" for word in lacks]
    if tier:
        reasons.append("lower_tier")
    if dear:
        reasons.append("premium_region")
    return place * 64 + tier * 16 + min(len(lacks), 7) * 2 + dear, tuple(reasons)
