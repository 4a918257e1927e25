"""Owns Converse towards clients: opening, decoding, answers streamed and whole, errors; refuses the vendor's side."""

import json
from typing import Any

import pytest

from farebox.dialects.bedrock_converse.halves import ConverseClient, ConverseServer
from farebox.dialects.framing.aws_events import AwsEvent, FrameSplitter
from farebox.dialects.ports import Target
from farebox.dialects.registry import CLIENTS
from farebox.ir.errors import (
    FareboxError,
    InvalidRequest,
    Moderated,
    NoEndpoint,
    RateLimited,
    Unauthenticated,
    UnknownModel,
    VendorFailed,
    VendorRateLimited,
)
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    Finished,
    FinishReason,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.fold import fold, unfold
from farebox.ir.request import Citation, Inline, Media, Origin, Reasoning, Refusal, Seal, Text, ToolCall, ToolResult
from farebox.ir.usage import Usage
from unit.dialects.bedrock_converse.native_traffic import CHARGE, Exchange, by_name, decoded, envelope, exchanges
from unit.dialects.bedrock_converse.test_converse_requests import normal
from unit.dialects.traffic import answers as chat_answers

SERVER, CLIENT = ConverseServer(), ConverseClient()
ALL = exchanges("bedrock/bedrock.converse*.json")
WELL = [item for item in ALL if item.status == 200 and b":exception-type" not in item.body]
TARGET = Target(model="us.anthropic.claude-sonnet-4-5-20250929-v1:0", vendor="v")


def written_back(body: bytes, target: Target) -> tuple[dict[str, Any], list[str]]:
    opened = SERVER.with_path(SERVER.open(body), "author/model", stream=False)
    sent, warnings = CLIENT.encode(SERVER.decode(opened), target)
    return json.loads(sent), [f"{warning.code} {warning.path}" for warning in warnings]


@by_name([item for item in ALL if item.request])
def test_a_recorded_request_goes_on_as_it_came(exchange: Exchange) -> None:
    sent, warnings = written_back(json.dumps(exchange.request).encode(), exchange.target())
    want = normal(exchange.request)
    assert sent == want
    assert warnings == []


def told(events: list[Event]) -> bytes:
    encoder = SERVER.stream(envelope())
    return encoder.feed(events) + encoder.finish(CHARGE)


def again(stream: bytes, target: Target = TARGET) -> Any:
    decoder = CLIENT.stream(target)
    return fold(decoder.feed(stream) + decoder.close())


@by_name(WELL)
def test_an_answer_is_the_same_after_going_through(exchange: Exchange) -> None:
    events, _ = decoded(CLIENT, exchange)
    want = fold(events)
    streamed = again(told(events), exchange.target())
    body = SERVER.whole(want, envelope(), CHARGE)
    whole = fold(CLIENT.whole(body, exchange.target())[0])
    for have in (streamed, whole):
        assert [shown(part) for part in have.choices[0].parts] == [shown(part) for part in want.choices[0].parts]
        assert have.choices[0].raw_reason == want.choices[0].raw_reason
        assert (have.usage.leaves if have.usage else {}) == (want.usage.leaves if want.usage else {})
        assert have.choices[0].extras.get("bedrock_converse", {}).get("trace") == (
            want.choices[0].extras.get("bedrock_converse", {}).get("trace")
        )


def shown(part: Any) -> Any:
    """A part without the order of members in what is opaque."""
    return json.loads(bytes(part.payload)) if hasattr(part, "payload") else part


@pytest.mark.parametrize(
    "exchange", [item for item in chat_answers() if item.choices == 1][:120:4], ids=lambda item: item.name
)
def test_chat_answers_reach_a_client_of_this_protocol(exchange: Any) -> None:
    client = CLIENTS["openai_chat"]
    if exchange.streamed:
        decoder = client.stream(exchange.target())
        events = decoder.feed(exchange.body) + decoder.close()
    else:
        events, _ = client.whole(exchange.body, exchange.target())
    want = fold(events)
    if want.error is not None or not want.choices:
        return
    for have in (again(told(events)), fold(CLIENT.whole(SERVER.whole(want, envelope(), CHARGE), TARGET)[0])):
        for kind in (Text, Reasoning):
            texts = [
                "".join(part.text for part in one.choices[0].parts if isinstance(part, kind)) for one in (have, want)
            ]
            assert texts[0] == texts[1]
        calls = [
            [
                (p.call_id, p.name, json.loads(p.arguments or "{}"))
                for p in one.choices[0].parts
                if isinstance(p, ToolCall)
            ]
            for one in (have, want)
        ]
        assert calls[0] == calls[1]
        assert have.choices[0].reason == want.choices[0].reason
        usage = want.usage or Usage({})
        assert have.usage.prompt_tokens() == usage.prompt_tokens()
        assert have.usage.completion_tokens() == usage.completion_tokens()


