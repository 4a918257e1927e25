"""Owns crossings between the Responses dialect and chat, both ways, over recorded traffic; refuses the dialects' own laws."""

import json
from typing import Any

from farebox.dialects.openai_chat.halves import ChatClient, ChatServer
from farebox.dialects.openai_responses.halves import ResponsesClient, ResponsesServer
from farebox.ir.errors import AttemptError, InvalidRequest
from farebox.ir.events import Event, PartStarted, Response
from farebox.ir.fold import fold
from farebox.ir.request import Reasoning, Refusal, Text, ToolCall
from unit.dialects import traffic
from unit.dialects.openai_responses.responses_traffic import (
    CHARGE,
    answers,
    broken,
    by_name,
    ended,
    envelope,
    events_of,
    requests,
    stateless,
    streams,
    target,
)
from unit.dialects.traffic import Exchange

SERVER, CLIENT = ResponsesServer(), ResponsesClient()
CHAT_SERVER, CHAT_CLIENT = ChatServer(), ChatClient()


def _is_sealed(part: Any) -> bool:
    return isinstance(part, Reasoning) and part.seal is not None


def events_from(exchange: Exchange) -> list[Event]:
    if not exchange.streamed:
        return CLIENT.whole(exchange.body, target())[0]
    decoder = CLIENT.stream(target())
    return decoder.feed(exchange.body) + decoder.close()


SEALED = [
    exchange
    for exchange in answers()
    if b"encrypted_content" in exchange.body
    and any(isinstance(event, PartStarted) and _is_sealed(event.part) for event in events_from(exchange))
]


def opens(exchange: Exchange) -> bool:
    """Whether a client of ours could have sent this chat request: some vendors take words that the common form has not."""
    try:
        CHAT_SERVER.open(json.dumps(exchange.request).encode())
    except InvalidRequest:
        return False
    return all(
        tool.get("type") == "function" and tool["function"].get("parameters")
        for tool in exchange.request.get("tools") or ()
    )


def said(response: Response) -> dict[str, Any]:
    """What any client must have of an answer."""
    choice = response.choices[0] if response.choices else None
    parts = choice.parts if choice is not None else ()
    return {
        "text": "".join(part.text for part in parts if isinstance(part, Text)),
        "refusal": "".join(part.text for part in parts if isinstance(part, Refusal)),
        "thought": "".join(part.text + part.summary for part in parts if isinstance(part, Reasoning)),
        "calls": [(part.call_id, part.name, part.arguments) for part in parts if isinstance(part, ToolCall)],
        "seals": [part.seal.data for part in parts if isinstance(part, Reasoning) and part.seal is not None],
        "finish": choice.reason.value if choice is not None and choice.reason is not None else None,
    }


@by_name([exchange for exchange in answers() if exchange not in broken()])
def test_an_answer_reaches_a_chat_client(exchange: Exchange) -> None:
    events = events_from(exchange)
    response = fold(events)
    expected = said(response)
    encoder = CHAT_SERVER.stream(envelope())
    stream = traffic.merged(encoder.feed(events) + encoder.finish(CHARGE))
    streamed = stream["choices"].get(0, {"content": "", "refusal": "", "reasoning": "", "calls": {}, "sealed": []})
    assert streamed["content"] == expected["text"]
    assert streamed["refusal"] == expected["refusal"]
    assert streamed["reasoning"] == expected["thought"]
    assert [(call["id"], call["name"], call["arguments"]) for call in streamed["calls"].values()] == [
        (traffic.MADE_ID.sub("made", call_id), name, arguments) for call_id, name, arguments in expected["calls"]
    ]
    assert [sealed[1] for sealed in streamed["sealed"]] == expected["seals"]
    assert {sealed[2] for sealed in streamed["sealed"]} <= {"openai-responses-v1", "google-gemini-v1"}
    whole = json.loads(CHAT_SERVER.whole(response, envelope(), CHARGE))
    assert (whole["choices"][0]["message"]["content"] or "") == expected["text"]
    assert whole["choices"][0]["finish_reason"] == expected["finish"]
    recorded = (ended(exchange.body) if exchange.streamed else json.loads(exchange.body))["usage"]
    for usage in (whole["usage"], stream["usage"]):
        assert usage["prompt_tokens"] == recorded["input_tokens"]
        assert usage["completion_tokens"] == recorded["output_tokens"]
        assert usage["completion_tokens_details"]["reasoning_tokens"] == (
            recorded.get("output_tokens_details") or {}
        ).get("reasoning_tokens", 0)


