"""Owns this protocol's requests: recorded ones written again from canonical values, what wishes become; refuses answers."""

import json
from typing import Any

import pytest
from msgspec import Raw

from farebox.dialects.ollama_chat.halves import OllamaClient
from farebox.dialects.ports import Target
from farebox.ir.errors import VendorUnsupported
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    Inline,
    Media,
    Message,
    Opaque,
    Origin,
    OutputFormat,
    OutputLimits,
    Reasoning,
    ReasoningWish,
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

CLIENT = OllamaClient()
NAME = "ollama_chat"
TARGET = Target(model="qwen3:4b", vendor="v")
RECORDED = [item for item in exchanges("ollama/native/ollama.chat*.json") if item.request]
TOOL = Tool(name="f", description="d", schema=Raw(b'{"type":"object"}'))
CALL = ToolCall(call_id="c1", name="f", arguments='{"a": 1.0}')


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


def read_message(message: dict[str, Any]) -> Message:
    if message["role"] == "tool":
        result = ToolResult(
            call_id=message.get("tool_call_id", ""),
            name=message.get("tool_name", ""),
            parts=(Text(text=message["content"]),),
        )
        return Message(role=Role.TOOL, parts=(result,))
    parts: list[AnyPart] = []
    if message.get("thinking"):
        parts.append(Reasoning(text=message["thinking"]))
    if message.get("content"):
        parts.append(Text(text=message["content"]))
    parts += [Media(family="image", source=Inline(image)) for image in message.get("images") or ()]
    parts += [
        ToolCall(
            call_id=call.get("id", ""),
            name=call["function"]["name"],
            arguments=json.dumps(call["function"]["arguments"]),
        )
        for call in message.get("tool_calls") or ()
    ]
    return Message(role=Role(message["role"]), parts=tuple(parts))


def read_request(body: dict[str, Any]) -> Request:
    """A recorded body as a canonical request."""
    body = json.loads(json.dumps(body))
    options = body.pop("options", {})
    think, form = body.pop("think", None), body.pop("format", "")
    schema = form if isinstance(form, dict) else None
    return Request(
        models=(body.pop("model"),),
        messages=tuple(read_message(message) for message in body.pop("messages")),
        tools=tuple(
            Tool(
                name=tool["function"]["name"],
                description=tool["function"].get("description", ""),
                schema=raw(tool["function"]["parameters"]),
            )
            for tool in body.pop("tools", ())
        ),
        output=OutputFormat(form="json_schema" if schema else "json_object", schema=raw(schema) if schema else None)
        if form
        else None,
        reasoning=None if think is None else ReasoningWish(enabled=think),
        sampling=Sampling(
            temperature=options.pop("temperature", None),
            logprobs=body.pop("logprobs", None),
            top_logprobs=body.pop("top_logprobs", None),
        ),
        limits=OutputLimits(max_tokens=options.pop("num_predict", None)),
        stream=body.pop("stream", True),
        extras={NAME: {name: raw(value) for name, value in body.items()}} if body else {},
    )


def normal(body: dict[str, Any]) -> dict[str, Any]:
    """What we write otherwise, by intention: every message has its content; calls have no `type`; empty members are left out;
    `stream` is always said.
    """
    body = json.loads(json.dumps(body))
    for message in body["messages"]:
        message.setdefault("content", "")
        for name in ("images", "tool_calls"):
            if not message.get(name):
                message.pop(name, None)
        for call in message.get("tool_calls", ()):
            call.pop("type", None)
    return {"stream": True} | {name: value for name, value in body.items() if value not in ([], {}, "")}


@by_name(RECORDED)
def test_a_recorded_request_is_written_as_it_was(exchange: Exchange) -> None:
    body, warnings = CLIENT.encode(read_request(exchange.request), Target(model=exchange.request["model"], vendor="v"))
    assert json.loads(body) == normal(exchange.request)
    assert warnings == []


def encoded(*messages: Message, target: Target = TARGET, **members: Any) -> tuple[dict[str, Any], list[str]]:
    body, warnings = CLIENT.encode(Request(models=("m",), messages=messages, **members), target)
    return json.loads(body), [f"{warning.code} {warning.path}" for warning in warnings]


def message(role: Role, *parts: AnyPart | str, **rest: Any) -> Message:
    return Message(role=role, parts=tuple(Text(text=one) if isinstance(one, str) else one for one in parts), **rest)


def test_roles_calls_and_results() -> None:
    custom = ToolCall(call_id="c2", name="g", arguments="free", form="custom")
    body, warnings = encoded(
        message(Role.DEVELOPER, "s"),
        message(Role.USER, "x", "y", Media(family="image", media_type="image/png", source=Inline("aGk="))),
        message(Role.ASSISTANT, Reasoning(text="hm"), "I ", "will", CALL, custom),
        message(Role.TOOL, ToolResult(call_id="c1", parts=(Text(text="1"),))),
        message(Role.USER, ToolResult(call_id="c2", parts=(Text(text="2"),), failed=True), "and?"),
        tools=(TOOL,),
    )
    assert body["messages"] == [
        {"role": "system", "content": "s"},
        {"role": "user", "content": "x\n\ny", "images": ["aGk="]},
        {
            "role": "assistant",
            "content": "I will",
            "thinking": "hm",
            "tool_calls": [
                {"id": "c1", "function": {"name": "f", "arguments": {"a": 1.0}}},
                {"id": "c2", "function": {"name": "g", "arguments": {"input": "free"}}},
            ],
        },
        {"role": "tool", "content": "1", "tool_name": "f", "tool_call_id": "c1"},
        {"role": "tool", "content": "2", "tool_name": "g", "tool_call_id": "c2"},
        {"role": "user", "content": "and?"},
    ]
    assert warnings == ["unsupported $.messages[4]"]


