"""Owns crossings between Messages and chat completions, both ways; refuses same-dialect laws."""

import json
from typing import Any

import pytest

from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.openai_chat.halves import ChatClient, ChatServer
from farebox.dialects.ports import Envelope, Target
from farebox.ir.fold import fold
from farebox.money.charges import Charge
from unit.dialects import traffic
from unit.dialects.anthropic_messages.messages_traffic import (
    Exchange,
    answers,
    envelope,
    events_of,
    message_of,
    normal,
    pieces,
    requests,
)

CHAT, CHAT_VENDOR = ChatServer(), ChatClient()
SERVER, CLIENT = MessagesServer(), MessagesClient()
CHARGE = Charge(total_nano=12, vendor_nano=10, toll_nano=2)
TARGET = Target(model="claude-sonnet-4-5", vendor="v")
STREAMS = [item for item in answers() if item.streamed]


def by_name(items: list[Any]) -> Any:
    return pytest.mark.parametrize("exchange", items, ids=[item.name for item in items])


def sent(chat: dict[str, Any], target: Target = TARGET) -> tuple[dict[str, Any], list[str]]:
    """The Messages body for a chat request, and the codes of what was lost."""
    request = CHAT.decode(CHAT.open(json.dumps({"model": "a/m"} | chat).encode()))
    body, warnings = CLIENT.encode(request, target)
    return json.loads(body), [f"{warning.code} {warning.path}" for warning in warnings]


def chat_stream(exchange: Exchange) -> bytes:
    decoder, encoder = CLIENT.stream(exchange.target()), CHAT.stream(envelope())
    out = b"".join(encoder.feed(decoder.feed(piece)) for piece in pieces(exchange.body, [97, 1234, 5000]))
    return out + encoder.feed(decoder.close()) + encoder.finish(CHARGE)


@by_name(STREAMS)
def test_a_chat_client_reads_what_a_messages_vendor_streamed(exchange: Exchange) -> None:
    theirs = message_of(exchange.spelled)
    ours = traffic.merged(chat_stream(exchange))
    choice, usage = ours["choices"][0], ours["usage"]
    blocks = theirs["content"]
    assert choice["content"] == "".join(block["text"] for block in blocks if block["type"] == "text")
    assert choice["reasoning"] == "".join(block["thinking"] for block in blocks if block["type"] == "thinking")
    calls = [block for block in blocks if block["type"] == "tool_use"]
    assert [(call["id"], call["name"], json.loads(call["arguments"])) for call in choice["calls"].values()] == [
        (call["id"], call["name"], call["input"]) for call in calls
    ]
    seals = [block.get("signature") or block.get("data") for block in blocks if "thinking" in block["type"]]
    assert [signature or data for signature, data, word in choice["sealed"] if word == "anthropic-claude-v1"] == seals
    assert choice["native_finish_reason"] == theirs["stop_reason"]
    counted = theirs["usage"]
    read, written = (counted.get(f"cache_{name}_input_tokens") or 0 for name in ("read", "creation"))
    assert usage["prompt_tokens"] == counted["input_tokens"] + read + written
    assert usage["prompt_tokens_details"]["cached_tokens"] == read
    assert usage["prompt_tokens_details"]["cache_write_tokens"] == written
    assert usage["completion_tokens"] == counted["output_tokens"]


CHATS = [item for item in traffic.answers() if item.streamed and item.choices == 1][::3]


@by_name(CHATS)
def test_a_messages_client_reads_what_a_chat_vendor_streamed(exchange: traffic.Exchange) -> None:
    decoder = CHAT_VENDOR.stream(exchange.target())
    events = [*decoder.feed(exchange.body), *decoder.close()]
    if decoder.outcome.error is not None:
        return
    answer = fold(events).choices[0]
    encoder = SERVER.stream(exchange.envelope())
    out = encoder.feed(events) + encoder.finish(CHARGE)
    ours = message_of(out)
    blocks = ours["content"]
    texts = [part.text for part in answer.parts if type(part).__name__ in ("Text", "Refusal")]
    assert "".join(block["text"] for block in blocks if block["type"] == "text") == "".join(texts)
    calls = [part for part in answer.parts if type(part).__name__ == "ToolCall"]
    assert [block["name"] for block in blocks if block["type"] == "tool_use"] == [call.name for call in calls]
    thoughts = "".join(part.text + part.summary for part in answer.parts if type(part).__name__ == "Reasoning")
    assert "".join(block["thinking"] for block in blocks if block["type"] == "thinking") == thoughts
    usage, leaves = ours["usage"], decoder.outcome.usage
    if leaves is not None:
        counted = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
        assert sum(usage[name] for name in counted) == leaves.prompt_tokens()
        assert usage["output_tokens"] == leaves.completion_tokens()
    assert ours["stop_reason"] in ("end_turn", "max_tokens", "tool_use", "refusal", "stop_sequence")
    assert (ours["stop_reason"] == "tool_use") is (str(answer.reason) == "tool_calls")
    whole = json.loads(SERVER.whole(fold(events), exchange.envelope(), CHARGE))
    assert normal(whole)["stop_reason"] == ours["stop_reason"]
    assert [block["type"] for block in whole["content"]] == [block["type"] for block in blocks]


