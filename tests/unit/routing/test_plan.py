"""Plans: decision tables for eligibility and order, laws over generated catalogues, statistics of the shares."""

from collections import Counter
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.catalogue.types import DataPolicy, Endpoint
from farebox.money.sheets import Tier
from farebox.routing.plan import Planner
from farebox.routing.types import MaxPrice, Percentiles, Preferences, Standing, Wish
from unit.routing.routing_house import causes, endpoint, plan, planner, sheet, snapshot, tags

WISH = Wish(models=("a/m",))


def wish(**preferences: object) -> Wish:
    return Wish(models=("a/m",), preferences=Preferences(**preferences))  # type: ignore[arg-type]


PLAIN = endpoint("plain")
ELIGIBILITY = [
    ("kind", endpoint("x", kind="embedding"), WISH),
    ("dialect", endpoint("x", dialect="smoke_signals"), WISH),
    ("not_serving", endpoint("x", status="retired"), WISH),
    ("key_providers", endpoint("x"), Wish(models=("a/m",), allowed_providers=("plain",))),
    ("only", endpoint("x"), wish(only=("plain",))),
    ("ignore", endpoint("x"), wish(ignore=("x",))),
    ("ignore", endpoint("x", tag="x/eu"), wish(ignore=("x/eu",))),
    ("fallbacks_not_allowed", endpoint("x"), wish(order=("plain",), allow_fallbacks=False)),
    ("opt_in", endpoint("x", tag="x/fast", variant="fast"), WISH),
    ("opt_in", endpoint("x", tag="x/fast", variant="fast"), wish(order=("x",))),
    ("modality", endpoint("x"), Wish(models=("a/m",), modalities=frozenset(("image",)))),
    ("data_policy:training", endpoint("x", policy=DataPolicy(trains=True)), wish(data_collection="deny")),
    ("data_policy:training", endpoint("x"), wish(data_collection="deny")),
    ("data_policy:zdr", endpoint("x", policy=DataPolicy(retains=True)), wish(zdr=True)),
    ("quantization", endpoint("x", quantization="int4"), wish(quantizations=("fp8", "unknown"))),
    ("unpriced", endpoint("x", sheets=()), WISH),
    ("unpriced", endpoint("x", sheets=(sheet(prices={"input_fresh": 1}),)), WISH),
    ("unpriced", endpoint("x", sheets=(sheet(effective_from_s=1),)), WISH),
    ("max_price", endpoint("x", sheets=(sheet(101),)), wish(max_price=MaxPrice(prompt=100_000))),
    ("max_price", endpoint("x", sheets=(sheet(100, 301),)), wish(max_price=MaxPrice(completion=300_000))),
    ("context_length", endpoint("x", context_length=100), Wish(models=("a/m",), prompt_bound=60, max_tokens=41)),
    ("context_length", endpoint("x", max_prompt_tokens=59), Wish(models=("a/m",), prompt_bound=60)),
    ("max_output", endpoint("x", max_output_tokens=99), Wish(models=("a/m",), max_tokens=100)),
]


@pytest.mark.parametrize(("cause", "other", "asked"), ELIGIBILITY)
def test_one_cause_excludes_one_endpoint(cause: str, other: Endpoint, asked: Wish) -> None:
    good = endpoint(
        "plain",
        policy=DataPolicy(trains=False, retains=False),
        input_modalities=frozenset(("text", "image")),
    )
    found = plan(planner(good, other), asked)
    assert tags(found) == ["plain"]
    assert causes(found) == {other.tag: cause}


def test_required_parameters_bind_and_others_warn() -> None:
    asked = frozenset(("tools", "top_k", "stream"))
    full = endpoint("full", parameters=frozenset(("tools", "top_k")))
    made = planner(PLAIN, full, endpoint("unknown", parameters=frozenset()))
    bound = plan(made, Wish(models=("a/m",), parameters=asked, preferences=Preferences(require_parameters=True)))
    assert tags(bound) == ["full"]
    assert causes(bound) == {"plain": "require_parameters", "unknown": "require_parameters"}
    free = plan(made, Wish(models=("a/m",), parameters=asked))
    warned = {candidate.endpoint.tag: [path for _, path, _ in candidate.warnings] for candidate in free.candidates}
    assert warned == {"full": [], "plain": ["$.top_k"], "unknown": []}
    assert tags(free)[-1] == "unknown"
    assert "lacks:tools" in free.candidates[-1].reasons


