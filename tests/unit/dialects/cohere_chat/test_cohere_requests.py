"""Owns this API's requests: recorded ones written again from canonical values, and what each wish becomes; refuses answers."""

import json
from typing import Any

import pytest
from msgspec import Raw

from farebox.dialects.cohere_chat.halves import CohereClient
from farebox.dialects.ports import Target
from farebox.ir.errors import VendorUnsupported
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    FileId,
    Inline,
    Media,
    Message,
    Opaque,
    Origin,
    OutputFormat,
    OutputLimits,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Role,
    Sampling,
    Seal,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Url,
)
from unit.dialects.bedrock_converse.native_traffic import Exchange, by_name, exchanges

CLIENT = CohereClient()
NAME = "cohere_chat"
TARGET = Target(model="command-a", vendor="v")
RECORDED = [item for item in exchanges("cohere/native/cohere.v2.chat*.json") if item.request]
CALL = ToolCall(call_id="c1", name="f", arguments='{"a": 1.0}')
TOOL = Tool(name="f", schema=Raw(b'{"type":"object"}'))


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def read_part(block: dict[str, Any]) -> AnyPart:
    if block["type"] == "text":
        return Text(text=block["text"])
    if block["type"] == "thinking":
        return Reasoning(text=block["thinking"], origin=Origin(NAME, format="unknown"))
    if block["type"] == "image_url":
        return Media(family="image", source=Url(block["image_url"]["url"]))
    return Opaque(payload=raw(block), origin=Origin(NAME))


def read_message(message: dict[str, Any]) -> Message:
    content = message.get("content") or []
    parts = [Text(text=content)] if isinstance(content, str) else [read_part(block) for block in content]
    if message["role"] == "tool":
        return Message(role=Role.TOOL, parts=(ToolResult(call_id=message["tool_call_id"], parts=tuple(parts)),))
    if message.get("tool_plan"):
        parts.insert(0, Text(text=message["tool_plan"]))
    parts += [
        ToolCall(call_id=call["id"], name=call["function"]["name"], arguments=call["function"]["arguments"])
        for call in message.get("tool_calls") or ()
    ]
    return Message(role=Role(message["role"]), parts=tuple(parts))


def read_request(body: dict[str, Any]) -> Request:
    """A recorded body as a canonical request."""
    body = json.loads(json.dumps(body))
    tools = tuple(
        Tool(
            name=tool["function"]["name"],
            description=tool["function"].get("description", ""),
            schema=raw(tool["function"]["parameters"]),
            strict=body.get("strict_tools"),
        )
        for tool in body.pop("tools", ())
    )
    body.pop("strict_tools", None)
    output = body.pop("response_format", None)
    schema = (output.get("schema") or output.get("json_schema")) if output else None
    thinking = body.pop("thinking", None)
    numbers = ("temperature", "seed", "frequency_penalty", "presence_penalty", "logprobs")
    sampling = {name: body.pop(name) for name in numbers if name in body}
    choice = body.pop("tool_choice", None)
    return Request(
        models=(body.pop("model"),),
        messages=tuple(read_message(message) for message in body.pop("messages")),
        tools=tools,
        tool_choice=ToolChoice(ToolMode.REQUIRED) if choice else None,
        output=OutputFormat(form="json_schema" if schema else "json_object", schema=raw(schema) if schema else None)
        if output
        else None,
        reasoning=ReasoningWish(enabled=True) if thinking else None,
        sampling=Sampling(top_p=body.pop("p", None), top_k=body.pop("k", None), **sampling),
        limits=OutputLimits(max_tokens=body.pop("max_tokens", None), stop=tuple(body.pop("stop_sequences", ()))),
        stream=body.pop("stream", False),
        extras={NAME: {name: raw(value) for name, value in body.items()}} if body else {},
    )


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """What we write otherwise, by intention: one text is a string; an empty text before calls goes; `stream` is always said;
    the choice of tools is in capitals; a schema stands in `json_schema` of a `json_object`.
    """
    body = json.loads(json.dumps(body)) | {"stream": body.get("stream", False)}
    for message in body["messages"]:
        content = message.get("content")
        if isinstance(content, list) and len(content) == 1 and content[0]["type"] == "text":
            message["content"] = content[0]["text"]
        if message["role"] == "assistant":
            for name in ("citations", "tool_plan"):
                if not message.get(name):
                    message.pop(name, None)
            if message.get("tool_calls") and not message.get("content"):
                message.pop("content", None)
    if "tool_choice" in body:
        body["tool_choice"] = body["tool_choice"].upper()
    form = body.get("response_format")
    if form:
        schema = form.get("schema") or form.get("json_schema")
        body["response_format"] = {"type": "json_object"} | ({"json_schema": schema} if schema else {})
    return body


