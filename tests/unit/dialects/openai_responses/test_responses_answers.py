"""Owns answers that no recording shows: odd streams, failures, every kind of part; refuses recorded traffic (see the laws)."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from farebox.dialects.openai_responses.halves import ResponsesClient, ResponsesServer
from farebox.dialects.openai_responses.relay import ResponsesRelay
from farebox.dialects.openai_responses.usage import read_usage
from farebox.ir.errors import (
    Cut,
    EmptyAnswer,
    Filtered,
    Garbled,
    InsufficientCredits,
    Overloaded,
    VendorFailed,
    VendorRateLimited,
    leaves,
)
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    Failed,
    Finished,
    FinishReason,
    LogprobsAdded,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.fold import fold
from farebox.ir.request import Citation, Inline, Media, Opaque, Origin, Reasoning, Refusal, Seal, Text, ToolCall
from farebox.ir.usage import Usage
from unit.dialects.openai_responses.responses_traffic import CHARGE, envelope, events_of, target, told

SERVER, CLIENT, RELAY = ResponsesServer(), ResponsesClient(), ResponsesRelay()
RESPONSE: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 5,
    "model": "vendor-model",
    "status": "in_progress",
    "output": [],
}
USAGE = {"input_tokens": 3, "output_tokens": 2, "total_tokens": 5}


def stream(*events: dict[str, Any], end: bool = True) -> bytes:
    started = {"type": "response.created", "response": RESPONSE}
    last = {"type": "response.completed", "response": RESPONSE | {"status": "completed", "usage": USAGE}}
    every = [started, *events, *([last] if end else [])]
    numbered = [event | {"sequence_number": number} for number, event in enumerate(every)]
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (event["type"].encode(), json.dumps(event).encode()) for event in numbered
    )


def decoded(body: bytes) -> list[Event]:
    decoder = CLIENT.stream(target())
    return decoder.feed(body) + decoder.close()


def written(*events: Event) -> list[dict[str, Any]]:
    encoder = SERVER.stream(envelope())
    out = encoder.feed([Started(response_id="x"), *events]) + encoder.finish(CHARGE)
    return events_of(out)


DELTA = {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hi"}


def test_deltas_need_no_announcement() -> None:
    response = fold(decoded(stream(DELTA, DELTA)))
    assert told(response.choices[0].parts)[0]["text"] == "HiHi"
    assert response.complete
    call = {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": "{}"}
    parts = fold(decoded(stream(DELTA, call))).choices[0].parts
    assert isinstance(parts[1], ToolCall)
    assert parts[1].arguments == "{}"


def test_items_may_come_whole_only() -> None:
    items = [
        {"type": "reasoning", "id": "rs", "summary": [{"type": "summary_text", "text": "S"}], "encrypted_content": "e"},
        {
            "type": "message",
            "id": "m",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "T"}, {"type": "refusal", "refusal": "R"}],
        },
        {"type": "function_call", "id": "f", "call_id": "c", "name": "n", "arguments": '{"a":1}'},
        {"type": "custom_tool_call", "id": "g", "call_id": "d", "name": "o", "input": "raw"},
        {"type": "image_generation_call", "id": "i", "result": "aW1n", "output_format": "webp", "size": "1x1"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_hologram", "data": 1}]},
        {"type": "teleport_call", "id": "t"},
    ]
    done = [
        {"type": "response.output_item.done", "output_index": number, "item": item} for number, item in enumerate(items)
    ]
    response = fold(decoded(stream(*done)))
    kinds = [type(part).__name__ for part in response.choices[0].parts]
    assert kinds == ["Reasoning", "Reasoning", "Text", "Refusal", "ToolCall", "ToolCall", "Media", "Opaque", "Opaque"]
    assert response.choices[0].reason is FinishReason.TOOL_CALLS
    whole = fold(CLIENT.whole(json.dumps(RESPONSE | {"status": "completed", "output": items}).encode(), target())[0])
    assert told(whole.choices[0].parts) == told(response.choices[0].parts)
    ending = {"type": "response.completed", "response": RESPONSE | {"status": "completed", "output": items}}
    listed = stream(ending, end=False)
    assert told(fold(decoded(listed)).choices[0].parts) == told(response.choices[0].parts)
    again = json.loads(SERVER.whole(whole, envelope(), CHARGE))["output"]
    assert [item["type"] for item in again] == [item["type"] for item in items]
    assert again[4]["result"] == "aW1n"
    assert again[4]["size"] == "1x1"


@pytest.mark.parametrize(
    ("event", "leaf"),
    [
        ({"type": "error", "code": "server_error", "message": "boom", "param": None}, VendorFailed),
        (
            {"type": "error", "error": {"type": "rate_limit_error", "code": "rate_limit_exceeded", "message": "slow"}},
            VendorRateLimited,
        ),
        (
            {
                "type": "response.failed",
                "response": RESPONSE | {"status": "failed", "error": {"code": "server_error", "message": "x"}},
            },
            VendorFailed,
        ),
        ({"type": "response.failed", "response": RESPONSE | {"status": "failed"}}, VendorFailed),
        ({"type": "response.completed", "response": RESPONSE | {"status": "cancelled"}}, VendorFailed),
        (
            {
                "type": "response.failed",
                "response": RESPONSE | {"error": {"code": "image_content_policy_violation", "message": "moderation"}},
            },
            Filtered,
        ),
        ({"type": "response.output_text.delta", "delta": {"a": 1}}, Garbled),
        ({"type": "response.output_item.added", "item": [1]}, Garbled),
        ({"type": "response.completed", "response": 7}, Garbled),
    ],
)
def test_what_breaks_a_stream(event: dict[str, Any], leaf: type[Exception]) -> None:
    body = stream(event, end=False)
    events = decoded(body)
    assert isinstance(events[-1], Failed)
    assert type(events[-1].error) is leaf
    relay = RELAY.stream(envelope(), target())
    assert relay.feed(body) == b""
    if event["type"] != "response.output_item.added" or leaf is not Garbled:
        assert type(relay.outcome.error) is leaf


def test_a_stream_without_its_end_is_cut() -> None:
    body = stream(DELTA, end=False)
    events = decoded(body)
    assert [type(event).__name__ for event in events[-2:]] == ["PartEnded", "Failed"]
    assert isinstance(events[-1], Failed) and isinstance(events[-1].error, Cut)
    relay = RELAY.stream(envelope(), target())
    out = relay.feed(body) + relay.close()
    assert isinstance(relay.outcome.error, Cut)
    assert relay.outcome.ended and relay.outcome.committed
    out += relay.fail(Overloaded(), CHARGE)
    told_events = events_of(out)
    assert [event["type"] for event in told_events] == [
        "response.created",
        "response.output_text.delta",
        "error",
        "response.failed",
    ]
    assert [event["sequence_number"] for event in told_events] == [0, 1, 2, 3]


def test_nothing_is_handed_out_before_content() -> None:
    relay = RELAY.stream(envelope(), target())
    assert relay.feed(stream(end=False)) == b""
    assert not relay.outcome.committed
    assert b"response.created" in relay.feed(b"data: " + json.dumps(DELTA).encode() + b"\n\n")


def test_an_answer_with_nothing_in_it_is_empty() -> None:
    nothing = RESPONSE | {"status": "completed", "usage": {"input_tokens": 3, "output_tokens": 0}}
    body = stream({"type": "response.completed", "response": nothing}, end=False)
    decoder, relay = CLIENT.stream(target()), RELAY.stream(envelope(), target())
    assert isinstance(decoder.feed(body)[-1], Finished)
    relay.feed(body)
    whole = RELAY.whole(json.dumps(nothing).encode(), envelope(), target())
    for outcome in (decoder.outcome, relay.outcome, whole.outcome):
        assert isinstance(outcome.error, EmptyAnswer)
    assert json.loads(whole.finish(CHARGE))["id"] == "gen-1"


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b"{", b"\xff{}", b'{"id":1}', b'{"output":[],"status":"queued"}', b'{"output":[5]}']
)
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(Garbled):
        CLIENT.whole(body, target())
    with pytest.raises(Garbled):
        RELAY.whole(body, envelope(), target())
    assert isinstance(decoded(body)[-1], Failed)


def test_json_where_a_stream_was_asked_for_is_read() -> None:
    item = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
    body = json.dumps(
        RESPONSE | {"status": "completed", "output": [item], "usage": USAGE, "metadata": {"a": 1}}, indent=2
    ).encode()
    decoder = CLIENT.stream(target())
    events = decoder.feed(b"\n " + body[:40]) + decoder.feed(body[40:])
    assert events == []
    events = decoder.close()
    assert isinstance(events[-1], Finished)
    assert decoder.outcome.committed
    encoder = SERVER.stream(envelope())
    out = events_of(encoder.feed(events) + encoder.finish(CHARGE))
    assert out[-1]["response"]["metadata"] == {"a": 1}
    assert out[-1]["response"]["output"][0]["content"][0]["text"] == "Hi"


def test_an_event_over_several_lines_stays_one() -> None:
    relay = RELAY.stream(envelope(), target())
    out = relay.feed(stream(end=False) + b'data: {"type":"response.output_text.delta",\rdata: "delta":"x"}\r\n\r\n')
    assert events_of(out)[-1] == {"type": "response.output_text.delta", "delta": "x"}


def test_every_error_ends_a_stream_in_its_shape() -> None:
    for leaf in leaves():
        encoder = SERVER.stream(envelope())
        out = encoder.feed([Started(), PartStarted(0, Text(text="")), TextDelta(0, "Hi")])
        ended = encoder.fail(leaf(), CHARGE)
        events = events_of(out + ended)
        assert [event["type"] for event in events[-2:]] == ["error", "response.failed"]
        assert events[-2]["message"] == events[-2]["error"]["message"] == leaf().message
        response = events[-1]["response"]
        assert response["status"] == "failed"
        assert response["error"]["message"] == leaf().message
        assert response["error_type"] == leaf.code
        assert response["usage"]["cost"] == 0.000000012
        assert ended.endswith(b"data: [DONE]\n\n")
    assert "insufficient_quota" in encoder.fail(InsufficientCredits(), CHARGE).decode()


def test_an_answer_of_many_parts_is_told_in_order() -> None:
    origin = Origin("anthropic_messages", format="anthropic-claude-v1")
    events = written(
        PartStarted(0, Reasoning(origin=origin)),
        ReasoningDelta(0, "Hm"),
        SealDelta(0, Seal("signature", "sig")),
        PartEnded(0),
        PartStarted(1, Text(text="A")),
        TextDelta(1, "b"),
        CitationAdded(1, Citation(url="https://x.test", title="X", start=0, end=1)),
        PartEnded(1),
        PartStarted(2, Text(text="c")),
        PartEnded(2),
        PartStarted(3, ToolCall(call_id="c1", name="f", arguments="")),
        PartStarted(4, ToolCall(call_id="c2", name="g", arguments="", form="custom")),
        ArgumentsDelta(4, "raw"),
        ArgumentsDelta(3, "{}"),
        PartEnded(3),
        PartEnded(4),
        PartStarted(5, Refusal(text="no")),
        PartEnded(5),
        PartStarted(6, Media(family="image", media_type="image/png", source=Inline("aW"))),
        MediaDelta(6, "1n"),
        PartEnded(6),
        PartStarted(7, Opaque(payload=Raw(b'{"type":"x_call"}'), origin=Origin("openai_responses"))),
        PartEnded(7),
        PartStarted(8, Opaque(payload=Raw(b"{}"), origin=Origin("elsewhere"))),
        PartEnded(8),
        UsageReported(Usage({"input_fresh": 4, "output_text": 5, "search": 2})),
        ChoiceEnded(reason=FinishReason.LENGTH),
        Finished(),
    )
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    last = events[-1]
    assert last["type"] == "response.incomplete"
    response = last["response"]
    assert response["status"] == "incomplete"
    assert response["incomplete_details"] == {"reason": "max_output_tokens"}
    assert response["usage"]["server_tool_use_details"] == {"web_search_requests": 2}
    output = response["output"]
    assert [item["type"] for item in output] == [
        "reasoning",
        "message",
        "function_call",
        "custom_tool_call",
        "message",
        "image_generation_call",
        "x_call",
    ]
    assert output[0]["signature"] == "sig"
    assert output[0]["format"] == "anthropic-claude-v1"
    assert [part["text"] for part in output[1]["content"]] == ["Ab", "c"]
    assert output[1]["content"][0]["annotations"][0]["url"] == "https://x.test"
    assert (output[2]["arguments"], output[3]["input"]) == ("{}", "raw")
    assert output[4]["content"] == [{"type": "refusal", "refusal": "no"}]
    assert output[5]["result"] == "aW1n"
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    assert [done[index] for index in range(len(output))] == output
    ids = [item["id"] for item in output if "id" in item]
    assert len(set(ids)) == len(ids)


def test_sound_is_told_with_what_was_said() -> None:
    audio = Media(family="audio", media_type="audio/wav", source=Inline(""))
    events = written(
        PartStarted(0, audio),
        MediaDelta(0, "QQ", "Hel"),
        MediaDelta(0, "==", "lo"),
        PartEnded(0),
        ChoiceEnded(reason=FinishReason.STOP),
    )
    assert events[-1]["response"]["output"][0]["content"] == [
        {"type": "output_audio", "data": "QQ==", "transcript": "Hello"}
    ]


def test_log_probabilities_go_with_their_text() -> None:
    entries = [{"token": "Hi", "logprob": -0.1, "bytes": [72, 105], "top_logprobs": []}]
    body = stream(DELTA | {"logprobs": entries})
    events = decoded(body)
    assert [type(event) for event in events[1:4]] == [PartStarted, LogprobsAdded, TextDelta]
    encoder = SERVER.stream(envelope())
    out = events_of(encoder.feed(events) + encoder.finish(CHARGE))
    assert next(event for event in out if event["type"].endswith("text.delta"))["logprobs"] == entries
    assert out[-1]["response"]["output"][0]["content"][0]["logprobs"] == entries
    whole = json.loads(SERVER.whole(fold(events), envelope(), CHARGE))
    assert whole["output"][0]["content"][0]["logprobs"] == entries


def test_a_finish_reason_has_its_status() -> None:
    for status, details, reason in (
        ("incomplete", {"reason": "content_filter"}, FinishReason.CONTENT_FILTER),
        ("incomplete", {"reason": "max_output_tokens"}, FinishReason.LENGTH),
        ("completed", None, FinishReason.STOP),
    ):
        end = {
            "type": f"response.{status}",
            "response": RESPONSE | {"status": status, "incomplete_details": details, "usage": USAGE},
        }
        response = fold(decoded(stream(DELTA, end, end=False)))
        assert response.choices[0].reason is reason
        whole = json.loads(SERVER.whole(response, envelope(), CHARGE))
        assert (whole["status"], whole["incomplete_details"]) == (status, details)


def test_usage_that_cannot_be() -> None:
    def read(usage: dict[str, Any], flags: list[str], **overrides: str) -> dict[str, int] | None:
        found = read_usage(Raw(json.dumps(usage).encode()), overrides, flags)
        return found.leaves if found is not None else None

    flags: list[str] = []
    assert read({"input_tokens": 5, "input_tokens_details": {"cached_tokens": 9}, "output_tokens": 0}, flags) == {
        "input_cache_read": 5
    }
    assert flags == ["usage_clamped"]
    for odd in (-1, "5", 1.5, True, 10**13):
        flags = []
        assert read({"input_tokens": odd, "output_tokens": 1}, flags) is None
        assert flags == ["usage_absurd"]
    assert read({"total_tokens": 5}, []) is None
    outside = {"input_tokens": 1, "output_tokens": 2, "output_tokens_details": {"reasoning_tokens": 3}}
    assert read(outside, [], reasoning="outside") == {"input_fresh": 1, "output_reasoning": 3, "output_text": 2}
    assert read({"input_tokens": 4.0, "output_tokens": 0, "own": {"n": 3}}, [], input_cache_read="own.n") == {
        "input_cache_read": 3,
        "input_fresh": 1,
    }


def test_another_model_than_asked_is_flagged() -> None:
    decoder, relay = CLIENT.stream(target(model="big-1")), RELAY.stream(envelope(), target(model="big-1"))
    decoder.feed(stream(DELTA))
    relay.feed(stream(DELTA))
    assert decoder.outcome.flags == relay.outcome.flags == ["model_mismatch"]
    assert decoder.outcome.upstream_id == "resp_1"


_names = (
    "item",
    "part",
    "response",
    "output_index",
    "content_index",
    "delta",
    "text",
    "arguments",
    "annotation",
    "logprobs",
    "error",
    "output",
)
_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 3),
        st.text(max_size=4),
        st.sampled_from(["message", "reasoning", "function_call"]),
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "content", "summary", "text", "id", "call_id", "arguments", "usage", "status", *_names]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_kinds = (
    "created", "output_item.added", "output_item.done", "content_part.done", "output_text.delta", "output_text.done",
    "output_text.annotation.added", "function_call_arguments.delta", "function_call_arguments.done", "reasoning_text.done",
    "reasoning_summary_text.delta", "refusal.delta", "completed", "incomplete", "unheard_of",
)  # fmt: skip
_types = ("error", *(f"response.{kind}" for kind in _kinds))
_events = st.builds(
    lambda kind, rest: {"type": kind} | rest,
    st.sampled_from(_types),
    st.dictionaries(st.sampled_from(_names), _values, max_size=4),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(_events, max_size=6))
def test_no_stream_is_a_fault(events: list[dict[str, Any]]) -> None:
    body = stream(*events)
    found = decoded(body)
    assert [isinstance(event, Finished | Failed) for event in found].count(True) == 1
    fold(found)
    encoder = SERVER.stream(envelope())
    out = encoder.feed(found)
    events_of(out + encoder.finish(CHARGE))
    relay = RELAY.stream(envelope(), target())
    relay.feed(body)
    relay.close()
    events_of(relay.finish(CHARGE))


@settings(max_examples=200, deadline=None)
@given(_values)
def test_no_body_is_a_fault(value: Any) -> None:
    for body in (
        value,
        RESPONSE | {"status": "completed", "output": value},
        RESPONSE | {"status": "completed", "output": [value], "usage": value},
    ):
        data = json.dumps(body).encode()
        for read in (lambda data: CLIENT.whole(data, target()), lambda data: RELAY.whole(data, envelope(), target())):
            try:
                read(data)
            except (Garbled, VendorFailed, VendorRateLimited):
                continue
