"""Owns what a chat request becomes for a vendor: changed members, spellings, rewritten messages; refuses answers."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from farebox.dialects.openai_chat.message_rewrite import nine
from farebox.dialects.ports import Target
from farebox.dialects.registry import CLIENTS, RELAYS, SERVERS
from farebox.ir.errors import InvalidRequest
from farebox.ir.request import Message, Reasoning, Request, Role, Seal, Text, ToolCall

SERVER, RELAY, CLIENT = SERVERS["openai_chat"], RELAYS["openai_chat"], CLIENTS["openai_chat"]
USER = {"role": "user", "content": "Hello"}


def sent(target: Target | None = None, **members: Any) -> dict[str, Any]:
    body = {"model": "a/b", "messages": [USER]} | members
    opened = SERVER.open(json.dumps(body).encode())
    out, _ = RELAY.request(opened, target or Target(model="m", vendor="v"))
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def to(**members: Any) -> Target:
    return Target(model="m", vendor="v", **members)


def options(*words: str) -> Target:
    return to(options=frozenset(words))


def test_our_own_members_stay_here() -> None:
    own = {
        "models": ["c/d"],
        "provider": {"sort": "price"},
        "route": "fallback",
        "plugins": [],
        "transforms": [],
        "preset": "x",
        "session_id": "s",
        "trace": {},
        "debug": {},
        "usage": {"include": True},
        "max_tool_calls": 3,
        "stop_server_tools_when": [],
        "deferred_tools": {},
        "structured_outputs": True,
        "stream_options": {"include_usage": False},
        "cache_control": {"type": "ephemeral"},
    }
    assert sent(**own) == {"model": "m", "messages": [USER]}


def test_unknown_members_and_the_user_pass_as_they_were() -> None:
    body = b'{"model":"a","foo" : [1.50, 1E2],"user":"u","messages":[{"role":"user","content":"\\u0041"}]}'
    out, warnings = RELAY.request(SERVER.open(body), to())
    assert out == b'{"model":"m","foo":[1.50, 1E2],"user":"u","messages":[{"role":"user","content":"\\u0041"}]}'
    assert warnings == []


def test_streams_ask_for_usage() -> None:
    assert sent(stream=True)["stream_options"] == {"include_usage": True}
    assert sent(options("obfuscation_off"), stream=True)["stream_options"] == {
        "include_usage": True,
        "include_obfuscation": False,
    }
    assert "stream_options" not in sent(options("no_stream_options"), stream=True)
    assert "stream_options" not in sent()


def test_rename_drop_and_force() -> None:
    target = to(
        rename={"max_completion_tokens": "max_tokens"}, drop=frozenset(["seed"]), force={"store": Raw(b"false")}
    )
    body = {"model": "a", "messages": [USER], "max_completion_tokens": 5, "seed": 1, "store": True}
    out, warnings = RELAY.request(SERVER.open(json.dumps(body).encode()), target)
    assert json.loads(out) == {"model": "m", "messages": [USER], "max_tokens": 5, "store": False}
    assert [(warning.code, warning.path) for warning in warnings] == [("parameter_dropped", "$.seed")]


WISHES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("", {"reasoning": {"effort": "high"}}, {"reasoning_effort": "high"}),
    ("", {"reasoning_effort": "low"}, {"reasoning_effort": "low"}),
    ("", {"reasoning": {"max_tokens": 8000}, "max_tokens": 10_000}, {"reasoning_effort": "high"}),
    ("", {"reasoning": {"enabled": False}}, {"reasoning_effort": "none"}),
    ("", {"reasoning": {"enabled": True}}, {"reasoning_effort": "medium"}),
    ("", {"include_reasoning": True}, {}),
    ("", {"reasoning": {"exclude": True}}, {}),
    ("reasoning", {"reasoning": {"effort": "high", "context": "x"}}, {"reasoning": {"effort": "high", "context": "x"}}),
    (
        "reasoning",
        {"reasoning_effort": "high", "include_reasoning": False},
        {"reasoning": {"effort": "high", "exclude": True}},
    ),
    ("thinking", {"reasoning": {"effort": "high"}}, {"thinking": {"type": "enabled"}}),
    ("thinking", {"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
    ("thinking_effort", {"reasoning_effort": "high"}, {"thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
    (
        "thinking_budget",
        {"reasoning_effort": "high", "max_tokens": 10_000},
        {"thinking": {"type": "enabled", "budget_tokens": 8000}},
    ),
    (
        "thinking_budget",
        {"reasoning_effort": "minimal", "max_tokens": 1000},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    ),
    (
        "thinking_budget",
        {"reasoning": {"effort": "max"}, "max_tokens": 10**6},
        {"thinking": {"type": "enabled", "budget_tokens": 128_000}},
    ),
    ("enable_thinking", {"reasoning": {"max_tokens": 500}}, {"enable_thinking": True, "thinking_budget": 500}),
    ("enable_thinking", {"reasoning": {"enabled": False}}, {"enable_thinking": False}),
    ("chat_template_kwargs", {"reasoning": {"enabled": False}}, {"chat_template_kwargs": {"enable_thinking": False}}),
    ("none", {"reasoning": {"effort": "high"}}, {}),
]


@pytest.mark.parametrize(("spelling", "members", "expected"), WISHES)
def test_the_reasoning_wish_in_the_vendors_spelling(
    spelling: str, members: dict[str, Any], expected: dict[str, Any]
) -> None:
    found = sent(to(reasoning_wish=spelling), **members)
    for name in ("model", "messages", "max_tokens"):
        found.pop(name, None)
    assert found == expected


def test_a_wish_no_vendor_takes_is_told() -> None:
    opened = SERVER.open(json.dumps({"model": "a", "messages": [USER], "reasoning_effort": "high"}).encode())
    assert RELAY.request(opened, to(reasoning_wish="none"))[1][0].path == "$.reasoning"
    assert RELAY.request(opened, to(drop=frozenset(["reasoning_effort"])))[1]


@pytest.mark.parametrize(
    ("words", "choice", "expected"),
    [
        ((), "required", "required"),
        (("required_as_any",), "required", "any"),
        (("required_as_any",), {"type": "function", "function": {"name": "f"}}, "any"),
        (("required_as_any",), "auto", "auto"),
        (("tool_choice_auto_only",), "required", "auto"),
        (("tool_choice_auto_only",), "none", "none"),
    ],
)
def test_tool_choice(words: tuple[str, ...], choice: Any, expected: Any) -> None:
    assert sent(options(*words), tool_choice=choice)["tool_choice"] == expected


def test_other_options() -> None:
    assert sent(options("usage_include"))["usage"] == {"include": True}
    assert "metadata" not in sent(options("no_metadata"), metadata={"a": "b"})
    assert "image_config" not in sent(image_config={})
    assert sent(options("image_config"), image_config={})["image_config"] == {}
    assert "response_format" not in sent(
        options("no_response_format_in_streams"), stream=True, response_format={"type": "json_object"}
    )
    assert sent(options("top_level_cache_control"), cache_control={"type": "ephemeral"})["cache_control"] == {
        "type": "ephemeral"
    }


HISTORY = [
    {"role": "developer", "content": "d", "name": "n"},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}},
            {"type": "text", "text": "b"},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "reasoning": "why",
        "reasoning_details": [{"type": "reasoning.text", "text": "why"}],
        "images": [],
        "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "r"}]},
]


def test_messages_are_left_alone_but_for_what_no_vendor_takes() -> None:
    found = sent(messages=HISTORY)["messages"]
    assert found[0] == HISTORY[0]
    assert found[1]["content"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert set(found[2]) == {"role", "content", "tool_calls"}
    assert found[3] == HISTORY[3]


def test_messages_for_a_vendor_with_many_wants() -> None:
    target = to(
        options=frozenset(["developer_role_as_system", "flatten_content", "tool_ids_9", "names_on_tools_only"]),
        reasoning_field="reasoning_content",
        reasoning_replay="required",
    )
    found = sent(target, messages=HISTORY)["messages"]
    assert found[0] == {"role": "system", "content": "d"}
    assert found[1] == {"role": "user", "content": "a\nb"}
    assert found[2]["reasoning_content"] == "why"
    assert found[2]["tool_calls"][0]["function"]["arguments"] == '{"a": 1}'
    assert found[2]["tool_calls"][0]["id"] == found[3]["tool_call_id"] == nine("call_1")
    assert found[3]["content"] == "r"


def test_replay() -> None:
    plain = [{"role": "assistant", "content": "x"}, USER]
    assert "reasoning_content" not in sent(to(reasoning_field="reasoning_content"), messages=plain)["messages"][0]
    required = to(reasoning_field="reasoning_content", reasoning_replay="required")
    assert sent(required, messages=plain)["messages"][0]["reasoning_content"] == ""
    never = to(reasoning_field="reasoning_content", reasoning_replay="never")
    assert set(sent(never, messages=HISTORY)["messages"][2]) == {"role", "content", "tool_calls"}
    kept = options("reasoning_details")
    assert sent(kept, messages=HISTORY)["messages"][2]["reasoning_details"] == HISTORY[2]["reasoning_details"]


def test_only_flat_texts_are_flattened() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}]
    message = {"role": "user", "content": parts}
    assert sent(options("flatten_content"), messages=[message])["messages"] == [message]


def test_a_member_of_the_wrong_type_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidRequest):
        sent(options("flatten_content"), messages=[{"role": "user", "content": [{"type": "text", "text": 5}]}])


@given(st.text(max_size=40))
def test_short_ids_are_stable_and_fit(call_id: str) -> None:
    found = nine(call_id)
    assert len(found) == 9
    assert found.isalnum()
    assert found.isascii()
    assert nine(found) == found


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), x, max_size=3),
    max_leaves=6,
)
UNKNOWN = st.dictionaries(
    st.from_regex(r"x_[a-z]{1,6}", fullmatch=True), JSON.filter(lambda value: value is not None), max_size=3
)
PART = st.one_of(
    st.builds(lambda text, extra: {"type": "text", "text": text} | extra, st.text(max_size=10), UNKNOWN),
    st.builds(
        lambda url, extra: {"type": "image_url", "image_url": {"url": url, **extra}},
        st.sampled_from(["https://x/y.png", "data:image/png;base64,AAAA"]),
        UNKNOWN,
    ),
    st.builds(lambda extra: {"type": "novelty", "inside": extra}, UNKNOWN),
)
MESSAGE = st.one_of(
    st.builds(lambda text, extra: {"role": "user", "content": text} | extra, st.text(max_size=10), UNKNOWN),
    st.builds(lambda parts: {"role": "user", "content": parts}, st.lists(PART, min_size=2, max_size=4)),
    st.builds(
        lambda text, args, extra: {
            "role": "assistant",
            "content": text,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": args}} | extra],
        },
        st.text(max_size=10),
        st.text(max_size=10),
        UNKNOWN,
    ),
    st.builds(
        lambda text, extra: {"role": "tool", "tool_call_id": "c1", "content": text} | extra,
        st.text(max_size=10),
        UNKNOWN,
    ),
)


@given(
    st.lists(MESSAGE, min_size=1, max_size=4),
    UNKNOWN,
    st.sampled_from([{}, {"temperature": 0.5}, {"stop": ["a", "b"]}, {"seed": 3, "user": "u"}]),
)
def test_generated_requests_go_round(messages: list[Any], unknown: dict[str, Any], known: dict[str, Any]) -> None:
    body = {"model": "a/b", "messages": messages} | unknown | known
    opened = SERVER.open(json.dumps(body).encode())
    out, warnings = CLIENT.encode(SERVER.decode(opened), to())
    assert warnings == []
    assert json.loads(out) == {"model": "m", "messages": messages} | unknown | known


def test_what_another_dialect_sealed_is_told_and_not_sent() -> None:
    thought = Reasoning(text="t", seal=Seal("signature", "s"), extras={"other": {"x": Raw(b"1")}})
    call = ToolCall(call_id="c", name="f", arguments="{}")
    message = Message(role=Role.ASSISTANT, parts=(thought, Text(text="a"), call))
    out, warnings = CLIENT.encode(Request(models=("a",), messages=(message,)), to())
    assert json.loads(out)["messages"][0].keys() == {"role", "content", "tool_calls"}
    assert [warning.code for warning in warnings] == ["unsupported"]
