"""Owns the laws of this protocol's answers over recorded traffic, and their crossing to a chat client; refuses requests."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.dialects.framing.json_lines import LineSplitter
from farebox.dialects.ollama_chat.halves import OllamaClient
from farebox.dialects.ports import Target
from farebox.ir.errors import (
    AnswerTooLarge,
    AttemptError,
    CredentialRejected,
    Cut,
    EmptyAnswer,
    Garbled,
    Overloaded,
    VendorFailed,
    VendorModelMissing,
    VendorRefused,
    VendorUnsupported,
)
from farebox.ir.events import Failed, LogprobsAdded
from farebox.ir.fold import fold
from farebox.ir.request import Media, Reasoning, Text, ToolCall
from unit.dialects.bedrock_converse.native_traffic import (
    Exchange,
    as_chat,
    by_name,
    check_blocks,
    check_every_cut,
    check_fold,
    decoded,
    exchanges,
    pieces,
    streamed,
)

CLIENT = OllamaClient()
TARGET = Target(model="qwen3:4b", vendor="v")
ALL = exchanges("ollama/native/ollama.chat*.json")
ANSWERS = [item for item in ALL if item.status == 200]
REFUSALS = [item for item in ALL if item.status >= 400]
STREAMS = [item for item in ANSWERS if item.streamed]


def lines_of(exchange: Exchange) -> list[dict[str, Any]]:
    if not exchange.streamed:
        return [json.loads(exchange.body)]
    return [json.loads(line) for line in exchange.body.decode().splitlines() if line]


def expected(exchange: Exchange) -> dict[str, Any]:
    """What was answered, by plain reading of the recorded bytes."""
    lines = lines_of(exchange)
    messages = [line["message"] for line in lines]
    return {
        "text": "".join(message.get("content") or "" for message in messages),
        "reasoning": "".join(message.get("thinking") or "" for message in messages),
        "calls": [
            (call["function"]["name"], call["function"]["arguments"])
            for message in messages
            for call in message.get("tool_calls") or ()
        ],
        "native": lines[-1].get("done_reason"),
        "prompt": lines[-1].get("prompt_eval_count", 0),
        "answer": lines[-1].get("eval_count", 0),
    }


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
    for name in ("text", "reasoning", "calls", "native"):
        assert have[name] == want[name], name
    finish = "tool_calls" if want["calls"] else want["native"]
    assert have["finish"] == finish
    assert have["usage"]["prompt_tokens"] == want["prompt"]
    assert have["usage"]["completion_tokens"] == want["answer"]


@by_name(ANSWERS)
def test_usage_is_the_recorded_one(exchange: Exchange) -> None:
    want, usage = expected(exchange), decoded(CLIENT, exchange)[1].usage
    assert usage is not None
    assert usage.leaves == {"input_fresh": want["prompt"], "output_text": want["answer"]}
    assert json.loads(bytes(usage.raw)).items() <= lines_of(exchange)[-1].items()


@by_name([item for item in ANSWERS if b'"tool_calls"' in item.body])
def test_every_call_has_an_id_of_its_own(exchange: Exchange) -> None:
    parts = fold(decoded(CLIENT, exchange)[0]).choices[0].parts
    ids = [part.call_id for part in parts if isinstance(part, ToolCall)]
    assert all(ids) and len(set(ids)) == len(ids)
    given_ids = [
        call["id"] for line in lines_of(exchange) for call in line["message"].get("tool_calls") or () if "id" in call
    ]
    assert given_ids in (ids, [])


def test_logprobs_are_the_recorded_bytes() -> None:
    for exchange in ANSWERS:
        if "toplogprobs" not in exchange.name:
            continue
        events, _ = decoded(CLIENT, exchange)
        found = [
            entry for event in events if isinstance(event, LogprobsAdded) for entry in json.loads(bytes(event.entries))
        ]
        assert found == [entry for line in lines_of(exchange) for entry in line.get("logprobs", [])]
        assert found[0]["top_logprobs"]


def line(done: bool = False, **rest: Any) -> bytes:
    message = {name: rest.pop(name) for name in ("content", "thinking", "tool_calls", "images") if name in rest}
    last = {"done_reason": "stop", "prompt_eval_count": 1, "eval_count": 2} if done else {}
    fields = {"model": "qwen3:4b", "created_at": "2026-01-02T03:04:05.6Z", "message": {"role": "assistant"} | message}
    return json.dumps(fields | {"done": done} | last | rest).encode() + b"\n"


def told(*lines: bytes, target: Target = TARGET) -> Any:
    decoder = CLIENT.stream(target)
    events = decoder.feed(b"".join(lines)) + decoder.close()
    check_blocks(events)
    return fold(events), decoder.outcome


def test_thinking_inside_the_text_is_told_apart_where_the_target_says_so() -> None:
    target = Target(model="qwen3:4b", vendor="v", reasoning_field="think")
    lines = (line(content="<thi"), line(content="nk>hm"), line(content="</think>\n\nye"), line(content="s"), line(True))
    response, _ = told(*lines, target=target)
    first, second = response.choices[0].parts
    assert isinstance(first, Reasoning) and first.text == "hm"
    assert second == Text(text="yes")
    plain, _ = told(*lines)
    assert plain.choices[0].parts == (Text(text="<think>hm</think>\n\nyes"),)


def test_parts_in_the_order_they_came() -> None:
    call = {"function": {"name": "f", "arguments": '{"a":1}'}}
    response, outcome = told(
        line(thinking="a", content="b"),
        line(tool_calls=[call, {"id": "x", "function": {"name": "g", "arguments": None}, "novelty": 1}]),
        line(images=["aGk="]),
        line(True, novelty=2),
    )
    kinds = [type(part) for part in response.choices[0].parts]
    assert kinds == [Reasoning, Text, ToolCall, ToolCall, Media]
    first, second = response.choices[0].parts[2:4]
    assert (first.arguments, second.arguments, second.call_id) == ('{"a":1}', "{}", "x")
    assert json.loads(bytes(second.extras["ollama_chat"]["novelty"])) == 1
    assert json.loads(bytes(response.choices[0].extras["ollama_chat"]["novelty"])) == 2
    assert response.choices[0].reason == "tool_calls"
    assert response.started.created_s == 1767323045
    assert outcome.tool_calls == 2


def test_a_prompt_from_the_cache_has_no_count() -> None:
    response, _ = told(line(content="x"), line(True, prompt_eval_count=None))
    assert response.usage.leaves == {"output_text": 2}
    assert told(line(content="x"), line(True, eval_count=-1))[1].flags == ["usage_absurd"]


def test_another_model_than_asked_for_is_flagged() -> None:
    assert told(line(content="x"), line(True), target=Target(model="m", vendor="v"))[1].flags == ["model_mismatch"]


def test_ends() -> None:
    response, outcome = told(line(content="x"))
    assert isinstance(outcome.error, Cut) and isinstance(response.error, Cut)
    assert isinstance(told(line(True, eval_count=0))[1].error, EmptyAnswer)
    assert told(line(content="x"), line(True), line(content="more"))[0].choices[0].parts == (Text(text="x"),)
    last = line(True, content="y")
    assert told(line(content="x"), last.rstrip())[0].choices[0].parts == (Text(text="xy"),)


def test_an_error_in_the_middle_of_a_stream() -> None:
    response, outcome = told(line(content="x"), b'{"error":"an error was encountered while running the model"}\n')
    assert type(outcome.error) is VendorFailed
    assert response.choices[0].parts == (Text(text="x"),)
    with pytest.raises(VendorModelMissing):
        CLIENT.whole(b'{"error":"model \'x\' not found"}', TARGET)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"<html>", b"{}", b'{"message":5}', b'{"message":{"tool_calls":[{}]}}', b"{" * 9]
)
def test_bodies_that_are_no_answer(body: bytes) -> None:
    with pytest.raises(Garbled):
        CLIENT.whole(body, TARGET)


def test_a_whole_answer_that_is_not_done_is_cut() -> None:
    with pytest.raises(Cut):
        CLIENT.whole(line(content="x"), TARGET)


def test_a_line_that_is_no_json_fails_the_stream() -> None:
    decoder = CLIENT.stream(TARGET)
    events = decoder.feed(line(content="x") + b"oops\n")
    assert isinstance(events[-1], Failed)
    assert isinstance(decoder.outcome.error, Garbled)


@by_name(REFUSALS)
def test_every_recorded_refusal_has_its_leaf(exchange: Exchange) -> None:
    error = CLIENT.error(exchange.status, exchange.headers, exchange.body)
    assert type(error) is {404: VendorModelMissing, 500: VendorRefused}[exchange.status]
    assert error.vendor_status == exchange.status


@pytest.mark.parametrize(
    ("status", "text", "leaf"),
    [
        (400, "registry.ollama.ai/library/x does not support tools", VendorUnsupported),
        (401, "unauthorized", CredentialRejected),
        (503, "server busy, please try again.  maximum pending requests exceeded", Overloaded),
        (500, "model requires more system memory (9 GiB) than is available", Overloaded),
        (500, "llama runner process has terminated", VendorFailed),
    ],
)
def test_refusals_by_words(status: int, text: str, leaf: type[AttemptError]) -> None:
    assert type(CLIENT.error(status, {}, json.dumps({"error": text}).encode())) is leaf


@given(st.lists(st.integers(0, 60), max_size=8))
def test_lines_do_not_depend_on_cuts(cuts: list[int]) -> None:
    data = '{"a":"é"}\r\n\n{"b":2}\n  \n{"c":[]}'.encode()
    splitter = LineSplitter()
    found = [found for piece in pieces(data, cuts) for found in splitter.feed(piece)]
    found += splitter.rest()
    assert found == ['{"a":"é"}'.encode(), b'{"b":2}', b'{"c":[]}']
    assert splitter.idle


def test_lines_have_a_limit_and_those_before_come_first() -> None:
    splitter = LineSplitter(limit=8)
    lines = splitter.feed(b"short\n" + b"x" * 9 + b"\n")
    assert next(lines) == b"short"
    with pytest.raises(AnswerTooLarge):
        next(lines)
    with pytest.raises(AnswerTooLarge):
        list(LineSplitter(limit=8).feed(b"x" * 9))
    slow = LineSplitter(limit=8)
    with pytest.raises(AnswerTooLarge):
        for _ in range(9):
            list(slow.feed(b"x"))
