"""Owns the laws of Messages answers over recorded traffic; refuses hand-made answers (see the other files)."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.anthropic_messages.relay import MessagesRelay
from farebox.ir import errors as e
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    Failed,
    Finished,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    TextDelta,
)
from farebox.ir.fold import fold, unfold
from farebox.money.charges import Charge
from unit.dialects.anthropic_messages.messages_traffic import (
    Exchange,
    answers,
    envelope,
    events_of,
    exchanges,
    message_of,
    normal,
    pieces,
    plain,
)

SERVER, CLIENT, RELAY = MessagesServer(), MessagesClient(), MessagesRelay()
CHARGE = Charge(total_nano=12, vendor_nano=10, toll_nano=2)
DELTAS = (TextDelta, ReasoningDelta, SealDelta, ArgumentsDelta, CitationAdded)
STREAMS = [item for item in answers() if item.streamed]
WHOLES = [item for item in answers() if not item.streamed and item.body.startswith(b"{")]


def by_name(items: list[Exchange]) -> Any:
    return pytest.mark.parametrize("exchange", items, ids=[item.name for item in items])


def decoded(exchange: Exchange, cuts: list[int] | None = None) -> tuple[list[Event], Any]:
    decoder = CLIENT.stream(exchange.target())
    events: list[Event] = []
    for piece in pieces(exchange.body, cuts or []):
        events += decoder.feed(piece)
    return events + decoder.close(), decoder.outcome


def relayed(exchange: Exchange, cuts: list[int] | None = None) -> tuple[bytes, Any]:
    stream = RELAY.stream(envelope(), exchange.target())
    out = b"".join([stream.feed(piece) for piece in pieces(exchange.body, cuts or [])]) + stream.close()
    assert stream.outcome.error is None
    return out + stream.finish(CHARGE), stream.outcome


def through(exchange: Exchange) -> tuple[bytes, Any]:
    events, outcome = decoded(exchange)
    encoder = SERVER.stream(envelope())
    return encoder.feed(events) + encoder.finish(CHARGE), outcome


def test_there_is_traffic() -> None:
    assert len(STREAMS) > 40
    assert len(WHOLES) > 60


@by_name(STREAMS)
def test_blocks_are_disciplined(exchange: Exchange) -> None:
    events, _ = decoded(exchange)
    opened: set[int] = set()
    used: set[int] = set()
    for event in events:
        if isinstance(event, PartStarted):
            assert event.index not in used
            used.add(event.index)
            opened.add(event.index)
        elif isinstance(event, DELTAS):
            assert event.index in opened
        elif isinstance(event, PartEnded):
            opened.remove(event.index)
        elif isinstance(event, ChoiceEnded):
            assert not opened
    assert sum(isinstance(event, ChoiceEnded) for event in events) == 1
    assert sum(isinstance(event, Finished | Failed) for event in events) == 1
    assert events[-1] == Finished(complete=True)


@by_name(STREAMS)
def test_every_prefix_folds_and_the_fold_tells_itself(exchange: Exchange) -> None:
    events, _ = decoded(exchange)
    for end in range(0, len(events), max(1, len(events) // 10)):
        fold(events[:end])
    whole = fold(events)
    assert fold(unfold(whole)) == whole


@by_name(STREAMS)
def test_a_stream_decodes_to_what_it_says(exchange: Exchange) -> None:
    """Decoded and encoded again, a client reads the message that the vendor's stream spells."""
    out, outcome = through(exchange)
    ours, theirs = message_of(out), message_of(exchange.spelled)
    assert (ours["id"], ours["model"], ours["provider"]) == ("gen-1", "author/model", "Provider")
    assert outcome.upstream_id == theirs["id"]
    for message in (ours, theirs):
        message["id"] = message["model"] = ""
    assert normal(ours) == normal(theirs)


@by_name(STREAMS)
def test_the_relay_says_what_decoding_and_encoding_say(exchange: Exchange) -> None:
    out, outcome = relayed(exchange)
    again, other = through(exchange)
    assert normal(message_of(out)) == normal(message_of(again))
    assert outcome == other
    assert message_of(out)["usage"]["cost"] == 0.000000012
    assert [event["type"] for event in events_of(out)][-2:] == ["message_delta", "message_stop"]


@by_name(STREAMS)
def test_the_relay_passes_content_byte_for_byte(exchange: Exchange) -> None:
    out, _ = relayed(exchange)
    for block in exchange.spelled.split(b"\n\n"):
        if b'"content_block_' in block and block.startswith(b"event: content_block"):
            assert block + b"\n\n" in out


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=30), st.sampled_from(STREAMS))
def test_cuts_never_matter(cuts: list[int], exchange: Exchange) -> None:
    assert relayed(exchange, cuts) == relayed(exchange)
    assert decoded(exchange, cuts) == decoded(exchange)


