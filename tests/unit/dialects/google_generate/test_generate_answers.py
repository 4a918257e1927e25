"""Owns the laws of answers over recorded traffic: cuts, fold, blocks, usage, relay against codec, errors."""

import json
import random
from typing import Any

import pytest

from farebox.dialects.google_generate.framing import Documents
from farebox.dialects.google_generate.halves import GenerateClient, GenerateServer
from farebox.dialects.google_generate.relay import GenerateRelay
from farebox.dialects.google_generate.stream_decoding import GenerateStreamDecoder
from farebox.dialects.ports import Target
from farebox.ir import errors as e
from farebox.ir.events import ChoiceEnded, Event, Failed, Finished, PartEnded, PartStarted, UsageReported
from farebox.ir.fold import fold, unfold
from farebox.money.charges import Charge
from tests.unit.dialects.google_generate.generate_traffic import (
    Exchange,
    answers,
    documents,
    envelope,
    refusals,
    told,
    usage_of,
)

SERVER, CLIENT, RELAY = GenerateServer(), GenerateClient(), GenerateRelay()
TARGET = Target(model="gemini-2.5-flash", vendor="v")
CHARGE = Charge(vendor_nano=1500, total_nano=1575, toll_nano=75)


def cut(body: bytes, seed: int) -> list[bytes]:
    draw = random.Random(seed)
    pieces, at = [], 0
    while at < len(body):
        size = draw.choice((1, 2, 7, 60, 900))
        pieces.append(body[at : at + size])
        at += size
    return pieces


def events_of(pieces: list[bytes], *, whole: bool = False) -> list[Event]:
    decoder = GenerateStreamDecoder(TARGET, whole=whole)
    return [event for piece in pieces for event in decoder.feed(piece)] + decoder.close()


def streamed(*chunks: Any) -> bytes:
    return b"".join(b"data: " + json.dumps(chunk).encode() + b"\r\n\r\n" for chunk in chunks)


def text_chunk(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0} | more]}


def relayed(body: bytes, pieces: list[bytes] | None = None) -> bytes:
    relay = RELAY.stream(envelope(), TARGET)
    out = b"".join(relay.feed(piece) for piece in pieces or [body]) + relay.close()
    return out + relay.finish(CHARGE)


def crossed(body: bytes) -> bytes:
    encoder = SERVER.stream(envelope())
    decoder = CLIENT.stream(TARGET)
    return encoder.feed(decoder.feed(body)) + encoder.feed(decoder.close()) + encoder.finish(CHARGE)


@pytest.mark.parametrize("exchange", answers(), ids=lambda exchange: exchange.name)
def test_events_keep_the_discipline_of_blocks(exchange: Exchange) -> None:
    events = events_of([exchange.body], whole=not exchange.streamed)
    opened: set[tuple[int, int]] = set()
    used: set[tuple[int, int]] = set()
    for event in events:
        index, choice = getattr(event, "index", None), getattr(event, "choice", 0)
        if isinstance(event, PartStarted):
            assert (choice, event.index) not in used
            used.add((choice, event.index))
            opened.add((choice, event.index))
        elif isinstance(event, PartEnded):
            opened.remove((choice, event.index))
        elif index is not None:
            assert (choice, index) in opened
    assert not opened
    assert sum(isinstance(event, Finished | Failed) for event in events) == 1
    assert isinstance(events[-1], Finished)
    assert any(isinstance(event, ChoiceEnded) for event in events)