def test_no_credential_and_key_models() -> None:
    made = Planner(snapshot(PLAIN, endpoint("x")), live=frozenset(("plain",)), dialects=frozenset(("openai_chat",)))
    assert causes(plan(made, WISH)) == {"x": "no_credential"}
    barred = plan(made, Wish(models=("a/m",), allowed_models=("b/*",)))
    assert set(causes(barred).values()) == {"key_models"}
    assert plan(made, Wish(models=("a/m",), allowed_models=("a/*",))).candidates


def test_a_providers_policy_stands_in_for_its_endpoints() -> None:
    made = planner(PLAIN, endpoint("x"), providers={"x": DataPolicy(trains=False, zdr=True)})
    assert tags(plan(made, wish(data_collection="deny", zdr=True))) == ["x"]


def test_prompt_tiers_count_for_the_ceiling() -> None:
    tiered = endpoint("x", sheets=(sheet(tiers=(Tier(5_000, {"input_fresh": 10**6}),)),))
    made = planner(tiered)
    ceiling = Preferences(max_price=MaxPrice(prompt=100_000))
    assert tags(plan(made, Wish(models=("a/m",), prompt_bound=4_999, preferences=ceiling))) == ["x"]
    assert causes(plan(made, Wish(models=("a/m",), prompt_bound=5_000, preferences=ceiling))) == {"x": "max_price"}


def test_a_new_price_holds_from_its_second_on() -> None:
    made = planner(endpoint("x", sheets=(sheet(), sheet(1_000, version="2", effective_from_s=90))))
    asked = wish(max_price=MaxPrice(prompt=100_000))
    assert [bool(plan(made, asked, at_s=at).candidates) for at in (61, 89, 90, 89)] == [True, True, False, True]


def test_opt_in_versions_come_by_name_tier_or_suffix() -> None:
    made = planner(PLAIN, endpoint("x", tag="x/fast", variant="fast"), endpoint("y", tag="y/flex", variant="flex"))
    assert tags(plan(made, wish(order=("x/fast",)))) == ["x/fast", "plain"]
    assert tags(plan(made, Wish(models=("a/m",), service_tier="priority"))) == ["x/fast", "plain"]
    assert tags(plan(made, Wish(models=("a/m",), service_tier="flex"))) == ["y/flex"]
    assert set(tags(plan(made, Wish(models=("a/m:nitro",))))) == {"plain", "x/fast"}
    assert set(tags(plan(made, Wish(models=("a/m:floor",))))) == {"plain", "y/flex"}
    offering = endpoint("z", sheets=(sheet(service_tiers={"flex": {"input_fresh": 1}}),))
    assert tags(plan(planner(PLAIN, offering), Wish(models=("a/m",), service_tier="flex"))) == ["z"]


def test_the_callers_order_comes_first_and_the_rest_follows() -> None:
    made = planner(PLAIN, endpoint("x"), endpoint("y", tag="y/eu"), endpoint("z"))
    found = plan(made, wish(order=("y", "x")))
    assert tags(found)[:2] == ["y/eu", "x"]
    assert found.candidates[0].reasons[0] == "order:1"
    assert set(tags(found)[2:]) == {"plain", "z"}


def test_sorts_and_unknown_figures() -> None:
    made = planner(endpoint("dear", sheets=(sheet(900),)), endpoint("cheap", sheets=(sheet(1),)), endpoint("mid"))
    standings = {
        "a/m@dear": Standing(latency_ms=100.0, tokens_per_s=10.0),
        "a/m@cheap": Standing(latency_ms=900.0, tokens_per_s=90.0, success=0.9),
        "a/m@mid": Standing(latency_ms=500.0, tokens_per_s=50.0),
    }
    for seed in range(20):
        asked = Wish(models=("a/m",), prompt_bound=1000, preferences=Preferences(sort="price"))
        assert tags(plan(made, asked, standings, seed=seed)) == ["cheap", "mid", "dear"]
        assert tags(plan(made, wish(sort="latency"), standings, seed=seed)) == ["dear", "mid", "cheap"]
        assert tags(plan(made, Wish(models=("a/m:nitro",)), standings, seed=seed)) == ["cheap", "mid", "dear"]
        assert tags(plan(made, wish(sort="exacto"), standings, seed=seed))[-1] == "cheap"


def test_preferred_bounds_move_but_never_exclude() -> None:
    made = planner(PLAIN, endpoint("slow"))
    slow = {"a/m@slow": Standing(latency_ms=900.0, latency_percentiles=Percentiles(p50=400.0, p99=2_000.0))}
    asked = wish(order=("slow",), preferred_max_latency=Percentiles(p99=1_000.0))
    found = plan(made, asked, slow)
    assert tags(found) == ["plain", "slow"]
    assert "preferred_max_latency" in found.candidates[1].reasons
    assert tags(plan(made, wish(order=("slow",), preferred_max_latency=Percentiles(p50=500.0)), slow))[0] == "slow"


