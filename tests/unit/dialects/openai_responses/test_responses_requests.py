"""Owns what a Responses request may say and what becomes of it at a vendor; refuses answers."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from farebox.dialects.openai_responses.halves import ResponsesClient, ResponsesServer
from farebox.dialects.openai_responses.relay import ResponsesRelay
from farebox.dialects.ports import Opened, Target
from farebox.ir.errors import InvalidRequest
from farebox.ir.request import (
    CacheMark,
    Message,
    Origin,
    Reasoning,
    ReasoningWish,
    Request,
    Role,
    Sampling,
    Seal,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from unit.dialects.openai_responses.responses_traffic import target

SERVER, CLIENT, RELAY = ResponsesServer(), ResponsesClient(), ResponsesRelay()
NAME = "openai_responses"
HELLO: dict[str, Any] = {"model": "a/m", "input": "Hello."}
BARE: dict[str, Any] = {"models": ("a/m",), "messages": (Message(role=Role.USER, parts=(Text(text="Hello."),)),)}


def opened(**more: Any) -> Opened:
    return SERVER.open(json.dumps(HELLO | more).encode())


def sent(request: Request, vendor: Target | None = None) -> tuple[dict[str, Any], dict[str, str]]:
    """The vendor's body, and the warnings by path."""
    body, warnings = CLIENT.encode(request, vendor or target())
    return json.loads(body), {warning.path: warning.code for warning in warnings}


def relayed(vendor: Target | None = None, **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
    body, warnings = RELAY.request(opened(**more), vendor or target())
    return json.loads(body), {warning.path: warning.code for warning in warnings}


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"store": True}, "$.store"),
        ({"previous_response_id": "resp_1"}, "$.previous_response_id"),
        ({"conversation": "conv_1"}, "$.conversation"),
        ({"background": True}, "$.background"),
        ({"input": None}, "$.input"),
        ({"model": None}, "$.model"),
        ({"input": []}, "$.input"),
        ({"input": [{"content": "x"}]}, "$.input[0].type"),
        ({"input": [{"role": "critic", "content": "x"}]}, "$.input[0].role"),
        ({"input": [{"role": "user"}]}, "$.input[0].content"),
        ({"input": [{"role": "user", "content": [{"text": "x"}]}]}, "$.input[0].content"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": 5}]}]}, "$.input[0].content"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "$.input[0].arguments"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": {"a": 1}}]}, "$.input[0].output"),
        ({"input": [{"type": "function_call_output", "output": "x"}]}, "$.input[0].call_id"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "$.input[0]"),
        ({"temperature": -1}, "$.temperature"),
        ({"max_output_tokens": 0}, "$.max_output_tokens"),
        ({"reasoning": {"effort": "wild"}}, "$.reasoning.effort"),
        ({"tool_choice": "any"}, "$.tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "$.text.format.type"),
        (
            {"tools": [{"type": "function", "name": "f", "parameters": {"$ref": "https://x.test/s"}}]},
            "$.tools[0].parameters",
        ),
        ({"api_base": "https://x.test"}, "$.api_base"),
    ],
)
def test_what_is_out_of_range_is_refused_with_its_path(more: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        opened(**more)
    assert caught.value.path == path
    assert caught.value.status == 400


def test_an_answer_to_a_refusal_has_the_common_shape() -> None:
    error = json.loads(SERVER.error(InvalidRequest("No.", path="$.store"), "req-1"))["error"]
    assert error["code"] == 400
    assert error["param"] == "store"


def test_stateless_words_that_ask_for_nothing_are_accepted() -> None:
    found = opened(store=False, previous_response_id=None, background=False, conversation=None, stream=True)
    assert found.stream
    assert found.relayable
    assert CLIENT.path(target(), True) == "/responses"
    assert CLIENT.path(target(settings={"path": "/openai/responses"}), False) == "/openai/responses"


def test_admission_sees_what_it_needs() -> None:
    found = opened(
        models=["b/n"],
        max_output_tokens=7,
        reasoning={"effort": "low", "exclude": True},
        text={"format": {"type": "json_schema", "name": "n", "schema": {}}, "verbosity": "low"},
        tools=[{"type": "function", "name": "f"}],
        provider={"order": ["x"]},
        session_id="s",
        safety_identifier="u",
        service_tier="flex",
        input=[
            {
                "role": "user",
                "content": [
                    {"type": "input_image", "image_url": "https://x.test/a.png"},
                    {"type": "input_file", "file_id": "f"},
                ],
            },
            {"type": "reasoning", "summary": [], "encrypted_content": "e"},
            {"type": "reasoning", "summary": [], "encrypted_content": "e", "format": "anthropic-claude-v1"},
            {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_audio", "input_audio": {}}]},
        ],
    )
    assert found.models == ("a/m", "b/n")
    assert found.max_tokens == 7
    assert found.parameters == {"max_tokens", "reasoning", "response_format", "verbosity", "tools"}
    assert found.modalities == {"image", "file", "audio"}
    assert found.origins == {"openai-responses-v1", "anthropic-claude-v1"}
    assert (found.session, found.user, found.service_tier) == ("s", "u", "flex")
    assert found.marks == {"reasoning", "foreign_reasoning", "tool_calls"}
    assert not found.relayable
    assert not found.include_reasoning
    assert opened(tools=[{"type": "function", "name": "f", "cache_control": {}}]).marks == {"cache_control"}


def test_a_turn_of_the_assistant_is_one_message() -> None:
    request = SERVER.decode(
        opened(
            input=[
                {"role": "user", "content": "Hi."},
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "S"}],
                    "encrypted_content": "e1",
                },
                {
                    "type": "message",
                    "role": "assistant",
                    "id": "msg_1",
                    "phase": "commentary",
                    "content": [{"type": "output_text", "text": "T"}],
                },
                {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a" :1}'},
                {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "raw"},
                {"type": "custom_tool_call_output", "call_id": "c2", "output": "r2"},
                {"type": "function_call_output", "call_id": "c1", "output": [{"type": "input_text", "text": "r1"}]},
                {"type": "reasoning", "summary": [], "encrypted_content": "e2"},
                {"role": "assistant", "content": "U"},
                {"type": "reasoning", "summary": [], "encrypted_content": "e3"},
                {"role": "assistant", "content": "V"},
                {"type": "shell_call_output", "call_id": "c", "output": []},
                {"type": "web_search_call", "id": "ws", "status": "completed"},
            ]
        )
    )
    shape = [(message.role.value, [type(part).__name__ for part in message.parts]) for message in request.messages]
    assert shape == [
        ("user", ["Text"]),
        ("assistant", ["Reasoning", "Reasoning", "Text", "ToolCall", "ToolCall"]),
        ("tool", ["ToolResult"]),
        ("tool", ["ToolResult"]),
        ("assistant", ["Reasoning", "Text"]),
        ("assistant", ["Reasoning", "Text"]),
        ("user", ["Opaque"]),
        ("assistant", ["Opaque"]),
    ]
    call = request.messages[1].parts[3]
    assert isinstance(call, ToolCall)
    assert call.arguments == '{"a" :1}'
    body, lost = sent(request)
    assert not lost
    assert body["input"][1]["encrypted_content"] == "e1"
    assert body["input"][2]["phase"] == "commentary"
    assert body["input"][3]["arguments"] == '{"a" :1}'
    assert body["input"][5]["type"] == "custom_tool_call_output"
    assert body["include"] == ["reasoning.encrypted_content"]


