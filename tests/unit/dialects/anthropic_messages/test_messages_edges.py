"""Owns the corners of the Messages dialect that neither recordings nor chat requests reach: canonical requests of other
dialects, limits, and events in unusual order.
"""

import json
from typing import Any

import pytest
from msgspec import Raw

from farebox.dialects.anthropic_messages import relay_stream, stream_decoding
from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.anthropic_messages.relay import MessagesRelay
from farebox.dialects.anthropic_messages.seals import MARK, unwrap
from farebox.dialects.ports import Target
from farebox.ir import errors as e
from farebox.ir import events as ev
from farebox.ir.request import (
    CacheMark,
    Citation,
    Inline,
    Media,
    Message,
    Opaque,
    Origin,
    OutputFormat,
    OutputLimits,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Role,
    Seal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from farebox.money.charges import FREE
from unit.dialects.anthropic_messages.messages_traffic import envelope, message_of

SERVER, CLIENT, RELAY = MessagesServer(), MessagesClient(), MessagesRelay()
TARGET = Target(model="claude-sonnet-4-5", vendor="v")
OWN = Origin("anthropic_messages", format="anthropic-claude-v1")
OTHER = Origin("google_generate", format="google-gemini-v1")
HELLO = Message(role=Role.USER, parts=(Text(text="Hello"),))


def sent(request: Request, target: Target = TARGET) -> tuple[dict[str, Any], list[str]]:
    body, warnings = CLIENT.encode(request, target)
    return json.loads(body), [f"{warning.code} {warning.path}" for warning in warnings]


def answered(*parts: Any, **more: Any) -> Request:
    return Request(models=("a/m",), messages=(HELLO, Message(role=Role.ASSISTANT, parts=parts), HELLO), **more)


def test_what_only_another_dialect_knows_is_told_as_lost() -> None:
    parts = (
        Reasoning(text="t", seal=Seal("signature", "S"), origin=OWN, cache=CacheMark()),
        Text(text="a", citations=(Citation(url="https://x.example"),), extras={"openai_responses": {"x": Raw(b"1")}}),
        Refusal(text="no"),
        Refusal(text=" "),
        Opaque(payload=Raw(b"{}"), origin=OTHER),
        ToolCall(call_id="c", name="f", arguments="{}", seal=Seal("signature", "G"), origin=OTHER),
    )
    body, warnings = sent(answered(*parts))
    assert [block["type"] for block in body["messages"][1]["content"]] == ["thinking", "text", "text", "tool_use"]
    assert warnings == [
        "cache_mark_dropped $.messages[1].content[0]",
        "unsupported $.messages[1].content[1]",
        "unsupported $.messages[1].content[1]",
        "unsupported $.messages[1].content[4]",
        "seal_dropped $.messages[1].content[5]",
    ]


def test_members_of_other_dialects_are_lost_by_name_unless_they_are_about_their_answers() -> None:
    raw, null = Raw(b"1"), Raw(b"null")
    extras = {"openai_chat": {"prediction": raw, "stream_options": raw, "provider": raw, "audio": null}}
    body, warnings = sent(Request(models=("a/m",), messages=(HELLO,), extras=extras))
    assert set(body) == {"model", "messages", "max_tokens"}
    assert warnings == ["unsupported $.prediction"]


def test_a_turn_that_only_calls_tools_has_no_text() -> None:
    body, warnings = sent(answered(Text(text=""), ToolCall(call_id="c", name="f", arguments="{}")))
    assert [block["type"] for block in body["messages"][1]["content"]] == ["tool_use"]
    assert not warnings


def test_tools_of_other_vendors_and_forms_are_told_as_lost() -> None:
    tools = (
        Tool(name="search", form="server", extras={"openai_chat": {"definition": Raw(b"{}")}}),
        Tool(name="grep", form="custom"),
        Tool(name="bare"),
        Tool(name="loose", schema=Raw(b'{"properties":{}}')),
        Tool(name="strict", schema=Raw(b'{"type":"object"}'), strict=True),
    )
    body, warnings = sent(Request(models=("a/m",), messages=(HELLO,), tools=tools))
    assert [tool["input_schema"] for tool in body["tools"]] == [
        {"type": "object", "properties": {}},
        {"type": "object", "properties": {}},
        {"type": "object", "additionalProperties": False},
    ]
    assert warnings == ["unsupported $.tools[0]", "unsupported $.tools[1]", "parameter_changed $.tools[4]"]


def test_names_of_speakers_text_output_and_small_budgets() -> None:
    request = Request(
        models=("a/m",),
        messages=(Message(role=Role.USER, parts=(Text(text="x"),), name="Ann"),),
        output=OutputFormat(form="text"),
        reasoning=ReasoningWish(max_tokens=10),
        limits=OutputLimits(max_tokens=5000),
    )
    body, warnings = sent(request)
    assert body["thinking"]["budget_tokens"] == 1024
    assert "output_config" not in body
    assert warnings == ["parameter_changed $.reasoning", "parameter_dropped $.messages[0].name"]
    adaptive = Target(model="other-model", vendor="v", reasoning_wish="adaptive")
    assert sent(request, adaptive)[0]["thinking"]["type"] == "adaptive"


def test_a_text_document_that_is_none_goes_elsewhere() -> None:
    for data in ("?", "//79"):
        part = Media(family="file", media_type="text/plain", source=Inline(data))
        with pytest.raises(e.VendorUnsupported):
            sent(answered(part))


def test_a_loop_that_begins_with_results_thinks() -> None:
    result = ToolResult(call_id="c", parts=())
    request = Request(
        models=("a/m",), messages=(Message(role=Role.TOOL, parts=(result,)),), reasoning=ReasoningWish(effort="high")
    )
    body, warnings = sent(request)
    assert body["messages"][0]["content"] == [{"type": "tool_result", "tool_use_id": "c"}]
    assert body["thinking"]["type"] == "enabled"
    assert not warnings


def test_schemas_are_walked_to_their_leaves() -> None:
    schema = {"type": "array", "items": {"type": "string", "maxLength": 3}, "minItems": 2, "contains": True}
    output = OutputFormat(form="json_schema", schema=Raw(json.dumps(schema).encode()))
    body, _ = sent(Request(models=("a/m",), messages=(HELLO,), output=output))
    assert body["output_config"]["format"]["schema"] == {
        "type": "array",
        "items": {"type": "string", "description": "maxLength: 3"},
        "contains": True,
        "description": "minItems: 2",
    }


def test_a_mark_that_marks_nothing_is_a_seal_of_its_own() -> None:
    for text in (MARK, f"{MARK}[1]", f'{MARK}["a"]'):
        assert unwrap(text, "signature") == ("anthropic-claude-v1", Seal("signature", text), "")


def test_members_of_a_source_that_nobody_knows_survive() -> None:
    block = {"type": "image", "source": {"type": "url", "url": "u", "zz": 1}}
    body = {"model": "a/m", "max_tokens": 9, "messages": [{"role": "user", "content": [block]}]}
    request = SERVER.decode(SERVER.open(json.dumps(body).encode()))
    assert sent(request)[0]["messages"][0]["content"] == [block]


def test_a_schema_may_refer_into_itself() -> None:
    schema = {"$defs": {"a": {"type": "string"}}, "properties": {"x": {"$ref": "#/$defs/a"}}}
    body = {"model": "a/m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}]}
    more = {"output_format": {"type": "json_schema", "schema": schema}}
    assert SERVER.open(json.dumps(body | more).encode()).parameters == {"max_tokens", "response_format"}
    assert SERVER.open(json.dumps(body | {"tools": [{"name": "x", "input_schema": schema}]}).encode())


def test_parts_that_wait_are_told_in_their_turn() -> None:
    encoder = SERVER.stream(envelope())
    events = (
        ev.PartStarted(0, ToolCall(call_id="c1", name="f", arguments="")),
        ev.PartStarted(1, ToolCall(call_id="c2", name="g", arguments="")),
        ev.PartStarted(2, Text(text="")),
        ev.ArgumentsDelta(1, '{"y":2}'),
        ev.PartEnded(1),
        ev.TextDelta(2, "x"),
        ev.CitationAdded(2, Citation(url="https://x.example", quote="q")),
        ev.PartEnded(2),
        ev.Warned(ev.Warning("x", "$")),
        ev.ChoiceEnded(reason=ev.FinishReason.STOP, choice=1),
        ev.ArgumentsDelta(0, '{"x":'),
    )
    out = encoder.feed(events)
    assert b"c2" not in out
    out += encoder.feed((ev.ArgumentsDelta(0, "1}"), ev.PartEnded(0), ev.SealDelta(0, Seal("signature", ""))))
    message = message_of(out + encoder.finish(FREE))
    assert [block.get("input") or block.get("text") for block in message["content"]] == [{"x": 1}, {"y": 2}, "x"]
    assert message["content"][2]["citations"][0]["url"] == "https://x.example"


def test_a_part_that_waits_when_the_answer_ends_is_told() -> None:
    encoder = SERVER.stream(envelope())
    out = encoder.feed(
        (
            ev.PartStarted(0, ToolCall(call_id="c1", name="f", arguments="")),
            ev.PartStarted(1, Text(text="late")),
            ev.PartStarted(2, Text(text="later")),
            ev.ChoiceEnded(reason=ev.FinishReason.LENGTH),
        )
    )
    message = message_of(out + encoder.finish(FREE))
    assert [block["type"] for block in message["content"]] == ["tool_use", "text", "text"]


def test_answers_above_the_limit_are_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_decoding, "WHOLE_BYTES_MAX", 10)
    monkeypatch.setattr(relay_stream, "WHOLE_BYTES_MAX", 10)
    for half in (CLIENT.stream(TARGET), RELAY.stream(envelope(), TARGET)):
        half.feed(b'{"content": "')
        assert isinstance(half.outcome.error, e.AnswerTooLarge)


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def test_odd_orders_of_a_stream() -> None:
    start = {"type": "message_start", "message": {"id": "m"}}
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn"},
        "usage": {"input_tokens": 2.0, "output_tokens": -1},
    }
    again = {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 3}}
    stray = {"type": "content_block_stop", "index": 7}
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}
    body = sse(
        start,
        stray,
        {"type": "content_block_start", "index": 0, "content_block": search},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": "[broken"}},
        {"type": "content_block_stop", "index": 0},
        end,
        end,
        again,
        {"type": "message_stop"},
        start,
    )
    decoder = CLIENT.stream(TARGET)
    events = [*decoder.feed(body), *decoder.close(), *decoder.feed(body)]
    assert decoder.outcome.flags == ["usage_absurd"]
    assert decoder.outcome.finish == "stop"
    assert decoder.outcome.usage is not None
    assert decoder.outcome.usage.leaves == {"input_fresh": 2, "output_text": 3}
    part = next(event.part for event in events if isinstance(event, ev.PartStarted))
    assert isinstance(part, Opaque)
    assert json.loads(bytes(part.payload))["input"] == "[broken"
    rest = CLIENT.stream(TARGET)
    rest.feed(body[:-2].rpartition(b"event: message_start")[0].rstrip(b"\n"))
    assert rest.close()[-1] == ev.Finished(complete=True)
    relay = RELAY.stream(envelope(), TARGET)
    relay.feed(sse(start, end)[:-2])
    relay.close()
    assert relay.outcome.finish == "stop"