@by_name(RECORDED)
def test_a_recorded_request_is_written_as_it_was(exchange: Exchange) -> None:
    target = Target(model=exchange.request["model"], vendor="v")
    body, warnings = CLIENT.encode(read_request(exchange.request), target)
    assert json.loads(body) == normal(exchange.request)
    assert warnings == []


def encoded(*messages: Message, target: Target = TARGET, **members: Any) -> tuple[dict[str, Any], list[str]]:
    body, warnings = CLIENT.encode(Request(models=("m",), messages=messages, **members), target)
    return json.loads(body), [f"{warning.code} {warning.path}" for warning in warnings]


def message(role: Role, *parts: AnyPart | str, **rest: Any) -> Message:
    return Message(role=role, parts=tuple(Text(text=one) if isinstance(one, str) else one for one in parts), **rest)


def test_roles_plans_calls_and_results() -> None:
    body, warnings = encoded(
        message(Role.DEVELOPER, "s"),
        message(Role.USER, "x", "y"),
        message(Role.ASSISTANT, "I will", Refusal(text="!"), CALL),
        message(Role.TOOL, ToolResult(call_id="c1", parts=(Text(text="1"),), failed=True)),
        message(Role.ASSISTANT, "done"),
        tools=(TOOL,),
    )
    assert body["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": [{"type": "text", "text": "x"}, {"type": "text", "text": "y"}]},
        {
            "role": "assistant",
            "tool_plan": "I will!",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.0}'}},
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "1"},
        {"role": "assistant", "content": "done"},
    ]
    assert warnings == ["unsupported $.messages[3]"]


def test_results_inside_a_users_turn_come_first() -> None:
    parts = (ToolResult(call_id="c1", parts=()), Text(text="and?"))
    body, _ = encoded(Message(role=Role.USER, parts=parts))
    assert [one["role"] for one in body["messages"]] == ["tool", "user"]


@pytest.mark.parametrize(
    ("choice", "word"),
    [
        (None, None),
        (ToolChoice(ToolMode.AUTO), None),
        (ToolChoice(ToolMode.NONE), "NONE"),
        (ToolChoice(ToolMode.REQUIRED), "REQUIRED"),
        (ToolChoice(ToolMode.NAMED, ("f",)), "REQUIRED"),
    ],
)
def test_choices_of_tools(choice: ToolChoice | None, word: str | None) -> None:
    body, warnings = encoded(message(Role.USER, "x"), tools=(TOOL, Tool(name="g", strict=True)), tool_choice=choice)
    assert body.get("tool_choice") == word
    assert body["strict_tools"] is True
    named = choice is not None and choice.mode is ToolMode.NAMED
    assert [tool["function"]["name"] for tool in body["tools"]] == (["f"] if named else ["f", "g"])
    assert bool(warnings) is named


