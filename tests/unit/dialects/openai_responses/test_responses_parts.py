"""Owns the kinds of parts, tools and choices that requests carry, one by one; refuses whole conversations (see the laws)."""

import json
from typing import Any

import pytest
from msgspec import Raw

from farebox.dialects.openai_responses.halves import ResponsesClient, ResponsesServer
from farebox.dialects.openai_responses.relay import ResponsesRelay
from farebox.ir.errors import Cut, Garbled, InvalidRequest, VendorFailed
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    FinishReason,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    Started,
    TextDelta,
)
from farebox.ir.fold import fold
from farebox.ir.request import (
    CacheMark,
    FileId,
    Inline,
    Media,
    Message,
    Origin,
    OutputFormat,
    OutputLimits,
    Reasoning,
    Refusal,
    Request,
    Role,
    Seal,
    Text,
    ToolCall,
    ToolChoice,
    ToolMode,
    Url,
)
from unit.dialects.openai_responses.responses_traffic import CHARGE, envelope, events_of, target
from unit.dialects.openai_responses.test_responses_answers import DELTA, RESPONSE, USAGE, decoded, stream

SERVER, CLIENT, RELAY = ResponsesServer(), ResponsesClient(), ResponsesRelay()
CACHED = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}


def round_trip(**members: Any) -> tuple[Request, dict[str, Any], list[str]]:
    opened = SERVER.open(json.dumps({"model": "a/m", "input": "Hello."} | members).encode())
    request = SERVER.decode(opened)
    body, warnings = CLIENT.encode(request, target(options=frozenset(("cache_control", "extended_sampling"))))
    return request, json.loads(body), [warning.path for warning in warnings]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (
            {"type": "input_image", "image_url": "data:image/png;base64,aW1n"},
            Media(family="image", media_type="image/png", source=Inline("aW1n")),
        ),
        (
            {"type": "input_image", "file_id": "f1", "detail": "high"},
            Media(family="image", source=FileId("f1"), detail="high"),
        ),
        (
            {"type": "input_file", "file_data": "data:application/pdf;base64,cGRm", "filename": "a.pdf"},
            Media(family="file", media_type="application/pdf", source=Inline("cGRm"), filename="a.pdf"),
        ),
        (
            {"type": "input_file", "file_data": "cGRm", "filename": "a"},
            Media(family="file", source=Inline("cGRm"), filename="a"),
        ),
        (
            {"type": "input_file", "file_url": "https://x.test/a.pdf"},
            Media(family="file", source=Url("https://x.test/a.pdf")),
        ),
        ({"type": "input_file", "file_id": "f2"}, Media(family="file", source=FileId("f2"))),
        (
            {"type": "input_audio", "input_audio": {"data": "d2F2", "format": "wav"}},
            Media(family="audio", media_type="audio/wav", source=Inline("d2F2")),
        ),
        (
            {"type": "input_video", "video_url": "https://x.test/v"},
            Media(family="video", source=Url("https://x.test/v")),
        ),
        ({"type": "input_text", "text": "T"} | CACHED, Text(text="T", cache=CacheMark("1h"))),
        (
            {"type": "input_text", "text": "T", "cache_control": {"type": "ephemeral"}},
            Text(text="T", cache=CacheMark("5m")),
        ),
    ],
)
def test_a_part_goes_round(part: dict[str, Any], expected: object) -> None:
    for content in (
        {"role": "user", "type": "message", "content": [part]},
        {"type": "function_call_output", "call_id": "c", "output": [part]},
    ):
        request, body, lost = round_trip(input=[content])
        assert body["input"] == [content]
        assert not lost
    assert round_trip(input=[{"role": "user", "content": [part]}])[0].messages[0].parts == (expected,)
    assert request.messages[0].role is Role.TOOL


@pytest.mark.parametrize(
    "part", [{"type": "input_image"}, {"type": "input_audio", "input_audio": 5}, {"type": "input_new", "text": "x"}]
)
def test_a_part_nobody_understands_comes_back(part: dict[str, Any]) -> None:
    item = {"type": "message", "role": "user", "content": [part, {"type": "input_text", "text": "x"}]}
    _, body, lost = round_trip(input=[item])
    assert body["input"] == [item]
    assert not lost


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("required", ToolChoice(ToolMode.REQUIRED)),
        ({"type": "function", "name": "f"}, ToolChoice(ToolMode.NAMED, ("f",))),
        ({"type": "custom", "name": "g"}, ToolChoice(ToolMode.NAMED, ("g",))),
        (
            {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
            ToolChoice(ToolMode.AUTO, ("f",)),
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "mcp", "server_label": "s"}]}, None),
        ({"type": "web_search"}, None),
    ],
)
def test_a_choice_of_tools_goes_round(choice: Any, expected: ToolChoice | None) -> None:
    tools = [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True, "defer_loading": True}
        | CACHED,
        {"type": "custom", "name": "g", "description": "G", "format": {"type": "text"}},
        {"type": "web_search", "search_context_size": "low"},
    ]
    request, body, lost = round_trip(tools=tools, tool_choice=choice)
    assert request.tool_choice == expected
    assert body["tool_choice"] == choice
    assert body["tools"] == tools
    assert not lost
    bare, warnings = CLIENT.encode(request, target())
    assert "cache_control" not in json.loads(bare)["tools"][0]
    assert [(warning.code, warning.path) for warning in warnings] == [("cache_mark_dropped", "$.tools[0]")]


