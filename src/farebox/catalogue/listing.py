"""Lists of models: filtering, ordering, paging, counting, and the feed of new ones. Pure; refuses to read HTTP queries
itself (see `query`).
"""

from collections.abc import Mapping
from html import escape
from urllib.parse import urlencode

from farebox.catalogue.pricelist import Json, price_key
from farebox.catalogue.query import Query, parse
from farebox.catalogue.show import NO_STATISTICS, Statistics, iso_day, model_object, top_endpoint
from farebox.catalogue.types import Endpoint, Model, Snapshot

DAY_S = 86_400
# fmt: off
EU = frozenset((
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK",
))
# fmt: on
FEED_MAX = 100
CENTRES = {"eu": EU, "us": frozenset(("US",))}


def models(
    snapshot: Snapshot,
    query: Mapping[str, str],
    *,
    at_s: int,
    statistics: Statistics = NO_STATISTICS,
    path: str = "/api/v1/models",
) -> Json:
    """`GET /models`: the page of models that the query asks for. Raises `InvalidRequest`."""
    asked = parse(query)
    found = select(snapshot, asked, at_s=at_s, statistics=statistics)
    return _page(snapshot, found, asked, query=query, at_s=at_s, path=path)


def embedding_models(snapshot: Snapshot, query: Mapping[str, str], *, at_s: int) -> Json:
    """`GET /embeddings/models`: as `models`, for embeddings."""
    return models(snapshot, {**query, "output_modalities": "embeddings"}, at_s=at_s, path="/api/v1/embeddings/models")


def count(snapshot: Snapshot, query: Mapping[str, str], *, at_s: int, statistics: Statistics = NO_STATISTICS) -> Json:
    """`GET /models/count`: how many models the query's filters leave."""
    return {"data": {"count": len(select(snapshot, parse(query), at_s=at_s, statistics=statistics))}}


def feed(snapshot: Snapshot, query: Mapping[str, str], *, at_s: int, site: str) -> str:
    """The RSS feed that `use_rss` asks for: the newest models of the query."""
    found = select(snapshot, parse({**query, "sort": "newest"}), at_s=at_s)[:FEED_MAX]
    items = "".join(
        f"<item><title>{escape(each.name)}</title><link>{escape(f'{site}/{each.slug}')}</link>"
        f'<guid isPermaLink="false">{escape(each.slug)}</guid>'
        f"<description>{escape(each.description or each.author_name)}: {iso_day(each.created_s or 0)}</description></item>"
        for each in found
    )
    return (
        '<?xml version="1.0" encoding="UTF-8"?><rss version="2.0"><channel><title>Farebox models</title>'
        f"<link>{escape(site)}</link><description>New models, newest first</description>{items}</channel></rss>"
    )


def select(snapshot: Snapshot, asked: Query, *, at_s: int, statistics: Statistics = NO_STATISTICS) -> list[Model]:
    """The models that pass the query's filters, in its order. A model that nobody serves is not listed."""
    kept = [
        each
        for slug, each in snapshot.models.items()
        if (offers := snapshot.endpoints.get(slug, ()))
        and _model_fits(each, asked, at_s, statistics)
        and _offers_fit(snapshot, offers, asked)
        and _price_fits(offers, asked, at_s)
    ]
    return _sorted(snapshot, kept, asked.sort, at_s, statistics)


def _model_fits(each: Model, asked: Query, at_s: int, statistics: Statistics) -> bool:
    if asked.indexes or (asked.category and each.slug not in statistics.categories.get(asked.category, ())):
        return False
    if asked.q and not all(word in f"{each.slug} {each.name} {each.description}".lower() for word in asked.q.split()):
        return False
    if asked.distillable is not None and asked.distillable is not bool(each.open_weights):
        return False
    return (
        _within(asked.output_modalities, each.output_modalities)
        and set(asked.input_modalities).issubset(each.input_modalities)
        and (each.context_length or 0) >= asked.context
        and (not asked.arch or (each.tokenizer or "other").lower() in asked.arch)
        and (not asked.model_authors or each.author.lower() in asked.model_authors)
        and _age_fits(each, asked, at_s)
    )


