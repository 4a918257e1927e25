"""Empty plans become errors that say what could be changed; dry runs tell the plan in figures."""

import msgspec
import pytest

from farebox.catalogue.types import Endpoint
from farebox.ir import errors
from farebox.routing.explain import explain
from farebox.routing.refusals import refusal
from farebox.routing.types import MaxPrice, Preferences, Standing, Wish
from unit.routing.routing_house import endpoint, plan, planner, sheet


@pytest.mark.parametrize(
    ("offered", "asked", "error"),
    [
        (endpoint("x"), Wish(models=("a/none",)), errors.UnknownModel),
        (endpoint("x"), Wish(models=("a/m",), prompt_bound=99_999), errors.ContextTooLong),
        (endpoint("x"), Wish(models=("a/m",), max_tokens=1_001), errors.InvalidRequest),
        (endpoint("x", kind="image"), Wish(models=("a/m",)), errors.InvalidRequest),
        (endpoint("x"), Wish(models=("a/m",), modalities=frozenset(("video",))), errors.UnsupportedFeature),
        (endpoint("x"), Wish(models=("a/m",), allowed_models=("b/m",)), errors.Forbidden),
        (endpoint("x"), Wish(models=("a/m",), allowed_providers=("y",)), errors.Forbidden),
        (endpoint("x"), Wish(models=("a/m",), preferences=Preferences(zdr=True)), errors.NotFound),
        (endpoint("x"), Wish(models=("a/m",), preferences=Preferences(max_price=MaxPrice(prompt=1))), errors.NotFound),
        (endpoint("x", sheets=()), Wish(models=("a/m",)), errors.NoEndpoint),
    ],
)
def test_the_error_of_an_empty_plan(offered: Endpoint, asked: Wish, error: type[errors.FareboxError]) -> None:
    found = plan(planner(offered), asked)
    assert not found.candidates
    assert type(refusal(found, asked)) is error


def test_cooling_is_a_rate_limit_only_if_the_wait_is_known() -> None:
    asked = Wish(models=("a/m",))
    found = plan(planner(endpoint("x")), asked, {"a/m@x": Standing(cooling=True)})
    limited = refusal(found, asked, retry_after_s=2.5)
    assert isinstance(limited, errors.RateLimited)
    assert limited.retry_after_s == 2.5
    assert limited.metadata["excluded_by"] == {"cooling_down": 1}
    assert isinstance(refusal(found, asked), errors.NoEndpoint)


def test_a_dry_run_tells_rank_cost_and_causes() -> None:
    made = planner(endpoint("cheap"), endpoint("dear", sheets=(sheet(900, 900),)), endpoint("out", sheets=()))
    asked = Wish(models=("a/m",), prompt_bound=1_000, max_tokens=100, preferences=Preferences(sort="price"))
    standing = Standing(latency_ms=200.0, tokens_per_s=50.0)
    told = msgspec.json.decode(msgspec.json.encode(explain(made, asked, lambda name: standing, at_s=0, seed=1)))
    assert [(row["rank"], row["provider"], row["expected_cost"]) for row in told["endpoints"]] == [
        (1, "Cheap", 0.00013),
        (2, "Dear", 0.00099),
    ]
    assert told["endpoints"][0]["expected_duration_ms"] == 2_200.0
    assert told["endpoints"][0]["reasons"] == ["sort:price"]
    assert told["excluded"] == [{"endpoint": "a/m@out", "cause": "unpriced"}]