def test_every_other_member_goes_round() -> None:
    members: dict[str, Any] = {
        "instructions": [{"type": "message", "role": "developer", "content": "Be brief."}],
        "text": {"format": {"type": "json_object"}, "verbosity": "low", "new": 1},
        "reasoning": {"effort": "high", "summary": "auto", "context": "all_turns"},
        "stop": ["x"],
        "top_k": 3,
        "modalities": ["text"],
        "cache_control": {"type": "ephemeral", "ttl": "1h"},
        "include": ["message.output_text.logprobs", "file_search_call.results", "reasoning.encrypted_content"],
        "user": "u",
        "metadata": {"a": "b"},
        "prompt_cache_key": "k",
        "service_tier": "flex",
        "parallel_tool_calls": False,
        "safety_identifier": "s",
    }
    request, body, lost = round_trip(**members)
    assert not lost
    assert body["input"][0]["role"] == "developer"
    assert request.sampling.logprobs is True
    assert request.cache == CacheMark("1h")
    for name, value in members.items():
        if name not in ("instructions", "include"):
            assert body[name] == value, name
    assert sorted(body["include"]) == sorted(members["include"])


def test_what_only_others_say() -> None:
    messages = (
        Message(role=Role.SYSTEM, parts=(Text(text="S"),), name="n"),
        Message(role=Role.ASSISTANT, parts=()),
        Message(role=Role.ASSISTANT, parts=(Refusal(text="no"), Media(family="image", source=Url("https://x.test")))),
        Message(
            role=Role.ASSISTANT,
            parts=(Media(family="image", source=Url("u"), extras={"openai_responses": {"type": Raw(b'"x"')}}),),
        ),
        Message(role=Role.USER, parts=(Text(text="U", extras={"anthropic_messages": {"new": Raw(b"1")}}),)),
        Message(role=Role.ASSISTANT, parts=(Reasoning(text="T"),)),
    )
    request = Request(
        models=("a/m",),
        messages=messages,
        output=OutputFormat(form="json_schema", schema=Raw(b"{}")),
        limits=OutputLimits(stop=("x",)),
    )
    body, warnings = CLIENT.encode(request, target())
    found = json.loads(body)
    assert [item.get("content") for item in found["input"]] == [
        "S",
        "",
        [{"type": "refusal", "refusal": "no"}],
        [{"type": "input_text", "text": "U"}],
    ]
    assert found["text"]["format"] == {"type": "json_schema", "name": "answer", "schema": {}}
    assert [warning.path for warning in warnings] == [
        "$.messages[0].name", "$.messages[2]", "$.messages[3]", "$.messages[4]", "$.messages[5]", "$.stop",
    ]  # fmt: skip


def test_too_many_parts_are_refused() -> None:
    part = {"type": "input_text", "text": "x"}
    with pytest.raises(InvalidRequest) as caught:
        SERVER.open(json.dumps({"model": "a/m", "input": [{"role": "user", "content": [part] * 5001}]}).encode())
    assert caught.value.path == "$.input"


def test_a_schema_points_into_itself_only() -> None:
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}
    request, _, _ = round_trip(
        text={"format": {"type": "json_schema", "name": "n", "schema": schema}}, tools=[{"type": "x"}]
    )
    assert request.output is not None
    outside = {"type": "json_schema", "name": "n", "schema": {"$ref": "https://x.test"}}
    with pytest.raises(InvalidRequest) as caught:
        round_trip(text={"format": outside})
    assert caught.value.path == "$.text.format.schema"


def told_reasoning(*events: Any) -> list[dict[str, Any]]:
    encoder = SERVER.stream(envelope())
    out = encoder.feed([Started(), *events, ChoiceEnded(reason=FinishReason.STOP)]) + encoder.finish(CHARGE)
    found = events_of(out)
    done = [event["item"] for event in found if event["type"] == "response.output_item.done"]
    assert done == found[-1]["response"]["output"]
    added = [event["item"]["id"] for event in found if event["type"] == "response.output_item.added"]
    assert added == [item["id"] for item in done]
    return done