GEMINI = Origin("google_generate", format="google-gemini-v1")


def test_seals_of_other_makers_come_back_byte_for_byte() -> None:
    parts = (
        Reasoning(text="t", seal=Seal("signature", "sig=="), origin=GEMINI),
        Reasoning(seal=Seal("encrypted", "enc", "rs_1"), origin=Origin("x", format="openai-responses-v1")),
        Reasoning(seal=Seal("redacted", "EqAD"), origin=Origin("x", format="anthropic-claude-v1")),
        ToolCall(call_id="c1", name="f", arguments='{"a": 1}', seal=Seal("signature", "ü"), origin=GEMINI),
    )
    events: list[Event] = []
    for index, part in enumerate(parts):
        events += [PartStarted(index, part), PartEnded(index)]
    events += [ChoiceEnded(reason=FinishReason.TOOL_CALLS), Finished()]
    from_stream = blocks_of(told(events))
    from_whole = json.loads(SERVER.whole(fold(events), envelope(), CHARGE))["output"]["message"]["content"]
    for content in (from_stream, from_whole):
        request = {
            "messages": [
                {"role": "user", "content": [{"text": "x"}]},
                {"role": "assistant", "content": content},
            ]
        }
        opened = SERVER.open(json.dumps(request).encode())
        assert opened.origins == {"google-gemini-v1", "openai-responses-v1", "anthropic-claude-v1"}
        back = SERVER.decode(SERVER.with_path(opened, "a/b", stream=True)).messages[1].parts
        assert [(part.seal, part.origin.format) for part in back] == [(part.seal, part.origin.format) for part in parts]
        assert back[3].arguments.replace(" ", "") == '{"a":1}'


def blocks_of(stream: bytes) -> list[Any]:
    """A message put together from a stream, as a client of this protocol does it."""
    blocks: dict[int, Any] = {}
    for event in FrameSplitter().feed(stream):
        fields = json.loads(event.payload)
        index = fields.get("contentBlockIndex")
        if event.name == "contentBlockStart":
            blocks[index] = {"toolUse": fields["start"]["toolUse"] | {"input": ""}}
        elif event.name == "contentBlockDelta":
            for kind, inner in fields["delta"].items():
                if kind == "text":
                    blocks.setdefault(index, {"text": ""})["text"] += inner
                elif kind == "toolUse":
                    blocks[index]["toolUse"]["input"] += inner["input"]
                elif "redactedContent" in inner:
                    blocks[index] = {"reasoningContent": inner}
                else:
                    text = blocks.setdefault(index, {"reasoningContent": {"reasoningText": {"text": ""}}})
                    content = text["reasoningContent"]["reasoningText"]
                    content["text"] += inner.get("text", "")
                    content |= {name: value for name, value in inner.items() if name != "text"}
    for block in blocks.values():
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
    return list(blocks.values())


def names(stream: bytes) -> list[str]:
    return [event.name for event in FrameSplitter().feed(stream)]


def test_the_frames_of_a_stream_in_order() -> None:
    events: list[Event] = [
        Started(),
        PartStarted(0, Text(text="")),
        PartEnded(0),
        PartStarted(1, Text(text="")),
        TextDelta(1, "x"),
        CitationAdded(1, Citation(url="https://a.b/c", title="T", quote="q")),
        PartEnded(1),
        PartStarted(2, ToolCall(call_id="c", name="f", arguments="")),
        ArgumentsDelta(2, "{}"),
        PartEnded(2),
        PartStarted(3, Media(family="image", media_type="image/png", source=Inline(""))),
        MediaDelta(3, "aGk="),
        PartEnded(3),
        PartStarted(4, Media(family="audio", source=Inline(""))),
        MediaDelta(4, "aGk="),
        PartEnded(4),
        PartStarted(5, Refusal(text="no")),
        PartEnded(5),
        PartStarted(0, Text(text="other"), 1),
        TextDelta(0, "answer", 1),
        PartEnded(0, 1),
        ChoiceEnded(reason=FinishReason.STOP, stop_sequence="END"),
        ChoiceEnded(reason=FinishReason.LENGTH, choice=1),
        UsageReported(Usage({"input_fresh": 3, "input_cache_write_1h": 2, "output_text": 4})),
        Finished(),
    ]
    encoder = SERVER.stream(envelope())
    out = encoder.feed(events)
    delta, stop = "contentBlockDelta", "contentBlockStop"
    assert names(out) == [
        "messageStart", delta, delta, stop, "contentBlockStart", delta, stop, "contentBlockStart", delta, stop, delta, stop,
    ]  # fmt: skip
    end = [json.loads(event.payload) for event in FrameSplitter().feed(encoder.finish(CHARGE))]
    assert end[0] == {"stopReason": "stop_sequence"}
    assert end[1]["usage"] == {
        "inputTokens": 3, "outputTokens": 4, "totalTokens": 9, "cacheReadInputTokens": 0, "cacheWriteInputTokens": 2,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 2}], "cost": 1.2e-08,
    }  # fmt: skip
    assert b"other" not in out


