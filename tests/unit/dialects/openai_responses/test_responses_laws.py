"""Owns the laws of the Responses dialect over recorded traffic; refuses hand-made answers (see the other files)."""

import itertools
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.dialects.openai_responses.halves import ResponsesClient, ResponsesServer
from farebox.dialects.openai_responses.relay import ResponsesRelay
from farebox.ir.errors import AttemptError, CredentialExhausted
from farebox.ir.events import (
    ArgumentsDelta,
    CitationAdded,
    Event,
    Failed,
    Finished,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    TextDelta,
    UsageReported,
)
from farebox.ir.fold import fold
from unit.dialects.openai_responses.responses_traffic import (
    CHARGE,
    answers,
    broken,
    by_name,
    ended,
    envelope,
    events_of,
    normal_answer,
    normal_request,
    refusals,
    requests,
    seen,
    stateless,
    streams,
    target,
    told,
    whole_answers,
)
from unit.dialects.traffic import Exchange

SERVER, CLIENT, RELAY = ResponsesServer(), ResponsesClient(), ResponsesRelay()
DELTAS = (TextDelta, ReasoningDelta, SealDelta, ArgumentsDelta, CitationAdded)


def decoded(body: bytes, cuts: list[int] | None = None) -> list[Event]:
    decoder = CLIENT.stream(target())
    edges = [0, *sorted(cuts or []), len(body)]
    events = [event for start, end in itertools.pairwise(edges) for event in decoder.feed(body[start:end])]
    return events + decoder.close()


def test_the_corpus_is_there() -> None:
    assert len(requests()) >= 150
    assert len(streams()) >= 55
    assert len(whole_answers()) >= 90
    assert len(refusals()) >= 15


@by_name(requests())
def test_a_request_goes_round(exchange: Exchange) -> None:
    sent = stateless(exchange.request)
    opened = SERVER.open(json.dumps(sent).encode())
    body, warnings = CLIENT.encode(SERVER.decode(opened), target())
    back = json.loads(body)
    assert normal_request(back) == normal_request(sent)
    assert set(sent.get("include") or []) <= set(back.get("include") or [])
    assert back["store"] is False
    assert back["model"] == "vendor-model"
    assert bool(back.get("stream")) == bool(sent.get("stream"))
    assert not warnings


@by_name(requests())
def test_a_relayed_request_says_the_same(exchange: Exchange) -> None:
    sent = stateless(exchange.request)
    opened = SERVER.open(json.dumps(sent).encode())
    assert opened.relayable
    body, warnings = RELAY.request(opened, target())
    crossed, _ = CLIENT.encode(SERVER.decode(opened), target())
    assert normal_request(json.loads(body)) == normal_request(json.loads(crossed))
    asked = [set(json.loads(data).get("include", ())) - {"message.output_text.logprobs"} for data in (body, crossed)]
    assert asked[0] == asked[1]
    assert not warnings


@by_name(streams())
def test_a_stream_tells_what_its_last_event_repeats(exchange: Exchange) -> None:
    last = ended(exchange.body)
    whole, _ = CLIENT.whole(json.dumps(last).encode(), target())
    ours, theirs = seen(fold(decoded(exchange.body))), seen(fold(whole))
    for part in [*ours["parts"], *theirs["parts"]]:
        _forget_ids(part)
    if not last["output"]:  # one host sends its items in the stream only
        assert ours["parts"]
        theirs |= {name: ours[name] for name in ("parts", "reason")}
    for name in ("logprobs",):  # entries in deltas are shorter than those in whole answers
        ours[name], theirs[name] = [[entry["token"] for entry in one[name]] for one in (ours, theirs)]
    assert ours == theirs


def _forget_ids(part: dict[str, object]) -> None:
    """Some hosts renew ids and seals from event to event."""
    part["extras"] = None
    seal = part.get("seal")
    if isinstance(seal, dict):
        seal["data"] = seal["item_id"] = bool(seal["data"])


@by_name(streams())
@settings(max_examples=6, deadline=None)
@given(st.data())
def test_cuts_do_not_matter(exchange: Exchange, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(exchange.body)), max_size=40))
    assert told(decoded(exchange.body, cuts)) == told(decoded(exchange.body))


@by_name([*streams(), *broken()])
def test_blocks_keep_their_order(exchange: Exchange) -> None:
    opened: set[int] = set()
    used: set[int] = set()
    events = decoded(exchange.body)
    for event in events:
        if isinstance(event, PartStarted):
            assert event.index not in used
            opened.add(event.index)
            used.add(event.index)
        elif isinstance(event, DELTAS):
            assert event.index in opened
        elif isinstance(event, PartEnded):
            opened.remove(event.index)
    assert not opened
    assert [isinstance(event, Finished | Failed) for event in events].count(True) == 1
    assert isinstance(events[-1], Finished | Failed)