def test_fallback_models_follow_unless_sorted_across() -> None:
    made = planner(PLAIN, endpoint("x", model="a/n", sheets=(sheet(1, 1),)))
    chain = Wish(models=("a/m", "a/n", "a/m"), prompt_bound=1000)
    found = plan(made, chain)
    assert tags(found) == ["plain", "x"]
    assert (found.strategy, found.models) == ("fallback", ("a/m", "a/n"))
    assert "fallback_model" in found.candidates[1].reasons
    across = Preferences(sort="price", sort_across_models=True)
    assert tags(plan(made, Wish(models=("a/m", "a/n"), prompt_bound=1000, preferences=across))) == ["x", "plain"]


def test_names_resolve_or_are_unknown_with_suggestions() -> None:
    made = planner(PLAIN)
    assert plan(made, Wish(models=("m-2026-01-01",))).strategy == "alias"
    assert plan(made, Wish(models=("~a/m-latest:floor",))).strategy == "latest"
    missing = plan(made, Wish(models=("a/m:free",)))
    assert missing.unknown_models == ("a/m:free",)
    assert not missing.candidates
    assert plan(planner(endpoint("x", model="a/mini-4")), Wish(models=("a/mini-5",))).suggestions == ("a/mini-4",)


def test_without_fallbacks_only_the_first_is_tried() -> None:
    found = plan(planner(PLAIN, endpoint("x")), wish(allow_fallbacks=False))
    assert len(found.candidates) == 1
    assert set(causes(found).values()) == {"fallbacks_not_allowed"}


OPEN, COOLING = Standing(open=True, success=0.3), Standing(cooling=True)
TRIAL = Standing(trial=True, success=0.4)


def test_open_breakers_are_the_last_resort_and_cooling_ones_wait() -> None:
    made = planner(PLAIN, endpoint("x"), endpoint("y"))
    found = plan(made, WISH, {"a/m@x": OPEN, "a/m@y": COOLING})
    assert tags(found) == ["plain", "x"]
    assert found.candidates[1].reasons[-1] == "breaker_open"
    assert causes(found) == {"y": "cooling_down"}


def test_panic_tries_all_by_their_posterior() -> None:
    made = planner(PLAIN, endpoint("x"), endpoint("y"))
    standings = {"a/m@plain": OPEN, "a/m@x": Standing(open=True, success=0.6), "a/m@y": TRIAL}
    found = plan(made, WISH, standings)
    assert tags(found) == ["x", "y", "plain"]
    assert all(candidate.reasons[-1] == "panic" and not candidate.trial for candidate in found.candidates)
    assert plan(made, WISH, dict.fromkeys(("a/m@plain", "a/m@x", "a/m@y"), COOLING)).candidates == ()


def test_a_half_open_endpoint_is_tried_beside_a_healthy_one() -> None:
    made = planner(PLAIN, endpoint("x"))
    found = plan(made, wish(order=("x",)), {"a/m@x": TRIAL})
    assert [(candidate.endpoint.tag, candidate.trial) for candidate in found.candidates] == [
        ("x", True),
        ("plain", False),
    ]


def firsts(made: Planner, standings: dict[str, Standing], asked: Wish = WISH, draws: int = 6_000) -> dict[str, float]:
    count = Counter(tags(plan(made, asked, standings, seed=seed))[0] for seed in range(draws))
    return {tag: hits / draws for tag, hits in count.items()}


ONE_AND_THREE = (endpoint("one", sheets=(sheet(1_000, 1_000),)), endpoint("three", sheets=(sheet(3_000, 3_000),)))


def test_shares_of_price() -> None:
    """$1 against $3: nine to one, less the exploration share; the grain moves it by less than a percent."""
    asked = Wish(models=("a/m",), prompt_bound=5_000)
    for policy in ("shares", "inverse_square"):
        found = firsts(planner(*ONE_AND_THREE, policy=policy), {}, asked)
        assert found["one"] == pytest.approx(0.9 * 0.97 + 0.015, abs=0.015)


def test_shares_of_speed_success_and_exploration() -> None:
    made = planner(PLAIN, endpoint("x"))
    fast = {"a/m@plain": Standing(latency_ms=100.0), "a/m@x": Standing(latency_ms=200.0)}
    assert firsts(made, fast)["plain"] == pytest.approx(2 / 3 * 0.97 + 0.015, abs=0.02)
    shaky = {"a/m@x": Standing(success=0.5)}
    assert firsts(made, shaky)["plain"] == pytest.approx(16 / 17 * 0.97 + 0.015, abs=0.015)
    hopeless = planner(endpoint("free", sheets=(sheet(0, 0),)), endpoint("gold", sheets=(sheet(10**6, 10**6),)))
    assert firsts(hopeless, {}, Wish(models=("a/m",), prompt_bound=9_000))["gold"] == pytest.approx(0.015, abs=0.006)