def test_reasoning_that_nobody_wants_to_see_stays_out() -> None:
    quiet = envelope()
    quiet.include_reasoning = False
    events: list[Event] = [
        PartStarted(0, Reasoning(text="a", origin=GEMINI)),
        ReasoningDelta(0, "b"),
        SealDelta(0, Seal("signature", "s")),
        PartEnded(0),
        PartStarted(1, Text(text="x")),
        PartEnded(1),
        ChoiceEnded(reason=FinishReason.STOP),
        Finished(),
    ]
    encoder = SERVER.stream(quiet)
    assert names(encoder.feed(events)) == ["messageStart", "contentBlockDelta", "contentBlockStop"]
    content = json.loads(SERVER.whole(fold(events), quiet, CHARGE))["output"]["message"]["content"]
    assert content == [{"text": "x"}]


@pytest.mark.parametrize(
    ("error", "status_type", "in_stream"),
    [
        (InvalidRequest("bad", path="$.messages"), "ValidationException", "validationException"),
        (Unauthenticated(), "UnrecognizedClientException", "modelStreamErrorException"),
        (Moderated(), "AccessDeniedException", "modelStreamErrorException"),
        (UnknownModel(), "ResourceNotFoundException", "modelStreamErrorException"),
        (RateLimited(), "ThrottlingException", "throttlingException"),
        (VendorRateLimited(vendor_status=429), "ThrottlingException", "throttlingException"),
        (NoEndpoint(), "ServiceUnavailableException", "serviceUnavailableException"),
        (VendorFailed(), "InternalServerException", "internalServerException"),
    ],
)
def test_errors_in_this_protocols_shape(error: FareboxError, status_type: str, in_stream: str) -> None:
    body = json.loads(SERVER.error(error, "req-1"))
    assert body["__type"] == SERVER.error_type(error) == status_type
    assert (body["message"], body["error_type"], body["request_id"]) == (error.message, error.code, "req-1")
    encoder = SERVER.stream(envelope())
    encoder.feed([UsageReported(Usage({"input_fresh": 1}))])
    event: AwsEvent
    (event,) = FrameSplitter().feed(encoder.fail(error, CHARGE))
    assert (event.kind, event.name) == ("exception", in_stream)
    assert json.loads(event.payload)["usage"]["inputTokens"] == 1


USER = {"role": "user", "content": [{"text": "x"}]}


def opened(**members: Any) -> Any:
    return SERVER.open(json.dumps({"messages": [USER]} | members).encode())


