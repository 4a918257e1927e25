"""Owns the small parts: schemas, counting, usage towards clients, logprobs, stand-ins of framing."""

import json
from typing import Any

import pytest
from msgspec import Raw

from farebox.dialects.google_generate.counting import count_path, count_request, open_count, read_count, write_count
from farebox.dialects.google_generate.halves import GenerateClient, GenerateServer
from farebox.dialects.google_generate.logprobs import entries_of, result_of
from farebox.dialects.google_generate.relay import GenerateRelay
from farebox.dialects.google_generate.schema import to_json_schema, to_openapi
from farebox.dialects.google_generate.usage import read_usage, write_usage
from farebox.dialects.google_generate.words import camel, family, finish_of, invented_id, is_invented
from farebox.dialects.openai_chat.halves import ChatServer
from farebox.dialects.ports import Target
from farebox.ir.errors import Garbled, InvalidRequest, RateLimited
from farebox.ir.usage import Usage
from farebox.money.charges import FREE
from tests.unit.dialects.google_generate.generate_traffic import Exchange, exchanges

TARGET = Target(model="gemini-2.5-flash", vendor="v")


def openapi(schema: Any) -> Any:
    return json.loads(bytes(to_openapi(Raw(json.dumps(schema).encode()))))


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": "string"}, {"type": "STRING"}),
        ({"type": ["integer", "null"]}, {"type": "INTEGER", "nullable": True}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}]}, {"type": "STRING", "nullable": True}),
        ({"type": ["string", "integer"]}, {"anyOf": [{"type": "STRING"}, {"type": "INTEGER"}]}),
        ({"type": "array"}, {"type": "ARRAY", "items": {"type": "STRING"}}),
        ({"enum": ["a", "", None]}, {"nullable": True, "type": "STRING", "enum": ["a"], "format": "enum"}),
        ({"type": "integer", "enum": [1, 2]}, {"type": "INTEGER"}),
        ({"const": "x"}, {"type": "STRING", "enum": ["x"], "format": "enum"}),
        ({"type": "object", "properties": {}, "additionalProperties": False}, {"type": "OBJECT"}),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"type": "number", "minimum": 1}}}, {"minimum": 1, "type": "NUMBER"}),
        ({"$ref": "#/$defs/None"}, {}),
        (True, {}),
    ],
)
def test_json_schema_in_the_open_api_flavour(schema: Any, wanted: Any) -> None:
    assert openapi(schema) == wanted


def test_a_schema_that_names_itself_twice_has_an_end() -> None:
    node = {"type": "object", "properties": {name: {"$ref": "#/$defs/N"} for name in "abcd"}}
    written = bytes(to_openapi(Raw(json.dumps({"$ref": "#/$defs/N", "$defs": {"N": node}}).encode())))
    assert len(written) < 2_000_000


def test_both_flavours_say_the_same() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": ["string", "null"]}, "b": {"type": "integer"}},
        "required": ["b"],
    }
    assert json.loads(bytes(to_json_schema(to_openapi(Raw(json.dumps(schema).encode()))))) == schema


def test_the_open_api_flavour_is_sent_where_the_vendor_wants_it() -> None:
    body = {
        "model": "a/b",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "parameters": {"type": "object", "properties": {"a": {"type": "string"}}}},
            },
            {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
        ],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    }
    chat = ChatServer()
    target = Target(model="gemini-1.5-pro", vendor="v", options=frozenset(("openapi_schema",)))
    out, _ = GenerateClient().encode(chat.decode(chat.open(json.dumps(body).encode())), target)
    written = json.loads(out)
    assert written["tools"][0]["functionDeclarations"] == [
        {"name": "f", "parameters": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}}},
        {"name": "g"},
    ]
    assert written["generationConfig"]["responseSchema"] == {"type": "OBJECT"}


@pytest.mark.parametrize("exchange", exchanges("countTokens"), ids=lambda exchange: exchange.name)
def test_recorded_counts_are_asked_for_and_read(exchange: Exchange) -> None:
    opened = open_count(json.dumps(exchange.request).encode(), "author/model")
    inner = exchange.request.get("generateContentRequest", exchange.request)
    target = Target(model="g", vendor="v", options=frozenset(("count_members",)))
    sent = json.loads(count_request(opened, target))
    assert sent == {name: value for name, value in inner.items() if name != "model"}
    assert count_path(target) == "/models/g:countTokens"
    if exchange.status == 200:
        recorded = json.loads(exchange.body)
        assert read_count(exchange.body) == recorded["totalTokens"]
        assert json.loads(write_count(0, exchange.body)) == recorded


