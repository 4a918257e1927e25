"""Owns the refusals of chat requests, each with path and reason, and what opening finds; refuses the JSON front."""

import json
from typing import Any

import pytest

from farebox.dialects.ports import Opened
from farebox.dialects.registry import SERVERS
from farebox.ir.errors import InvalidRequest

SERVER = SERVERS["openai_chat"]
USER = {"role": "user", "content": "Hello"}


def opened(**members: Any) -> Opened:
    body = {"model": "a/b", "messages": [USER]} | members
    return SERVER.open(json.dumps(body).encode())


def message(**members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "x"} | members]}


def schema(value: Any) -> dict[str, Any]:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": value}}}


BAD: dict[str, tuple[dict[str, Any], str, str]] = {
    **{
        f"max_tokens {value!r}": ({"max_tokens": value}, "$.max_tokens", "invalid_value")
        for value in (-1, 0, 2**31, 2**53 + 1, 10**18, 0.5, 1.0, "9", True)
    },
    **{f"n {value!r}": ({"n": value}, "$.n", "invalid_value") for value in (-1, 0, 129, 10**9, 2**63, 2**64)},
    "top_logprobs": ({"top_logprobs": 10**6}, "$.top_logprobs", "invalid_value"),
    "logprobs": ({"logprobs": 10**6}, "$.logprobs", "invalid_value"),
    **{
        f"temperature {value!r}": ({"temperature": value}, "$.temperature", "invalid_value")
        for value in (-0.1, 2.1, "1", True, [])
    },
    "top_p": ({"top_p": 1.5}, "$.top_p", "invalid_value"),
    "top_k": ({"top_k": -1}, "$.top_k", "invalid_value"),
    "min_p": ({"min_p": -0.5}, "$.min_p", "invalid_value"),
    "top_a": ({"top_a": 2}, "$.top_a", "invalid_value"),
    "frequency_penalty": ({"frequency_penalty": 3}, "$.frequency_penalty", "invalid_value"),
    "presence_penalty": ({"presence_penalty": -3}, "$.presence_penalty", "invalid_value"),
    "repetition_penalty": ({"repetition_penalty": 2.5}, "$.repetition_penalty", "invalid_value"),
    "seed": ({"seed": 1.5}, "$.seed", "invalid_value"),
    "stop of five": ({"stop": ["a"] * 5}, "$.stop", "invalid_value"),
    "stop of 10,000": ({"stop": ["a"] * 10_000}, "$.stop", "invalid_value"),
    "stop of numbers": ({"stop": [1]}, "$.stop[0]", "invalid_value"),
    "stream as text": ({"stream": "true"}, "$.stream", "invalid_value"),
    "effort": ({"reasoning": {"effort": "huge"}}, "$.reasoning.effort", "invalid_value"),
    "reasoning_effort": ({"reasoning_effort": "huge"}, "$.reasoning_effort", "invalid_value"),
    "tool_choice": ({"tool_choice": "any"}, "$.tool_choice", "invalid_value"),
    "response_format": ({"response_format": {"type": "xml"}}, "$.response_format.type", "invalid_value"),
    "5,000 tools": ({"tools": [{"type": "function", "function": {"name": "f"}}] * 5000}, "$.tools", "invalid_value"),
    "tool name of 1 MB": (
        {"tools": [{"type": "function", "function": {"name": "f" * 10**6}}]},
        "$.tools[0].function.name",
        "invalid_value",
    ),
    "metadata of 17": ({"metadata": {str(n): "x" for n in range(17)}}, "$.metadata", "invalid_value"),
    "session_id": ({"session_id": "x" * 257}, "$.session_id", "invalid_value"),
    "provider as list": ({"provider": []}, "$.provider", "invalid_value"),
    "logit_bias": ({"logit_bias": {"1": "x"}}, "$.logit_bias[...]", "invalid_value"),
    "messages as object": ({"messages": {"0": USER}}, "$.messages", "invalid_value"),
    "no message": ({"messages": []}, "$.messages", "invalid_value"),
    "100,000 messages": ({"messages": [USER] * 100_000}, "$.messages", "invalid_value"),
    "10,000 parts": (message(content=[{"type": "text", "text": "x"}] * 10_000), "$.messages", "too_many"),
    "role with line end": (message(role="system\n"), "$.messages[0].role", "invalid_value"),
    "role __proto__": (message(role="__proto__"), "$.messages[0].role", "invalid_value"),
    "content null": (message(content=None), "$.messages[0].content", "invalid_value"),
    "content number": (message(content=5), "$.messages[0].content", "invalid_value"),
    "part without type": (message(content=[{"text": "x"}]), "$.messages[0].content[0]", "invalid_value"),
    "model empty": ({"model": ""}, "$.model", "invalid_value"),
    "model of 10 kB": ({"model": "x" * 10_240}, "$.model", "invalid_value"),
    "model with space": ({"model": " a/b"}, "$.model", "invalid_value"),
    "model with line end": ({"model": "a\nb"}, "$.model", "invalid_value"),
    "model number": ({"model": 1}, "$.model", "invalid_value"),
    "models of 33": ({"models": ["x"] * 33}, "$.models", "invalid_value"),
    "no model": ({"model": None}, "$.model", "missing_field"),
    "no messages": ({"messages": None}, "$.messages", "invalid_value"),
    **{
        name: ({name: "http://127.0.0.1"}, f"$.{name}", "forbidden_field")
        for name in ("api_base", "base_url", "custom_llm_provider", "user_config", "extra_headers")
    },
    "remote reference": (
        schema({"properties": {"a": {"$ref": "http://127.0.0.1/x"}}}),
        "$.response_format.json_schema.schema",
        "remote_reference",
    ),
    "self reference": (schema({"$ref": "#"}), "$.response_format.json_schema.schema", "reference_loop"),
    "remote reference in a tool": (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"$ref": "file:///etc/passwd"}}}]},
        "$.tools[0].function.parameters",
        "remote_reference",
    ),
}


