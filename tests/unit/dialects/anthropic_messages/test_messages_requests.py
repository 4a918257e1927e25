"""Owns the law of Messages requests over recorded traffic: decoded and encoded, they are what they were."""

import json
from typing import Any

import pytest

from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.anthropic_messages.relay import MessagesRelay
from unit.dialects.anthropic_messages.messages_traffic import Exchange, requests

SERVER, CLIENT, RELAY = MessagesServer(), MessagesClient(), MessagesRelay()


def by_name(items: list[Exchange]) -> Any:
    return pytest.mark.parametrize("exchange", items, ids=[item.name for item in items])


def same(body: Any) -> Any:
    """A request modulo NOTES.md."""
    body = _plain(body)
    body.pop("model", None)
    if body.get("stream") is False:
        del body["stream"]
    if "output_format" in body:
        body.setdefault("output_config", {})["format"] = body.pop("output_format")
    lead = []
    while body["messages"] and body["messages"][0]["role"] == "system":
        lead += _blocks(body["messages"].pop(0)["content"])
    if "system" in body or lead:
        body["system"] = [*_blocks(body.get("system", [])), *lead]
    for message in body["messages"]:
        message["content"] = _blocks(message["content"])
    for tool in body.get("tools", ()):
        if tool.get("type") == "custom":
            del tool["type"]
    return body


def _blocks(content: Any) -> Any:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    for block in content:
        if block["type"] == "tool_result":
            block["content"] = _blocks(block.get("content", []))
            if block.get("is_error") is False:
                del block["is_error"]
    return content


def _plain(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        if name == "cache_control" and value.get("ttl") == "5m":
            value = {key: one for key, one in value.items() if key != "ttl"}
        raw = name in ("input", "input_schema", "schema")
        return {
            key: one if raw else _plain(one, key)
            for key, one in value.items()
            if raw or (one is not None and (key != "description" or one) and one != [])
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


def test_there_is_traffic() -> None:
    assert len(requests()) > 100


@by_name(requests())
def test_requests_survive_decoding_and_encoding(exchange: Exchange) -> None:
    opened = SERVER.open(json.dumps(exchange.sent()).encode())
    assert opened.models == (exchange.sent()["model"],)
    assert opened.stream is (exchange.request.get("stream") is True)
    body, warnings = CLIENT.encode(SERVER.decode(opened), exchange.target())
    assert not warnings
    assert same(json.loads(body)) == same(dict(exchange.request))


@by_name(requests())
def test_requests_relay_unchanged(exchange: Exchange) -> None:
    opened = SERVER.open(json.dumps(exchange.sent()).encode())
    body, warnings = RELAY.request(opened, exchange.target())
    assert not warnings
    assert opened.relayable
    ours, theirs = json.loads(body), dict(exchange.request)
    assert ours.pop("model", exchange.model) == exchange.model
    theirs.pop("model", None)
    if theirs.get("stream") is False:
        del theirs["stream"]
    assert ours == theirs