def _within(wanted: tuple[str, ...], has: tuple[str, ...]) -> bool:
    return not wanted or not set(wanted).isdisjoint(has)


def _age_fits(each: Model, asked: Query, at_s: int) -> bool:
    if asked.min_age_days is None and asked.max_age_days is None:
        return True
    if each.created_s is None:
        return False
    days = (at_s - each.created_s) // DAY_S
    return (asked.min_age_days or 0) <= days and (asked.max_age_days is None or days <= asked.max_age_days)


def _offers_fit(snapshot: Snapshot, offers: tuple[Endpoint, ...], asked: Query) -> bool:
    """Whether some one endpoint satisfies everything that endpoints are asked for."""
    parameters = frozenset(asked.supported_parameters)
    return any(
        parameters <= offer.parameters
        and (not asked.providers or offer.provider in asked.providers)
        and (not asked.zdr or offer.policy.zdr is True)
        and (not asked.region or _lies_in(snapshot, offer, asked.region))
        for offer in offers
    )


def _lies_in(snapshot: Snapshot, offer: Endpoint, region: str) -> bool:
    """By the endpoint's own region; without one, by the provider's data centres if all of them lie there."""
    if offer.region is not None:
        return offer.region.startswith(region)
    provider = snapshot.providers.get(offer.provider)
    centres = provider.datacenters if provider else None
    return bool(centres) and CENTRES[region].issuperset(centres or ())


def _price_fits(offers: tuple[Endpoint, ...], asked: Query, at_s: int) -> bool:
    bounds = (asked.min_price, asked.max_price, asked.min_output_price, asked.max_output_price)
    if bounds == (None, None, None, None):
        return True
    top = top_endpoint(offers, at_s)
    if top is None:
        return False
    prompt, completion = price_key(top, at_s)
    low, high, low_out, high_out = bounds
    return (
        (low or 0) <= prompt
        and (high is None or prompt <= high)
        and (low_out or 0) <= completion
        and (high_out is None or completion <= high_out)
    )


def _sorted(snapshot: Snapshot, kept: list[Model], sort: str, at_s: int, statistics: Statistics) -> list[Model]:
    """In the asked order; what an order says nothing about stays newest first, at the end."""
    kept.sort(key=lambda each: (-(each.created_s or 0), each.slug))
    offers = snapshot.endpoints

    def price(each: Model) -> int:
        top = top_endpoint(offers[each.slug], at_s)
        return sum(price_key(top, at_s)) if top else 0

    def measured(each: Model, name: str) -> list[float]:
        seen = (getattr(statistics.performance.get(offer.id), name, None) for offer in offers[each.slug])
        return [values["p50"] for values in seen if values and "p50" in values]

    match sort:
        case "most-popular" | "top-weekly":
            kept.sort(key=lambda each: -statistics.popularity.get(each.slug, 0))
        case "pricing-low-to-high":
            kept.sort(key=price)
        case "pricing-high-to-low":
            kept.sort(key=price, reverse=True)
        case "context-high-to-low":
            kept.sort(key=lambda each: -(each.context_length or 0))
        case "throughput-high-to-low":
            kept.sort(key=lambda each: -max(measured(each, "throughput"), default=0))
        case "latency-low-to-high":
            kept.sort(key=lambda each: (not (seen := measured(each, "latency_ms")), min(seen, default=0)))
    return kept


def _page(
    snapshot: Snapshot, found: list[Model], asked: Query, *, query: Mapping[str, str], at_s: int, path: str
) -> Json:
    page = found[asked.offset : asked.offset + asked.limit]
    after = asked.offset + asked.limit
    following = None
    if after < len(found):
        following = f"{path}?{urlencode({**query, 'offset': after, 'limit': asked.limit})}"
    return {
        "data": [model_object(each, snapshot.endpoints[each.slug], at_s=at_s) for each in page],
        "total_count": len(found),
        "links": {"next": following},
    }
