"""Owns the laws of Converse answers over recorded traffic, and their crossing to a chat client; refuses requests."""

import base64
import json
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.dialects.bedrock_converse.halves import ConverseClient
from farebox.dialects.framing.aws_events import frame
from farebox.dialects.ports import Target
from farebox.ir.errors import (
    AttemptError,
    CredentialRejected,
    Cut,
    EmptyAnswer,
    Garbled,
    Overloaded,
    VendorContextTooLong,
    VendorFailed,
    VendorModelMissing,
    VendorRateLimited,
    VendorRefused,
    VendorTimedOut,
    VendorUnsupported,
)
from farebox.ir.events import Failed, Finished, PartStarted
from farebox.ir.fold import fold
from farebox.ir.request import Media, Opaque, Reasoning, Text, ToolCall
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

CLIENT = ConverseClient()
ALL = exchanges("bedrock/bedrock.converse*.json")
ANSWERS = [item for item in ALL if item.status == 200]
REFUSALS = [item for item in ALL if item.status >= 400]
STREAMS = [item for item in ANSWERS if item.streamed]
WELL = [item for item in ANSWERS if b":exception-type" not in item.body]
TARGET = Target(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", vendor="v")


def frames(data: bytes) -> list[tuple[str, Any]]:
    """The events of a stream, read by other means than the code under test."""
    found = []
    while data:
        total, head = struct.unpack_from(">II", data)
        raw, payload = data[12 : 12 + head], data[12 + head : total - 4]
        name = raw.split(b":event-type\x07", 1)[1] if b":event-type" in raw else b"\x00\x00"
        found.append((name[2 : 2 + int.from_bytes(name[:2])].decode(), json.loads(payload)))
        data = data[total:]
    return found


def expected(exchange: Exchange) -> dict[str, Any]:
    """What was answered, by plain reading of the recorded bytes."""
    out: dict[str, Any] = {"text": "", "reasoning": "", "calls": [], "seals": [], "stop": "", "usage": {}}
    inputs: dict[int, list[Any]] = {}
    seals: dict[int, str] = {}
    if not exchange.streamed:
        body = json.loads(exchange.body)
        out["stop"], out["usage"] = body["stopReason"], body["usage"]
        for block in body["output"]["message"]["content"]:
            out["text"] += block.get("text", "")
            out["text"] += "".join(one["text"] for one in block.get("citationsContent", {}).get("content", []))
            thought = block.get("reasoningContent", {}).get("reasoningText", {})
            out["reasoning"] += thought.get("text", "")
            out["seals"] += [thought["signature"]] if "signature" in thought else []
            if block.get("toolUse", {}).get("type", "tool_use") == "tool_use" and "toolUse" in block:
                out["calls"].append((block["toolUse"]["name"], block["toolUse"]["input"]))
        return out
    for name, event in frames(exchange.body):
        index = event.get("contentBlockIndex")
        if name == "contentBlockStart" and event["start"].get("toolUse", {}).get("type", "tool_use") == "tool_use":
            if "toolUse" in event["start"]:
                inputs[index] = [event["start"]["toolUse"]["name"], ""]
        elif name == "contentBlockDelta":
            delta = event["delta"]
            out["text"] += delta.get("text", "")
            thought = delta.get("reasoningContent", {})
            out["reasoning"] += thought.get("text", "")
            if "signature" in thought:
                seals[index] = seals.get(index, "") + thought["signature"]
            if "redactedContent" in thought:
                seals[index] = seals.get(index, "") + base64.b64decode(thought["redactedContent"]).decode()
            if "toolUse" in delta and index in inputs:
                inputs[index][1] += delta["toolUse"]["input"]
        elif name == "messageStop":
            out["stop"] = event["stopReason"]
        elif name == "metadata":
            out["usage"] = event.get("usage", {})
    out["calls"] = [(name, json.loads(text or "{}")) for name, text in inputs.values()]
    out["seals"] = list(seals.values())
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
    one, _ = streamed(CLIENT, exchange, pieces(exchange.body, cuts))
    other, _ = streamed(CLIENT, exchange, [exchange.body])
    assert one[:-1] == other[:-1]


@by_name(WELL)
def test_a_chat_client_has_what_was_answered(exchange: Exchange) -> None:
    want, have = expected(exchange), as_chat(CLIENT, exchange)
    for name in ("text", "reasoning", "calls", "seals"):
        assert have[name] == want[name], name
    assert have["native"] == want["stop"]
    finish = {"end_turn": "stop", "tool_use": "tool_calls", "max_tokens": "length", "stop_sequence": "stop"}
    assert have["finish"] == finish.get(want["stop"], "content_filter")


@by_name(WELL)
def test_usage_is_the_recorded_one(exchange: Exchange) -> None:
    want = expected(exchange)["usage"]
    events, outcome = decoded(CLIENT, exchange)
    usage = outcome.usage
    if not want:
        assert usage is None
        return
    assert usage is not None
    assert usage.leaves.get("input_fresh", 0) == want["inputTokens"]
    assert usage.leaves.get("input_cache_read", 0) == want.get("cacheReadInputTokens", 0)
    assert usage.leaves.get("input_cache_write_5m", 0) == want.get("cacheWriteInputTokens", 0)
    assert usage.prompt_tokens() + usage.completion_tokens() == want["totalTokens"]
    assert usage.completion_tokens() == want["outputTokens"]
    told = as_chat(CLIENT, exchange)["usage"]
    assert told["total_tokens"] == want["totalTokens"]
    assert told["prompt_tokens_details"]["cached_tokens"] == want.get("cacheReadInputTokens", 0)
    assert fold(events).usage == usage


def test_the_hour_of_a_cache_is_told_apart() -> None:
    details = [{"ttl": "1h", "inputTokens": 70}, {"ttl": "5m", "inputTokens": 20}]
    usage = {
        "inputTokens": 3, "outputTokens": 4, "totalTokens": 107, "cacheReadInputTokens": 0,
        "cacheWriteInputTokens": 100, "cacheDetails": details,
    }  # fmt: skip
    leaves = whole([{"text": "x"}], usage=usage)[1].usage.leaves
    assert leaves == {"input_fresh": 3, "output_text": 4, "input_cache_write_1h": 70, "input_cache_write_5m": 30}


@pytest.mark.parametrize(
    "usage", [{"inputTokens": -1, "outputTokens": 1}, {"inputTokens": "9"}, {"inputTokens": 2**62}]
)
def test_absurd_usage_is_not_believed(usage: dict[str, Any]) -> None:
    outcome = whole([{"text": "x"}], usage=usage)[1]
    assert outcome.usage is None
    assert outcome.flags == ["usage_absurd"]


def whole(content: list[Any], *, stop: str = "end_turn", target: Target = TARGET, **members: Any) -> Any:
    body = {"output": {"message": {"role": "assistant", "content": content}}, "stopReason": stop} | members
    events, outcome = CLIENT.whole(json.dumps(body).encode(), target)
    check_blocks(events)
    return fold(events).choices[0], outcome


def stream(*events: tuple[str, Any], target: Target = TARGET) -> Any:
    decoder = CLIENT.stream(target)
    data = b"".join(
        frame({":event-type": name, ":message-type": "event"}, json.dumps(e).encode()) for name, e in events
    )
    told = decoder.feed(data) + decoder.close()
    check_blocks(told)
    return fold(told), decoder.outcome, told


STOP = ("messageStop", {"stopReason": "end_turn"})
METADATA = ("metadata", {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "metrics": {"latencyMs": 1}})


def delta(index: int, **inner: Any) -> tuple[str, Any]:
    return "contentBlockDelta", {"contentBlockIndex": index, "delta": inner}


def test_redacted_reasoning_has_the_data_its_maker_wrote() -> None:
    data = "EqADCkYIBRgCKkBl+/="
    blob = base64.b64encode(data.encode()).decode()
    choice, _ = whole([{"reasoningContent": {"redactedContent": blob}}, {"text": "x"}])
    assert isinstance(choice.parts[0], Reasoning)
    assert choice.parts[0].seal.data == data
    assert choice.parts[0].origin.format == "anthropic-claude-v1"


def test_redacted_reasoning_that_is_no_text_stays_a_blob() -> None:
    blob = base64.b64encode(b"\xff\x00\x80").decode()
    for target, want in ((TARGET, f"blob:{blob}"), (Target(model="x.other-v1", vendor="v"), blob)):
        choice, _ = whole([{"reasoningContent": {"redactedContent": blob}}], target=target)
        assert choice.parts[0].seal.data == want


def test_pieces_of_a_signature_are_one_seal() -> None:
    response, _, events = stream(
        ("messageStart", {"role": "assistant"}),
        delta(0, reasoningContent={"text": "hm"}),
        delta(0, reasoningContent={"signature": "abc"}),
        delta(0, reasoningContent={"signature": "def="}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        delta(1, text="yes"),
        STOP,
        METADATA,
    )
    assert response.choices[0].parts[0].seal.data == "abcdef="
    assert sum(type(event).__name__ == "SealDelta" for event in events) == 1


def test_a_block_of_an_unknown_kind_is_kept() -> None:
    block = {"hologram": {"depth": 3, "source": {"bytes": "AAAA"}}}
    choice, _ = whole([{"text": "x"}, block])
    assert isinstance(choice.parts[1], Opaque)
    assert json.loads(bytes(choice.parts[1].payload)) == block
    assert (choice.parts[1].origin.dialect, choice.parts[1].origin.vendor) == ("bedrock_converse", "v")


def test_a_streamed_block_of_an_unknown_kind_is_kept() -> None:
    response, outcome, _ = stream(
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {"hologram": {"depth": 3}}}),
        delta(0, hologram={"slice": 1}),
        delta(0, hologram={"slice": 2}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        ("weather", {"sunny": True}),
        delta(1, text="x"),
        STOP,
        METADATA,
    )
    first = response.choices[0].parts[0]
    assert isinstance(first, Opaque)
    assert json.loads(bytes(first.payload)) == {"hologram": {"depth": 3, "content": [{"slice": 1}, {"slice": 2}]}}
    assert "unknown_event:weather" in outcome.flags


def test_calls_that_the_service_ran_are_kept_apart_from_the_callers() -> None:
    (exchange,) = [item for item in ANSWERS if "code-execution-tool-stream" in item.name]
    parts = fold(decoded(CLIENT, exchange)[0]).choices[0].parts
    assert [type(part) for part in parts] == [Opaque, Opaque, ToolCall]
    ran, result = (json.loads(bytes(part.payload)) for part in parts[:2])
    assert ran["toolUse"]["input"] == {"snippet": "1234 * 5678"}
    assert result["toolResult"]["content"][0]["json"]["stdOut"] == "7006652"


def test_unknown_members_are_extras() -> None:
    choice, _ = whole([{"text": "x"}], trace={"guardrail": {"a": 1}}, metrics={"latencyMs": 5}, novelty=[1])
    extras = choice.extras["bedrock_converse"]
    assert {name: json.loads(bytes(raw)) for name, raw in extras.items()} == {
        "trace": {"guardrail": {"a": 1}},
        "metrics": {"latencyMs": 5},
        "novelty": [1],
    }


def test_citations_keep_source_title_quote_and_place() -> None:
    (exchange,) = [item for item in ANSWERS if "cites-tool-results-returned" in item.name]
    (part,) = fold(decoded(CLIENT, exchange)[0]).choices[0].parts
    assert isinstance(part, Text)
    (citation,) = part.citations
    assert (citation.url, citation.title) == ("https://example.com/ruby-facts", "Ruby Facts")
    assert citation.quote == "The Ruby programming language was created by Yukihiro Matsumoto in 1993."
    assert "searchResultLocation" in json.loads(bytes(citation.extras["bedrock_converse"]["location"]))


def test_streamed_citations_belong_to_their_text() -> None:
    (exchange,) = [item for item in STREAMS if "streams-citations" in item.name]
    (part,) = fold(decoded(CLIENT, exchange)[0]).choices[0].parts
    assert part.citations[0].title == "facts"
    assert part.citations[0].quote.startswith("The Ruby programming language")


def test_images_that_a_model_draws() -> None:
    choice, _ = whole([{"image": {"format": "png", "source": {"bytes": "aGk="}}}])
    response, _, _ = stream(
        ("contentBlockStart", {"contentBlockIndex": 0, "start": {"image": {"format": "png"}}}),
        delta(0, image={"source": {"bytes": "aG"}}),
        delta(0, image={"source": {"bytes": "k="}}),
        ("contentBlockStop", {"contentBlockIndex": 0}),
        STOP,
        METADATA,
    )
    for part in (choice.parts[0], response.choices[0].parts[0]):
        assert isinstance(part, Media)
        assert (part.media_type, part.source.data) == ("image/png", "aGk=")


def test_a_stop_sequence_is_named() -> None:
    choice, _ = whole([{"text": "x"}], stop="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})
    assert (choice.reason, choice.stop_sequence) == ("stop", "END")


def test_calls_are_the_reason_even_if_the_word_is_another() -> None:
    use = {"toolUse": {"toolUseId": "t", "name": "f", "input": {}}}
    assert whole([use])[0].reason == "tool_calls"
    assert whole([use], stop="max_tokens")[0].reason == "length"


@pytest.mark.parametrize("stop", ["malformed_model_output", "malformed_tool_use"])
def test_a_malformed_answer_is_a_failure_with_its_usage(stop: str) -> None:
    response, outcome, _ = stream(delta(0, text="x"), ("messageStop", {"stopReason": stop}), METADATA)
    assert isinstance(response.error, VendorFailed)
    assert response.usage is not None
    with pytest.raises(VendorFailed):
        whole([{"text": "x"}], stop=stop)
    assert outcome.error is response.error


def test_an_answer_with_nothing_in_it_is_empty() -> None:
    assert isinstance(whole([])[1].error, EmptyAnswer)
    assert whole([], stop="guardrail_intervened")[1].error is None


def test_a_stream_without_its_stop_is_cut() -> None:
    for exchange in STREAMS:
        if b":exception-type" in exchange.body:
            continue
        at = exchange.body.rindex(b"messageStop") - 60
        events, outcome = streamed(CLIENT, exchange, [exchange.body[:at]])
        check_blocks(events)
        assert isinstance(events[-1], Failed)
        assert isinstance(outcome.error, Cut)


def test_a_stream_without_metadata_is_whole_but_not_complete() -> None:
    response, outcome, events = stream(delta(0, text="x"), STOP)
    assert events[-1] == Finished(complete=False)
    assert outcome.error is None
    assert response.choices[0].reason == "stop"


def test_nothing_is_read_behind_the_end() -> None:
    response, _, _ = stream(delta(0, text="x"), STOP, METADATA, delta(5, text="more"), STOP)
    assert response.choices[0].parts == (Text(text="x"),)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b"<html>",
        b'{"output":{}}',
        b'{"output":{"message":{"content":[{"text":5,"x":1},3]}}}',
        b"{" * 9000,
    ],
)
def test_bodies_that_are_no_answer(body: bytes) -> None:
    with pytest.raises(Garbled):
        CLIENT.whole(body, TARGET)


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b'{"delta":{"text":5}}', b'{"delta":{"toolUse":{"input":"x"}}}'])
def test_frames_that_make_no_sense(payload: bytes) -> None:
    decoder = CLIENT.stream(TARGET)
    events = decoder.feed(frame({":event-type": "contentBlockDelta", ":message-type": "event"}, payload))
    assert isinstance(events[-1], Failed)
    assert isinstance(decoder.outcome.error, Garbled)
    assert decoder.close() == []