def test_an_encryption_keeps_its_id_and_a_signature_its_text() -> None:
    origin = Origin("openai_chat", format="openai-responses-v1")
    begun = [PartStarted(0, Reasoning(origin=origin)), ReasoningDelta(0, "Hm", summary=True)]
    items = told_reasoning(*begun, SealDelta(0, Seal("encrypted", "e", "rs_9")), PartEnded(0))
    assert [item["id"] for item in items] == ["rs_made_1_0", "rs_9"]
    assert items[1]["encrypted_content"] == "e"
    items = told_reasoning(*begun, SealDelta(0, Seal("signature", "s", "th_9")), PartEnded(0))
    assert [(item["id"], item["signature"]) for item in items] == [("rs_made_1_0", "s")]
    items = told_reasoning(
        PartStarted(0, Reasoning(origin=origin)), SealDelta(0, Seal("encrypted", "e", "rs_9")), PartEnded(0)
    )
    assert [item["id"] for item in items] == ["rs_9"]
    both = Reasoning(text="T", summary="S", seal=Seal("encrypted", "e"), origin=origin)
    items = told_reasoning(PartStarted(0, both), PartEnded(0))
    assert items[0]["content"] == [{"type": "reasoning_text", "text": "T"}]
    assert items[0]["summary"] == [{"type": "summary_text", "text": "S"}]
    signed = fold(CLIENT.whole(json.dumps(RESPONSE | {"status": "completed", "output": items}).encode(), target())[0])
    assert [type(part) for part in signed.choices[0].parts] == [Reasoning, Reasoning, Reasoning]
    assert told_reasoning(PartStarted(0, Reasoning()), PartEnded(0)) == []


def test_a_host_that_breaks_the_rules_is_recoded() -> None:
    vendor = target(options=frozenset(("recode",)))
    relay = RELAY.stream(envelope(), vendor)
    out = relay.feed(stream(DELTA)) + relay.close() + relay.finish(CHARGE)
    assert "response.content_part.done" in [event["type"] for event in events_of(out)]
    assert relay.outcome.complete
    relay = RELAY.stream(envelope(), vendor)
    out = relay.feed(stream(DELTA, end=False)) + relay.close()
    assert isinstance(relay.outcome.error, Cut)
    assert events_of(out + relay.fail(Cut(), CHARGE))[-1]["type"] == "response.failed"


