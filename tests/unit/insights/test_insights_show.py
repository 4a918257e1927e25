"""A generation in the shape that its clients read."""

import msgspec

from farebox.insights.show import generation
from farebox.insights.types import Attempt, GenerationRecord

RECORD = GenerationRecord(
    id="gen-1",
    created_ms=1_795_503_600_123,
    organisation="o",
    key_id="k",
    worker="w",
    operation="chat",
    dialect="openai_chat",
    model_asked="a/b:nitro",
    model="a/b",
    provider="p2",
    endpoint="a/b@p2",
    upstream_id="up-2",
    streamed=True,
    usage={"input_fresh": 10, "input_cache_read": 30, "output_text": 7, "output_reasoning": 5, "output_image": 2},
    usage_source="vendor",
    vendor_cost_nano=1_234_567_891,
    toll_nano=100,
    total_nano=1_234_567_991,
    latency_ms=120.6,
    duration_ms=900.4,
    attempts=(
        Attempt(endpoint="a/b@p1", provider="p1", outcome="upstream_error", status=500, ended_ms=20.0, reason="broken"),
        Attempt(
            endpoint="a/b@p2",
            provider="p2",
            outcome="ok",
            status=200,
            started_ms=21.0,
            first_byte_ms=120.6,
            ended_ms=900.0,
            upstream_id="up-2",
        ),
    ),
    warnings=(("dropped", "$.seed", "not carried"),),
)


def shown(record: GenerationRecord = RECORD) -> dict[str, object]:
    found: dict[str, object] = msgspec.json.decode(msgspec.json.encode(generation(record)))
    return found


def test_every_documented_field_is_there() -> None:
    names = [
        "id",
        "upstream_id",
        "request_id",
        "session_id",
        "total_cost",
        "usage",
        "cache_discount",
        "upstream_inference_cost",
        "created_at",
        "model",
        "router",
        "provider_name",
        "provider_responses",
        "api_type",
        "app_id",
        "streamed",
        "cancelled",
        "is_byok",
        "latency",
        "generation_time",
        "moderation_latency",
        "tokens_prompt",
        "tokens_completion",
        "native_tokens_prompt",
        "native_tokens_completion",
        "native_tokens_reasoning",
        "native_tokens_cached",
        "native_tokens_completion_images",
        "num_media_prompt",
        "num_media_completion",
        "num_input_audio_prompt",
        "num_search_results",
        "num_fetches",
        "web_search_engine",
        "finish_reason",
        "native_finish_reason",
        "origin",
        "http_referer",
        "user_agent",
        "service_tier",
        "data_region",
        "preset_id",
        "external_user",
        "workspace_id",
        "response_cache_source_id",
    ]
    assert set(names) <= shown().keys()


def test_counters_and_costs_are_exact() -> None:
    found = shown()
    assert (found["tokens_prompt"], found["tokens_completion"]) == (40, 14)
    assert (found["native_tokens_cached"], found["native_tokens_reasoning"]) == (30, 5)
    assert b'"total_cost":1.234567991,' in msgspec.json.encode(generation(RECORD))
    assert found["created_at"] == "2026-11-24T07:00:00.123Z"
    assert (found["latency"], found["generation_time"]) == (121, 900)


def test_every_attempt_is_told() -> None:
    first, second = msgspec.convert(shown()["provider_responses"], list[dict[str, object]])
    assert (first["provider_name"], first["status"], first["outcome"], first["latency"]) == (
        "p1",
        500,
        "upstream_error",
        None,
    )
    assert (second["id"], second["endpoint_id"], second["latency"]) == ("up-2", "a/b@p2", 100)
    assert shown()["warnings"] == [{"code": "dropped", "path": "$.seed", "message": "not carried"}]
    assert shown()["error"] is None


def test_no_key_and_no_organisation_is_shown() -> None:
    assert "key_id" not in shown()
    assert "organisation" not in shown()
