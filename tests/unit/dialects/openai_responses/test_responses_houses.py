"""Owns tool loops with sealed reasoning between the Responses dialect and Messages and Gemini; refuses chat (see crossings)."""

import json
from typing import Any

import pytest

from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.google_generate.halves import GenerateClient
from farebox.dialects.openai_responses.halves import ResponsesClient, ResponsesServer
from farebox.ir.events import Event, Response
from farebox.ir.fold import fold
from farebox.ir.request import Reasoning
from unit.dialects.openai_responses.responses_traffic import CHARGE, answers, by_name, envelope, events_of, target
from unit.dialects.traffic import Exchange, exchanges

SERVER, CLIENT = ResponsesServer(), ResponsesClient()
MESSAGES_SERVER, MESSAGES_CLIENT, GEMINI_CLIENT = MessagesServer(), MessagesClient(), GenerateClient()


def read(exchange: Exchange, client: Any) -> list[Event]:
    if not exchange.streamed:
        events: list[Event] = client.whole(exchange.body, target())[0]
        return events
    decoder = client.stream(target())
    return [*decoder.feed(exchange.body), *decoder.close()]


def seals(response: Response) -> list[tuple[str, str]]:
    parts = response.choices[0].parts if response.choices else ()
    return [(part.seal.item_id, part.seal.data) for part in parts if isinstance(part, Reasoning) and part.seal]


def sealed(kinds: tuple[str, ...], mark: bytes, client: Any) -> list[Exchange]:
    found = [
        exchange for kind in kinds for exchange in exchanges(kind) if exchange.status < 400 and mark in exchange.body
    ]
    return [exchange for exchange in found if seals(fold(read(exchange, client)))]


def replays(events: list[Event]) -> list[bytes]:
    """The next turn of a Responses client, from the whole answer and from the items of the stream."""
    encoder = SERVER.stream(envelope())
    out = encoder.feed(events) + encoder.finish(CHARGE)
    streamed = [event["item"] for event in events_of(out) if event["type"] == "response.output_item.done"]
    whole = json.loads(SERVER.whole(fold(events), envelope(), CHARGE))["output"]
    user = {"role": "user", "content": "Go on."}
    turns = []
    for items in (streamed, whole):
        results = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": "42"}
            for item in items
            if item["type"] == "function_call"
        ]
        request = {
            "model": "a/m",
            "max_output_tokens": 4000,
            "reasoning": {"effort": "low"},
            "input": [user, *items, *results, user],
        }
        turns.append(json.dumps(request).encode())
    return turns


@by_name(sealed(("messages", "rawPredict", "streamRawPredict"), b"signature", MESSAGES_CLIENT))
def test_thinking_of_a_messages_vendor_survives_a_responses_client(exchange: Exchange) -> None:
    events = read(exchange, MESSAGES_CLIENT)
    for turn in replays(events):
        body, _ = MESSAGES_CLIENT.encode(SERVER.decode(SERVER.open(turn)), target())
        blocks = [
            block
            for message in json.loads(body)["messages"]
            if message["role"] == "assistant"
            for block in message["content"]
        ]
        thinking = [block for block in blocks if block["type"] in ("thinking", "redacted_thinking")]
        assert [block.get("signature") or block.get("data") for block in thinking] == [
            data for _, data in seals(fold(events))
        ]
        texts = [part.text for part in fold(events).choices[0].parts if isinstance(part, Reasoning)]
        assert [block.get("thinking", "") for block in thinking] == texts


@by_name(
    [
        exchange
        for exchange in answers()
        if exchange.vendor != "openrouter"
        and b"encrypted_content" in exchange.body
        and seals(fold(read(exchange, CLIENT)))
    ]
)
def test_seals_of_a_responses_vendor_survive_a_messages_client(exchange: Exchange) -> None:
    events = read(exchange, CLIENT)
    answer = json.loads(MESSAGES_SERVER.whole(fold(events), envelope(), CHARGE))
    results = [
        {"type": "tool_result", "tool_use_id": block["id"], "content": "42"}
        for block in answer["content"]
        if block["type"] == "tool_use"
    ]
    turns = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": answer["content"]},
        {"role": "user", "content": results or "Go on."},
    ]
    request = {
        "model": "a/m",
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": turns,
    }
    opened = MESSAGES_SERVER.open(json.dumps(request).encode())
    body, _ = CLIENT.encode(MESSAGES_SERVER.decode(opened), target())
    items = [item for item in json.loads(body)["input"] if item["type"] == "reasoning"]
    assert [(item["id"], item["encrypted_content"]) for item in items if "encrypted_content" in item] == seals(
        fold(events)
    )


@by_name(sealed(("generateContent", "streamGenerateContent"), b"thoughtSignature", GEMINI_CLIENT))
def test_thoughts_of_a_gemini_vendor_survive_a_responses_client(exchange: Exchange) -> None:
    events = read(exchange, GEMINI_CLIENT)
    for turn in replays(events):
        opened = SERVER.open(turn)
        assert opened.origins == {"google-gemini-v1"}
        body, _ = GEMINI_CLIENT.encode(SERVER.decode(opened), target())
        parts = [
            part for content in json.loads(body)["contents"] if content["role"] == "model" for part in content["parts"]
        ]
        assert [part["thoughtSignature"] for part in parts if "thoughtSignature" in part] == [
            data for _, data in seals(fold(events))
        ]


def test_the_corpus_is_there() -> None:
    assert len(sealed(("messages",), b"signature", MESSAGES_CLIENT)) >= 20
    assert len(sealed(("generateContent", "streamGenerateContent"), b"thoughtSignature", GEMINI_CLIENT)) >= 10
    with pytest.raises(IndexError):
        exchanges("nothing")[0]
