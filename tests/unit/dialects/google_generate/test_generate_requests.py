"""Owns the laws of requests over recorded traffic: opening, round trip, refusals, Google to Google by relay and by codec."""

import json
from typing import Any

import msgspec
import pytest

from farebox.dialects.google_generate.halves import GenerateClient, GenerateServer
from farebox.dialects.google_generate.relay import GenerateRelay
from farebox.dialects.ports import Target
from farebox.ir.errors import InvalidRequest
from farebox.ir.request import Opaque, Reasoning, Role, Text, ToolCall, ToolChoice, ToolMode, ToolResult
from tests.unit.dialects.google_generate.generate_traffic import Exchange, normal, requests

SERVER, CLIENT = GenerateServer(), GenerateClient()
TARGET = Target(model="gemini-2.5-flash", vendor="v")


def opened(body: Any, *, model: str = "author/model", stream: bool = False) -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return SERVER.with_path(SERVER.open(raw), model, stream=stream)


def decoded(body: Any) -> Any:
    return SERVER.decode(opened(body))


def user(*parts: Any) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": list(parts)}]}


def encoded(body: Any, target: Target = TARGET) -> dict[str, Any]:
    out, _ = CLIENT.encode(decoded(body), target)
    return json.loads(out)


@pytest.mark.parametrize("exchange", requests(), ids=lambda exchange: exchange.name)
def test_a_recorded_request_comes_back_as_it_was(exchange: Exchange) -> None:
    out, warnings = CLIENT.encode(decoded(exchange.request), exchange.target())
    assert normal(json.loads(out)) == normal(exchange.request)
    assert warnings == []


@pytest.mark.parametrize("exchange", requests(), ids=lambda exchange: exchange.name)
def test_a_recorded_request_is_relayed_as_it_was(exchange: Exchange) -> None:
    out, warnings = GenerateRelay().request(opened(exchange.request), exchange.target())
    assert normal(json.loads(out)) == normal(exchange.request)
    assert warnings == []


def test_the_path_names_model_and_stream() -> None:
    ask = opened(user({"text": "Hi"}), model="models/gemini-2.5-flash", stream=True)
    assert ask.models == ("gemini-2.5-flash",)
    assert ask.stream


def test_the_body_may_name_more_models() -> None:
    ask = opened(user({"text": "Hi"}) | {"models": ["b/two", "c/three"]}, model="a/one")
    assert ask.models == ("a/one", "b/two", "c/three")
    assert opened(user({"text": "Hi"}) | {"model": "models/a"}, model="b").models == ("b",)


