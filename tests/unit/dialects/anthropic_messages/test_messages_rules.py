"""Owns the rules of writing a Messages request from another dialect, each with what it tells; refuses recorded traffic."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farebox.dialects.anthropic_messages.halves import MessagesClient, MessagesServer
from farebox.dialects.anthropic_messages.seals import escape, unescape, unwrap, wrap
from farebox.dialects.openai_chat.halves import ChatServer
from farebox.dialects.ports import Target
from farebox.ir.errors import VendorUnsupported
from farebox.ir.request import Seal

CHAT, SERVER, CLIENT = ChatServer(), MessagesServer(), MessagesClient()
TARGET = Target(model="claude-sonnet-4-5", vendor="v")
NEW = Target(model="claude-opus-5", vendor="v")
HELLO = [{"role": "user", "content": "Hello"}]
NAMED = {"type": "function", "function": {"name": "look"}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}


def sent(chat: dict[str, Any], target: Target = TARGET) -> tuple[dict[str, Any], list[str]]:
    """The Messages body for a chat request, and what was lost."""
    request = CHAT.decode(CHAT.open(json.dumps({"model": "a/m", "messages": HELLO} | chat).encode()))
    body, warnings = CLIENT.encode(request, target)
    return json.loads(body), [f"{warning.code} {warning.path}" for warning in warnings]


def test_a_plain_request() -> None:
    body, warnings = sent({"stream": True, "stop": "x", "user": "u-1", "temperature": 0.5})
    assert body == {
        "model": "claude-sonnet-4-5",
        "messages": HELLO,
        "max_tokens": 32000,
        "temperature": 0.5,
        "stop_sequences": ["x"],
        "metadata": {"user_id": "u-1"},
        "stream": True,
    }
    assert not warnings


@pytest.mark.parametrize(
    ("model", "most"),
    [
        ("claude-3-haiku-20240307", 4096),
        ("us.anthropic.claude-3-5-sonnet-20240620-v1:0", 8192),
        ("claude-3-7-sonnet@20250219", 32000),
        ("claude-sonnet-4-20250514", 32000),
        ("claude-fable-5", 32000),
        ("MiniMax-M3", 8192),
    ],
)
def test_the_limit_of_output_is_always_said(model: str, most: int) -> None:
    assert sent({}, Target(model=model, vendor="v"))[0]["max_tokens"] == most
    assert sent({}, Target(model=model, vendor="v", settings={"max_tokens": "77"}))[0]["max_tokens"] == 77
    assert sent({"max_tokens": 5}, Target(model=model, vendor="v"))[0]["max_tokens"] == 5


def test_only_the_leading_run_of_system_messages_is_the_system_text() -> None:
    messages = [
        {"role": "system", "content": "One."},
        {"role": "developer", "content": "Two."},
        *HELLO,
        {"role": "system", "content": "Three."},
        {"role": "user", "content": "Go."},
    ]
    body, warnings = sent({"messages": messages})
    assert body["system"] == [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    assert [message["role"] for message in body["messages"]] == ["user", "user", "user"]
    assert body["messages"][1]["content"] == "<system>\nThree.\n</system>"
    assert warnings == ["parameter_changed $.messages[3]"]
    for kept in (Target(model="m", vendor="v", options=frozenset(("system_in_messages",))), NEW):
        body, warnings = sent({"messages": messages}, kept)
        assert body["messages"][1] == {"role": "system", "content": "Three."}
        assert not warnings


def test_tool_results_are_one_turn_right_after_their_calls_and_first_in_it() -> None:
    calls = [{"id": f"call.{n}", "type": "function", "function": {"name": "a.b", "arguments": ""}} for n in (1, 2)]
    messages = [
        *HELLO,
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call.1", "content": "one"},
        {"role": "tool", "tool_call_id": "call.2", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "And?"},
    ]
    body, warnings = sent({"messages": messages, "tools": [TOOL]})
    assert body["messages"][1]["content"] == [
        {"type": "tool_use", "id": f"call-x2e-{n}", "name": "a-x2e-b", "input": {}} for n in (1, 2)
    ]
    assert body["messages"][2] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "call-x2e-1", "content": "one"},
            {"type": "tool_result", "tool_use_id": "call-x2e-2", "content": "two"},
            {"type": "text", "text": "And?"},
        ],
    }
    assert not warnings


def test_empty_texts_and_messages_are_left_out_and_told() -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": " "}, {"type": "text", "text": "x"}]},
        {"role": "assistant", "content": ""},
        *HELLO,
    ]
    body, warnings = sent({"messages": messages, "stop": [" ", "y"]})
    assert body["messages"] == [{"role": "user", "content": "x"}, *HELLO]
    assert body["stop_sequences"] == ["y"]
    assert [warning.partition(" ")[0] for warning in warnings] == [
        "empty_text_dropped", "empty_text_dropped", "empty_message_dropped", "parameter_changed",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        (None, None, None),
        ("auto", None, {"type": "auto"}),
        ("none", False, {"type": "none"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (NAMED, True, {"type": "tool", "name": "look", "disable_parallel_tool_use": False}),
    ],
)  # fmt: skip
def test_the_choice_of_tools(choice: Any, parallel: Any, expected: Any) -> None:
    asked = {"tools": [TOOL], "tool_choice": choice, "parallel_tool_calls": parallel}
    body, warnings = sent({name: value for name, value in asked.items() if value is not None})
    assert body.get("tool_choice") == expected
    assert not warnings
    assert "tool_choice" not in sent({"tool_choice": "auto"})[0]


@pytest.mark.parametrize(
    ("wish", "most", "target", "thinking", "effort"),
    [
        ({"effort": "high"}, 10_000, TARGET, {"type": "enabled", "budget_tokens": 8000}, None),
        ({"effort": "none"}, 10_000, TARGET, {"type": "disabled"}, None),
        ({"enabled": True}, 10_000, TARGET, {"type": "enabled", "budget_tokens": 5000}, None),
        ({"max_tokens": 2000}, 10_000, TARGET, {"type": "enabled", "budget_tokens": 2000}, None),
        ({"effort": "high"}, 10_000, NEW, {"type": "adaptive", "display": "summarized"}, "high"),
        ({"effort": "minimal"}, 10_000, NEW, {"type": "adaptive", "display": "summarized"}, "low"),
        ({"max_tokens": 5000}, 10_000, NEW, {"type": "adaptive", "display": "summarized"}, "medium"),
        ({"enabled": True, "exclude": True}, 10_000, NEW, {"type": "adaptive"}, None),
        ({"enabled": False}, 10_000, NEW, {"type": "disabled"}, None),
        ({"exclude": True}, 10_000, NEW, None, None),
    ],
)
def test_the_wish_to_think(wish: Any, most: int, target: Target, thinking: Any, effort: Any) -> None:
    body, warnings = sent({"reasoning": wish, "max_tokens": most}, target)
    assert body.get("thinking") == thinking
    assert body.get("output_config") == (None if effort is None else {"effort": effort})
    assert not warnings


def test_thinking_gives_way_where_the_rest_forbids_it() -> None:
    wish = {"reasoning": {"effort": "high"}, "max_tokens": 10_000}
    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    loop = [*HELLO, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "c", "content": "x"}]
    for more in (
        {"tools": [TOOL], "tool_choice": "required"},
        {"messages": [*HELLO, {"role": "assistant", "content": "I"}]},
        {"messages": loop, "tools": [TOOL]},
        {"max_tokens": 500},
    ):
        body, warnings = sent(wish | more)
        assert "thinking" not in body
        assert "parameter_dropped $.reasoning" in warnings
    body, warnings = sent({"reasoning": {"max_tokens": 9000}, "max_tokens": 4000})
    assert body["thinking"]["budget_tokens"] == 3999
    assert warnings == ["parameter_changed $.reasoning"]
    body, warnings = sent({"reasoning": {"max_tokens": 60_000}})
    assert body["max_tokens"] > 60_000
    assert not warnings


def test_sampling_goes_as_far_as_the_model_takes_it() -> None:
    body, warnings = sent({"temperature": 1.5, "seed": 1, "frequency_penalty": 1, "n": 2, "verbosity": "low"})
    assert body["temperature"] == 1
    assert warnings == [
        "parameter_changed $.temperature", "parameter_dropped $.frequency_penalty", "parameter_dropped $.seed",
        "unsupported $.n", "parameter_dropped $.verbosity",
    ]  # fmt: skip
    thinking = {"reasoning": {"effort": "high"}, "temperature": 0.2, "top_p": 0.99, "top_k": 3}
    body, warnings = sent(thinking)
    assert [name for name in ("temperature", "top_p", "top_k") if name in body] == ["top_p"]
    assert len(warnings) == 2
    body, warnings = sent({"temperature": 0.2, "top_p": 0.5}, NEW)
    assert "temperature" not in body
    assert "top_p" not in body
    assert len(warnings) == 2
    one = Target(model="claude-opus-4-1", vendor="v", options=frozenset(("one_sampler",)))
    assert sent({"temperature": 0.2, "top_p": 0.5}, one)[1] == ["parameter_dropped $.top_p"]


def test_a_schema_is_rewritten_for_strict_output_and_told() -> None:
    schema = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "How many"},
            "k": {"oneOf": [{"type": "null"}]},
        },
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body, warnings = sent({"response_format": form})
    assert body["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {
                    "n": {"type": "integer", "description": "How many (minimum: 1)"},
                    "k": {"anyOf": [{"type": "null"}]},
                },
                "additionalProperties": False,
            },
        }
    }
    assert warnings == ["parameter_changed $.response_format"]
    ready = body["output_config"]["format"]["schema"]
    form["json_schema"]["schema"] = ready  # type: ignore[index]
    assert sent({"response_format": form}) == (body, [])
    assert sent({"response_format": {"type": "json_object"}})[1] == ["parameter_dropped $.response_format"]
    none = Target(model="claude-3-haiku", vendor="v", options=frozenset(("no_output_config",)))
    assert "output_config" not in sent({"response_format": form}, none)[0]


def test_at_most_four_cache_marks_and_none_longer_after_a_shorter() -> None:
    mark = {"type": "ephemeral"}
    parts = [{"type": "text", "text": f"{n}", "cache_control": mark} for n in range(6)]
    body, warnings = sent({"messages": [{"role": "user", "content": parts}]})
    marked = [block["text"] for block in body["messages"][0]["content"] if "cache_control" in block]
    assert marked == ["0", "3", "4", "5"]
    assert warnings == ["cache_mark_dropped $"]
    hour = [{"type": "text", "text": "h", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    body, warnings = sent({"messages": [{"role": "system", "content": hour}, {"role": "user", "content": parts[:1]}]})
    assert body["system"] == hour
    assert not warnings
    body, warnings = sent({"messages": [{"role": "user", "content": [*parts[:1], *hour]}]})
    assert body["messages"][0]["content"][1]["cache_control"] == mark
    assert warnings == ["parameter_changed $"]
    body, _ = sent({"cache_control": {"type": "ephemeral", "ttl": "1h"}})
    assert body["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_images_and_documents() -> None:
    png, pdf = "iVBORw0KGgo=", "JVBERi0xLjQ="
    text = base64.b64encode("Grüße".encode()).decode()
    parts = [
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{png}"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{pdf}", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": f"data:text/plain;base64,{text}"}},
        {"type": "file", "file": {"file_id": "file_1"}},
    ]
    body, warnings = sent({"messages": [{"role": "user", "content": parts}]})
    assert [block["source"] for block in body["messages"][0]["content"]] == [
        {"type": "url", "url": "https://example.org/a.png"},
        {"type": "base64", "media_type": "image/png", "data": png},
        {"type": "base64", "media_type": "application/pdf", "data": pdf},
        {"type": "text", "media_type": "text/plain", "data": "Grüße"},
        {"type": "file", "file_id": "file_1"},
    ]
    assert body["messages"][0]["content"][2]["title"] == "a.pdf"
    assert not warnings
    local = Target(model="m", vendor="v", options=frozenset(("no_url_media",)))
    audio = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    word = {"type": "file", "file": {"file_data": "data:application/msword;base64,AAAA"}}
    for part, target in ((parts[0], local), (audio, TARGET), (word, TARGET)):
        with pytest.raises(VendorUnsupported) as found:
            sent({"messages": [{"role": "user", "content": [part]}]}, target)
        assert found.value.path == "$.messages[0].content[0]"


def test_people_are_not_named_to_vendors() -> None:
    for user in ("a@example.org", "+49 171 1234567"):
        body, warnings = sent({"user": user})
        assert "metadata" not in body
        assert warnings == ["parameter_dropped $.user"]
    assert sent({"metadata": {"a": "b"}, "service_tier": "flex", "prompt_cache_key": "k"})[1] == [
        "parameter_dropped $.service_tier", "parameter_dropped $.metadata", "parameter_dropped $.prompt_cache_key",
    ]  # fmt: skip
    assert sent({"service_tier": "default"})[0]["service_tier"] == "standard_only"


def test_the_beginning_of_an_answer_ends_without_white_space() -> None:
    body, warnings = sent({"messages": [*HELLO, {"role": "assistant", "content": "{ "}]})
    assert body["messages"][1] == {"role": "assistant", "content": "{"}
    assert warnings == ["parameter_changed $.messages"]


def test_arguments_stay_the_text_they_were_and_become_an_object_if_they_are_none() -> None:
    for arguments, expected in (('{"a":  1.0}', '{"a":  1.0}'), ("", "{}"), ("[1]", '{"input":"[1]"}')):
        call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": arguments}}
        messages = [
            *HELLO,
            {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "x"},
        ]
        request = CHAT.decode(CHAT.open(json.dumps({"model": "a/m", "messages": messages}).encode()))
        body, _ = CLIENT.encode(request, TARGET)
        assert b'"input":' + expected.encode() in body


def test_hosts_say_where_model_version_and_stream_stand() -> None:
    from msgspec import Raw

    target = Target(
        model="us.anthropic.claude-opus-4-6-v1:0",
        vendor="v",
        options=frozenset(("no_model", "no_stream", "no_top_level_cache", "no_metadata")),
        drop=frozenset(("top_k",)),
        rename={"max_tokens": "limit"},
        force={"anthropic_version": Raw(b'"bedrock-2023-05-31"')},
        settings={"path": "/model/{model}/invoke", "stream_path": "/model/{model}/invoke-with-response-stream"},
    )
    body, warnings = sent({"stream": True, "top_k": 3, "cache_control": {"type": "ephemeral"}, "max_tokens": 7}, target)
    assert body == {"messages": HELLO, "limit": 7, "anthropic_version": "bedrock-2023-05-31"}
    assert warnings == ["parameter_dropped $.top_k", "parameter_dropped $.cache_control"]
    assert CLIENT.path(target, stream=False) == "/model/us.anthropic.claude-opus-4-6-v1%3A0/invoke"
    assert CLIENT.path(target, stream=True).endswith("/invoke-with-response-stream")
    assert CLIENT.path(TARGET, stream=True) == "/messages"


@given(st.text(max_size=40) | st.text("ax-0e2", max_size=12))
def test_names_escape_and_come_back(name: str) -> None:
    escaped = escape(name)
    assert unescape(escaped) == name
    assert all(char.isascii() and (char.isalnum() or char in "_-") for char in escaped)


@given(st.text("ax-.", max_size=6), st.text("ax-.", max_size=6))
def test_escaped_names_never_collide(one: str, other: str) -> None:
    assert (escape(one) == escape(other)) is (one == other)


@given(st.text(), st.text(), st.text(), st.sampled_from(["signature", "encrypted", "redacted"]), st.text())
def test_seals_come_back_as_they_were(word: str, data: str, item_id: str, form: str, call_id: str) -> None:
    seal = Seal(form, data, item_id)
    assert unwrap(wrap(seal, f"x{word}", call_id), "signature") == (f"x{word}", seal, call_id)


def test_a_name_too_long_even_for_escaping_goes_elsewhere() -> None:
    tool = {"type": "function", "function": {"name": "ä" * 30}}
    with pytest.raises(VendorUnsupported):
        sent({"tools": [tool]})
