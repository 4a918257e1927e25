"""Owns what Messages clients meet at the door and in answers: strict opening, errors, interleaved parts, counting; and what
hand-made vendor streams do that no recording shows.
"""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from farebox.dialects.anthropic_messages.counting import (
    count_path,
    count_request,
    estimate,
    open_count,
    read_count,
    write_count,
)
from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.anthropic_messages.relay import MessagesRelay
from farebox.dialects.framing.aws_events import frame
from farebox.dialects.ports import Envelope, Target
from farebox.ir import errors as e
from farebox.ir import events as ev
from farebox.ir.fold import fold
from farebox.ir.request import (
    Citation,
    FileId,
    Inline,
    Media,
    Opaque,
    Origin,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    ToolResult,
    Url,
)
from farebox.money.charges import FREE, Charge
from unit.dialects.anthropic_messages.messages_traffic import envelope, events_of, message_of

SERVER, CLIENT, RELAY = MessagesServer(), MessagesClient(), MessagesRelay()
TARGET = Target(model="claude-sonnet-4-5", vendor="v", options=frozenset(("system_in_messages",)))
LOOSE = {"type": "tool_result", "content": ["x"]}
HELLO = {"model": "a/m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}


def opened(**more: Any) -> Any:
    return SERVER.open(json.dumps(HELLO | more).encode())


@pytest.mark.parametrize(
    ("body", "path", "reason"),
    [
        (b"[]", "$", "not_an_object"),
        (b"{", "$", "invalid_json"),
        (b'{"model":"a","model":"b"}', "$", "duplicate_field"),
        (b'{"model":"a","max_tokens":1}', "$.messages", "missing_field"),
        (b'{"model":"a","messages":[]}', "$.max_tokens", "missing_field"),
    ],
)
def test_bodies_that_are_none(body: bytes, path: str, reason: str) -> None:
    with pytest.raises(e.InvalidRequest) as found:
        SERVER.open(body)
    assert (found.value.path, found.value.metadata["reason"]) == (path, reason)


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"max_tokens": 0}, "$.max_tokens"),
        ({"messages": []}, "$.messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "$.messages[0].role"),
        ({"messages": [{"role": "user", "content": 5}]}, "$.messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}]}]}, "$.messages[0].content[0].type"),
        ({"temperature": 1.1}, "$.temperature"),
        ({"tools": [{"input_schema": {}}]}, "$.tools[0].name"),
        ({"tool_choice": {"type": "required"}}, "$.tool_choice.type"),
        ({"thinking": {"type": "on"}}, "$.thinking.type"),
        ({"model": ""}, "$.model"),
        ({"api_base": "http://x"}, "$.api_base"),
        ({"tools": [{"name": "x", "input_schema": {"$ref": "http://x"}}]}, "$.tools[0].input_schema"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {"$ref": "x"}}}}, "$.output_config.format.schema"),
        ({"messages": [{"role": "user", "content": [LOOSE]}]}, "$.messages[0].content[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}] * 5001}]}, "$.messages"),
    ],
)  # fmt: skip
def test_what_is_out_of_range_is_refused_with_its_path(more: dict[str, Any], path: str) -> None:
    with pytest.raises(e.InvalidRequest) as found:
        opened(**more)
    assert found.value.path == path