@by_name(requests()[::2])
def test_messages_requests_reach_chat_vendors(exchange: Exchange) -> None:
    """Texts, tools and the order of turns survive; what is lost is told."""
    opened = SERVER.open(json.dumps(exchange.sent()).encode())
    body, warnings = CHAT_VENDOR.encode(SERVER.decode(opened), Target(model="m", vendor="v"))
    chat = json.loads(body)
    assert chat["max_tokens"] == exchange.request["max_tokens"]
    tools = [tool for tool in exchange.request.get("tools") or () if "input_schema" in tool]
    assert [tool["function"]["parameters"] for tool in chat.get("tools", ())] == [
        tool["input_schema"] for tool in tools
    ]
    ours = [message["role"] for message in chat["messages"] if message["role"] == "assistant"]
    theirs = [message for message in exchange.request["messages"] if message["role"] == "assistant"]
    assert len(ours) == len(theirs)
    server_tools = [tool for tool in exchange.request.get("tools") or () if "input_schema" not in tool]
    assert not server_tools or any(warning.path.startswith("$.tools") for warning in warnings)


SIGNED = [
    item
    for item in STREAMS
    if any(block["type"] == "thinking" for block in message_of(item.spelled)["content"])
    and any(block["type"] == "tool_use" for block in message_of(item.spelled)["content"])
]


def test_a_tool_loop_keeps_signed_thinking_through_a_chat_client() -> None:
    """Vendor → chat client → vendor, twice: thinking and its signature come back byte for byte, redacted blocks too."""
    assert SIGNED
    history: list[dict[str, Any]] = [{"role": "user", "content": "Go on until you are done."}]
    expected: list[dict[str, Any]] = []
    for turn, exchange in enumerate((SIGNED[0], _redacted(), SIGNED[-1])):
        message = assistant(chat_stream(exchange))
        history.append(message)
        blocks = message_of(exchange.spelled)["content"]
        expected.append({"role": "assistant", "content": [known(block) for block in blocks]})
        calls = message["tool_calls"]
        history += [{"role": "tool", "tool_call_id": call["id"], "content": f"result {turn}"} for call in calls]
        results = [{"type": "tool_result", "tool_use_id": call["id"], "content": f"result {turn}"} for call in calls]
        expected.append({"role": "user", "content": results})
        tools = [{"type": "function", "function": {"name": call["function"]["name"]}} for call in calls]
        chat = {"messages": history, "tools": tools, "max_tokens": 8000, "reasoning": {"effort": "high"}}
        body, warnings = sent(chat)
        assert body["messages"][1:] == expected
        assert body["thinking"] == {"type": "enabled", "budget_tokens": 6400}
        assert not warnings


def known(block: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name not in ("caller", "citations")}


def _redacted() -> Exchange:
    """A tool call behind redacted thinking and thinking that is not shown, as the documentation gives them."""
    blocks = [
        {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4="},
        {"type": "thinking", "thinking": "", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h+/=="},
        {"type": "tool_use", "id": "toolu_02", "name": "look", "input": {}},
    ]
    events: list[dict[str, Any]] = [
        {
            "type": "message_start",
            "message": {"id": "msg_2", "model": "claude", "content": [], "usage": {"input_tokens": 3}},
        }
    ]
    for index, block in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_stop", "index": index})
    events.append({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}})
    events.append({"type": "message_stop"})
    body = b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)
    return Exchange("made", "anthropic.messages", "claude-sonnet-4-5", None, 200, {}, body)