@pytest.mark.parametrize(("members", "path", "reason"), BAD.values(), ids=BAD.keys())
def test_what_is_out_of_range_is_refused_with_its_path(members: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        opened(**members)
    assert caught.value.path == path
    assert caught.value.metadata["reason"] == reason
    assert len(caught.value.message) < 300


def test_deep_schemas_are_refused() -> None:
    body = '{"model":"x","messages":[{"role":"user","content":"x"}],"tools":[{"function":{"name":"f","parameters":'
    text = '{"a":' * 900 + "1" + "}" * 900
    with pytest.raises(InvalidRequest) as caught:
        SERVER.open((body + text + "}}]}").encode())
    assert caught.value.metadata["reason"] == "too_deep"


@pytest.mark.parametrize(
    "name", ["max_tokens", "n", "temperature", "stop", "tools", "stream", "reasoning", "provider", "seed"]
)
def test_null_is_the_default(name: str) -> None:
    assert opened(**{name: None}).parameters == frozenset()


def test_minus_zero_and_numbers_at_the_edge_pass() -> None:
    body = b'{"model":"x","messages":[{"role":"user","content":"\\u0000"}],"temperature":-0.0,"max_tokens":2147483647,"n":128}'
    found = SERVER.open(body)
    assert (found.max_tokens, found.choices) == (2**31 - 1, 128)


def test_strange_text_passes_unread() -> None:
    for text in (" " * 10**6, "\u200d" * 1000, "{{7*7}}${7*7}%{x}" * 1000, "data: [DONE]\n\n"):
        assert opened(messages=[{"role": "user", "content": text}]).marks == frozenset()


def test_unknown_members_pass() -> None:
    assert opened(foo={"api_base": "x"}).parameters == {"foo"}


def test_parameters_have_one_name() -> None:
    found = opened(
        max_completion_tokens=5, reasoning_effort="low", include_reasoning=True, temperature=0, tools=[], user="u"
    )
    assert found.parameters == {"max_tokens", "reasoning", "temperature", "tools"}
    assert found.max_tokens == 5


def test_models_are_in_order_and_once() -> None:
    assert opened(models=["c/d", "a/b", "e/f"]).models == ("a/b", "c/d", "e/f")
    assert opened(model=None, models=["c/d"]).models == ("c/d",)


def test_modalities_and_marks_are_found() -> None:
    parts = [
        {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
        {"type": "image_url", "image_url": {"url": "https://x"}},
        {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}},
        {"type": "video_url", "video_url": {"url": "https://x"}},
        {"type": "file", "file": {"file_id": "x"}},
    ]
    history = {
        "role": "assistant",
        "content": None,
        "reasoning_details": [{"type": "reasoning.encrypted", "data": "x", "format": "xai-responses-v1"}],
    }
    found = opened(
        messages=[{"role": "developer", "content": "x", "name": "n"}, {"role": "user", "content": parts}, history]
    )
    assert found.modalities == {"image", "audio", "video", "file"}
    assert found.origins == {"xai-responses-v1"}
    assert found.marks == {"developer", "name", "parts", "cache_control", "assistant", "reasoning"}


@pytest.mark.parametrize(
    ("members", "shown"),
    [
        ({}, True),
        ({"include_reasoning": False}, False),
        ({"reasoning": {"exclude": True}}, False),
        ({"reasoning": {"exclude": False}, "include_reasoning": False}, True),
    ],
)
def test_whether_reasoning_is_shown(members: dict[str, Any], shown: bool) -> None:
    assert opened(**members).include_reasoning is shown
