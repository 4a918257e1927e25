"""Owns the laws of the chat dialect over recorded traffic; refuses hand-made answers (see the other files)."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.dialects.ports import Target
from farebox.dialects.registry import CLIENTS, RELAYS, SERVERS
from farebox.ir.errors import AttemptError, EmptyAnswer, FareboxError
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    Failed,
    Finished,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    TextDelta,
    UsageReported,
)
from farebox.ir.fold import fold, unfold
from farebox.money.charges import Charge
from unit.dialects.traffic import Exchange, answers, exchanges, merged, plain, requests

NAME = "openai_chat"
SERVER, CLIENT, RELAY = SERVERS[NAME], CLIENTS[NAME], RELAYS[NAME]
CHARGE = Charge(total_nano=12, vendor_nano=10, toll_nano=2)
DELTAS = (TextDelta, ReasoningDelta, SealDelta, ArgumentsDelta, MediaDelta, CitationAdded)


def by_name(items: list[Exchange]) -> Any:
    return pytest.mark.parametrize("exchange", items, ids=[item.name for item in items])


def decoded(exchange: Exchange, cuts: list[int] | None = None) -> tuple[list[Event], Any]:
    decoder = CLIENT.stream(exchange.target())
    events: list[Event] = []
    for piece in pieces(exchange.body, cuts or []):
        events += decoder.feed(piece)
    return events + decoder.close(), decoder.outcome


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in itertools.pairwise(edges)]


def relayed(exchange: Exchange, cuts: list[int] | None = None) -> tuple[bytes, Any]:
    stream = RELAY.stream(exchange.envelope(), exchange.target())
    out = b"".join([stream.feed(piece) for piece in pieces(exchange.body, cuts or [])]) + stream.close()
    error = stream.outcome.error
    if error is not None and not isinstance(error, EmptyAnswer):
        return out + stream.fail(error, CHARGE), stream.outcome
    return out + stream.finish(CHARGE), stream.outcome


STREAMS = [item for item in answers() if item.streamed]
WHOLES = [item for item in answers() if not item.streamed]


@by_name(STREAMS)
def test_blocks_are_disciplined(exchange: Exchange) -> None:
    events, _ = decoded(exchange)
    open_parts: set[tuple[int, int]] = set()
    used: set[tuple[int, int]] = set()
    ended: set[int] = set()
    for event in events:
        if isinstance(event, PartStarted):
            key = (event.choice, event.index)
            assert key not in used, "an index was used twice"
            assert event.choice not in ended
            used.add(key)
            open_parts.add(key)
        elif isinstance(event, DELTAS):
            assert (event.choice, event.index) in open_parts, "a delta outside of an open part"
        elif isinstance(event, PartEnded):
            open_parts.remove((event.choice, event.index))
        elif isinstance(event, ChoiceEnded):
            assert not {key for key in open_parts if key[0] == event.choice}
            ended.add(event.choice)
    assert not open_parts
    assert isinstance(events[-1], Finished | Failed)
    assert sum(isinstance(event, Finished | Failed) for event in events) == 1
    assert sum(isinstance(event, UsageReported) for event in events) <= 1


@by_name(STREAMS)
def test_every_prefix_folds_and_the_fold_tells_itself(exchange: Exchange) -> None:
    events, _ = decoded(exchange)
    for end in range(0, len(events), max(1, len(events) // 10)):
        fold(events[:end])
    whole = fold(events)
    assert fold(unfold(whole)) == whole


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 10**6), max_size=30), st.sampled_from(STREAMS))
def test_cuts_never_matter(cuts: list[int], exchange: Exchange) -> None:
    whole, outcome = relayed(exchange)
    cut, cut_outcome = relayed(exchange, cuts)
    assert merged(cut) == merged(whole)
    assert (cut_outcome.usage, cut_outcome.finish, cut_outcome.content_chars) == (
        outcome.usage,
        outcome.finish,
        outcome.content_chars,
    )
    assert fold(decoded(exchange, cuts)[0]).choices == fold(decoded(exchange)[0]).choices


@pytest.mark.parametrize("exchange", STREAMS[::9], ids=[item.name for item in STREAMS[::9]])
def test_a_stream_may_come_byte_by_byte(exchange: Exchange) -> None:
    body = exchange.body[:6000]
    short = exchange._replace(body=body)
    assert merged(relayed(short, list(range(len(body))))[0]) == merged(relayed(short)[0])


@by_name(STREAMS)
def test_the_relay_says_what_decoding_and_encoding_say(exchange: Exchange) -> None:
    out, outcome = relayed(exchange)
    events, decoded_outcome = decoded(exchange)
    encoder = SERVER.stream(exchange.envelope())
    through = encoder.feed([event for event in events if getattr(event, "choice", 0) < exchange.choices])
    error = decoded_outcome.error
    failed = error is not None and not isinstance(error, EmptyAnswer)
    through += encoder.fail(error, CHARGE) if failed else encoder.finish(CHARGE)
    first, second = merged(out), merged(through)
    if failed and not outcome.committed:
        assert first["error"] == second["error"]
        return
    assert first == second


def refused(exchange: Exchange) -> FareboxError | None:
    """The error that the codec finds in an answer, raised or at the end of its events."""
    try:
        events, _ = CLIENT.whole(exchange.body, exchange.target())
    except AttemptError as error:
        return error
    return fold(events).error


@by_name(WHOLES)
def test_whole_answers_relay_as_they_decode_and_encode(exchange: Exchange) -> None:
    try:
        relay = RELAY.whole(exchange.body, exchange.envelope(), exchange.target())
    except AttemptError as error:
        assert type(refused(exchange)) is type(error)
        return
    events, _ = CLIENT.whole(exchange.body, exchange.target())
    first = json.loads(relay.finish(CHARGE))
    second = json.loads(SERVER.whole(fold(events), exchange.envelope(), CHARGE))
    assert normal(first) == normal(second)


KEPT_IN_MESSAGES = ("content", "reasoning", "refusal", "tool_calls", "images")


def normal(answer: dict[str, Any]) -> Any:
    """Modulo the written list in NOTES.md: what says nothing; members of a message that nobody reads; pieces of calls."""
    out = plain(answer)
    for choice in out["choices"]:
        message = choice.get("message", {})
        kept = {name: message[name] for name in KEPT_IN_MESSAGES if message.get(name)}
        for call in kept.get("tool_calls", ()):
            kind = call.get("type") or "function"
            inner = call.get(kind) or {}
            call.clear()
            call.update({"type": kind, "said": (inner.get("name"), inner.get("arguments") or inner.get("input"))})
        kept["images"] = [image["image_url"]["url"] for image in kept.get("images", ())]
        kept["sealed"] = [
            (detail.get("signature"), detail.get("data"))
            for detail in message.get("reasoning_details") or ()
            if detail.get("signature") or detail.get("data")
        ]
        kept["cited"] = list(message.get("annotations") or ())
        choice["message"] = kept
        choice.setdefault("logprobs", {})
        choice.pop("native_finish_reason", None)
    return out


@by_name(answers())
def test_usage_leaves_add_up_to_what_was_recorded(exchange: Exchange) -> None:
    _, outcome = decoded(exchange)
    usage = outcome.usage
    recorded = last_usage(exchange)
    if usage is None:
        assert recorded is None or outcome.error is not None
        return
    assert recorded is not None
    prompt, completion = recorded.get("prompt_tokens") or 0, recorded.get("completion_tokens") or 0
    assert usage.prompt_tokens() == prompt
    reasoning = (recorded.get("completion_tokens_details") or {}).get("reasoning_tokens") or 0
    outside = exchange.vendor == "xai" or recorded.get("total_tokens") == prompt + completion + reasoning
    assert usage.completion_tokens() == completion + (reasoning if outside else 0)
    assert all(count > 0 for count in usage.leaves.values())


def last_usage(exchange: Exchange) -> dict[str, Any] | None:
    """By plain means: the last usage object with counts among the events, or that of the answer."""
    if not exchange.streamed:
        return json.loads(exchange.body).get("usage")
    found = None
    for line in exchange.body.replace(b"\r\n", b"\n").split(b"\n"):
        if line.startswith(b"data:") and b"{" in line:
            event = json.loads(line[5:])
            usage = event.get("usage") or (event.get("x_groq") or {}).get("usage")
            for choice in event.get("choices") or ():
                usage = usage or choice.get("usage")
            found = usage or found
    return found


@by_name(requests())
def test_requests_relay_as_they_decode_and_encode(exchange: Exchange) -> None:
    body = dict(exchange.request)
    if body.get("tool_choice") == "any" or (
        isinstance(body.get("logprobs"), int) and not isinstance(body["logprobs"], bool)
    ):
        return  # not this dialect: refused at the door
    opened = SERVER.open(json.dumps(body).encode())
    target = Target(
        model="m",
        vendor="v",
        options=frozenset(("cache_control", "reasoning_details", "image_config", "top_level_cache_control")),
        reasoning_wish="reasoning",
        reasoning_field="reasoning",
    )
    first = json.loads(RELAY.request(opened, target)[0])
    second_body, warnings = CLIENT.encode(SERVER.decode(opened), target)
    assert not warnings
    assert same_request(first) == same_request(json.loads(second_body))


def same_request(body: dict[str, Any]) -> Any:
    """Modulo the written list in NOTES.md."""
    body = without_default_ttl(plain(body))
    if "max_completion_tokens" in body:
        body["max_tokens"] = body.pop("max_completion_tokens")
    if body.get("n") == 1:
        del body["n"]
    if isinstance(body.get("stop"), list) and len(body["stop"]) == 1:
        body["stop"] = body["stop"][0]
    if isinstance(body.get("tool_choice"), dict):
        choice = body["tool_choice"]
        body["tool_choice"] = (choice.get("function") or choice)["name"]
    schema = body.get("response_format", {}).get("json_schema", {})
    for name in ("name", "description"):
        if not schema.get(name):
            schema.pop(name, None)
    for message in body["messages"]:
        parts = message.get("content")
        if (
            isinstance(parts, list)
            and len(parts) == 1
            and set(parts[0]) == {"type", "text"}
            and parts[0]["type"] == "text"
        ):
            message["content"] = parts[0]["text"]
        if message["role"] == "tool":
            message.setdefault("content", "")
        if message.get("reasoning_content"):
            message["reasoning"] = message.pop("reasoning_content")
        for detail in message.get("reasoning_details", ()):
            detail.setdefault("type", "reasoning.text")
        if not message.get("reasoning") or message.get("reasoning_details"):
            message.pop("reasoning", None)
        message.pop("reasoning_content", None)
        details = message.get("reasoning_details")
        if details and not any(detail.get("signature") or detail.get("data") for detail in details):
            del message["reasoning_details"]
        for call in message.get("tool_calls", ()):
            call.setdefault("type", "function")
            call.pop("index", None)
    for tool in body.get("tools", ()):
        tool.setdefault("type", "function")
        function = tool.get("function", {})
        if not function.get("description"):
            function.pop("description", None)
    return body


def without_default_ttl(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_default_ttl(inner) for name, inner in value.items() if (name, inner) != ("ttl", "5m")}
    return [without_default_ttl(item) for item in value] if isinstance(value, list) else value


@by_name([item for item in exchanges() if item.status >= 400])
def test_refusals_become_leaves_that_leak_nothing(exchange: Exchange) -> None:
    error = CLIENT.error(exchange.status, exchange.headers, exchange.body)
    assert error.vendor_status == exchange.status
    told = json.loads(SERVER.error(error, "gen-1"))["error"]
    text = json.dumps(told)
    assert "http://" not in text and "https://" not in text
    assert "<html" not in text.lower() and "<!doctype" not in text.lower()
    assert told["code"] == error.status
    assert len(told["message"]) <= 1000
