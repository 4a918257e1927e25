"""Owns the proof that the catalogue is shown in the reference's shape."""

import json
import re

import msgspec
import pytest

from farebox.catalogue import show
from farebox.catalogue.load import load_builtin
from farebox.catalogue.pricelist import pricing
from farebox.catalogue.types import Endpoint
from farebox.ir.errors import UnknownModel
from farebox.money.sheets import PriceSheet, Tier, Window

NOW_S = 1_795_500_000
SNAPSHOT = load_builtin()
DECIMAL = re.compile(r"\d+(\.\d+)?")
MODEL_FIELDS = [
    "id",
    "canonical_slug",
    "hugging_face_id",
    "name",
    "created",
    "description",
    "context_length",
    "architecture",
    "pricing",
    "top_provider",
    "per_request_limits",
    "supported_parameters",
    "default_parameters",
    "supported_voices",
    "reasoning",
    "knowledge_cutoff",
    "expiration_date",
    "alias_target",
    "benchmarks",
    "links",
]
ENDPOINT_FIELDS = [
    "name",
    "model_id",
    "model_name",
    "provider_name",
    "tag",
    "context_length",
    "max_completion_tokens",
    "max_prompt_tokens",
    "pricing",
    "quantization",
    "service_tier",
    "status",
    "supported_parameters",
    "supports_implicit_caching",
    "supports_tool_choice",
    "supports_voice_cloning",
    "supports_diarization",
    "supports_image_reference",
    "native_tools",
    "uptime_last_5m",
    "uptime_last_30m",
    "uptime_last_1d",
    "latency_last_30m",
    "throughput_last_30m",
    "perf_last_30m_by_workload",
]


def priced(*sheets: PriceSheet) -> Endpoint:
    return msgspec.structs.replace(SNAPSHOT.endpoints["openai/gpt-4o"][0], sheets=sheets)


def test_a_model_has_the_references_fields() -> None:
    shown = show.model(SNAPSHOT, "openai/gpt-4o", at_s=NOW_S)["data"]
    assert isinstance(shown, dict)
    assert set(shown) == set(MODEL_FIELDS)
    assert set(shown["architecture"]) == {
        "modality",
        "input_modalities",
        "output_modalities",
        "tokenizer",
        "instruct_type",
    }
    assert set(shown["top_provider"]) == {"context_length", "max_completion_tokens", "is_moderated"}
    assert shown["alias_target"] is None
    assert json.loads(json.dumps(shown)) == shown


def test_an_alias_says_what_it_stands_for() -> None:
    shown = show.model(SNAPSHOT, "~anthropic/claude-sonnet-latest", at_s=NOW_S)["data"]
    assert isinstance(shown, dict)
    assert shown["alias_target"]["slug"] == shown["id"] == "anthropic/claude-sonnet-5.5"


def test_the_endpoints_of_a_model() -> None:
    shown = show.endpoints(SNAPSHOT, "deepseek/deepseek-v4.1-flash", at_s=NOW_S)["data"]
    assert isinstance(shown, dict)
    assert set(shown) == {"id", "name", "created", "description", "architecture", "endpoints"}
    assert len(shown["endpoints"]) == len(SNAPSHOT.endpoints["deepseek/deepseek-v4.1-flash"])
    for each in shown["endpoints"]:
        assert set(each) == set(ENDPOINT_FIELDS)
        assert each["uptime_last_30m"] is None


def test_what_was_measured_is_shown() -> None:
    offer = SNAPSHOT.endpoints["openai/gpt-4o"][0]
    seen = show.Performance(uptime_30m=99.5, latency_ms={"p50": 300.0, "p99": 900.0})
    shown = show.endpoint_object(
        SNAPSHOT.models["openai/gpt-4o"], offer, at_s=NOW_S, statistics=show.Statistics(performance={offer.id: seen})
    )
    assert shown["uptime_last_30m"] == 99.5
    assert shown["latency_last_30m"] == {"p50": 300.0, "p75": None, "p90": None, "p99": 900.0}


@pytest.mark.parametrize("name", ["nope/nope", "openai/gpt-4o:free", ""])
def test_an_unknown_model_is_not_found(name: str) -> None:
    with pytest.raises(UnknownModel):
        show.endpoints(SNAPSHOT, name, at_s=NOW_S)


def test_providers_have_exactly_the_references_fields() -> None:
    shown = show.providers(SNAPSHOT)["data"]
    assert isinstance(shown, list)
    assert len(shown) == 139
    fields = {
        "name",
        "slug",
        "privacy_policy_url",
        "terms_of_service_url",
        "status_page_url",
        "headquarters",
        "datacenters",
    }
    assert all(set(each) == fields for each in shown)


def test_every_price_on_sale_is_a_decimal_string() -> None:
    for offers in SNAPSHOT.endpoints.values():
        for offer in offers:
            shown = pricing(offer, NOW_S)
            overrides = shown.pop("overrides", [])
            assert isinstance(overrides, list)
            assert shown.pop("discount") == 0
            assert all(isinstance(value, str) and DECIMAL.fullmatch(value) for value in shown.values())


def test_conditions_are_overrides_and_the_top_is_the_price_right_now() -> None:
    day = NOW_S - NOW_S % 86_400
    sheet = PriceSheet(
        version="a",
        effective_from_s=0,
        prices={"input_fresh": 10**6, "output_text": 2 * 10**6, "input_cache_read": 10**5},
        tiers=(Tier(200_000, {"input_fresh": 3 * 10**6}),),
        windows=(Window(22 * 60, 150, (4,), {"output_text": 4 * 10**6}),),
        service_tiers={"flex": {"input_fresh": 500_000}},
    )
    later = PriceSheet(version="b", effective_from_s=NOW_S + 10**6, prices={"input_fresh": 7 * 10**6})
    shown = pricing(priced(sheet, later), day + 12 * 3600)
    assert shown == {
        "prompt": "0.000001",
        "completion": "0.000002",
        "input_cache_read": "0.0000001",
        "discount": 0,
        "overrides": [
            {"utc_start": "0000", "utc_end": "0000", "completion": "0.000002"},
            {"utc_start": "2200", "utc_end": "0230", "utc_days": ["fri"], "completion": "0.000004"},
            {"min_prompt_tokens": 200_000, "prompt": "0.000003"},
            {"service_tier": "flex", "prompt": "0.0000005"},
            {"effective_from": NOW_S + 10**6, "prompt": "0.000007"},
        ],
    }
    friday = day + (4 - (day // 86_400 + 3) % 7) * 86_400
    assert pricing(priced(sheet), friday + 23 * 3600)["completion"] == "0.000004"


def test_a_price_that_is_not_known_is_not_zero() -> None:
    assert pricing(priced(), NOW_S) == {"prompt": "-1", "completion": "-1", "discount": 0}


def test_the_dated_name_is_the_canonical_one() -> None:
    assert show.canonical_slug(SNAPSHOT.models["aion-labs/aion-2.0"]) == "aion-labs/aion-2.0-20260223"
    assert show.canonical_slug(SNAPSHOT.models["ai21/jamba-mini"]) == "ai21/jamba-mini"