def test_seals_go_only_to_their_house() -> None:
    def request(word: str) -> Request:
        part = Reasoning(text="Hm.", seal=Seal("encrypted", "data"), origin=Origin("openai_chat", format=word))
        turn = Message(role=Role.ASSISTANT, parts=(part, Text(text="Yes.")))
        return Request(models=("a/m",), messages=(*BARE["messages"], turn, *BARE["messages"]))

    body, lost = sent(request("openai-responses-v1"))
    assert [item["type"] for item in body["input"]] == ["message", "reasoning", "message", "message"]
    assert not lost
    body, lost = sent(request("anthropic-claude-v1"))
    assert [item["type"] for item in body["input"]] == ["message", "message", "message"]
    assert lost == {"$.messages[1]": "seal_dropped"}
    body, lost = sent(request("x-v1"), target(settings={"reasoning_format": "x-v1"}))
    assert body["input"][1]["encrypted_content"] == "data"
    body, _ = sent(request("anthropic-claude-v1"), target(reasoning_replay="required"))
    assert body["input"][1] == {
        "type": "reasoning",
        "summary": [],
        "content": [{"type": "reasoning_text", "text": "Hm."}],
    }
    body, lost = sent(request("openai-responses-v1"), target(reasoning_replay="never"))
    assert lost == {"$.messages[1]": "reasoning_dropped"}
    body, _ = sent(request("anthropic-claude-v1"), target(options=frozenset(("mixed_seals",))))
    assert body["input"][1]["format"] == "anthropic-claude-v1"


