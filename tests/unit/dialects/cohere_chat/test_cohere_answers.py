"""Owns the laws of this API's answers over recorded traffic, and their crossing to a chat client; refuses requests."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.dialects.cohere_chat.halves import CohereClient
from farebox.dialects.ports import Target
from farebox.ir.errors import (
    AttemptError,
    CredentialExhausted,
    CredentialRejected,
    Cut,
    EmptyAnswer,
    Garbled,
    VendorContextTooLong,
    VendorFailed,
    VendorModelMissing,
    VendorRateLimited,
    VendorTimedOut,
    VendorUnsupported,
)
from farebox.ir.events import Failed, LogprobsAdded
from farebox.ir.fold import fold
from farebox.ir.request import Opaque, Text, ToolCall
from unit.dialects.bedrock_converse.native_traffic import (
    CHARGE,
    CHAT,
    Exchange,
    as_chat,
    by_name,
    check_blocks,
    check_every_cut,
    check_fold,
    decoded,
    envelope,
    exchanges,
    pieces,
    streamed,
)

CLIENT = CohereClient()
TARGET = Target(model="command-a", vendor="v")
ALL = exchanges("cohere/native/cohere.v2.chat*.json")
ANSWERS = [item for item in ALL if item.status == 200]
REFUSALS = [item for item in ALL if item.status >= 400]
STREAMS = [item for item in ANSWERS if item.streamed]
FINISH = {"COMPLETE": "stop", "STOP_SEQUENCE": "stop", "MAX_TOKENS": "length", "TOOL_CALL": "tool_calls"}


def events_of(body: bytes) -> list[dict[str, Any]]:
    lines = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ") and "[DONE]" not in line]
    return [json.loads(line) for line in lines]


def expected(exchange: Exchange) -> dict[str, Any]:
    """What was answered, by plain reading of the recorded bytes."""
    out: dict[str, Any] = {"text": "", "reasoning": "", "calls": [], "cited": [], "logprobs": 0}
    if not exchange.streamed:
        body = json.loads(exchange.body)
        message = body["message"]
        out["text"] = message.get("tool_plan") or ""
        for part in message.get("content") or []:
            out["text"] += part.get("text", "")
            out["reasoning"] += part.get("thinking", "")
        out["calls"] = [
            (call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or []
        ]
        out["cited"] = message.get("citations") or []
        return out | {"finish": body["finish_reason"], "usage": body["usage"]}
    calls: dict[int, list[str]] = {}
    for event in events_of(exchange.body):
        message = event.get("delta", {}).get("message", {})
        if event["type"] == "content-delta":
            out["text"] += message["content"].get("text", "")
            out["reasoning"] += message["content"].get("thinking", "")
            out["logprobs"] += len(event.get("logprobs", {}).get("logprobs", []))
        elif event["type"] == "tool-plan-delta":
            out["text"] += message["tool_plan"]
        elif event["type"] == "tool-call-start":
            calls[event["index"]] = [message["tool_calls"]["function"]["name"], ""]
        elif event["type"] == "tool-call-delta":
            calls[event["index"]][1] += message["tool_calls"]["function"]["arguments"]
        elif event["type"] == "citation-start":
            out["cited"].append(message["citations"])
        elif event["type"] == "message-end":
            out |= {"finish": event["delta"]["finish_reason"], "usage": event["delta"]["usage"]}
    out["calls"] = [(name, json.loads(text or "{}")) for name, text in calls.values()]
    return out


@by_name(ANSWERS)
def test_blocks_are_disciplined_and_fold(exchange: Exchange) -> None:
    events, _ = decoded(CLIENT, exchange)
    check_blocks(events)
    check_fold(events)


@by_name(STREAMS)
def test_the_cut_does_not_matter(exchange: Exchange) -> None:
    check_every_cut(CLIENT, exchange)


@given(st.sampled_from(STREAMS), st.lists(st.integers(0, 2**20), max_size=9))
@settings(max_examples=60, deadline=None)
def test_random_cuts_do_not_matter(exchange: Exchange, cuts: list[int]) -> None:
    assert streamed(CLIENT, exchange, pieces(exchange.body, cuts))[0] == decoded(CLIENT, exchange)[0]


@by_name(ANSWERS)
def test_a_chat_client_has_what_was_answered(exchange: Exchange) -> None:
    want, have = expected(exchange), as_chat(CLIENT, exchange)
    for name in ("text", "reasoning", "calls"):
        assert have[name] == want[name], name
    assert have["native"] == want["finish"]
    assert have["finish"] == FINISH[want["finish"]]


@by_name(ANSWERS)
def test_usage_is_what_is_billed(exchange: Exchange) -> None:
    want = expected(exchange)["usage"]
    _, outcome = decoded(CLIENT, exchange)
    usage = outcome.usage
    assert usage is not None
    billed = want["billed_units"]
    assert usage.prompt_tokens() == billed["input_tokens"]
    assert usage.completion_tokens() == billed["output_tokens"]
    assert usage.leaves.get("output_reasoning", 0) == want.get("tokens", {}).get("reasoning_tokens", 0)
    assert json.loads(bytes(usage.raw)) == want
    told = as_chat(CLIENT, exchange)["usage"]
    assert (told["prompt_tokens"], told["completion_tokens"]) == (billed["input_tokens"], billed["output_tokens"])


@by_name([item for item in ANSWERS if b'"citations":[{' in item.body or b"citation-start" in item.body])
def test_citations_keep_sources_and_places(exchange: Exchange) -> None:
    want = expected(exchange)
    choice = fold(decoded(CLIENT, exchange)[0]).choices[0]
    assert want["cited"]
    found = [(part.text, one) for part in choice.parts if isinstance(part, Text) for one in part.citations]
    sources = [(entry, source) for entry in want["cited"] for source in entry["sources"]]
    assert len(found) == len(sources)
    for (text, citation), (entry, source) in zip(found, sources, strict=True):
        assert (citation.start, citation.end) == (entry["start"], entry["end"])
        assert text[citation.start : citation.end] == entry["text"]
        inner = source.get("document") or source["tool_output"]
        assert citation.title == inner.get("title", source["id"])
        assert citation.quote in inner.values()
        assert json.loads(bytes(citation.extras["cohere_chat"]["citation"])) == entry


def test_citations_reach_a_chat_client() -> None:
    (exchange,) = [item for item in ANSWERS if "cites-text-documents" in item.name]
    events, _ = decoded(CLIENT, exchange)
    notes = json.loads(CHAT.whole(fold(events), envelope(), CHARGE))["choices"][0]["message"]["annotations"]
    assert [note["url_citation"]["title"] for note in notes] == ["facts.txt"] * 3


def test_logprobs_come_in_the_common_shape() -> None:
    (exchange,) = [item for item in STREAMS if "genstream-toplogprobs" in item.name]
    events, _ = decoded(CLIENT, exchange)
    entries = [
        entry for event in events if isinstance(event, LogprobsAdded) for entry in json.loads(bytes(event.entries))
    ]
    assert [(entry["token"], entry["logprob"], entry["token_id"]) for entry in entries] == [
        ("Hello", -0.1040524, 28339),
        (".", -0.55914485, 21),
    ]


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (e["type"].encode(), json.dumps(e).encode()) for e in events)


def told(*events: dict[str, Any]) -> Any:
    decoder = CLIENT.stream(TARGET)
    found = decoder.feed(sse(*events)) + decoder.close()
    check_blocks(found)
    return fold(found), decoder.outcome


START = {"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant"}}}


def end(reason: str = "COMPLETE", **rest: Any) -> dict[str, Any]:
    return {"type": "message-end", "delta": {"finish_reason": reason} | rest}


def delta(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content-delta", "index": index, "delta": {"message": {"content": content}}}


def opening(index: int, **content: Any) -> dict[str, Any]:
    return {"type": "content-start", "index": index, "delta": {"message": {"content": content}}}


def cite(**entry: Any) -> dict[str, Any]:
    return {"type": "citation-start", "index": 0, "delta": {"message": {"citations": entry}}}


def test_citations_may_follow_the_end_of_their_text() -> None:
    response, _ = told(
        START,
        opening(0, type="text", text=""),
        delta(0, text="Paris"),
        {"type": "content-end", "index": 0},
        cite(start=0, end=5, text="Paris", sources=[], content_index=0),
        {"type": "citation-end", "index": 0},
        end(),
    )
    (part,) = response.choices[0].parts
    assert part.text == "Paris"
    assert (part.citations[0].start, part.citations[0].end) == (0, 5)


def test_citations_of_a_plan_and_without_a_text() -> None:
    plan = {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "I will"}}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
    source = {"type": "tool", "id": "t:0", "tool_output": {"url": "https://a.b/c", "content": "q"}}
    response, _ = told(
        START,
        plan,
        cite(start=0, end=1, sources=[source, {}], type="PLAN"),
        {"type": "tool-call-start", "index": 0, "delta": {"message": {"tool_calls": call}}},
        {"type": "tool-call-end", "index": 0},
        cite(start=0, end=1, sources=[]),
        end("TOOL_CALL"),
    )
    first, second, third = response.choices[0].parts
    assert [one.url for one in first.citations] == ["https://a.b/c", ""]
    assert isinstance(second, ToolCall) and second.arguments == "{}"
    assert len(third.citations) == 1


def test_unknown_blocks_events_and_members() -> None:
    response, outcome = told(
        START,
        opening(0, type="hologram", depth=3),
        {"type": "content-end", "index": 0},
        {"type": "weather", "index": 0},
        delta(1, text="x"),
        end(novelty=1),
    )
    block, text = response.choices[0].parts
    assert isinstance(block, Opaque) and json.loads(bytes(block.payload)) == {"type": "hologram", "depth": 3}
    assert text == Text(text="x")
    assert json.loads(bytes(response.choices[0].extras["cohere_chat"]["novelty"])) == 1
    assert "unknown_event:weather" in outcome.flags


def whole(message: dict[str, Any], **rest: Any) -> Any:
    body = {"id": "i", "message": {"role": "assistant"} | message, "finish_reason": "COMPLETE"} | rest
    events, outcome = CLIENT.whole(json.dumps(body).encode(), TARGET)
    check_blocks(events)
    return fold(events), outcome


def test_a_whole_answer_with_unknown_blocks_and_members() -> None:
    block = {"type": "hologram", "depth": 3}
    logprobs = [{"text": "ab", "token_ids": [1, 2], "logprobs": [-0.5, -0.25]}]
    response, _ = whole({"content": [block, {"type": "text", "text": "x"}]}, novelty=1, logprobs=logprobs)
    assert json.loads(bytes(response.choices[0].parts[0].payload)) == block
    assert json.loads(bytes(response.choices[0].extras["cohere_chat"]["novelty"])) == 1
    entries = json.loads(bytes(response.choices[0].logprobs[0]))
    assert [(entry["token"], entry["logprob"]) for entry in entries] == [("ab", -0.5), ("", -0.25)]
    assert whole({"content": "plain"})[0].choices[0].parts == (Text(text="plain"),)


@pytest.mark.parametrize(
    ("usage", "leaves"),
    [
        ({"tokens": {"input_tokens": 5, "output_tokens": 7}}, {"input_fresh": 5, "output_text": 7}),
        ({"billed_units": {"input_tokens": 2.0, "output_tokens": 1, "search_units": 1}},
         {"input_fresh": 2, "output_text": 1, "search_unit": 1}),
        ({"billed_units": {"input_tokens": 1, "output_tokens": 2}, "tokens": {"reasoning_tokens": 9}},
         {"input_fresh": 1, "output_reasoning": 2}),
        ({}, None),
        ({"billed_units": {"input_tokens": -1}}, None),
        (None, None),
    ],
)  # fmt: skip
def test_usage_of_other_shapes(usage: Any, leaves: Any) -> None:
    _, outcome = whole({"content": [{"type": "text", "text": "x"}]}, usage=usage)
    assert (outcome.usage.leaves if outcome.usage else None) == leaves


@pytest.mark.parametrize(("word", "leaf"), [("ERROR", VendorFailed), ("TIMEOUT", VendorTimedOut)])
def test_an_end_that_is_a_failure(word: str, leaf: type[AttemptError]) -> None:
    response, outcome = told(START, delta(0, text="x"), end(word, error="upstream broke", usage={}))
    assert type(response.error) is leaf
    assert outcome.error.detail == "upstream broke"
    with pytest.raises(leaf):
        whole({"content": []}, finish_reason=word)


def test_streams_that_break_off_are_cut_and_empty_ones_are_empty() -> None:
    for exchange in STREAMS:
        at = exchange.body.rindex(b"event: message-end")
        events, outcome = streamed(CLIENT, exchange, [exchange.body[:at]])
        check_blocks(events)
        assert isinstance(outcome.error, Cut)
    assert isinstance(told(START, end())[1].error, EmptyAnswer)


def test_a_stream_without_the_done_mark_is_complete() -> None:
    response, outcome = told(START, delta(0, text="x"), end())
    assert outcome.complete and outcome.ended and response.error is None


def test_an_error_in_the_middle_of_a_stream() -> None:
    decoder = CLIENT.stream(TARGET)
    decoder.feed(sse(START, delta(0, text="x")))
    events = decoder.feed(b'data: {"message":"too many tokens","id":"i"}\n\n')
    assert isinstance(events[-1], Failed)
    assert decoder.close() == []


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"<html>", b'{"message":{"content":5}}', b'{"message":{"content":[1]}}']
)
def test_bodies_that_are_no_answer(body: bytes) -> None:
    with pytest.raises(Garbled):
        CLIENT.whole(body, TARGET)


@pytest.mark.parametrize(
    "event",
    [
        b'data: {"type":"content-delta"}\n\n',
        b"data: {\n\n",
        b'data: {"type":"tool-call-delta","index":4,"delta":{"message":{"tool_calls":{"function":{"arguments":"x"}}}}}\n\n',
    ],
)
def test_events_that_make_no_sense(event: bytes) -> None:
    decoder = CLIENT.stream(TARGET)
    decoder.feed(event)
    assert isinstance(decoder.outcome.error, Garbled)


@by_name(REFUSALS)
def test_every_recorded_refusal_has_its_leaf(exchange: Exchange) -> None:
    leaves = {400: VendorUnsupported, 401: CredentialRejected, 404: VendorModelMissing, 422: VendorFailed}
    error = CLIENT.error(exchange.status, exchange.headers, exchange.body)
    assert type(error) is leaves[exchange.status]
    assert error.vendor_status == exchange.status


@pytest.mark.parametrize(
    ("status", "body", "leaf"),
    [
        (429, {"message": "You are past the per minute request limit"}, VendorRateLimited),
        (429, {"message": "Your trial key has reached its monthly limit"}, CredentialExhausted),
        (400, {"message": "too many tokens: 200000", "error_type": "TOO_MANY_TOKENS"}, VendorContextTooLong),
        (500, {"message": "internal server error"}, VendorFailed),
        (498, {"message": "invalid api token"}, CredentialRejected),
    ],
)
def test_refusals_by_words(status: int, body: dict[str, str], leaf: type[AttemptError]) -> None:
    assert type(CLIENT.error(status, {}, json.dumps(body).encode())) is leaf
