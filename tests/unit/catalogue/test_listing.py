"""Owns the proof of the model list: every filter, every order, the pages, and refusals that name the parameter."""

from typing import Any
from xml.etree import ElementTree

import pytest

from farebox.catalogue import listing
from farebox.catalogue.load import load_builtin
from farebox.catalogue.query import SORTS
from farebox.catalogue.show import Performance, Statistics
from farebox.ir.errors import InvalidRequest

NOW_S = 1_795_500_000
SNAPSHOT = load_builtin()


def page(**query: str) -> list[dict[str, Any]]:
    found = listing.models(SNAPSHOT, query, at_s=NOW_S)["data"]
    assert isinstance(found, list)
    return found


def ids(**query: str) -> set[str]:
    return {each["id"] for each in page(limit="1000", **query)}


def test_the_list_holds_models_that_write_text_unless_asked_otherwise() -> None:
    assert all("text" in each["architecture"]["output_modalities"] for each in page())
    assert ids(output_modalities="all") == set(SNAPSHOT.models)
    assert ids() < ids(output_modalities="all")
    pictures = page(output_modalities="image")
    assert pictures
    assert all("image" in each["architecture"]["output_modalities"] for each in pictures)


def test_text_is_searched_word_by_word() -> None:
    assert "anthropic/claude-sonnet-5.5" in ids(q="Sonnet claude")
    assert ids(q="no-such-model-anywhere") == set()


def test_endpoints_must_satisfy_everything_at_once() -> None:
    both = page(supported_parameters="tools, seed", providers="groq")
    assert both
    for each in both:
        offers = SNAPSHOT.endpoints[each["id"]]
        assert any(offer.provider == "groq" and {"tools", "seed"} <= offer.parameters for offer in offers)


def test_filters_on_the_model() -> None:
    assert all(
        {"image", "text"} <= set(each["architecture"]["input_modalities"])
        for each in page(input_modalities="image,text")
    )
    assert all(each["context_length"] >= 500_000 for each in page(context="500000"))
    assert {each["architecture"]["tokenizer"] for each in page(arch="Claude,gemini")} == {"claude", "gemini"}
    assert {each["id"].split("/")[0] for each in page(model_authors="x-ai,OpenAI")} == {"x-ai", "openai"}
    open_ones, closed = ids(distillable="true"), ids(distillable="false")
    assert open_ones
    assert not open_ones & closed
    assert open_ones | closed == ids()


def test_prices_are_per_million_tokens() -> None:
    cheap = page(max_price="0.1", max_output_price="0.5")
    assert cheap
    for each in cheap:
        assert float(each["pricing"]["prompt"]) <= 0.1e-6
        assert float(each["pricing"]["completion"]) <= 0.5e-6
    dear = page(min_price="10", min_output_price="50")
    assert dear
    assert all(float(each["pricing"]["prompt"]) >= 10e-6 for each in dear)


def test_age_privacy_and_place() -> None:
    young = page(max_age_days="60")
    assert young
    assert all(NOW_S - each["created"] < 61 * 86_400 for each in young)
    assert not ids(min_age_days="400") & ids(max_age_days="60")
    zdr = ids(zdr="true")
    assert zdr
    assert all(any(offer.policy.zdr for offer in SNAPSHOT.endpoints[slug]) for slug in zdr)
    assert ids(region="eu")
    assert ids(region="us")


def test_a_bound_on_a_benchmark_nobody_ran_leaves_nothing() -> None:
    assert page(min_intelligence_index="30") == []


def test_a_category_comes_from_usage() -> None:
    assert page(category="programming") == []
    seen = Statistics(categories={"programming": frozenset({"openai/gpt-4o"})})
    found = listing.models(SNAPSHOT, {"category": "programming"}, at_s=NOW_S, statistics=seen)
    assert found["total_count"] == 1


@pytest.mark.parametrize("sort", sorted(SORTS))
def test_every_order_keeps_every_model(sort: str) -> None:
    assert ids(sort=sort) == ids()


