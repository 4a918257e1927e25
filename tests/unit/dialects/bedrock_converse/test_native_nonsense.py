"""Owns nonsense: every place of recorded bodies replaced by values of other kinds. It ends as one of our errors or as an
answer, never as a fault; refuses well-formed traffic (see the other files).
"""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from farebox.dialects.bedrock_converse.halves import ConverseClient, ConverseServer
from farebox.dialects.cohere_chat.halves import CohereClient
from farebox.dialects.framing.aws_events import FrameSplitter, frame
from farebox.dialects.ollama_chat.halves import OllamaClient
from farebox.dialects.ports import ClientHalf
from farebox.dialects.registry import CLIENTS
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event
from farebox.ir.fold import fold
from unit.dialects.bedrock_converse.native_traffic import CHARGE, CHAT, Exchange, check_blocks, envelope, exchanges

ODD = (None, True, 5, -1, "x", "", [], [5], {}, {"x": 5})
CASES: list[tuple[str, ClientHalf, str]] = [
    ("converse", ConverseClient(), "bedrock/bedrock.converse*.json"),
    ("cohere", CohereClient(), "cohere/native/cohere.v2.chat*.json"),
    ("ollama", OllamaClient(), "ollama/native/ollama.chat*.json"),
]
by_case = pytest.mark.parametrize(("client", "pattern"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])


def places(value: Any) -> Iterator[tuple[Any, ...]]:
    """The path of every member, at any depth; of lists the first two."""
    inner = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for key, child in inner:
        yield (key,)
        for rest in places(child):
            yield (key, *rest)


def mutants(value: Any) -> Iterator[Any]:
    for path in places(value):
        for odd in ODD:
            mutant = copy.deepcopy(value)
            holder = mutant
            for key in path[:-1]:
                holder = holder[key]
            holder[path[-1]] = odd
            yield mutant


def survives(events: list[Event]) -> None:
    """The events keep the laws, and a chat client can be told them."""
    check_blocks(events)
    response = fold(events)
    encoder = CHAT.stream(envelope())
    encoder.feed(events)
    if response.error is None:
        encoder.finish(CHARGE)
        CHAT.whole(response, envelope(), CHARGE)


def small(pattern: str, *, streamed: bool, limit: int = 4000) -> list[Exchange]:
    found = [item for item in exchanges(pattern) if item.status == 200 and item.streamed is streamed]
    return [item for item in found if len(item.body) < limit]


@by_case
def test_whole_answers(client: ClientHalf, pattern: str) -> None:
    for exchange in small(pattern, streamed=False, limit=3000):
        for mutant in mutants(json.loads(exchange.body)):
            try:
                events, _ = client.whole(json.dumps(mutant).encode(), exchange.target())
            except AttemptError:
                continue
            survives(events)


def events_of(exchange: Exchange) -> list[tuple[str, Any]]:
    if exchange.body.startswith(b"event:"):
        lines = [line[6:] for line in exchange.body.splitlines() if line.startswith(b"data: {")]
        return [(json.loads(line)["type"], json.loads(line)) for line in lines]
    if exchange.body.startswith(b"{"):
        return [("", json.loads(line)) for line in exchange.body.splitlines() if line]
    return [(event.name, json.loads(event.payload)) for event in FrameSplitter().feed(exchange.body)]


def body_of(exchange: Exchange, events: list[tuple[str, Any]]) -> bytes:
    if exchange.body.startswith(b"event:"):
        return b"".join(b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps(e).encode()) for name, e in events)
    if exchange.body.startswith(b"{"):
        return b"".join(json.dumps(event).encode() + b"\n" for _, event in events)
    head = {":message-type": "event"}
    return b"".join(frame(head | {":event-type": name}, json.dumps(event).encode()) for name, event in events)