def test_opening_tells_what_routing_needs() -> None:
    mark = {"type": "ephemeral"}
    messages = [
        {"role": "user", "content": [{"type": "image", "source": {"type": "url", "url": "x"}}]},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "content": [{"type": "document"}], "cache_control": mark}],
        },
        {"role": "system", "content": "x"},
    ]
    found = opened(
        messages=messages,
        models=["b/m"],
        fallbacks=[{"model": "c/m"}],
        provider={"only": ["x"]},
        stream=True,
        system=[{"type": "text", "text": "x"}],
        tools=[{"type": "web_search_20250305", "name": "web_search"}, {"name": "f", "cache_control": mark}],
        tool_choice={"type": "auto", "disable_parallel_tool_use": True},
        thinking={"type": "enabled", "budget_tokens": 1024},
        output_config={"effort": "low", "format": {"type": "json_schema"}},
        stop_sequences=["x"],
        metadata={"user_id": "u"},
        service_tier="auto",
        session_id="s",
    )
    assert found.models == ("a/m", "b/m", "c/m")
    assert found.stream
    assert found.max_tokens == 9
    assert found.modalities == {"image", "file"}
    assert found.origins == {"anthropic-claude-v1"}
    assert found.marks == {"thinking", "tool_result", "cache_control", "system_in_messages", "server_tools"}
    assert found.parameters == {
        "max_tokens", "tools", "tool_choice", "parallel_tool_calls", "reasoning", "response_format", "stop",
    }  # fmt: skip
    assert (found.user, found.service_tier, found.session) == ("u", "auto", "s")
    assert found.relayable
    body, warnings = RELAY.request(found, TARGET)
    sent = json.loads(body)
    assert not warnings
    assert sent["model"] == "claude-sonnet-4-5"
    assert not {"models", "fallbacks", "provider", "session_id"} & set(sent)
    assert opened(thinking={"type": "disabled"}).parameters == {"max_tokens"}
    unsigned = [{"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": ""}]}]
    assert not opened(messages=unsigned).relayable


def test_the_session_of_a_coding_agent_is_found() -> None:
    session = "0b6c2a52-95d5-4f2c-9a3e-8f0a7c1d2e3f"
    for user in (f"user_ab_account__session_{session}", json.dumps({"device_id": "x", "session_id": session})):
        assert opened(metadata={"user_id": user}).session == session
    assert opened(metadata={"user_id": "u-1"}).session == ""
    assert opened(metadata={"user_id": 5}).session == ""
    assert opened(metadata={"user_id": f"session_{session}"}, session_id="s").session == "s"


JSON = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(min_size=1, max_size=8),
    lambda inner: (
        st.lists(inner, min_size=1, max_size=3) | st.dictionaries(st.text(max_size=6), inner, min_size=1, max_size=3)
    ),
    max_leaves=6,
)
WORD = st.text("abcdefgh_", min_size=1, max_size=6).map(lambda word: f"zz_{word}")
UNKNOWN = st.dictionaries(WORD, JSON, max_size=2)
SAID = st.text(min_size=1, max_size=12).filter(lambda text: text.strip())
TEXT = st.fixed_dictionaries({"type": st.just("text"), "text": SAID})
CALL = st.fixed_dictionaries(
    {
        "type": st.just("tool_use"),
        "id": WORD,
        "name": WORD,
        "input": st.dictionaries(st.text(max_size=4), JSON, max_size=2),
    }
)
THOUGHT = st.fixed_dictionaries({"type": st.just("thinking"), "thinking": SAID, "signature": SAID})
HIDDEN = st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": SAID})
STRANGE = st.fixed_dictionaries({"type": WORD})
SOURCE = st.sampled_from(
    [
        {"type": "url", "url": "https://x.example"},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
        {"type": "text", "media_type": "text/plain", "data": "Grüße"},
        {"type": "file", "file_id": "f"},
        {"type": "content", "content": [{"type": "text", "text": "x"}]},
    ]
)
DOCUMENT = st.fixed_dictionaries({"type": st.just("document"), "source": SOURCE}, optional={"title": SAID})
RESULT = st.fixed_dictionaries(
    {"type": st.just("tool_result"), "tool_use_id": WORD, "content": st.lists(TEXT | DOCUMENT, min_size=2, max_size=3)},
    optional={"is_error": st.just(True)},
)


