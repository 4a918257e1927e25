"""Owns what must hold for any document: unknown members survive, no shape of an answer raises, relay and codec agree."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farebox.dialects.google_generate.halves import GenerateClient, GenerateServer
from farebox.dialects.google_generate.relay import GenerateRelay
from farebox.dialects.ports import Target
from farebox.ir.errors import FareboxError
from farebox.ir.events import Failed, Finished
from farebox.ir.fold import fold
from farebox.money.charges import FREE
from tests.unit.dialects.google_generate.generate_traffic import envelope, normal, told

SERVER, CLIENT, RELAY = GenerateServer(), GenerateClient(), GenerateRelay()
TARGET = Target(model="gemini-2.5-flash", vendor="v")

texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
words = st.text("abcdefXYZ", min_size=1, max_size=6)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3), max_leaves=6
)
kept = json_values.filter(lambda value: value is not None)
names = words.map(lambda word: "x" + word)
unknown = st.dictionaries(names, kept, max_size=2)
signatures = st.text("ABCabc123+/_-", min_size=4, max_size=16)


def with_signature(part: dict[str, Any], signature: str | None) -> dict[str, Any]:
    return part | ({"thoughtSignature": signature} if signature else {})


text_parts = st.builds(
    lambda text, more, sign: with_signature({"text": text} | more, sign), texts, unknown, st.none() | signatures
)
thoughts = st.builds(lambda text: {"text": text, "thought": True}, texts)
calls = st.builds(
    lambda name, args, sign, call_id: with_signature(
        {"functionCall": {"name": name, "args": args} | ({"id": call_id} if call_id else {})}, sign
    ),
    words,
    st.dictionaries(words, json_values, max_size=3),
    st.none() | signatures,
    st.none() | words,
)
odd_parts = st.builds(lambda name, value: {name: value}, names, kept)
contents = st.lists(
    st.builds(
        lambda role, parts: {"role": role, "parts": parts},
        st.sampled_from(("user", "model")),
        st.lists(text_parts | odd_parts | calls, min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=4,
)
requests = st.builds(
    lambda contents, more, config: {"contents": contents, "generationConfig": config} | more,
    contents,
    unknown,
    unknown,
)


@settings(max_examples=150, deadline=None)
@given(requests)
def test_whatever_a_request_says_comes_back(body: dict[str, Any]) -> None:
    target = Target(model="gemini-2.5-flash", vendor="v")
    for content in body["contents"]:
        if content["role"] == "user":
            content["parts"] = [part for part in content["parts"] if "functionCall" not in part] or [{"text": "x"}]
            for part in content["parts"]:
                part.pop("thoughtSignature", None)
    opened = SERVER.with_path(SERVER.open(json.dumps(body).encode()), "a/b", stream=False)
    out, warnings = CLIENT.encode(SERVER.decode(opened), target)
    assert normal(json.loads(out)) == normal(body)
    assert warnings == []


answer_parts = st.lists(text_parts | thoughts | calls | odd_parts, max_size=4)
chunks = st.lists(answer_parts, min_size=1, max_size=4)


def streamed(parts: list[list[dict[str, Any]]]) -> bytes:
    documents = [{"candidates": [{"content": {"parts": one, "role": "model"}, "index": 0}]} for one in parts]
    documents[-1]["candidates"][0]["finishReason"] = "STOP"
    documents[-1]["usageMetadata"] = {"promptTokenCount": 3, "candidatesTokenCount": 4, "totalTokenCount": 7}
    return b"".join(b"data: " + json.dumps(one).encode() + b"\r\n\r\n" for one in documents)


@settings(max_examples=150, deadline=None)
@given(chunks, st.integers(1, 40))
def test_relay_and_codec_agree_on_any_answer(parts: list[list[dict[str, Any]]], size: int) -> None:
    body = streamed(parts)
    relay = RELAY.stream(envelope(), TARGET)
    passed = b"".join(relay.feed(body[at : at + size]) for at in range(0, len(body), size)) + relay.close()
    decoder, encoder = CLIENT.stream(TARGET), SERVER.stream(envelope())
    events = decoder.feed(body) + decoder.close()
    assert type(relay.outcome.error) is type(decoder.outcome.error)
    if relay.outcome.error is None:
        ours, theirs = told(passed + relay.finish(FREE)), told(encoder.feed(events) + encoder.finish(FREE))
        assert ours["choices"][0]["parts"] == theirs["choices"][0]["parts"]
        assert relay.outcome.finish == decoder.outcome.finish
        assert relay.outcome.content_chars == decoder.outcome.content_chars
        assert relay.outcome.tool_calls == decoder.outcome.tool_calls


@settings(max_examples=200, deadline=None)
@given(st.lists(json_values, max_size=3), st.binary(max_size=20), json_values, json_values)
def test_no_shape_of_an_answer_raises(values: list[Any], junk: bytes, content: Any, usage: Any) -> None:
    shaped = [{"candidates": [{"content": content}]}, {"candidates": content, "usageMetadata": usage}, {"error": usage}]
    shaped += [{"candidates": [{"content": {"parts": content}, "finishReason": usage}]}, {"promptFeedback": content}]
    shaped += [{"candidates": [{"index": content, "groundingMetadata": usage, "citationMetadata": content}]}]
    for value in (*values, *shaped):
        body = b"data: " + json.dumps(value).encode() + b"\r\n\r\n" + junk
        decoder = CLIENT.stream(TARGET)
        events = decoder.feed(body) + decoder.close()
        assert isinstance(events[-1], Finished | Failed)
        fold(events)
        relay = RELAY.stream(envelope(), TARGET)
        relay.feed(body)
        relay.close()
        for data in (body, body[6:]):
            for whole in (CLIENT.whole, lambda data, target: RELAY.whole(data, envelope(), target)):
                try:
                    whole(data, TARGET)
                except FareboxError as error:
                    assert error.code


@settings(max_examples=200, deadline=None)
@given(json_values, json_values)
def test_no_shape_of_a_request_raises_but_as_invalid(one: Any, other: Any) -> None:
    bodies = [
        {"contents": one},
        {"contents": [{"parts": one}], "tools": other},
        {"contents": [{"parts": [{"text": one, "functionCall": other, "inlineData": one}]}]},
        {"contents": [{"parts": [{"functionResponse": one, "thoughtSignature": other}]}], "systemInstruction": one},
        {"contents": [{"parts": [{"text": "x"}]}], "toolConfig": one, "generationConfig": other},
        {"contents": [{"parts": [{"text": "x"}]}], "generationConfig": {"thinkingConfig": one, "stopSequences": other}},
        {"contents": [{"parts": [{"text": "x"}]}], "tools": [{"functionDeclarations": one, "googleSearch": other}]},
    ]
    for body in bodies:
        try:
            opened = SERVER.with_path(SERVER.open(json.dumps(body).encode()), "a/b", stream=False)
            CLIENT.encode(SERVER.decode(opened), TARGET)
        except FareboxError as error:
            assert error.status == 400