def test_orders() -> None:
    created = [each["created"] for each in page()]
    assert created == sorted(created, reverse=True)
    prices = [
        float(each["pricing"]["prompt"]) + float(each["pricing"]["completion"])
        for each in page(sort="pricing-low-to-high")
    ]
    assert prices == pytest.approx(sorted(prices))
    contexts = [each["context_length"] or 0 for each in page(sort="context-high-to-low")]
    assert contexts == sorted(contexts, reverse=True)


def test_orders_by_what_was_measured() -> None:
    fast, slow = SNAPSHOT.endpoints["openai/gpt-4o"][0].id, SNAPSHOT.endpoints["x-ai/grok-4.7"][0].id
    seen = Statistics(
        performance={
            fast: Performance(throughput={"p50": 200.0}, latency_ms={"p50": 900.0}),
            slow: Performance(throughput={"p50": 20.0}, latency_ms={"p50": 100.0}),
        },
        popularity={"x-ai/grok-4.7": 5, "openai/gpt-4o": 9},
    )

    def first_two(sort: str) -> list[str]:
        found = listing.models(SNAPSHOT, {"sort": sort, "limit": "2"}, at_s=NOW_S, statistics=seen)["data"]
        assert isinstance(found, list)
        return [each["id"] for each in found]

    assert first_two("throughput-high-to-low") == ["openai/gpt-4o", "x-ai/grok-4.7"]
    assert first_two("latency-low-to-high") == ["x-ai/grok-4.7", "openai/gpt-4o"]
    assert first_two("most-popular") == first_two("top-weekly") == ["openai/gpt-4o", "x-ai/grok-4.7"]


def test_pages_follow_one_another() -> None:
    whole = [each["id"] for each in page(sort="newest", limit="1000")]
    got: list[str] = []
    query: dict[str, str] = {"limit": "200", "q": "a"}
    for _ in range(5):
        found = listing.models(SNAPSHOT, query, at_s=NOW_S)
        data, links = found["data"], found["links"]
        assert isinstance(data, list)
        assert isinstance(links, dict)
        got += [each["id"] for each in data]
        if links["next"] is None:
            break
        path, _, text = str(links["next"]).partition("?")
        assert path == "/api/v1/models"
        query = dict(pair.split("=") for pair in text.split("&"))
    assert got == [slug for slug in whole if slug in set(got)]
    assert len(got) == found["total_count"]


def test_the_count_is_the_lists() -> None:
    assert listing.count(SNAPSHOT, {"q": "claude", "limit": "1"}, at_s=NOW_S) == {
        "data": {"count": len(ids(q="claude"))}
    }


def test_embedding_models_are_their_own_list() -> None:
    found = listing.embedding_models(SNAPSHOT, {}, at_s=NOW_S)
    assert found["total_count"] == 35


def test_the_feed_is_well_formed_and_escaped() -> None:
    feed = listing.feed(SNAPSHOT, {"q": "gpt"}, at_s=NOW_S, site="https://farebox.example/?a&b")
    titles = [item.text for item in ElementTree.fromstring(feed).iter("title")]
    assert len(titles) > 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sort", "alphabetical"),
        ("category", "cooking"),
        ("region", "mars"),
        ("limit", "0"),
        ("limit", "1001"),
        ("limit", "-1"),
        ("limit", "ten"),
        ("offset", "1e3"),
        ("offset", "9" * 40),
        ("context", "big"),
        ("min_price", "-1"),
        ("max_price", "NaN"),
        ("zdr", "maybe"),
        ("use_rss", "2"),
        ("input_modalities", "text,smell"),
        ("output_modalities", "taste"),
        ("max_coding_index", "x"),
        ("q", "x" * 201),
        ("min_age_days", "٣"),
    ],
)
def test_a_wrong_value_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        listing.models(SNAPSHOT, {name: value}, at_s=NOW_S)
    assert caught.value.path == f"query.{name}"


def test_unknown_parameters_are_ignored() -> None:
    assert ids(colour="red") == ids()