@pytest.mark.parametrize(
    ("wish", "sent"),
    [
        (ReasoningWish(effort="none"), {"type": "disabled"}),
        (ReasoningWish(enabled=False), {"type": "disabled"}),
        (ReasoningWish(enabled=True), {"type": "enabled"}),
        (ReasoningWish(max_tokens=99), {"type": "enabled", "token_budget": 99}),
        (ReasoningWish(effort="low"), {"type": "enabled", "token_budget": 6400}),
        (ReasoningWish(exclude=True), None),
    ],
)
def test_wishes_to_think(wish: ReasoningWish, sent: Any) -> None:
    body, warnings = encoded(message(Role.USER, "x"), reasoning=wish)
    assert body.get("thinking") == sent
    assert warnings == []
    none = Target(model="m", vendor="v", reasoning_wish="none")
    body, warnings = encoded(message(Role.USER, "x"), reasoning=wish, target=none)
    assert "thinking" not in body
    assert bool(warnings) is (sent is not None and sent["type"] == "enabled")


def test_images_by_data_and_by_address_and_nothing_else() -> None:
    body, _ = encoded(
        message(
            Role.USER,
            Media(family="image", media_type="image/gif", source=Inline("R0"), detail="low"),
            Media(family="image", source=Url("https://a.b/c")),
        )
    )
    urls = [part["image_url"] for part in body["messages"][0]["content"]]
    assert urls == [{"url": "data:image/gif;base64,R0", "detail": "low"}, {"url": "https://a.b/c"}]
    for part in (Media(family="file", source=Inline("x")), Media(family="image", source=FileId("f"))):
        with pytest.raises(VendorUnsupported):
            encoded(message(Role.USER, part))
    with pytest.raises(VendorUnsupported):
        image = Media(family="image", source=Inline("x"))
        encoded(message(Role.TOOL, ToolResult(call_id="c", parts=(image,))))


def test_what_cannot_be_said_is_told() -> None:
    sealed = Reasoning(text="t", seal=Seal("signature", "s"), origin=Origin("x", format="y"))
    body, warnings = encoded(
        message(
            Role.USER, Text(text="a", cache=CacheMark()), Opaque(payload=Raw(b"{}"), origin=Origin("x")), name="Bo"
        ),
        message(Role.ASSISTANT, sealed, Reasoning(), "b"),
        tools=(Tool(name="c", form="custom", cache=CacheMark()), Tool(name="w", form="server")),
        sampling=Sampling(min_p=0.1, top_logprobs=3, choices=2),
        output=OutputFormat(form="grammar"),
        cache=CacheMark(),
        parallel_tools=False,
        extras={
            "openai_chat": {"novelty": Raw(b"[]"), "priority": Raw(b"1")},
            NAME: {"safety_mode": Raw(b'"OFF"'), "documents": Raw(b"[]")},
        },
        target=Target(model="m", vendor="v", drop=frozenset(("documents",)), rename={"stream": "streaming"}),
    )
    assert body["messages"][1]["content"][0] == {"type": "thinking", "thinking": "t"}
    assert (
        body["safety_mode"] == "OFF"
        and body["priority"] == 1
        and "documents" not in body
        and body["streaming"] is False
    )
    assert [word.split("$")[-1] for word in warnings if word.startswith("parameter_dropped")] == [
        ".novelty", ".response_format", ".min_p", ".top_logprobs", ".n", ".parallel_tool_calls", ".documents",
    ]  # fmt: skip
    assert "seal_dropped $.messages[1]" in warnings and "reasoning_dropped $.messages[1]" in warnings
    assert len(warnings) == len(set(warnings)) == 16


def test_never_sending_reasoning_back() -> None:
    target = Target(model="m", vendor="v", reasoning_replay="never")
    body, warnings = encoded(message(Role.ASSISTANT, Reasoning(text="t"), "b"), target=target)
    assert body["messages"] == [{"role": "assistant", "content": [{"type": "text", "text": "b"}]}]
    assert warnings == ["reasoning_dropped $.messages[0]"]


def test_the_path() -> None:
    assert CLIENT.path(TARGET, True) == "/v2/chat"
    assert CLIENT.path(Target(model="m", vendor="v", settings={"path": "/x"}), False) == "/x"