@pytest.mark.parametrize("exchange", answers(), ids=lambda exchange: exchange.name)
def test_cuts_change_nothing_and_any_prefix_folds(exchange: Exchange) -> None:
    whole = fold(events_of([exchange.body], whole=not exchange.streamed))
    pieces = cut(exchange.body, len(exchange.body))
    events = events_of(pieces, whole=not exchange.streamed)
    assert fold(events) == whole
    assert fold(unfold(whole)) == whole
    for end in range(0, len(events), max(len(events) // 5, 1)):
        fold(events[:end])


@pytest.mark.parametrize("exchange", answers(), ids=lambda exchange: exchange.name)
def test_usage_is_the_recorded_usage(exchange: Exchange) -> None:
    events, outcome = (
        CLIENT.whole(exchange.body, TARGET) if not exchange.streamed else (events_of([exchange.body]), None)
    )
    recorded = usage_of(exchange.body)
    found = [event.usage for event in events if isinstance(event, UsageReported)]
    if not recorded:
        assert not found or found[-1].raw is not None
        return
    get = recorded.get
    usage = found[-1]
    assert usage.prompt_tokens() == get("promptTokenCount", 0) + get("toolUsePromptTokenCount", 0)
    assert usage.completion_tokens() == get("candidatesTokenCount", 0) + get("thoughtsTokenCount", 0)
    assert usage.leaves.get("output_reasoning", 0) == get("thoughtsTokenCount", 0)
    cached = usage.leaves.get("input_cache_read", 0) + usage.leaves.get("input_audio_cache_read", 0)
    assert cached == get("cachedContentTokenCount", 0)
    assert outcome is None or not outcome.flags


def settled(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer without what `NOTES.md` says may differ between relay and codec."""
    answer.pop("createTime", None)
    for choice in answer["choices"].values():
        for name in ("groundingMetadata", "citationMetadata", "finishMessage", "safetyRatings"):
            choice.pop(name, None)
    return answer


def whole_calls(body: bytes) -> bytes:
    """An answer whose calls say their name only: the codec puts partial ones together, the relay passes the pieces."""
    chunks = documents(body)
    for candidate in (one for chunk in chunks for one in chunk["candidates"]):
        parts = candidate["content"]["parts"]
        named = [part for part in parts if "functionCall" not in part or "name" in part["functionCall"]]
        for part in named:
            if "functionCall" in part:
                part["functionCall"] = {"name": part["functionCall"]["name"]}
        candidate["content"]["parts"] = named
    return json.dumps(chunks).encode()


@pytest.mark.parametrize("exchange", answers(), ids=lambda exchange: exchange.name)
def test_the_relay_is_the_codec(exchange: Exchange) -> None:
    if exchange.streamed:
        ours, theirs = relayed(exchange.body, cut(exchange.body, 7)), crossed(exchange.body)
    else:
        ours = RELAY.whole(exchange.body, envelope(), TARGET).finish(CHARGE)
        events, _ = CLIENT.whole(exchange.body, TARGET)
        theirs = SERVER.whole(fold(events), envelope(), CHARGE)
    if b"partialArgs" in exchange.body:
        ours, theirs = whole_calls(ours), whole_calls(theirs)
    assert settled(told(ours)) == settled(told(theirs))
    assert told(ours)["modelVersion"] == "author/model"
    assert told(ours)["usageMetadata"]["cost"] == 0.000001575


@pytest.mark.parametrize("exchange", answers(), ids=lambda exchange: exchange.name)
def test_the_relay_loses_nothing(exchange: Exchange) -> None:
    recorded = told(exchange.body)
    ours = told(
        relayed(exchange.body) if exchange.streamed else RELAY.whole(exchange.body, envelope(), TARGET).finish(CHARGE)
    )
    for index, choice in recorded["choices"].items():
        parts = [part for part in choice["parts"] if not part.get("thought")]
        assert ours["choices"][index]["parts"] == parts or envelope().include_reasoning
        for name, value in choice.items():
            if name not in ("parts", "finishReason"):
                assert ours["choices"][index][name] == value


@pytest.mark.parametrize("exchange", refusals(), ids=lambda exchange: exchange.name)
def test_a_refusal_is_an_error_of_the_tree(exchange: Exchange) -> None:
    error = CLIENT.error(exchange.status, {}, exchange.body)
    wanted: dict[int, tuple[type[e.AttemptError], ...]] = {
        400: (e.VendorRefused, e.CredentialRejected),
        401: (e.CredentialRejected,),
        403: (e.CredentialRejected,),
        404: (e.VendorModelMissing,),
        429: (e.VendorRateLimited,),
    }
    assert isinstance(error, wanted[exchange.status])
    assert error.vendor_status == exchange.status
    if b"RetryInfo" in exchange.body:
        assert error.retry_after_s is not None
        assert error.retry_after_s > 1


def test_the_delay_of_a_limit_stands_in_the_body() -> None:
    body = {"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "You exceeded your current quota",
                      "details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "34.4s"}]}}  # fmt: skip
    error = CLIENT.error(429, {}, json.dumps(body).encode())
    assert (type(error), error.retry_after_s) == (e.VendorRateLimited, 34.4)


@pytest.mark.parametrize("array", [False, True])
def test_an_error_inside_a_stream_ends_it(array: bool) -> None:
    problem = {"error": {"code": 429, "message": "Slow down", "status": "RESOURCE_EXHAUSTED"}}
    body = streamed(text_chunk({"text": "Hi"}), problem)
    if array:
        body = json.dumps([text_chunk({"text": "Hi"}), problem]).encode()
    events = events_of([body])
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, e.VendorRateLimited)
    assert fold(events).choices[0].parts[0].text == "Hi"
    relay = RELAY.stream(envelope(), TARGET)
    relay.feed(body)
    assert isinstance(relay.outcome.error, e.VendorRateLimited)


def test_an_error_as_one_document_where_a_stream_was_asked_for() -> None:
    events = events_of([b'{"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}}'])
    assert isinstance(events[-1].error, e.Overloaded)


@pytest.mark.parametrize(
    "body", [b"", streamed(text_chunk({"text": "Hi"})), b"<html>", b"data: {]\r\n\r\n", b'[{"cand']
)
def test_what_is_no_complete_answer_fails(body: bytes) -> None:
    events = events_of([body])
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, e.Cut | e.Garbled)
    relay = RELAY.stream(envelope(), TARGET)
    relay.feed(body)
    relay.close()
    assert type(relay.outcome.error) is type(events[-1].error)


def test_an_answer_without_content_is_empty() -> None:
    body = json.dumps(text_chunk(finishReason="STOP")).encode()
    _, outcome = CLIENT.whole(body, TARGET)
    assert isinstance(outcome.error, e.EmptyAnswer)
    assert isinstance(RELAY.whole(body, envelope(), TARGET).outcome.error, e.EmptyAnswer)


@pytest.mark.parametrize("word", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_a_spoilt_call_fails_the_attempt(word: str) -> None:
    body = streamed(text_chunk(finishReason=word))
    assert isinstance(events_of([body])[-1].error, e.VendorFailed)
    relay = RELAY.stream(envelope(), TARGET)
    relay.feed(body)
    relay.close()
    assert isinstance(relay.outcome.error, e.VendorFailed)


def test_a_blocked_prompt_is_a_content_filter_end_and_keeps_its_feedback() -> None:
    body = json.dumps({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"totalTokenCount": 3}}).encode()
    events, outcome = CLIENT.whole(body, TARGET)
    assert (outcome.finish, outcome.native_finish, outcome.error) == ("content_filter", "SAFETY", None)
    ours = json.loads(SERVER.whole(fold(events), envelope(), CHARGE))
    assert ours["promptFeedback"] == {"blockReason": "SAFETY"}
    assert "candidates" not in ours


def test_calls_after_the_reason_still_count() -> None:
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    events = events_of([streamed(text_chunk({"text": "x"}, finishReason="STOP"), text_chunk(call))])
    assert next(event for event in events if isinstance(event, ChoiceEnded)).reason == "tool_calls"


def test_candidates_stay_apart() -> None:
    chunk = {
        "candidates": [
            {"content": {"parts": [{"text": letter}]}, "index": index, "finishReason": "STOP"}
            for index, letter in enumerate("ab")
        ]
    }
    response = fold(events_of([streamed(chunk, chunk)]))
    assert [choice.parts[0].text for choice in response.choices] == ["aa", "bb"]
    assert told(relayed(streamed(chunk, chunk)))["choices"] == told(crossed(streamed(chunk, chunk)))["choices"]


def test_an_image_comes_out_and_goes_on() -> None:
    body = streamed(text_chunk({"inlineData": {"mimeType": "image/png", "data": "iVBO"}}, finishReason="STOP"))
    part = fold(events_of([body])).choices[0].parts[0]
    assert (part.family, part.media_type, part.source.data) == ("image", "image/png", "iVBO")
    assert told(crossed(body))["choices"][0]["parts"] == [{"inlineData": {"mimeType": "image/png", "data": "iVBO"}}]


def test_sources_become_citations_in_characters() -> None:
    grounding = {
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}],
        "groundingSupports": [
            {"segment": {"startIndex": 3, "endIndex": 8, "text": "caf"}, "groundingChunkIndices": [0]}
        ],
        "webSearchQueries": ["q", "r"],
    }
    body = streamed(text_chunk({"text": "é caf"}), text_chunk({"text": "é."}, finishReason="STOP", groundingMetadata=grounding)
                    | {"usageMetadata": {"totalTokenCount": 2, "promptTokenCount": 2}})  # fmt: skip
    response = fold(events_of([body]))
    citation = response.choices[0].parts[0].citations[0]
    assert (citation.url, citation.title, citation.start, citation.end) == ("https://a.example", "A", 2, 6)
    assert response.usage is not None
    assert response.usage.leaves["search"] == 2
    once = CLIENT.stream(Target(model="m", vendor="v", usage={"search": "request"}))
    once.feed(body)
    once.close()
    assert once.outcome.usage.leaves["search"] == 1


def test_hidden_thoughts_stay_hidden_and_signatures_do_not() -> None:
    body = streamed(
        text_chunk({"text": "hm", "thought": True}),
        text_chunk({"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "AA=="}, finishReason="STOP"),
    )
    mine = envelope()
    mine.include_reasoning = False
    encoder, decoder = SERVER.stream(mine), CLIENT.stream(TARGET)
    codec = encoder.feed(decoder.feed(body) + decoder.close()) + encoder.finish(CHARGE)
    relay = RELAY.stream(mine, TARGET)
    passed = relay.feed(body) + relay.close() + relay.finish(CHARGE)
    wanted = [{"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "AA=="}]
    assert told(codec)["choices"][0]["parts"] == wanted == told(passed)["choices"][0]["parts"]


def test_a_reason_repeated_in_every_chunk_is_said_once() -> None:
    body = streamed(*(text_chunk({"text": word}, finishReason="STOP") for word in ("a", "b", "c")))
    for out in (relayed(body), crossed(body)):
        said = ["finishReason" in one for document in documents(out) for one in document.get("candidates", ())]
        assert said[-1] is True
        assert sum(said) == 1


def test_a_stream_can_be_one_array() -> None:
    server = GenerateServer(array=True)
    body = streamed(text_chunk({"text": "a"}), text_chunk({"text": "b"}, finishReason="STOP"))
    decoder, encoder = CLIENT.stream(TARGET), server.stream(envelope())
    out = b"".join(encoder.feed(decoder.feed(piece)) for piece in cut(body, 3))
    out += encoder.feed(decoder.close()) + encoder.finish(CHARGE)
    assert told(out)["choices"][0]["parts"] == [{"text": "ab"}]
    relay = GenerateRelay(array=True).stream(envelope(), TARGET)
    passed = relay.feed(body) + relay.close() + relay.finish(CHARGE)
    assert told(passed)["choices"] == told(out)["choices"]


def test_the_end_of_a_broken_stream_is_an_error_document() -> None:
    error = e.IdleTimeout()
    for array in (False, True):
        encoder = GenerateServer(array=array).stream(envelope())
        out = encoder.feed(events_of([streamed(text_chunk({"text": "a"}, finishReason="STOP"))])) + encoder.fail(
            error, CHARGE
        )
        last = documents(out)[-1]["error"]
        assert (last["code"], last["status"]) == (504, "DEADLINE_EXCEEDED")
        assert last["details"][0]["reason"] == "UPSTREAM_TIMEOUT"


def test_documents_are_read_once_however_they_are_cut() -> None:
    elements = [{"a": 'x"]}{[\\'}, {"b": [1, {"c": 'é\\"'}]}, {}]
    body = json.dumps(elements, indent=1).encode()
    for size in (1, 2, 3, 5, 64, len(body)):
        reader = Documents()
        found = [one for at in range(0, len(body), size) for one in reader.feed(body[at : at + size])] + reader.close()
        assert [json.loads(one) for one in found] == elements


def test_absurd_counters_are_not_believed() -> None:
    chunk = text_chunk({"text": "a"}, finishReason="STOP") | {
        "usageMetadata": {"totalTokenCount": -1, "promptTokenCount": "x"}
    }
    decoder = CLIENT.stream(TARGET)
    decoder.feed(streamed(chunk))
    decoder.close()
    assert decoder.outcome.usage is None
    assert decoder.outcome.flags == ["usage_absurd"]


def test_paths_of_models() -> None:
    def path(model: str, stream: bool = False, **settings: str) -> str:
        return CLIENT.path(Target(model=model, vendor="v", settings=settings), stream)

    assert path("gemini-2.5-pro") == "/models/gemini-2.5-pro:generateContent"
    assert path("gemini-2.5-pro", stream=True) == "/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    assert path("g", models_path="/publishers/google/models/") == "/publishers/google/models/g:generateContent"
    assert path("endpoints/123") == "/endpoints/123:generateContent"
    assert path("a b?c") == "/models/a%20b%3Fc:generateContent"


def test_partial_arguments_are_put_together() -> None:
    def piece(**call: Any) -> dict[str, Any]:
        return text_chunk({"functionCall": call})

    body = streamed(
        piece(name="f", id="c1", willContinue=True),
        piece(partialArgs=[{"jsonPath": "$.city", "stringValue": "Par", "willContinue": True}], willContinue=True),
        piece(partialArgs=[{"jsonPath": "$.city", "stringValue": "is"}], willContinue=True),
        piece(partialArgs=[{"jsonPath": "$.days[1].n", "numberValue": 2}, {"jsonPath": "$['a b']", "boolValue": True}],
              willContinue=True),
        piece(),
        text_chunk(finishReason="STOP"),
    )  # fmt: skip
    call = fold(events_of([body])).choices[0].parts[0]
    assert (call.name, call.call_id) == ("f", "c1")
    assert json.loads(call.arguments) == {"city": "Paris", "days": [None, {"n": 2}], "a b": True}