def grown(block: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A block with members that nobody knows, and perhaps a mark."""
    mark = st.sampled_from(
        [
            {},
            {"cache_control": {"type": "ephemeral", "ttl": "1h"}},
            {"cache_control": {"type": "ephemeral", "scope": "x"}},
        ]
    )
    return st.builds(lambda one, more, marked: {**one, **more, **marked}, block, UNKNOWN, mark)


PLAIN = st.builds(lambda one, more: {**one, **more}, THOUGHT | HIDDEN, UNKNOWN)
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant"]),
        "content": st.lists(TEXT | grown(CALL) | PLAIN | STRANGE | DOCUMENT | grown(RESULT), min_size=2, max_size=4),
    }
)
REQUEST = st.fixed_dictionaries(
    {"model": st.just("a/m"), "max_tokens": st.integers(1, 10**6), "messages": st.lists(MESSAGE, min_size=1, max_size=4)},
    optional={
        "system": st.lists(TEXT, min_size=2, max_size=3),
        "temperature": st.sampled_from([0, 0.5, 1]),
        "thinking": st.sampled_from(
            [{"type": "adaptive", "display": "omitted"}, {"type": "enabled", "budget_tokens": 2000, "zz": 1}]
        ),
        "output_config": st.sampled_from([{"effort": "max"}, {"effort": "low", "zz": {"a": 1}}]),
        "tools": st.just([{"name": "f", "input_schema": {"type": "object"}, "zz": 1}, {"type": "web_search_1", "name": "w"}]),
        "metadata": st.just({"user_id": "u", "zz": "x"}),
        "service_tier": st.just("auto"),
    },
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(REQUEST, UNKNOWN)
def test_made_requests_with_unknown_members_survive(request: dict[str, Any], unknown: dict[str, Any]) -> None:
    body = request | unknown
    marks = json.dumps(body).count('"ttl": "1h"')
    found = SERVER.open(json.dumps(body).encode())
    encoded, warnings = CLIENT.encode(SERVER.decode(found), TARGET)
    sent = json.loads(encoded)
    if marks > 4:
        assert [warning.code for warning in warnings] == ["cache_mark_dropped"]
        return
    for message in body["messages"]:
        last = message["content"][-1]
        if message is body["messages"][-1] and message["role"] == "assistant" and last["type"] == "text":
            last["text"] = last["text"].rstrip()
    assert sent == body | {"model": "claude-sonnet-4-5"}
    assert {warning.code for warning in warnings} <= {"parameter_changed"}


@pytest.mark.parametrize("leaf", e.leaves(), ids=lambda leaf: leaf.__name__)
def test_every_error_has_the_protocols_shape(leaf: type[e.FareboxError]) -> None:
    error = leaf("It broke.", retry_after_s=1.2)
    told = json.loads(SERVER.error(error, "gen-1"))
    assert told["type"] == "error"
    assert told["request_id"] == "gen-1"
    assert told["error"]["error_type"] == error.code
    assert told["error"]["code"] == error.status
    assert told["error"]["metadata"]["retry_after"] == 2
    assert told["error"]["message"].endswith("It broke.")
    expected = {401: "authentication_error", 402: "billing_error", 404: "not_found_error", 429: "rate_limit_error"}
    kind = told["error"]["type"]
    assert kind == expected.get(error.status, kind)
    assert kind.endswith("_error") or kind == "request_too_large"


def test_a_prompt_that_is_too_long_is_said_in_the_words_agents_know() -> None:
    told = json.loads(SERVER.error(e.ContextTooLong("The context has 8192 tokens."), ""))
    assert told["error"]["message"] == "prompt is too long: The context has 8192 tokens."
    assert told["request_id"] is None
    refused = e.VendorContextTooLong("prompt is too long: 9 tokens > 8 maximum", vendor_status=400)
    told = json.loads(SERVER.error(refused, ""))
    assert told["error"]["message"] == "prompt is too long: 9 tokens > 8 maximum"
    assert told["error"]["metadata"] == {"provider_code": 400}
    assert json.loads(SERVER.error(e.InvalidRequest(path="$.x"), ""))["error"]["metadata"] == {"path": "$.x"}


def encoded(*events: ev.Event, env: Envelope | None = None) -> dict[str, Any]:
    encoder = SERVER.stream(env or envelope())
    return message_of(encoder.feed(events) + encoder.finish(FREE))


STOP = ev.ChoiceEnded(reason=ev.FinishReason.STOP, raw_reason="stop")


def test_parts_that_interleave_stand_one_after_the_other() -> None:
    message = encoded(
        ev.PartStarted(0, Text(text="")),
        ev.TextDelta(0, "a"),
        ev.PartStarted(1, ToolCall(call_id="c1", name="f", arguments="")),
        ev.PartStarted(2, ToolCall(call_id="c2", name="g", arguments="")),
        ev.PartStarted(3, Reasoning()),
        ev.ArgumentsDelta(2, '{"y":'),
        ev.ArgumentsDelta(1, '{"x":1}'),
        ev.TextDelta(0, "b"),
        ev.ReasoningDelta(3, "t"),
        ev.ArgumentsDelta(2, "2}"),
        ev.PartEnded(2),
        ev.PartEnded(1),
        ev.TextDelta(9, "nobody's"),
        ev.TextDelta(0, "another choice's", choice=1),
        ev.PartEnded(3),
        ev.ChoiceEnded(reason=ev.FinishReason.TOOL_CALLS),
    )
    assert [{k: v for k, v in block.items() if k != "signature"} for block in message["content"]] == [
        {"type": "text", "text": "a"},
        {"type": "tool_use", "id": "c1", "name": "f", "input": {"x": 1}},
        {"type": "tool_use", "id": "c2", "name": "g", "input": {"y": 2}},
        {"type": "thinking", "thinking": "t"},
        {"type": "text", "text": "b"},
    ]
    assert message["stop_reason"] == "tool_use"


def test_a_call_that_is_whole_gives_way_to_the_next_at_once() -> None:
    encoder = SERVER.stream(envelope())
    first = (
        ev.PartStarted(0, ToolCall(call_id="c1", name="f", arguments="{}")),
        ev.PartStarted(1, ToolCall(call_id="c2", name="g", arguments="")),
    )
    assert b'"c2"' in encoder.feed(first)


def test_every_kind_of_part_in_streams_and_whole_answers() -> None:
    google = Origin("google_generate", format="google-gemini-v1")
    parts: list[Any] = [
        Reasoning(summary="s", seal=Seal("encrypted", "E", "rs_1"), origin=Origin("x", format="openai-responses-v1")),
        Reasoning(seal=Seal("redacted", "R"), origin=Origin("x", format="anthropic-claude-v1")),
        Reasoning(),
        Text(text="cited", citations=(Citation(url="https://x.example", title="T", quote="q"),)),
        Refusal(text="no"),
        Media(family="image", media_type="image/png", source=Inline("AA==")),
        Media(family="image", source=Url("https://x.example/i")),
        Media(family="image", source=FileId("f")),
        Media(family="audio", source=Inline("AA=="), transcript="heard"),
        Opaque(payload=Raw(b'{"type":"server_tool_use"}'), origin=Origin("anthropic_messages")),
        Opaque(payload=Raw(b'{"type":"other"}'), origin=Origin("openai_responses")),
        ToolCall(call_id="c", name="f", arguments='{"a":1}', seal=Seal("signature", "G"), origin=google),
        ToolCall(call_id="d", name="f", arguments="no object"),
        ToolResult(call_id="d"),
    ]
    events: list[ev.Event] = []
    for index, part in enumerate(parts):
        events += [ev.PartStarted(index, part), ev.PartEnded(index)]
    events += [STOP, ev.Finished()]
    streamed = encoded(*events)["content"]
    whole = json.loads(SERVER.whole(fold(events), envelope(), FREE))["content"]
    assert [block["type"] for block in whole] == [
        "thinking", "redacted_thinking", "text", "text", "image", "image", "image", "text", "server_tool_use",
        "redacted_thinking", "tool_use", "tool_use",
    ]  # fmt: skip
    assert streamed == whole
    assert whole[2]["citations"][0]["cited_text"] == "q"
    assert whole[-1]["input"] == {"input": "no object"}
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": whole}]
    back = SERVER.decode(opened(messages=turns)).messages[1].parts
    assert back[0] == parts[0].__class__(
        summary="s",
        seal=Seal("encrypted", "E", "rs_1"),
        origin=Origin("anthropic_messages", format="openai-responses-v1"),
    )
    call = next(part for part in back if isinstance(part, ToolCall))
    assert (call.seal, call.origin) == (Seal("signature", "G"), Origin("anthropic_messages", format="google-gemini-v1"))


def test_seals_that_come_late() -> None:
    google = Origin("google_generate", format="google-gemini-v1")
    message = encoded(
        ev.PartStarted(9, ToolCall(call_id="b", name="f", arguments="{}", origin=google)),
        ev.SealDelta(9, Seal("signature", "")),
        ev.PartEnded(9),
        ev.PartStarted(0, ToolCall(call_id="c", name="f", arguments="{}", origin=google)),
        ev.SealDelta(0, Seal("signature", "G")),
        ev.PartEnded(0),
        ev.PartStarted(1, Reasoning(origin=google)),
        ev.SealDelta(1, Seal("encrypted", "E")),
        ev.PartEnded(1),
        ev.PartStarted(2, Media(family="image", media_type="image/png", source=Inline("AA"))),
        ev.MediaDelta(2, "BB"),
        ev.PartEnded(2),
        STOP,
    )
    assert [block["type"] for block in message["content"]] == [
        "tool_use",
        "tool_use",
        "redacted_thinking",
        "redacted_thinking",
        "image",
    ]
    assert message["content"][4]["source"]["data"] == "AABB"


def test_reasoning_that_shall_not_be_shown_leaves_its_seal() -> None:
    hidden = Envelope(id="gen-1", model="m", provider="p", created_s=0, include_reasoning=False)
    own = Origin("anthropic_messages", format="anthropic-claude-v1")
    events = [
        ev.PartStarted(0, Reasoning(origin=own)),
        ev.ReasoningDelta(0, "secret"),
        ev.SealDelta(0, Seal("signature", "S")),
        ev.PartEnded(0),
        STOP,
    ]
    expected = [{"type": "thinking", "thinking": "", "signature": "S"}]
    assert encoded(*events, env=hidden)["content"] == expected
    assert json.loads(SERVER.whole(fold(events), hidden, FREE))["content"] == expected


@pytest.mark.parametrize(
    ("reason", "raw", "sequence", "word"),
    [
        ("stop", "stop", None, "end_turn"),
        ("stop", "stop", "###", "stop_sequence"),
        ("stop", "pause_turn", None, "pause_turn"),
        ("length", "length", None, "max_tokens"),
        ("tool_calls", "", None, "tool_use"),
        ("content_filter", "SAFETY", None, "refusal"),
        ("error", "", None, "end_turn"),
    ],
)
def test_stop_reasons(reason: str, raw: str, sequence: str | None, word: str) -> None:
    ended = ev.ChoiceEnded(reason=ev.FinishReason(reason), raw_reason=raw, stop_sequence=sequence)
    message = encoded(ended)
    assert (message["stop_reason"], message["stop_sequence"]) == (word, sequence)


def test_an_empty_answer_is_still_a_message_with_its_charge() -> None:
    encoder = SERVER.stream(envelope())
    out = encoder.finish(Charge(total_nano=3, vendor_nano=2, toll_nano=1))
    assert [event["type"] for event in events_of(out)] == ["message_start", "message_delta", "message_stop"]
    assert message_of(out)["usage"]["cost_details"]["toll_cost"] == 1e-9
    assert json.loads(SERVER.whole(ev.Response(), envelope(), FREE))["stop_reason"] == "end_turn"


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


START = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": None}}}
END = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"input_tokens": 0, "output_tokens": 2}}
DONE = {"type": "message_stop"}


def begun(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def told(index: int, **delta: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": delta}


def read(body: bytes) -> tuple[list[ev.Event], Any]:
    decoder = CLIENT.stream(TARGET)
    return [*decoder.feed(body), *decoder.close()], decoder.outcome


def test_a_block_nobody_knows_grows_by_deltas_nobody_knows() -> None:
    body = sse(
        START,
        begun(0, type="compaction", content=""),
        told(0, type="compaction_delta", content="Sum"),
        told(0, type="compaction_delta", content="mary", weight=2),
        {"type": "content_block_stop", "index": 0},
        begun(1, type="server_tool_use", id="s", name="web_search", input={}),
        told(1, type="input_json_delta", partial_json='{"q":'),
        told(1, type="input_json_delta", partial_json='"x"}'),
        {"type": "brand_new_event"},
        END,
        DONE,
    )
    events, outcome = read(body)
    parts = [event.part for event in events if isinstance(event, ev.PartStarted)]
    assert [json.loads(bytes(part.payload)) for part in parts] == [
        {"type": "compaction", "content": "Summary", "weight": 2},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "x"}},
    ]
    assert outcome.complete
    assert outcome.usage.leaves == {"input_fresh": 5, "output_text": 2}
    relay = RELAY.stream(envelope(), TARGET)
    out = relay.feed(body)
    assert b"brand_new_event" in out


def test_nulls_and_missing_ends_are_tolerated() -> None:
    body = sse(START, begun(0, type="text", text="a", citations=None), told(0, type="text_delta", text=None), END)
    events, outcome = read(body)
    assert events[-1] == ev.Finished(complete=False)
    assert outcome.error is None
    assert not outcome.complete
    marked = b"data:\n\ndata: [DONE]\n\n" + body
    assert read(marked) == (events, outcome)
    relay = RELAY.stream(envelope(), TARGET)
    relay.feed(marked)
    relay.close()
    assert relay.outcome == outcome
    body = sse(START, begun(0, type="text", text=""), told(0, type="shiny_delta", shine=1), END, DONE)
    assert read(body)[1].flags == ["unknown_delta"]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>", e.Garbled),
        (b"data: {\n\n", e.Garbled),
        (b"data: 5\n\n", e.Garbled),
        (b'data: {"index":0}\n\n', e.Garbled),
        (b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\xff"}}\n\n', e.Garbled),
        (sse(START, told(0, type="text_delta", text="x")), e.Garbled),
        (sse(START, begun(0, type="text", text=""), begun(0, type="text", text="")), e.Garbled),
        (sse(START, begun(0, type="text", text={})), e.Garbled),
        (sse({"type": "message_start"}), e.Garbled),
        (sse(START), e.Cut),
        (b"", e.Cut),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', e.Overloaded),
        (b'data: {"error":{"type":"rate_limit_error","message":"x"}}\n\n', e.VendorRateLimited),
        (sse({"type": "error", "error": {"type": "api_error", "message": "x"}}), e.VendorFailed),
        (sse({"type": "odd", "error": {"type": "overloaded_error", "message": "x"}}), e.Overloaded),
        (b'{"content":5}', e.Garbled),
        (b'{"content":[5]}', e.Garbled),
        (b"data: " + b"x" * (1 << 21), e.AnswerTooLarge),
        (sse(START, END | {"usage": {"output_tokens": 0, "input_tokens": 5}}, DONE), e.EmptyAnswer),
    ],
)
def test_what_breaks_is_one_kind_of_error_in_relay_and_codec(body: bytes, error: type[e.AttemptError]) -> None:
    events, outcome = read(body)
    assert isinstance(outcome.error, error)
    assert sum(isinstance(event, ev.Finished | ev.Failed) for event in events) == 1
    relay = RELAY.stream(envelope(), TARGET)
    relay.feed(body)
    relay.close()
    assert type(relay.outcome.error) is type(outcome.error)
    assert not CLIENT.stream(TARGET).feed(b"\n")
    assert relay.feed(body) == b""
    assert relay.close() == b""


def test_frames_of_a_host_hold_events_or_the_error_they_name() -> None:
    target = Target(model="m", vendor="v", options=frozenset(("aws_event_stream",)))
    heads = {":message-type": "event", ":event-type": "chunk"}
    good = frame(
        heads, json.dumps({"bytes": base64.b64encode(json.dumps(START).encode()).decode(), "p": "ab"}).encode()
    )
    thrown = frame({":message-type": "exception", ":exception-type": "throttlingException"}, b'{"message":"Too many"}')
    for bad, error in (
        (thrown, e.VendorRateLimited),
        (frame(heads, b'{"bytes":"?"}'), e.Garbled),
        (frame(heads, b"{}"), e.Garbled),
        (good[:-1] + b"x", e.Garbled),
        (good[:9], e.Cut),
    ):
        for half in (CLIENT.stream(target), RELAY.stream(envelope(), target)):
            half.feed(good + bad)
            half.close()
            assert isinstance(half.outcome.error, error)
            assert half.outcome.upstream_id == "m"


def test_usage_that_is_none_is_flagged() -> None:
    for value in (-1, "x", 1.5, True, 10**13):
        body = sse(START, END | {"usage": {"output_tokens": value}}, DONE)
        _, outcome = read(body)
        assert outcome.flags == ["usage_absurd"]


def test_a_whole_answer_to_a_stream_request_becomes_a_stream() -> None:
    whole = {"id": "m", "type": "message", "content": [{"type": "text", "text": "Hi"}], "usage": {"output_tokens": 1}}
    body = json.dumps(whole | {"stop_reason": "end_turn"}).encode()
    relay = RELAY.stream(envelope(), TARGET)
    out = relay.feed(body[:9]) + relay.feed(body[9:]) + relay.close() + relay.finish(FREE)
    message = message_of(out)
    assert (message["id"], message["content"]) == ("gen-1", [{"type": "text", "text": "Hi"}])
    events, outcome = read(body)
    assert outcome == relay.outcome
    assert fold(events).choices[0].parts == (Text(text="Hi"),)
    with pytest.raises(e.Overloaded):
        CLIENT.whole(b'{"error":{"type":"overloaded_error","message":"x"}}', TARGET)
    for bad in (b"<html>", b"x", b'{"content":[', b'{"content":["\xff"]}', b"{}"):
        with pytest.raises(e.Garbled):
            RELAY.whole(bad, envelope(), TARGET)


def test_names_that_were_escaped_come_back_in_answers() -> None:
    body = sse(START, begun(0, type="tool_use", id="t", name="a-x2e-b", input={"a": 1}), END, DONE)
    events, _ = read(body)
    part = fold(events).choices[0].parts[0]
    assert isinstance(part, ToolCall)
    assert (part.name, part.arguments) == ("a.b", '{"a": 1}')


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_result", "tool_use_id": "t", "content": {"a": 1}},
        {"type": "text", "text": 5},
        {"type": "image", "source": "x"},
        {"type": "tool_use", "id": 5, "name": "x", "input": {}},
    ],
)
def test_blocks_that_cannot_be_read_are_refused_with_their_path(block: dict[str, Any]) -> None:
    found = opened(messages=[{"role": "user", "content": [block]}])
    with pytest.raises(e.InvalidRequest) as error:
        SERVER.decode(found)
    assert str(error.value.path).startswith("$.messages[0].content[0].")


def test_odd_citations_and_marks_survive() -> None:
    block = {"type": "text", "text": "x", "citations": [5, {"type": "zz"}], "cache_control": "odd"}
    found = opened(messages=[{"role": "user", "content": [block]}])
    assert json.loads(CLIENT.encode(SERVER.decode(found), TARGET)[0])["messages"][0]["content"] == [block]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_stream_breaks_the_decoder_in_an_unknown_way(data: st.DataObject) -> None:
    """Recorded-looking events with values of any kind: an answer or an error of the tree, never anything else."""
    events = [START, begun(0, type="text", text=""), told(0, type="text_delta", text="x"), END, DONE]
    event = dict(data.draw(st.sampled_from(events)))
    path = data.draw(
        st.lists(
            st.sampled_from(["type", "index", "delta", "content_block", "usage", "message", "text"]),
            min_size=1,
            max_size=2,
        )
    )
    holder = event
    for name in path[:-1]:
        holder[name] = dict(holder[name]) if isinstance(holder.get(name), dict) else {}
        holder = holder[name]
    holder[path[-1]] = data.draw(JSON | st.none())
    mutated = [event if one.get("type") == event.get("type") else one for one in events]
    body = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in [*mutated, event])
    told_events, outcome = read(body)
    assert sum(isinstance(one, ev.Finished | ev.Failed) for one in told_events) == 1
    relay = RELAY.stream(envelope(), TARGET)
    relay.feed(body)
    relay.close()
    assert type(relay.outcome.error) is type(outcome.error)


def test_counting() -> None:
    body = {"model": "a/m", "messages": HELLO["messages"], "system": "x" * 40, "temperature": 1, "provider": {}}
    found = open_count(json.dumps(body).encode())
    assert json.loads(count_request(found, TARGET)) == {
        "model": "claude-sonnet-4-5", "messages": HELLO["messages"], "system": "x" * 40,
    }  # fmt: skip
    assert count_path(TARGET) == "/messages/count_tokens"
    assert read_count(b' {"input_tokens": 12, "x": 1}') == 12
    assert write_count(12) == b'{"input_tokens":12}'
    assert 10 < estimate(found) < 40
    for bad in (b"{}", b"x", b'{"input_tokens":-1}'):
        with pytest.raises(e.Garbled):
            read_count(bad)
    with pytest.raises(e.InvalidRequest):
        open_count(b'{"model":"m"}')