def test_what_cannot_be_said_is_told() -> None:
    request = Request(
        **BARE,
        tools=(Tool(name="code", form="server", extras={"anthropic_messages": {}}), Tool(name="f")),
        sampling=Sampling(top_k=4, seed=1, choices=2, temperature=0.5),
        extras={"openai_chat": {"prediction": raw("{}"), "plugins": raw("[]")}},
    )
    body, lost = sent(request)
    assert lost == {
        "$.tools[0]": "unsupported",
        "$.n": "unsupported",
        "$.top_k": "parameter_dropped",
        "$.seed": "parameter_dropped",
        "$.prediction": "unsupported",
    }
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
    ]
    assert body["temperature"] == 0.5
    body, lost = sent(request, target(options=frozenset(("extended_sampling",))))
    assert (body["top_k"], body["seed"]) == (4, 1)
    assert "$.top_k" not in lost


def raw(text: str) -> Raw:
    return Raw(text.encode())


def test_a_number_of_log_probabilities_asks_for_them() -> None:
    request = SERVER.decode(opened(top_logprobs=2))
    assert request.sampling.logprobs is True
    assert sent(request)[0]["include"] == ["message.output_text.logprobs"]
    assert SERVER.decode(opened(top_logprobs=0)).sampling.logprobs is None


def test_cache_marks_and_failed_tools_are_told() -> None:
    user = Message(role=Role.USER, parts=(Text(text="Long.", cache=CacheMark("1h")),))
    call = Message(role=Role.ASSISTANT, parts=(ToolCall(call_id="", name="f", arguments=""),))
    result = Message(role=Role.TOOL, parts=(ToolResult(call_id="", parts=(Text(text="no"),), failed=True),))
    request = Request(models=("a/m",), messages=(user, call, result))
    body, lost = sent(request)
    assert lost == {"$.messages[0]": "cache_mark_dropped", "$.messages[2]": "unsupported"}
    assert body["input"][1] == {"type": "function_call", "call_id": "call_0", "name": "f", "arguments": "{}"}
    assert body["input"][2] == {"type": "function_call_output", "call_id": "call_0", "output": "no"}
    body, lost = sent(request, target(options=frozenset(("cache_control",))))
    assert body["input"][0]["content"][0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (ReasoningWish(effort="high"), {"effort": "high", "summary": "auto"}),
        (ReasoningWish(enabled=False), {"effort": "none"}),
        (ReasoningWish(enabled=True, exclude=True), {"effort": "medium"}),
        (ReasoningWish(max_tokens=16_000, summary="detailed"), {"effort": "medium", "summary": "detailed"}),
    ],
)
def test_a_wish_to_think_becomes_an_effort(wish: ReasoningWish, expected: dict[str, str]) -> None:
    body, _ = sent(Request(**BARE, reasoning=wish), target(settings={"reasoning_summary": "auto"}))
    assert body["reasoning"] == expected
    assert ("include" in body) == (wish.effort != "none")


def test_a_wish_in_words_of_the_house_is_rewritten_in_relay() -> None:
    body, _ = relayed(reasoning={"effort": "low", "summary": "auto", "context": "all_turns"})
    assert body["reasoning"] == {"effort": "low", "summary": "auto", "context": "all_turns"}
    body, _ = relayed(reasoning={"enabled": True})
    assert body["reasoning"] == {"effort": "medium"}
    body, lost = relayed(target(reasoning_wish="none"), reasoning={"effort": "low"})
    assert "reasoning" not in body
    assert lost == {"$.reasoning": "parameter_dropped"}
    body, _ = relayed(target(reasoning_wish="reasoning"), reasoning={"max_tokens": 9})
    assert body["reasoning"] == {"max_tokens": 9}


def test_the_relay_sends_what_the_vendor_takes() -> None:
    vendor = target(
        drop=frozenset(("truncation",)),
        rename={"max_output_tokens": "max_tokens"},
        options=frozenset(("obfuscation_off", "encrypted_reasoning")),
        force={"safety_identifier": raw('"h"')},
    )
    body, lost = relayed(
        vendor, truncation="auto", max_output_tokens=5, stream=True, provider={}, plugins=[], session_id="s", store=False,
        cache_control={"type": "ephemeral"}, unheard_of={"kept": 1},
    )  # fmt: skip
    assert body == {
        "model": "vendor-model",
        "input": "Hello.",
        "max_tokens": 5,
        "unheard_of": {"kept": 1},
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
        "stream_options": {"include_obfuscation": False},
        "safety_identifier": "h",
    }
    assert lost == {"$.truncation": "parameter_dropped"}
    body, _ = relayed(
        target(options=frozenset(("no_encrypted_reasoning", "no_store"))), include=["reasoning.encrypted_content"]
    )
    assert body == {"model": "vendor-model", "input": "Hello."}