def assistant(stream: bytes) -> dict[str, Any]:
    """The message a chat client keeps: calls put together, `reasoning_details` merged by index, in order."""
    calls: dict[int, dict[str, Any]] = {}
    details: dict[int, dict[str, Any]] = {}
    text = ""
    for chunk in traffic.chunks(stream):
        for choice in chunk["choices"]:
            delta = choice["delta"]
            text += delta.get("content") or ""
            for call in delta.get("tool_calls") or ():
                kept = calls.setdefault(call["index"], {"type": "function", "function": {"name": "", "arguments": ""}})
                kept["id"] = call.get("id") or kept["id"]
                kept["function"]["name"] = call["function"].get("name") or kept["function"]["name"]
                kept["function"]["arguments"] += call["function"].get("arguments") or ""
            for detail in delta.get("reasoning_details") or ():
                merged = details.setdefault(detail["index"], {})
                grown = (merged.get("text") or "") + (detail.get("text") or "")
                merged |= detail
                if "text" in detail:
                    merged["text"] = grown
    return {
        "role": "assistant",
        "content": text or None,
        "reasoning_details": [details[index] for index in sorted(details)],
        "tool_calls": [calls[index] for index in sorted(calls)],
    }


def test_a_messages_client_carries_another_origins_seals_and_brings_them_back() -> None:
    """A chat vendor with encrypted reasoning, a Messages client, and the same vendor again: the seals are what they were."""
    details = [
        {"type": "reasoning.encrypted", "data": "gAAAA+/=", "id": "rs_1", "format": "openai-responses-v1", "index": 0},
        {"type": "reasoning.text", "text": "hm", "signature": "sig==", "format": "google-gemini-v1", "index": 1},
    ]
    delta = {"reasoning_details": details, "content": "Yes."}
    chunks = [
        {"id": "c", "created": 1, "choices": [{"index": 0, "delta": delta}]},
        {"id": "c", "created": 1, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    stream = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks) + b"data: [DONE]\n\n"
    target = Target(model="m", vendor="v", options=frozenset(("reasoning_details",)), reasoning_field="reasoning")
    decoder, encoder = CHAT_VENDOR.stream(target), SERVER.stream(envelope())
    message = message_of(encoder.feed([*decoder.feed(stream), *decoder.close()]) + encoder.finish(CHARGE))
    assert [block["type"] for block in message["content"]] == ["redacted_thinking", "thinking", "text"]
    turns = [{"role": "user", "content": "?"}, {"role": "assistant", "content": message["content"]}]
    body = json.dumps({"model": "a/m", "max_tokens": 9, "messages": [*turns, {"role": "user", "content": "!"}]})
    opened = SERVER.open(body.encode())
    assert opened.origins == {"openai-responses-v1", "google-gemini-v1"}
    assert not opened.relayable
    again = json.loads(CHAT_VENDOR.encode(SERVER.decode(opened), target)[0])
    assert again["messages"][1]["reasoning_details"] == details
    claude, warnings = CLIENT.encode(SERVER.decode(opened), TARGET)
    assert json.loads(claude)["messages"][1]["content"] == "Yes."
    assert [warning.code for warning in warnings] == ["seal_dropped", "seal_dropped"]


@pytest.mark.parametrize(
    ("asked", "wish"),
    [
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"max_tokens": 2000, "enabled": True}),
        ({"thinking": {"type": "disabled"}}, {"enabled": False}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, {"effort": "max", "enabled": True}),
        ({"output_config": {"effort": "low"}}, {"effort": "low"}),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, {"enabled": True, "exclude": True}),
    ],
)
def test_the_wish_to_think_reaches_chat_vendors(asked: dict[str, Any], wish: dict[str, Any]) -> None:
    body = {"model": "a/m", "max_tokens": 4000, "messages": [{"role": "user", "content": "Hello"}]} | asked
    request = SERVER.decode(SERVER.open(json.dumps(body).encode()))
    target = Target(model="m", vendor="v", reasoning_wish="reasoning")
    sent_body, warnings = CHAT_VENDOR.encode(request, target)
    assert json.loads(sent_body)["reasoning"] == wish
    assert not warnings


def test_errors_of_a_stream_leave_in_the_clients_shape() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"}
    start = {"type": "message_start", "message": {"id": "m", "usage": {"input_tokens": 5, "output_tokens": 1}}}
    body = b"".join(f"event: {one['type']}\ndata: {json.dumps(one)}\n\n".encode() for one in (start, error))
    decoder, encoder = CLIENT.stream(TARGET), CHAT.stream(envelope())
    encoder.feed(decoder.feed(body))
    found = decoder.outcome.error
    assert found is not None
    assert (found.code, found.status) == ("provider_overloaded", 503)
    told = traffic.merged(encoder.fail(found, CHARGE))
    assert told["error"]["metadata"]["error_type"] == "provider_overloaded"
    mine = events_of(SERVER.stream(envelope()).fail(found, CHARGE))[0]
    assert mine["error"]["type"] == "overloaded_error"
    assert Envelope(id="x", model="m", provider="p", created_s=0).include_reasoning