@by_case
def test_streams(client: ClientHalf, pattern: str) -> None:
    for exchange in small(pattern, streamed=True):
        told = events_of(exchange)
        seen: set[str] = set()
        for position, (name, event) in enumerate(told):
            shape = name + str(list(places(event)))
            if shape in seen:
                continue
            seen.add(shape)
            for mutant in mutants(event):
                body = body_of(exchange, [*told[:position], (name, mutant), *told[position + 1 :]])
                decoder = client.stream(exchange.target())
                survives(decoder.feed(body) + decoder.close())
            for order in (
                told[position:],
                told[:position] + told[position + 1 :],
                [*told[:position], (name, event), *told],
            ):
                decoder = client.stream(exchange.target())
                survives(decoder.feed(body_of(exchange, order)) + decoder.close())


@by_case
def test_refusals(client: ClientHalf, pattern: str) -> None:
    for exchange in exchanges(pattern):
        if exchange.status >= 400 and exchange.body.startswith(b"{"):
            for mutant in [*mutants(json.loads(exchange.body)), *ODD]:
                error = client.error(exchange.status, exchange.headers, json.dumps(mutant).encode())
                assert isinstance(error, AttemptError)


REQUEST = {
    "messages": [
        {
            "role": "user",
            "content": [
                {"text": "x"},
                {"image": {"format": "png", "source": {"bytes": "aGk="}}},
                {"document": {"name": "d", "format": "txt", "source": {"text": "x"}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
            ][:4],
        },
        {
            "role": "assistant",
            "content": [
                {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": 1}}},
                {"citationsContent": {"content": [{"text": "x"}], "citations": []}},
            ],
        },
    ],
    "system": [{"text": "s"}, {"cachePoint": {"type": "default"}}],
    "inferenceConfig": {"maxTokens": 5, "temperature": 0.5, "topP": 0.5, "stopSequences": ["a"]},
    "toolConfig": {
        "tools": [{"toolSpec": {"name": "f", "description": "d", "inputSchema": {"json": {"type": "object"}}}}],
        "toolChoice": {"tool": {"name": "f"}},
    },
    "additionalModelRequestFields": {
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "low"},
        "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "low"}, "inferenceConfig": {"topK": 4},
    },
    "outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": {"name": "n", "schema": "{}"}}}},
    "serviceTier": {"type": "flex"},
    "requestMetadata": {"a": "b"},
}  # fmt: skip
MORE = [
    {"reasoningContent": {"reasoningText": {"text": "t", "signature": "s"}}},
    {"reasoningContent": {"redactedContent": "RXFB"}},
    {"guardContent": {"text": {"text": "x"}}},
    {"video": {"format": "mp4", "source": {"s3Location": {"uri": "s3://a/b"}}}},
    {"document": {"name": "d", "format": "txt", "source": {"content": [{"text": "x"}]}}},
    {"toolResult": {"toolUseId": "t", "status": "success", "content": [{"json": {"a": 1}}, {"text": "x"}]}},
    {
        "toolResult": {
            "toolUseId": "t",
            "content": [{"searchResult": {"title": "t", "source": "s", "content": [{"text": "x"}]}}],
        }
    },
]


def requests() -> Iterator[Any]:
    yield from mutants(REQUEST)
    for block in MORE:
        yield from mutants({"messages": [{"role": "user", "content": [block]}]})


def test_requests_of_clients() -> None:
    server = ConverseServer()
    target = exchanges("bedrock/bedrock.converse*.json")[0].target()
    read = refused = 0
    for mutant in requests():
        try:
            opened = server.with_path(server.open(json.dumps(mutant).encode()), "a/b", stream=False)
            request = server.decode(opened)
            for client in (ConverseClient(), CohereClient(), OllamaClient(), CLIENTS["openai_chat"]):
                try:
                    client.encode(request, target)
                except AttemptError:
                    refused += 1
            read += 1
        except FareboxError as error:
            assert error.status == 400
            refused += 1
    assert read > 100 and refused > 100
