"""Usage held against what went through our hands: lies are cut down, what vendors add themselves is believed."""

import json

import pytest

from farebox.dialects.ports import Outcome
from farebox.dialects.registry import SERVERS
from farebox.gateway.meter import checked
from farebox.ir.usage import METERED, Usage

LARGE = Usage({"input_fresh": 20_000, "output_text": 40})
CHAT = {"model": "a/b", "messages": [{"role": "user", "content": "What is new?"}]}
FUNCTION = {"name": "look", "parameters": {"type": "object"}}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "What is new?"}]}]}

PLAIN = [
    ("openai_chat", CHAT),
    ("openai_chat", CHAT | {"tools": [{"type": "function", "function": FUNCTION}]}),
    ("openai_completions", {"model": "a/b", "prompt": "What is new?"}),
    ("openai_responses", {"model": "a/b", "input": "x", "tools": [{"type": "function", **FUNCTION}]}),
    ("anthropic_messages", CHAT | {"max_tokens": 9, "tools": [{"name": "look", "input_schema": {"type": "object"}}]}),
    ("google_generate", CONTENTS | {"tools": [{"functionDeclarations": [FUNCTION]}]}),
]
ADDED = [
    ("openai_chat", CHAT | {"web_search_options": {}}),
    ("openai_responses", {"model": "a/b", "input": "x", "tools": [{"type": "web_search"}]}),
    ("openai_responses", {"model": "a/b", "input": "x", "tools": [{"type": "function", **FUNCTION}, {"type": "mcp"}]}),
    ("openai_responses", {"model": "a/b", "prompt": {"id": "pmpt_1"}}),
    ("anthropic_messages", CHAT | {"max_tokens": 9, "tools": [{"type": "web_fetch_20250910", "name": "web_fetch"}]}),
    (
        "anthropic_messages",
        CHAT | {"max_tokens": 9, "mcp_servers": [{"type": "url", "url": "https://x.y", "name": "x"}]},
    ),
    ("google_generate", CONTENTS | {"cachedContent": "cachedContents/1"}),
    ("google_generate", CONTENTS | {"tools": [{"googleSearch": {}}]}),
]


def _checked(dialect: str, body: dict, usage: Usage) -> tuple[Usage, list[str]]:
    flags: list[str] = []
    opened = SERVERS[dialect].open(json.dumps(body).encode())
    return checked(usage, opened, Outcome(content_chars=160), flags), flags


@pytest.mark.parametrize(("dialect", "body"), PLAIN)
def test_a_prompt_that_cannot_be_so_large_is_counted_by_us(dialect: str, body: dict) -> None:
    usage, flags = _checked(dialect, body, LARGE)
    assert flags == ["usage_absurd_prompt"]
    assert usage.source == METERED
    assert usage.prompt_tokens() < 200


@pytest.mark.parametrize(("dialect", "body"), ADDED)
def test_a_prompt_that_the_vendor_adds_to_is_believed(dialect: str, body: dict) -> None:
    assert _checked(dialect, body, LARGE) == (LARGE, [])


def test_a_search_that_was_made_explains_a_large_prompt() -> None:
    searched = Usage(LARGE.leaves | {"search": 1})
    assert _checked("openai_chat", CHAT, searched) == (searched, [])


def test_an_answer_of_more_tokens_than_bytes_is_counted_by_us() -> None:
    usage, flags = _checked("openai_chat", CHAT, Usage({"input_fresh": 5, "output_text": 9_000}))
    assert flags == ["usage_absurd_completion"]
    assert usage.leaves["output_text"] == 40