def test_a_relayed_end_lists_the_items_that_its_vendor_left_out() -> None:
    item = {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": "{}"}
    relay = RELAY.stream(envelope(), target())
    out = relay.feed(stream({"type": "response.output_item.done", "output_index": 0, "item": item}))
    assert relay.outcome.tool_calls == 1
    assert relay.outcome.finish == "tool_calls"
    assert events_of(out + relay.finish(CHARGE))[-1]["response"]["output"] == [item]


def test_a_relayed_end_may_be_all_there_is() -> None:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    end = RESPONSE | {"output": [message], "usage": USAGE}
    del end["status"]
    body = stream({"type": "response.incomplete", "response": end}, end=False)
    relay = RELAY.stream(envelope(), target())
    relay.feed(body)
    assert (relay.outcome.content_chars, relay.outcome.finish, relay.outcome.committed) == (2, "length", True)
    assert fold(decoded(body)).choices[0].reason is FinishReason.LENGTH


@pytest.mark.parametrize(
    ("data", "leaf"),
    [
        (b"{", Garbled),
        (b'{"type":5}', Garbled),
        (b'{"type":"error","delta":5,"message":"x"}', VendorFailed),
        (b'{"type":"response.output_text.delta","delta":5}', Garbled),
        (b'{"type":"response.completed","response":{"output":[5],"status":"completed"}}', Garbled),
        (b'{"error":{"message":"x"}}', VendorFailed),
        (b'"error"', Garbled),
    ],
)
def test_what_breaks_a_relay(data: bytes, leaf: type[Exception]) -> None:
    for passage in (RELAY.stream(envelope(), target()), CLIENT.stream(target())):
        passage.feed(b"data: " + data + b"\n\n")
        assert type(passage.outcome.error) is leaf
        passage.feed(stream(DELTA))
        passage.close()
        assert type(passage.outcome.error) is leaf


def test_an_unknown_event_passes_the_relay_whatever_it_holds() -> None:
    relay = RELAY.stream(envelope(), target())
    odd = b'data: {"type":"response.new","delta":{"a":1}}\n\n'
    out = relay.feed(stream(DELTA, end=False)) + relay.feed(odd)
    assert events_of(out)[-1] == {"type": "response.new", "delta": {"a": 1}}
    decoder = CLIENT.stream(target())
    assert decoder.feed(odd + b"data: [DONE]\n\n") == []


def test_the_last_event_may_lack_its_blank_line() -> None:
    body = stream(DELTA).rstrip(b"\n")
    relay = RELAY.stream(envelope(), target())
    relay.feed(body)
    relay.close()
    assert relay.outcome.complete and relay.outcome.error is None
    assert fold(decoded(body)).complete
    broken = body[: body.rindex(b"event:")] + b"data: {"
    relay = RELAY.stream(envelope(), target())
    relay.feed(broken)
    relay.close()
    assert isinstance(relay.outcome.error, Garbled)
    assert isinstance(fold(decoded(broken)).error, Garbled)


def test_a_sealed_call_is_told_with_its_seal_before_it() -> None:
    origin = Origin("google_generate", format="google-gemini-v1")
    call = ToolCall(call_id="c1", name="f", arguments="{}", seal=Seal("encrypted", "e"), origin=origin)
    items = told_reasoning(PartStarted(0, call), PartEnded(0))
    assert [item["type"] for item in items] == ["reasoning", "function_call"]
    assert items[0] | {"summary": []} == {
        "type": "reasoning", "id": "c1", "summary": [], "encrypted_content": "e", "format": "google-gemini-v1",
    }  # fmt: skip
    request = Request(models=("a/m",), messages=(Message(role=Role.ASSISTANT, parts=(call,)),))
    body, _ = CLIENT.encode(request, target(settings={"reasoning_format": "google-gemini-v1"}))
    assert [item["type"] for item in json.loads(body)["input"]] == ["reasoning", "function_call"]
    body, warnings = CLIENT.encode(request, target())
    assert [item["type"] for item in json.loads(body)["input"]] == ["function_call"]
    assert [warning.code for warning in warnings] == ["seal_dropped"]


def test_a_tool_that_the_vendor_ran_is_not_the_clients_to_run() -> None:
    call = ToolCall(call_id="c1", name="f", arguments="{}", executor="vendor")
    assert told_reasoning(PartStarted(0, call), ArgumentsDelta(0, "x"), PartEnded(0)) == []
    _, warnings = CLIENT.encode(
        Request(models=("a/m",), messages=(Message(role=Role.ASSISTANT, parts=(call,)),)), target()
    )
    assert [warning.code for warning in warnings] == ["unsupported"]


def test_events_of_other_choices_are_not_told() -> None:
    encoder = SERVER.stream(envelope())
    out = encoder.feed(
        [
            Started(),
            PartStarted(0, Text(text="A")),
            PartStarted(0, Text(text="B"), 1),
            TextDelta(0, "C", 1),
            TextDelta(7, "D"),
        ]
    )
    assert [event["delta"] for event in events_of(out) if event["type"].endswith("delta")] == ["A"]


def test_odd_order_within_a_stream() -> None:
    added = {
        "type": "response.output_item.added",
        "output_index": 0,
        "item": {"type": "message", "id": "m", "role": "assistant"},
    }
    note = {"type": "url_citation", "url": "https://x.test", "title": "X", "start_index": 0, "end_index": 1}
    cite = {"type": "response.output_text.annotation.added", "output_index": 0, "content_index": 0, "annotation": note}
    part = {
        "type": "response.content_part.done",
        "output_index": 0,
        "content_index": 0,
        "part": {"type": "output_text", "text": "Hi", "annotations": [note]},
    }
    new = {"type": "response.content_part.done", "output_index": 0, "content_index": 1, "part": {"type": "output_new"}}
    parts = fold(decoded(stream(added, added, DELTA, part, cite, new, new))).choices[0].parts
    assert [type(found).__name__ for found in parts] == ["Text", "Opaque"]
    assert isinstance(parts[0], Text)
    assert len(parts[0].citations) == 1
    late = {"type": "response.failed", "response": RESPONSE}
    relay = RELAY.stream(envelope(), target())
    relay.feed(stream(late, end=False))
    assert isinstance(relay.outcome.error, VendorFailed)


def test_marks_of_the_house_do_not_pass_a_vendor_without_marks() -> None:
    opened = SERVER.open(
        json.dumps({"model": "a/m", "input": "x", "cache_control": {"type": "ephemeral"}, "include": []}).encode()
    )
    assert json.loads(RELAY.request(opened, target())[0]) == {"model": "vendor-model", "input": "x", "store": False}
    kept = json.loads(RELAY.request(opened, target(options=frozenset(("cache_control",))))[0])
    assert kept["cache_control"] == {"type": "ephemeral"}