def test_the_draw_depends_on_the_seed_alone_not_on_positions() -> None:
    endpoints = [endpoint(name) for name in ("a", "b", "c", "d")]
    for seed in range(30):
        orders = {tuple(tags(plan(planner(*each), WISH, seed=seed))) for each in permutations(endpoints)}
        assert len(orders) == 1


WORDS = st.sampled_from(["p0", "p1", "p2", "p3", "p1/eu", "p2/fast"])
ENDPOINTS = st.lists(
    st.builds(
        lambda at, price, context, fast, quantization, trains, state: (
            endpoint(
                f"p{at}",
                tag=f"p{at}/fast" if fast else f"p{at}",
                variant="fast" if fast else None,
                sheets=(sheet(price),),
                context_length=context,
                quantization=quantization,
                policy=DataPolicy(trains=trains),
            ),
            state,
        ),
        st.integers(0, 4),
        st.integers(0, 500),
        st.sampled_from([None, 100, 5_000]),
        st.booleans(),
        st.sampled_from([None, "fp8", "int4"]),
        st.sampled_from([None, True, False]),
        st.sampled_from([Standing(), OPEN, COOLING, TRIAL]),
    ),
    max_size=8,
    unique_by=lambda each: each[0].id,
)
PREFERENCES = st.builds(
    Preferences,
    order=st.lists(WORDS, max_size=2).map(tuple),
    only=st.lists(WORDS, max_size=3).map(tuple),
    ignore=st.lists(WORDS, max_size=2).map(tuple),
    allow_fallbacks=st.booleans(),
    data_collection=st.sampled_from(["allow", "deny"]),
    quantizations=st.sampled_from([(), ("fp8",), ("unknown",)]),
    sort=st.sampled_from(["", "price", "latency", "throughput", "exacto"]),
    max_price=st.none() | st.builds(MaxPrice, prompt=st.integers(0, 500_000)),
)


@settings(max_examples=300, deadline=None)
@given(ENDPOINTS, PREFERENCES, st.integers(0, 6_000), st.integers(0, 2**64 - 1))
def test_no_plan_holds_an_endpoint_that_may_not_serve(
    offered: list[tuple[Endpoint, Standing]], preferences: Preferences, prompt: int, seed: int
) -> None:
    made = planner(*(each for each, _ in offered))
    standings = {each.id: state for each, state in offered}
    asked = Wish(models=("a/m",), prompt_bound=prompt, preferences=preferences)
    found = plan(made, asked, standings, seed=seed)
    assert found == plan(made, asked, standings, seed=seed)
    chosen = [candidate.endpoint for candidate in found.candidates]
    told = [each.id for each in chosen] + [exclusion.endpoint for exclusion in found.exclusions]
    assert sorted(told) == sorted(standings), "every endpoint is either a candidate or excluded, once"
    for candidate in found.candidates:
        each = candidate.endpoint
        assert candidate.reasons
        assert not standings[each.id].cooling
        assert each.context_length is None or prompt <= each.context_length
        assert preferences.data_collection == "allow" or each.policy.trains is False
        assert not preferences.quantizations or (each.quantization or "unknown") in preferences.quantizations
        if preferences.max_price is not None and preferences.max_price.prompt is not None:
            assert each.sheets[0].prices["input_fresh"] <= preferences.max_price.prompt
        assert each.provider not in preferences.ignore
        if each.variant:
            assert each.tag in preferences.order + preferences.only


def test_the_shortlist_cache_is_bounded_and_changes_nothing() -> None:
    small = Planner(snapshot(PLAIN), live=frozenset(("plain",)), dialects=frozenset(("openai_chat",)), shortlists_max=4)
    for at in range(50):
        asked = Wish(models=("a/m",), parameters=frozenset((f"p{at % 9}",)))
        assert plan(small, asked) == plan(planner(PLAIN), asked)
    assert len(small._shortlists) == 4


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="inverse_square"):
        planner(PLAIN, policy="dearest")


def test_many_texts_to_embed_are_not_one_long_prompt() -> None:
    made = planner(endpoint("x", kind="embedding", context_length=512, sheets=(sheet(prices={"input_fresh": 5}),)))
    assert tags(plan(made, Wish(models=("a/m",), kind="embedding", prompt_bound=9_000))) == ["x"]