@by_name([exchange for exchange in traffic.answers("chat") if exchange.choices == 1])
def test_an_answer_of_a_chat_vendor_reaches_a_responses_client(exchange: Exchange) -> None:
    if exchange.streamed:
        decoder = CHAT_CLIENT.stream(exchange.target())
        events = decoder.feed(exchange.body) + decoder.close()
        if decoder.outcome.error is not None:
            return
    else:
        try:
            events, _ = CHAT_CLIENT.whole(exchange.body, exchange.target())
        except AttemptError:
            return
    response = fold(events)
    encoder = SERVER.stream(envelope())
    out = encoder.feed(events) + encoder.finish(CHARGE)
    events_of(out)
    decoder = CLIENT.stream(target())
    streamed = fold(decoder.feed(out) + decoder.close())
    whole = fold(CLIENT.whole(SERVER.whole(response, envelope(), CHARGE), target())[0])
    for again in (streamed, whole):
        assert said(again) == said(response) | {"finish": said(again)["finish"]}
        assert again.usage is not None
        expected = response.usage.leaves if response.usage is not None else {}
        kept = ("input_cache_read", "output_reasoning", "search")
        assert {name: again.usage.leaves.get(name, 0) for name in kept} == {
            name: expected.get(name, 0) for name in kept
        }
        if response.usage is not None:
            assert again.usage.prompt_tokens() == response.usage.prompt_tokens()
            assert again.usage.completion_tokens() == response.usage.completion_tokens()
    if said(response)["finish"] in ("stop", "length", "content_filter"):
        assert said(streamed)["finish"] == said(response)["finish"] or said(response)["calls"]


def _replay(message: dict[str, Any]) -> bytes:
    """The next turn of a chat client: what it was given goes back, with results for its calls."""
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": "42"} for call in message.get("tool_calls") or ()
    ]
    user = {"role": "user", "content": "Go on."}
    return json.dumps(
        {"model": "author/model", "messages": [user, message, *results, *(() if results else (user,))]}
    ).encode()


def _streamed_message(stream: bytes) -> dict[str, Any]:
    """The message that a chat client puts together from a stream: details in order, as they came."""
    merged = traffic.merged(stream)["choices"][0]
    details = [
        detail
        for chunk in traffic.chunks(stream)
        for choice in chunk["choices"]
        for detail in choice["delta"].get("reasoning_details") or ()
    ]
    calls = [
        {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}
        for call in merged["calls"].values()
    ]
    return {"role": "assistant", "content": merged["content"], "reasoning_details": details} | (
        {"tool_calls": calls} if calls else {}
    )


def _seals_of(items: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        (item["id"], item["encrypted_content"])
        for item in items
        if item["type"] == "reasoning" and item.get("encrypted_content")
    ]


@by_name(SEALED)
def test_seals_survive_a_chat_client(exchange: Exchange) -> None:
    events = events_from(exchange)
    response = fold(events)
    parts = response.choices[0].parts
    expected = [(part.seal.item_id, part.seal.data) for part in parts if isinstance(part, Reasoning) and part.seal]
    assert expected
    encoder = CHAT_SERVER.stream(envelope())
    stream = encoder.feed(events) + encoder.finish(CHARGE)
    whole = json.loads(CHAT_SERVER.whole(response, envelope(), CHARGE))["choices"][0]["message"]
    mixed = frozenset(("mixed_seals",)) if exchange.vendor == "openrouter" else frozenset[str]()
    vendor = target(options=mixed)
    for message in (whole, _streamed_message(stream)):
        body, warnings = CLIENT.encode(CHAT_SERVER.decode(CHAT_SERVER.open(_replay(message))), vendor)
        back = json.loads(body)
        assert _seals_of(back["input"]) == expected
        assert "reasoning.encrypted_content" in back["include"]
        assert back["store"] is False
        assert not [warning for warning in warnings if "reasoning" in warning.code or "seal" in warning.code]
        calls = [part for part in parts if isinstance(part, ToolCall)]
        assert [item["call_id"] for item in back["input"] if item["type"] == "function_call"] == [
            call.call_id for call in calls if call.form == "function"
        ]
        summaries = "".join(part.summary for part in parts if isinstance(part, Reasoning))
        items = [item for item in back["input"] if item["type"] == "reasoning"]
        assert "".join(entry["text"] for item in items for entry in item["summary"]) == summaries