def test_what_opening_finds() -> None:
    image = {"image": {"format": "png", "source": {"bytes": "aGk="}}}
    result = {"toolResult": {"toolUseId": "t", "content": [{"document": {"name": "n", "source": {}}}]}}
    found = opened(
        messages=[USER, {"role": "user", "content": [image, result]}],
        inferenceConfig={"maxTokens": 5, "temperature": 0, "stopSequences": ["a"]},
        toolConfig={"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {}}}}], "toolChoice": {"any": {}}},
        additionalModelRequestFields={"thinking": {"type": "adaptive"}, "top_k": 4},
        serviceTier={"type": "flex"},
        provider={"sort": "price"},
        models=["c/d"],
    )
    assert found.modalities == {"image", "file"}
    assert found.max_tokens == 5
    assert found.parameters == {"max_tokens", "stop", "tools", "tool_choice", "reasoning", "top_k"}
    assert (found.service_tier, bytes(found.provider), found.relayable) == ("flex", b'{"sort": "price"}', False)
    full = SERVER.with_path(found, "a/b", stream=True)
    assert (full.models, full.stream) == (("a/b", "c/d"), True)
    request = SERVER.decode(full)
    assert request.reasoning.enabled is True
    assert (request.sampling.top_k, request.service_tier, request.stream) == (4, "flex", True)
    with pytest.raises(InvalidRequest):
        SERVER.with_path(opened(), "", stream=False)


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"messages": []}, "$.messages"),
        ({"messages": [{"role": "system", "content": []}]}, "$.messages[0].role"),
        ({"messages": [{"role": "user", "content": "x"}]}, "$.messages[0].content"),
        ({"inferenceConfig": {"maxTokens": 0}}, "$.inferenceConfig.maxTokens"),
        ({"inferenceConfig": {"temperature": 3}}, "$.inferenceConfig.temperature"),
        ({"toolConfig": {}}, "$.toolConfig"),
        ({"base_url": "x"}, "$.base_url"),
        ({"messages": [{"role": "user", "content": [{"text": "x"}] * 5001}]}, "$.messages"),
        (
            {"toolConfig": {"tools": [{"toolSpec": {"inputSchema": {"json": {"$ref": "https://x"}}}}]}},
            "$.toolConfig.tools[0]",
        ),
    ],
)
def test_what_opening_refuses(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        opened(**members)
    assert caught.value.path == path


def test_blocks_that_others_can_only_read_as_text() -> None:
    search = {"searchResult": {"title": "T", "source": "s", "content": [{"text": "body"}]}}
    request = opened(
        messages=[
            {
                "role": "user",
                "content": [
                    {"guardContent": {"text": {"text": "guarded"}}},
                    {"document": {"name": "d", "format": "txt", "source": {"text": "plain"}}},
                    {"document": {"name": "e", "format": "txt", "source": {"content": [{"text": "a"}, {"text": "b"}]}}},
                    {"cachePoint": {"type": "default", "ttl": "1h"}},
                    {"hologram": {}},
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"citationsContent": {"content": [{"text": "cited"}], "citations": []}},
                    {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1.0}}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"toolResult": {"toolUseId": "t", "status": "error", "content": [{"json": {"x": 1}}, search]}}
                ],
            },
        ]
    )
    messages = SERVER.decode(SERVER.with_path(request, "a/b", stream=False)).messages
    first = messages[0].parts
    assert isinstance(first[0], Text) and first[0].text == "guarded"
    assert isinstance(first[1], Media) and first[1].source == Inline("cGxhaW4=")
    assert isinstance(first[2], Media) and first[2].cache is not None and first[2].cache.ttl == "1h"
    assert isinstance(messages[1].parts[0], Text) and messages[1].parts[0].text == "cited"
    result = messages[2].parts[0]
    assert isinstance(result, ToolResult) and result.failed
    assert [part.text for part in result.parts if isinstance(part, Text)] == ['{"x": 1}', "T\ns\nbody"]
    chat, _ = CLIENTS["openai_chat"].encode(
        SERVER.decode(SERVER.with_path(request, "a/b", stream=False)), Target(model="m", vendor="v")
    )
    assert b"guarded" in chat and b"cited" in chat and b"body" in chat


@pytest.mark.parametrize(
    "more",
    [
        {"thinking": {"type": "enabled", "budget_tokens": 2000}},
        {"thinking": {"type": "disabled"}},
        {"thinking": {"type": "enabled", "budget_tokens": 2000, "novelty": 1}, "anthropic_beta": ["x"]},
        {"thinking": {"type": "novel"}},
        {"reasoning_config": {"type": "enabled", "budget_tokens": 1024}},
        {"top_k": 3, "other": [1]},
        {"inferenceConfig": {"other": 1}},
    ],
)
def test_wishes_of_a_caller_reach_the_same_service_unchanged(more: dict[str, Any]) -> None:
    body = {"messages": [USER], "additionalModelRequestFields": more}
    sent, warnings = written_back(json.dumps(body).encode(), TARGET)
    assert sent["additionalModelRequestFields"] == more
    assert warnings == []


def test_wishes_of_a_caller_in_other_spellings() -> None:
    for more, effort in (
        ({"reasoning_effort": "high"}, "high"),
        ({"reasoning_config": "low"}, "low"),
        ({"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}}, "medium"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, "max"),
    ):
        request = SERVER.decode(SERVER.with_path(opened(additionalModelRequestFields=more), "a/b", stream=False))
        assert request.reasoning is not None and request.reasoning.effort == effort
        assert request.extras == {}
    off = opened(additionalModelRequestFields={"reasoningConfig": {"type": "disabled"}, "inferenceConfig": {"topK": 2}})
    request = SERVER.decode(SERVER.with_path(off, "a/b", stream=False))
    assert request.reasoning.enabled is False and request.sampling.top_k == 2 and request.extras == {}


def test_an_unfolded_answer_folds_to_itself_through_frames() -> None:
    for exchange in WELL[:10]:
        response = fold(decoded(CLIENT, exchange)[0])
        have = again(told(unfold(response)), exchange.target())
        assert [shown(part) for part in have.choices[0].parts] == [shown(part) for part in response.choices[0].parts]
