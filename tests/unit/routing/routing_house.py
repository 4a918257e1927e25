"""A small catalogue to route in: endpoints by hand, everything else by default."""

from farebox.catalogue.types import DataPolicy, Endpoint, Model, Provider, Snapshot
from farebox.money.sheets import PriceSheet
from farebox.routing.plan import Planner
from farebox.routing.types import Plan, Standing, Wish

DIALECTS = frozenset(("openai_chat",))


def sheet(input_price: int = 100, output_price: int = 300, **more: object) -> PriceSheet:
    base: dict[str, object] = {
        "version": "1",
        "effective_from_s": 0,
        "prices": {"input_fresh": input_price * 1000, "output_text": output_price * 1000},
    }
    return PriceSheet(**(base | more))  # type: ignore[arg-type]


def endpoint(provider: str, *, model: str = "a/m", tag: str = "", **more: object) -> Endpoint:
    tag = tag or provider
    base: dict[str, object] = {
        "id": f"{model}@{tag}",
        "model": model,
        "provider": provider,
        "provider_name": provider.title(),
        "tag": tag,
        "vendor": provider,
        "vendor_model": "m",
        "dialect": "openai_chat",
        "context_length": 10_000,
        "max_output_tokens": 1_000,
        "parameters": frozenset(("temperature", "tools", "max_tokens")),
        "sheets": (sheet(),),
    }
    return Endpoint(**(base | more))  # type: ignore[arg-type]


def snapshot(*endpoints: Endpoint, providers: dict[str, DataPolicy] | None = None) -> Snapshot:
    by_model: dict[str, tuple[Endpoint, ...]] = {}
    for each in endpoints:
        by_model[each.model] = (*by_model.get(each.model, ()), each)
    return Snapshot(
        version="1",
        models={slug: Model(slug=slug, name=slug, author="a", author_name="A") for slug in by_model},
        endpoints=by_model,
        providers={slug: Provider(slug=slug, name=slug, policy=policy) for slug, policy in (providers or {}).items()},
        aliases={"m-2026-01-01": "a/m", "~a/m-latest": "a/m"},
    )


def planner(*endpoints: Endpoint, policy: str = "shares", **more: object) -> Planner:
    live = frozenset(each.vendor for each in endpoints)
    return Planner(snapshot(*endpoints, **more), live=live, dialects=DIALECTS, policy=policy)  # type: ignore[arg-type]


def plan(
    made: Planner, wish: Wish, standings: dict[str, Standing] | None = None, *, at_s: int = 0, seed: int = 1
) -> Plan:
    known = standings or {}
    return made.plan(wish, lambda name: known.get(name, Standing()), at_s=at_s, seed=seed)


def tags(found: Plan) -> list[str]:
    return [candidate.endpoint.tag for candidate in found.candidates]


def causes(found: Plan) -> dict[str, str]:
    return {exclusion.endpoint.partition("@")[2]: exclusion.cause for exclusion in found.exclusions}