SSE = [item for item in STREAMS if not item.framed]


@by_name(SSE[::9])
def test_line_ends_and_single_bytes_never_matter(exchange: Exchange) -> None:
    carriage = exchange._replace(body=exchange.body[:9000].replace(b"\n", b"\r\n"))
    plainly = exchange._replace(body=exchange.body[:9000])
    for each in (carriage, plainly):
        decoder = CLIENT.stream(exchange.target())
        events = [event for at in range(len(each.body)) for event in decoder.feed(each.body[at : at + 1])]
        assert events == CLIENT.stream(exchange.target()).feed(plainly.body)
        relay, other = (RELAY.stream(envelope(), exchange.target()) for _ in range(2))
        bytewise = b"".join(relay.feed(each.body[at : at + 1]) for at in range(len(each.body)))
        assert events_of(bytewise) == events_of(other.feed(plainly.body))


@by_name(WHOLES)
def test_whole_answers_survive_and_relay_alike(exchange: Exchange) -> None:
    relay = RELAY.whole(exchange.body, envelope(), exchange.target())
    events, outcome = CLIENT.whole(exchange.body, exchange.target())
    first = json.loads(relay.finish(CHARGE))
    second = json.loads(SERVER.whole(fold(events), envelope(), CHARGE))
    theirs = json.loads(exchange.body)
    assert (first["id"], first["model"], first["provider"]) == ("gen-1", "author/model", "Provider")
    theirs |= {"id": "gen-1", "model": "author/model"}
    assert normal(first) == normal(theirs)
    assert normal(second) == normal(theirs)
    assert relay.outcome == outcome


@by_name(answers())
def test_usage_is_the_recorded_usage(exchange: Exchange) -> None:
    if exchange.streamed:
        _, outcome = decoded(exchange)
        recorded = message_of(exchange.spelled)["usage"]
    elif exchange.body.startswith(b"{"):
        outcome = CLIENT.whole(exchange.body, exchange.target())[1]
        recorded = json.loads(exchange.body)["usage"]
    else:
        pytest.fail("an answer in no known form")
    leaves, split = outcome.usage.leaves, recorded.get("cache_creation") or {}
    expected = {
        "input_fresh": recorded["input_tokens"],
        "input_cache_read": recorded.get("cache_read_input_tokens") or 0,
        "input_cache_write_1h": split.get("ephemeral_1h_input_tokens", 0),
        "input_cache_write_5m": (recorded.get("cache_creation_input_tokens") or 0)
        - split.get("ephemeral_1h_input_tokens", 0),
        "output_reasoning": (recorded.get("output_tokens_details") or {}).get("thinking_tokens", 0),
        "search": (recorded.get("server_tool_use") or {}).get("web_search_requests", 0),
    }
    expected["output_text"] = recorded["output_tokens"] - expected["output_reasoning"]
    assert leaves == {name: count for name, count in expected.items() if count}
    assert not outcome.flags


@by_name([item for item in exchanges() if item.status >= 400])
def test_recorded_refusals_are_leaves_of_the_tree(exchange: Exchange) -> None:
    found = CLIENT.error(exchange.status, exchange.headers, exchange.body)
    text = exchange.body.decode()
    expected: type[e.AttemptError] = {
        400: e.VendorRefused,
        401: e.CredentialRejected,
        403: e.CredentialRejected,
        404: e.VendorModelMissing,
    }[exchange.status]
    if "credit balance" in text:
        expected = e.CredentialExhausted
    assert isinstance(found, expected)
    assert found.vendor_status == exchange.status


@by_name(SSE[::5])
def test_a_cut_stream_is_told_as_cut_with_what_was_counted(exchange: Exchange) -> None:
    end = exchange.body.index(b"message_delta") if b"message_delta" in exchange.body else 0
    cut = exchange.body[: exchange.body.rindex(b"\n\n", 0, end)]
    decoder = CLIENT.stream(exchange.target())
    events = [*decoder.feed(cut), *decoder.close()]
    assert isinstance(events[-1], Failed)
    assert isinstance(decoder.outcome.error, e.Cut)
    assert decoder.outcome.usage.prompt_tokens() >= 0
    relay = RELAY.stream(envelope(), exchange.target())
    relay.feed(cut)
    relay.close()
    assert isinstance(relay.outcome.error, e.Cut)
    told = events_of(relay.fail(relay.outcome.error, CHARGE))
    assert told[0]["error"] == {"type": "api_error", "error_type": "upstream_cut", "code": 502} | {
        "message": relay.outcome.error.message
    }
    assert told[0]["request_id"] == "gen-1"
    assert plain(told[0])["type"] == "error"