def test_seals_of_another_house_go_through_a_responses_client() -> None:
    details = [
        {
            "type": "reasoning.text",
            "text": "Hm.",
            "signature": "c2lnbmVk+/==",
            "format": "anthropic-claude-v1",
            "index": 0,
        },
        {"type": "reasoning.encrypted", "data": "cmVkYWN0ZWQ=", "format": "anthropic-claude-v1", "index": 1},
    ]
    answer = {
        "id": "x",
        "model": "vendor-model",
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "content": None,
                    "reasoning_details": details,
                    "tool_calls": [
                        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
                    ],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1},
    }
    events, _ = CHAT_CLIENT.whole(json.dumps(answer).encode(), target())
    given = json.loads(SERVER.whole(fold(events), envelope(), CHARGE))
    assert [item["type"] for item in given["output"]] == ["reasoning", "reasoning", "function_call"]
    assert given["output"][0]["signature"] == "c2lnbmVk+/=="
    assert given["output"][0]["format"] == "anthropic-claude-v1"
    result = {"type": "function_call_output", "call_id": "c1", "output": "42"}
    opened = SERVER.open(json.dumps({"model": "a/m", "input": [*given["output"], result]}).encode())
    assert opened.origins == {"anthropic-claude-v1"}
    assert "foreign_reasoning" in opened.marks
    request = SERVER.decode(opened)
    body, _ = CHAT_CLIENT.encode(request, target(options=frozenset(("reasoning_details",))))
    message = next(message for message in json.loads(body)["messages"] if message["role"] == "assistant")
    sent = [
        {name: detail.get(name) for name in ("type", "text", "signature", "data", "format")}
        for detail in message["reasoning_details"]
    ]
    assert sent == [
        {name: detail.get(name) for name in ("type", "text", "signature", "data", "format")} for detail in details
    ]
    assert message["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    body, warnings = CLIENT.encode(request, target())
    assert [item["type"] for item in json.loads(body)["input"]] == ["function_call", "function_call_output"]
    assert {warning.code for warning in warnings} == {"seal_dropped"}


def _texts(value: Any) -> list[str]:
    """Every text that a conversation holds, in order."""
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) else []
        return own + [text for inner in value.values() for text in _texts(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in _texts(inner)]
    return []


@by_name(requests())
def test_a_request_reaches_a_chat_vendor(exchange: Exchange) -> None:
    sent = stateless(exchange.request)
    body, warnings = CHAT_CLIENT.encode(SERVER.decode(SERVER.open(json.dumps(sent).encode())), target())
    written = body.decode()
    items = sent.get("input") or []
    items = [{"role": "user", "content": items}] if isinstance(items, str) else items
    for item in items:
        if item.get("type", "message") == "message":
            content = item["content"]
            texts = [content] if isinstance(content, str) else [part["text"] for part in content if "text" in part]
        elif item["type"] == "function_call":
            texts = [item["name"], item["arguments"], item["call_id"]]
        else:
            continue
        for text in texts:
            assert json.dumps(text, ensure_ascii=False)[1:-1] in written
    functions = [tool["name"] for tool in sent.get("tools") or () if tool["type"] == "function"]
    assert [tool["function"]["name"] for tool in json.loads(body).get("tools") or () if "function" in tool] == functions
    served = [tool for tool in sent.get("tools") or () if tool["type"] not in ("function", "custom")]
    assert len(
        [warning for warning in warnings if warning.path.startswith("$.tools[") and "runs" in warning.message]
    ) == len(served)


@by_name([exchange for exchange in traffic.requests("chat") if opens(exchange)])
def test_a_chat_request_reaches_a_responses_vendor(exchange: Exchange) -> None:
    sent = exchange.request
    opened = CHAT_SERVER.open(json.dumps(sent).encode())
    request = CHAT_SERVER.decode(opened)
    body, warnings = CLIENT.encode(request, target())
    back = json.loads(body)
    SERVER.open(body)
    texts = [back.get("instructions", "")] + [
        item["content"] if isinstance(item["content"], str) else "".join(_texts(item["content"]))
        for item in back["input"]
        if item["type"] == "message"
    ]
    for message in sent["messages"]:
        content = message.get("content")
        if message["role"] not in ("tool", "function") and isinstance(content, str) and content:
            assert content in texts
    calls = [call.get("id") for message in sent["messages"] for call in message.get("tool_calls") or ()]
    made = [item["call_id"] for item in back["input"] if item["type"].endswith("_call")]
    assert made == [call_id or made[at] for at, call_id in enumerate(calls)]
    results = [message.get("tool_call_id") for message in sent["messages"] if message["role"] == "tool"]
    answered = [item["call_id"] for item in back["input"] if item["type"].endswith("_call_output")]
    assert answered[: len(results)] == [call_id or made[at] for at, call_id in enumerate(results)]
    tools = [tool for tool in sent.get("tools") or () if tool.get("type") == "function"]
    assert [(tool["name"], tool["parameters"]) for tool in back.get("tools") or ()] == [
        (tool["function"]["name"], tool["function"].get("parameters") or {"type": "object", "properties": {}})
        for tool in tools
    ]
    lost = {warning.path for warning in warnings}
    for name in ("stop", "seed", "top_k", "logit_bias", "n"):
        if sent.get(name) not in (None, 1, []):
            assert f"$.{name}" in lost


@by_name(streams()[:6])
def test_reasoning_can_be_hidden(exchange: Exchange) -> None:
    encoder = SERVER.stream(envelope(include_reasoning=False))
    out = encoder.feed(events_from(exchange)) + encoder.finish(CHARGE)
    assert not [event for event in events_of(out) if "reasoning" in event["type"]]
    assert not [item for item in events_of(out)[-1]["response"]["output"] if item["type"] == "reasoning"]