def test_a_request_without_any_model_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        opened(user({"text": "Hi"}), model="")
    assert caught.value.path == "$.model"


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "$.contents"),
        ({"contents": []}, "$.contents"),
        ({"contents": [{"role": "assistant", "parts": []}]}, "$.contents[0].role"),
        ({"contents": [{"role": "user"}]}, "$.contents[0].parts"),
        ({"contents": [{"parts": ["Hi"]}]}, "$.contents[0].parts[0]"),
        (user({"text": "Hi"}) | {"generationConfig": []}, "$.generationConfig"),
        (user({"text": "Hi"}) | {"generationConfig": {"temperature": 7}}, "$.generationConfig.temperature"),
        (user({"text": "Hi"}) | {"base_url": "https://x"}, "$.base_url"),
        (user({"text": "Hi"}) | {"systemInstruction": {}, "system_instruction": {}}, "$.system_instruction"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_path(body: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        opened(body)
    assert caught.value.path == path


def test_opening_tells_what_routing_needs() -> None:
    body = user(
        {"inlineData": {"mimeType": "image/png", "data": "AA"}}, {"fileData": {"fileUri": "u", "mimeType": "a/b"}}
    )
    body |= {
        "tools": [{"functionDeclarations": [{"name": "f"}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
        "generationConfig": {
            "maxOutputTokens": 9,
            "topP": 0.5,
            "stopSequences": ["x"],
            "candidateCount": 2,
            "responseMimeType": "application/json",
            "thinkingConfig": {"includeThoughts": True},
            "responseModalities": ["TEXT", "IMAGE"],
        },
    }
    ask = opened(body)
    assert ask.parameters == {
        "max_tokens", "top_p", "stop", "response_format", "reasoning", "tools", "tool_choice", "modalities",
    }  # fmt: skip
    assert ask.modalities == {"image", "file"}
    assert (ask.choices, ask.max_tokens, ask.include_reasoning) == (2, 9, True)
    assert not opened(user({"text": "Hi"})).include_reasoning


def test_signatures_tell_their_origin() -> None:
    ask = opened({"contents": [{"role": "model", "parts": [{"text": "a", "thoughtSignature": "c2ln"}]}]})
    assert ask.origins == {"google-gemini-v1"}
    assert ask.relayable


def test_calls_without_ids_and_their_results_find_each_other() -> None:
    call = {"functionCall": {"name": "f", "args": {"n": 1}}}
    other = {"functionCall": {"name": "f", "args": {"n": 2}}}
    result = {"functionResponse": {"name": "f", "response": {"r": 1}}}
    second = {"functionResponse": {"name": "f", "response": {"r": 2}}}
    body = {"contents": [{"role": "model", "parts": [call, other]}, {"role": "user", "parts": [result, second]}]}
    model, one, two = decoded(body).messages
    assert [part.call_id for part in model.parts] == [one.parts[0].call_id, two.parts[0].call_id]
    assert len({part.call_id for part in model.parts}) == 2
    assert (one.role, two.role) == (Role.TOOL, Role.TOOL)
    assert encoded(body) == body


def test_arguments_stay_the_text_they_were() -> None:
    raw = b'{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f","args":{"b": 1.50,  "a":"\\u00e9"}}}]}]}'
    call = decoded(raw).messages[0].parts[0]
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"b": 1.50,  "a":"\\u00e9"}'
    assert b'"args":{"b": 1.50,  "a":"\\u00e9"}' in CLIENT.encode(decoded(raw), TARGET)[0]


def test_a_signature_precedes_its_part() -> None:
    parts = (
        decoded(
            {
                "contents": [
                    {
                        "role": "model",
                        "parts": [
                            {"text": "hm", "thought": True},
                            {"text": "Look", "thoughtSignature": "MQ=="},
                            {"functionCall": {"name": "f", "args": {}, "id": "c1"}, "thoughtSignature": "Mg=="},
                        ],
                    }
                ]
            }
        )
        .messages[0]
        .parts
    )
    assert [type(part) for part in parts] == [Reasoning, Reasoning, Text, Reasoning, ToolCall]
    assert [part.seal.data for part in parts if isinstance(part, Reasoning) and part.seal] == ["MQ==", "Mg=="]
    assert parts[3].seal.item_id == "c1"


def test_unknown_members_come_back() -> None:
    body = user({"text": "Hi", "partMetadata": {"x": 1}}) | {
        "generationConfig": {"audioTimestamp": True, "temperature": 1},
        "safetySettings": [{"category": "C", "threshold": "T"}],
        "novelty": {"snake_case": [1]},
        "toolConfig": {"retrievalConfig": {"latLng": {"latitude": 1}}},
    }
    assert encoded(body) == body


def test_a_part_nobody_knows_is_opaque_and_comes_back() -> None:
    body = user({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "AA=="})
    part = decoded(body).messages[0].parts[0]
    assert isinstance(part, Opaque)
    assert part.origin is not None
    assert part.origin.format == "google-gemini-v1"
    assert encoded(body) == body


def test_tool_choice_in_its_words() -> None:
    def choice(config: dict[str, Any]) -> ToolChoice | None:
        return decoded(user({"text": "Hi"}) | {"toolConfig": {"functionCallingConfig": config}}).tool_choice

    assert choice({"mode": "ANY"}) == ToolChoice(ToolMode.REQUIRED)
    assert choice({"mode": "any", "allowed_function_names": ["f"]}) == ToolChoice(ToolMode.NAMED, ("f",))
    assert choice({"mode": "NONE"}) == ToolChoice(ToolMode.NONE)
    assert choice({"mode": "VALIDATED"}) == ToolChoice(ToolMode.AUTO)


def test_a_schema_of_the_open_api_flavour_becomes_json_schema() -> None:
    schema = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True},
            "n": {"type": "ARRAY", "items": {"type": "INTEGER"}},
        },
        "required": ["type"],
        "propertyOrdering": ["type", "n"],
    }
    ask = decoded(user({"text": "Hi"}) | {"tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}]})
    assert msgspec.json.decode(ask.tools[0].schema) == {
        "type": "object",
        "properties": {"type": {"type": ["string", "null"]}, "n": {"type": "array", "items": {"type": "integer"}}},
        "required": ["type"],
    }


def test_thinking_in_its_words() -> None:
    def wish(config: dict[str, Any]) -> Any:
        return decoded(user({"text": "Hi"}) | {"generationConfig": {"thinkingConfig": config}}).reasoning

    assert wish({"thinkingBudget": 0}).effort == "none"
    assert wish({"thinkingBudget": 99, "includeThoughts": True}).max_tokens == 99
    assert wish({"thinkingBudget": -1}).enabled is True
    assert wish({"thinkingLevel": "HIGH"}).effort == "high"
    assert wish({"thinkingLevel": "low"}).exclude


def test_a_result_that_failed_is_known() -> None:
    body = user({"functionResponse": {"name": "f", "id": "a", "response": {"error": "no"}}})
    result = decoded(body).messages[0].parts[0]
    assert isinstance(result, ToolResult)
    assert result.failed
    assert encoded(body) == body


def test_a_signature_on_an_empty_text_is_not_given_to_the_next() -> None:
    signed = {"text": "", "thoughtSignature": "c2ln"}
    body = {"contents": [{"role": "model", "parts": [part]} for part in ({"text": "a"}, signed, {"text": "b"})]}
    assert encoded(body) == {"contents": [{"role": "model", "parts": [{"text": "a"}, signed, {"text": "b"}]}]}