def test_sampling_goes_into_options() -> None:
    body, warnings = encoded(
        message(Role.USER, "x"),
        sampling=Sampling(
            temperature=0.5, top_p=0.9, top_k=4, min_p=0.1, seed=7, repetition_penalty=1.1, frequency_penalty=0.1,
            presence_penalty=0.2,
        ),
        limits=OutputLimits(max_tokens=9, stop=("a",)),
        extras={NAME: {"options": Raw(b'{"mirostat":1}'), "keep_alive": Raw(b'"5m"')}},
        target=Target(model="m", vendor="v", settings={"num_ctx": "8192", "path": "/x"}),
    )  # fmt: skip
    assert body["options"] == {
        "num_predict": 9, "stop": ["a"], "temperature": 0.5, "top_p": 0.9, "top_k": 4, "min_p": 0.1, "seed": 7,
        "repeat_penalty": 1.1, "frequency_penalty": 0.1, "presence_penalty": 0.2, "num_ctx": 8192, "mirostat": 1,
    }  # fmt: skip
    assert body["keep_alive"] == "5m"
    assert warnings == []


@pytest.mark.parametrize(
    ("wish", "sent"),
    [
        (ReasoningWish(effort="none"), False),
        (ReasoningWish(effort="xhigh"), "high"),
        (ReasoningWish(effort="minimal"), "low"),
        (ReasoningWish(enabled=True), True),
        (ReasoningWish(max_tokens=100), True),
        (ReasoningWish(exclude=True), None),
    ],
)
def test_wishes_to_think(wish: ReasoningWish, sent: Any) -> None:
    body, warnings = encoded(message(Role.USER, "x"), reasoning=wish)
    assert body.get("think") == sent
    assert bool(warnings) is (wish.max_tokens is not None)
    plain = Target(model="m", vendor="v", options=frozenset(("no_thinking_words",)))
    assert encoded(message(Role.USER, "x"), reasoning=wish, target=plain)[0].get("think") == (
        None if sent is None else bool(sent)
    )
    none = Target(model="m", vendor="v", reasoning_wish="none")
    body, warnings = encoded(message(Role.USER, "x"), reasoning=wish, target=none)
    assert "think" not in body
    assert bool(warnings) is bool(sent)


def test_tools_are_never_chosen_for_the_model() -> None:
    for mode, offered, told in ((ToolMode.NONE, False, 0), (ToolMode.AUTO, True, 0), (ToolMode.REQUIRED, True, 1)):
        body, warnings = encoded(message(Role.USER, "x"), tools=(TOOL,), tool_choice=ToolChoice(mode))
        assert "tool_choice" not in body
        assert ("tools" in body) is offered
        assert len(warnings) == told


def test_formats() -> None:
    for form, schema, sent in (
        ("text", None, None),
        ("json_object", None, "json"),
        ("json_schema", Raw(b'{"type":"object"}'), {"type": "object"}),
        ("grammar", None, None),
    ):
        body, _ = encoded(message(Role.USER, "x"), output=OutputFormat(form=form, schema=schema))
        assert body.get("format") == sent


@pytest.mark.parametrize(
    "part", [Media(family="image", source=Url("https://a.b/c.png")), Media(family="file", source=Inline("aA=="))]
)
def test_media_that_cannot_be_taken_go_to_another_provider(part: Media) -> None:
    with pytest.raises(VendorUnsupported):
        encoded(message(Role.USER, part))


def test_what_cannot_be_said_is_told() -> None:
    sealed = Reasoning(text="t", seal=Seal("signature", "s"), origin=Origin("x", format="y"))
    body, warnings = encoded(
        message(
            Role.USER, Text(text="a", cache=CacheMark()), Opaque(payload=Raw(b"{}"), origin=Origin("x")), name="Bo"
        ),
        message(Role.ASSISTANT, sealed, Reasoning(), "b"),
        tools=(Tool(name="c", form="custom", cache=CacheMark(), strict=True), Tool(name="w", form="server")),
        sampling=Sampling(top_a=0.1, choices=2),
        output=OutputFormat(form="grammar"),
        cache=CacheMark(),
        user="u",
        target=Target(model="m", vendor="v", force={"keep_alive": Raw(b"-1")}),
    )
    assert body["messages"][1] == {"role": "assistant", "content": "b", "thinking": "t"}
    assert body["keep_alive"] == -1
    assert {word.split("$")[-1] for word in warnings} == {
        ".messages[0].cache_control", ".messages[0]", ".messages[0].name", ".messages[1]", ".tools[0]",
        ".tools[0].cache_control", ".tools[0].strict", ".tools[1]", ".response_format", ".cache_control", ".top_a", ".n",
        ".user",
    }  # fmt: skip


def test_the_path() -> None:
    assert CLIENT.path(TARGET, True) == "/api/chat"
    assert CLIENT.path(Target(model="m", vendor="v", settings={"path": "/x"}), False) == "/x"