@by_name(streams())
def test_every_prefix_folds(exchange: Exchange) -> None:
    events = decoded(exchange.body)
    for count in range(0, len(events), max(1, len(events) // 25)):
        fold(events[:count])


@by_name(streams())
def test_a_stream_goes_round(exchange: Exchange) -> None:
    events = decoded(exchange.body)
    encoder = SERVER.stream(envelope())
    out = encoder.feed(events) + encoder.finish(CHARGE)
    again = fold(decoded(out))
    first = seen(fold(events))
    for part in first["parts"]:
        for citation in part.get("citations") or ():
            if citation["url"]:
                citation["start"], citation["end"] = citation["start"] or 0, citation["end"] or 0
    assert seen(again) == first
    assert again.started.response_id == "gen-1"
    _check_stream(out)


@by_name(streams())
def test_the_relay_tells_what_the_codec_tells(exchange: Exchange) -> None:
    relay = RELAY.stream(envelope(), target())
    out = relay.feed(exchange.body) + relay.close() + relay.finish(CHARGE)
    decoder = CLIENT.stream(target())
    events = decoder.feed(exchange.body)
    assert seen(fold(decoded(out))) == seen(fold(events))
    for name in (
        "usage",
        "finish",
        "native_finish",
        "upstream_id",
        "upstream_model",
        "content_chars",
        "reasoning_chars",
        "tool_calls",
    ):
        assert told(getattr(relay.outcome, name)) == told(getattr(decoder.outcome, name)), name
    assert relay.outcome.committed == decoder.outcome.committed
    assert relay.outcome.ended and relay.outcome.complete
    assert relay.outcome.error is None
    _check_stream(out)


@by_name(streams())
@settings(max_examples=4, deadline=None)
@given(st.data())
def test_the_relay_does_not_mind_cuts(exchange: Exchange, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(exchange.body)), max_size=30))
    whole, relay = RELAY.stream(envelope(), target()), RELAY.stream(envelope(), target())
    expected = whole.feed(exchange.body) + whole.finish(CHARGE)
    edges = [0, *sorted(cuts), len(exchange.body)]
    out = b"".join([relay.feed(exchange.body[start:end]) for start, end in itertools.pairwise(edges)])
    assert out + relay.close() + relay.finish(CHARGE) == expected


def _check_stream(out: bytes) -> None:
    events = events_of(out)
    assert out.endswith(b"data: [DONE]\n\n")
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[0]["type"] == "response.created"
    assert "response.in_progress" in [event["type"] for event in events[1:3]]
    assert events[-1]["type"] in ("response.completed", "response.incomplete")
    for event in (events[0], events[1], events[-1]):
        assert event["response"]["id"] == "gen-1"
        assert event["response"]["model"] == "author/model"
    usage = events[-1]["response"]["usage"]
    assert usage["cost"] == 0.000000012
    assert usage["cost_details"]["upstream_inference_cost"] == 0.00000001
    announced = [event["output_index"] for event in events if event["type"] == "response.output_item.added"]
    closed = [event["output_index"] for event in events if event["type"] == "response.output_item.done"]
    assert sorted(closed) == sorted(announced) == list(range(len(announced)))


@by_name(whole_answers())
def test_a_whole_answer_goes_round(exchange: Exchange) -> None:
    events, outcome = CLIENT.whole(exchange.body, target())
    ours = normal_answer(SERVER.whole(fold(events), envelope(), CHARGE))
    relay = RELAY.whole(exchange.body, envelope(), target())
    theirs = normal_answer(relay.finish(CHARGE))
    assert ours == theirs
    assert told(relay.outcome) == told(outcome)
    assert ours["id"] == "gen-1"


@by_name(answers())
def test_usage_is_the_recorded_usage(exchange: Exchange) -> None:
    if exchange in broken():
        return
    recorded = (ended(exchange.body) if exchange.streamed else json.loads(exchange.body))["usage"]
    events = decoded(exchange.body) if exchange.streamed else CLIENT.whole(exchange.body, target())[0]
    reported = [event.usage for event in events if isinstance(event, UsageReported)]
    leaves = reported[-1].leaves
    assert len(reported) == 1
    assert reported[0].prompt_tokens() == recorded["input_tokens"]
    assert reported[0].completion_tokens() == recorded["output_tokens"]
    details = recorded.get("input_tokens_details") or {}
    assert leaves.get("input_cache_read", 0) == details.get("cached_tokens", 0)
    assert leaves.get("input_cache_write_5m", 0) == (details.get("cache_write_tokens") or 0)
    assert leaves.get("output_reasoning", 0) == (recorded.get("output_tokens_details") or {}).get("reasoning_tokens", 0)
    written = json.loads(SERVER.whole(fold(events), envelope(), CHARGE))["usage"]
    for name in ("input_tokens", "output_tokens", "total_tokens"):
        assert written[name] == recorded[name]


@by_name(broken())
def test_a_failed_response_is_an_error_of_the_attempt(exchange: Exchange) -> None:
    events = decoded(exchange.body)
    assert isinstance(events[-1], Failed)
    assert isinstance(events[-1].error, CredentialExhausted)
    relay = RELAY.stream(envelope(), target())
    assert relay.feed(exchange.body) == b""
    assert isinstance(relay.outcome.error, CredentialExhausted)


@by_name(refusals())
def test_a_refusal_has_its_leaf(exchange: Exchange) -> None:
    error = CLIENT.error(exchange.status, exchange.headers, exchange.body)
    assert isinstance(error, AttemptError)
    expected = {401: {"CredentialRejected"}, 429: {"CredentialExhausted"}}.get(
        exchange.status, {"VendorRefused", "VendorUnsupported", "VendorModelMissing", "CredentialRejected"}
    )
    assert type(error).__name__ in expected