def test_damaged_bytes_end_the_stream() -> None:
    (exchange,) = [item for item in STREAMS if item.name.endswith("bedrock-converse-stream")]
    broken = bytearray(exchange.body)
    broken[len(broken) // 2] ^= 1
    events, outcome = streamed(CLIENT, exchange, [bytes(broken)])
    check_blocks(events)
    assert isinstance(outcome.error, Garbled)
    assert any(isinstance(event, PartStarted) for event in events)


@by_name(REFUSALS)
def test_every_recorded_refusal_has_its_leaf(exchange: Exchange) -> None:
    error = CLIENT.error(exchange.status, exchange.headers, exchange.body)
    words = exchange.body.decode()
    want: type[AttemptError] = VendorRefused
    if exchange.status == 403:
        want = CredentialRejected
    elif "identifier is invalid" in words or "end of its life" in words:
        want = VendorModelMissing
    elif "doesn't support" in words:
        want = VendorUnsupported
    assert type(error) is want
    assert error.vendor_status == exchange.status


def test_the_recorded_exception_frame_is_a_refusal() -> None:
    (exchange,) = [item for item in STREAMS if b":exception-type" in item.body]
    events, outcome = streamed(CLIENT, exchange, [exchange.body])
    assert isinstance(events[-1], Failed)
    assert type(outcome.error) is VendorRefused
    assert "MIME type text/plain" in outcome.error.message
    assert not outcome.committed


@pytest.mark.parametrize(
    ("kind", "message", "leaf"),
    [
        ("ThrottlingException", "Too many requests, please wait", VendorRateLimited),
        ("ServiceQuotaExceededException", "quota", VendorRateLimited),
        ("ModelNotReadyException", "loading", Overloaded),
        ("ServiceUnavailableException", "later", Overloaded),
        ("ModelTimeoutException", "slow", VendorTimedOut),
        ("ModelErrorException", "broke", VendorFailed),
        ("ModelStreamErrorException", "broke", VendorFailed),
        ("InternalServerException", "oops", VendorFailed),
        ("ValidationException", "Input is too long for requested model.", VendorContextTooLong),
        ("ValidationException", "Invocation with on-demand throughput isn't supported", VendorModelMissing),
        (
            "AccessDeniedException",
            "You don't have access to the model with the specified model ID.",
            VendorModelMissing,
        ),
        ("AccessDeniedException", "not authorized to perform: bedrock:InvokeModel", CredentialRejected),
        ("UnrecognizedClientException", "The security token is invalid", CredentialRejected),
    ],
)
def test_exceptions_by_type_in_header_body_and_frame(kind: str, message: str, leaf: type[AttemptError]) -> None:
    body = json.dumps({"message": message}).encode()
    typed = json.dumps({"__type": f"com.amazon.coral.service#{kind}", "Message": message}).encode()
    wrapped = json.dumps({"Output": {"__type": f"x#{kind}", "message": message}, "Version": "1.0"}).encode()
    header = {b"x-amzn-errortype": f"{kind}:http://internal/".encode()}
    for error in (CLIENT.error(400, header, body), CLIENT.error(400, {}, typed), CLIENT.error(404, {}, wrapped)):
        assert type(error) is leaf
    decoder = CLIENT.stream(TARGET)
    camel = kind[0].lower() + kind[1:]
    decoder.feed(frame({":exception-type": camel, ":message-type": "exception"}, body))
    assert type(decoder.outcome.error) is leaf


def test_an_error_frame_says_its_code_in_headers() -> None:
    decoder = CLIENT.stream(TARGET)
    head = {":message-type": "error", ":error-code": "throttlingException", ":error-message": "slow down"}
    (event,) = decoder.feed(frame(head, b""))
    assert isinstance(event, Failed)
    assert type(event.error) is VendorRateLimited


def test_an_error_under_status_200_is_raised() -> None:
    with pytest.raises(CredentialRejected):
        CLIENT.whole(b'{"Output":{"__type":"x#ExpiredTokenException","message":"expired"},"Version":"1.0"}', TARGET)