def test_counting_names_the_model_to_the_gemini_api() -> None:
    opened = open_count(b'{"contents":[{"parts":[{"text":"Hi"}]}],"tools":[{"googleSearch":{}}]}', "a/b")
    assert json.loads(count_request(opened, TARGET))["generateContentRequest"]["model"] == "models/gemini-2.5-flash"
    assert json.loads(write_count(7)) == {"totalTokens": 7}


@pytest.mark.parametrize("body", [b"", b"[]", b'{"totalTokens":"7"}', b'{"totalTokens":-1}'])
def test_a_count_that_is_none_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        read_count(body)


def test_a_count_of_something_else_is_refused() -> None:
    with pytest.raises(InvalidRequest):
        open_count(b'{"generateContentRequest":[]}', "a/b")


def test_usage_of_other_vendors_in_this_shape() -> None:
    usage = Usage({"input_fresh": 5, "input_cache_read": 3, "input_audio": 2, "output_text": 4, "output_reasoning": 6})
    told = json.loads(write_usage(usage, FREE, byok=True))
    assert told == {
        "promptTokenCount": 10,
        "candidatesTokenCount": 4,
        "totalTokenCount": 20,
        "thoughtsTokenCount": 6,
        "cachedContentTokenCount": 3,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}, {"modality": "AUDIO", "tokenCount": 2}],
        "cost": 0,
        "isByok": True,
    }
    told.pop("cost")
    again = read_usage(told)
    assert again is not None
    assert again.leaves == usage.leaves


def test_usage_that_overlaps_is_clamped_and_flagged() -> None:
    flags: list[str] = []
    usage = read_usage({"promptTokenCount": 5, "cachedContentTokenCount": 9, "totalTokenCount": 5}, flags=flags)
    assert usage is not None
    assert (usage.leaves, flags) == ({"input_cache_read": 5}, ["usage_clamped"])


def test_log_probabilities_go_both_ways() -> None:
    result = {
        "chosenCandidates": [{"token": "é", "logProbability": -0.5}],
        "topCandidates": [
            {"candidates": [{"token": "é", "logProbability": -0.5}, {"token": "e", "logProbability": -2}]}
        ],
    }
    entries = entries_of(result)
    assert entries[0]["bytes"] == [195, 169]
    assert result_of(entries) == result


def test_words() -> None:
    assert [family(name) for name in ("gemini-2.5-pro", "gemini-3.1-flash", "gemini-flash-latest", "gemma-3")] == [
        2,
        3,
        3,
        0,
    ]
    assert camel("mime_type") == "mimeType"
    assert is_invented(invented_id("seed", 3))
    assert not is_invented("call_abc")
    assert finish_of("SPII", has_calls=True) == "content_filter"
    assert finish_of("NEVER_HEARD", has_calls=False) == "stop"


def test_the_relay_drops_what_the_vendor_does_not_take_and_says_so() -> None:
    body = {
        "contents": [{"parts": [{"text": "Hi"}]}],
        "systemInstruction": "Be brief.",
        "generationConfig": {"logprobs": 1, "topK": 2},
        "labels": {"a": "b"},
        "serviceTier": "flex",
        "provider": {"only": ["x"]},
    }
    server = GenerateServer()
    opened = server.with_path(server.open(json.dumps(body).encode()), "a/b", stream=False)
    target = Target(model="m", vendor="v", drop=frozenset(("logprobs", "labels")), force={"safetySettings": Raw(b"[]")})
    out, warnings = GenerateRelay().request(opened, target)
    assert json.loads(out) == {
        "contents": [{"parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"topK": 2},
        "safetySettings": [],
    }
    assert sorted(warning.path for warning in warnings) == ["$.generationConfig.logprobs", "$.labels", "$.serviceTier"]


def test_errors_before_anything_was_sent() -> None:
    told = json.loads(GenerateServer().error(RateLimited(retry_after_s=2.2), "gen-1"))["error"]
    assert (told["code"], told["status"], told["message"]) == (429, "RESOURCE_EXHAUSTED", "Too many requests.")
    assert told["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert told["details"][1]["retryDelay"] == "3s"