def test_items_that_must_change_are_rewritten_in_relay() -> None:
    user = {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "x", "cache_control": {"type": "ephemeral"}}],
    }
    bare = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "S"}]}
    foreign = {"type": "reasoning", "summary": [], "encrypted_content": "e", "format": "anthropic-claude-v1"}
    own = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "e"}
    body, lost = relayed(input=[user, bare, foreign, own])
    assert body["input"] == [user | {"content": [{"type": "input_text", "text": "x"}]}, own]
    assert lost == {"$.messages[0]": "cache_mark_dropped", "$.messages[1]": "seal_dropped"}
    body, lost = relayed(target(settings={"reasoning_format": "x-v1"}), input=[own, user | {"content": "x"}])
    assert [item["type"] for item in body["input"]] == ["message"]
    assert lost == {"$.messages[0]": "seal_dropped"}
    body, lost = relayed(target(reasoning_replay="never"), input=[own, user | {"content": "x"}])
    assert lost == {"$.messages[0]": "reasoning_dropped"}
    body, lost = relayed(target(options=frozenset(("cache_control",))), input=[user])
    assert body["input"] == [user]
    assert not lost


_texts = st.text(max_size=12)
_unknown = st.dictionaries(
    st.sampled_from(["alpha", "beta"]), st.one_of(st.integers(), _texts, st.booleans()), max_size=2
)
_parts = st.one_of(
    st.builds(lambda text, rest: {"type": "input_text", "text": text} | rest, _texts, _unknown),
    st.builds(
        lambda url: {"type": "input_image", "image_url": f"https://x.test/{url}", "detail": "low"}, st.integers(0, 9)
    ),
    st.builds(lambda rest: {"type": "input_hologram"} | rest, _unknown),
)
_items = st.one_of(
    st.builds(
        lambda role, content, rest: {"type": "message", "role": role, "content": content} | rest,
        st.sampled_from(["user", "developer"]),
        st.lists(_parts, min_size=2, max_size=4),
        _unknown,
    ),
    st.builds(lambda text, rest: {"type": "message", "role": "assistant", "content": text} | rest, _texts, _unknown),
    st.builds(
        lambda data, summary, rest: {
            "type": "reasoning", "id": f"rs_{data}", "summary": [{"type": "summary_text", "text": text} for text in summary],
            "encrypted_content": f"e{data}",
        } | rest,
        st.integers(0, 99),
        st.lists(st.text(min_size=1, max_size=9), max_size=3),
        _unknown,
    ),
    st.builds(
        lambda text, rest: {"type": "function_call", "call_id": "c", "name": "f", "arguments": json.dumps(text)} | rest,
        _texts,
        _unknown,
    ),
    st.builds(lambda text, rest: {"type": "function_call_output", "call_id": "c", "output": text} | rest, _texts, _unknown),
    st.builds(lambda kind, rest: {"type": kind} | rest, st.sampled_from(["teleport_call", "teleport_call_output"]), _unknown),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(_items, min_size=1, max_size=8), _unknown)
def test_any_conversation_goes_round(items: list[dict[str, Any]], rest: dict[str, Any]) -> None:
    request = SERVER.decode(opened(input=items, **rest))
    body, lost = sent(request)
    assert body["input"] == items
    assert {name: body[name] for name in rest} == rest
    assert not lost


_names = (
    "type",
    "role",
    "content",
    "text",
    "summary",
    "name",
    "arguments",
    "output",
    "annotations",
    "call_id",
    "tools",
    "format",
)
_nonsense = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_names), inner, max_size=4),
)
_members = ("input", "instructions", "tools", "tool_choice", "text", "reasoning", "include", "cache_control", "stop")


def _strange(value: Any, name: str) -> list[dict[str, Any]]:
    part = {"type": "input_text", "text": "x", "annotations": value, "cache_control": value}
    kinds = ("reasoning", "message", "function_call", "custom_tool_call_output", "image_generation_call", "x_call")
    items = [
        {
            "type": kind,
            "role": "user",
            "call_id": "c",
            "name": "f",
            "arguments": "",
            "output": "",
            "content": "",
            name: value,
        }
        for name in _names[2:]
        for kind in kinds
    ]
    bodies = [HELLO | {"input": [item]} for item in items]
    return [*bodies, HELLO | {name: value}, HELLO | {"input": [{"role": "user", "content": [part]}]}]


@settings(max_examples=60, deadline=None)
@given(_nonsense, st.sampled_from(_members))
def test_nonsense_is_refused_or_carried(value: Any, name: str) -> None:
    for body in _strange(value, name):
        try:
            found = SERVER.open(json.dumps(body).encode())
            request = SERVER.decode(found)
        except InvalidRequest:
            continue
        CLIENT.encode(request, target())
        RELAY.request(found, target())
