"""The official Anthropic SDK for Python, unchanged but for base URL and key."""

import json
from collections.abc import Iterator

import anthropic
import pytest
from anthropic import Anthropic

from sdk.kitchen import CHAT, Kitchen
from sdk.samples import PNG_URL, WEATHER, say

TOOL = {
    "name": WEATHER,
    "description": "The weather of a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PNG = PNG_URL.partition("base64,")[2]
FAILURES = [
    ("refused", anthropic.BadRequestError, 400, "invalid_request_error"),
    ("context", anthropic.BadRequestError, 400, "invalid_request_error"),
    ("filtered", anthropic.PermissionDeniedError, 403, "permission_error"),
    ("large", anthropic.RequestTooLargeError, 413, "request_too_large"),
    ("limited", anthropic.RateLimitError, 429, "rate_limit_error"),
    ("failed", anthropic.InternalServerError, 502, "api_error"),
    ("overloaded", anthropic.InternalServerError, 503, "overloaded_error"),
]


@pytest.fixture(scope="module", params=["", "/anthropic"], ids=["root", "prefix"])
def client(cooked: Kitchen, request: pytest.FixtureRequest) -> Iterator[Anthropic]:
    root = cooked.house.base_url.removesuffix("/v1")
    with Anthropic(base_url=root + request.param, api_key=cooked.house.key, max_retries=0) as opened:
        yield opened


def test_a_whole_answer(client: Anthropic) -> None:
    answer = client.messages.create(model=CHAT, max_tokens=64, messages=say("Say: good morning"))
    assert (answer.type, answer.role, answer.model) == ("message", "assistant", CHAT)
    assert [block.type for block in answer.content] == ["text"]
    assert answer.content[0].text == "good morning"
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0
    assert answer.usage.model_extra["cost"] > 0


def test_a_stream_through_the_accumulator(client: Anthropic) -> None:
    with client.messages.stream(model=CHAT, max_tokens=64, messages=say("Say: good evening")) as stream:
        text = "".join(stream.text_stream)
        answer = stream.get_final_message()
    assert text == answer.content[0].text == "good evening"
    assert answer.stop_reason == "end_turn"
    assert answer.usage.input_tokens > 0
    assert answer.usage.output_tokens > 0


def test_raw_events_come_in_the_protocols_order(client: Anthropic) -> None:
    asked = {"model": CHAT, "max_tokens": 64, "messages": say("Say: good evening")}
    kinds = [event.type for event in client.messages.create(**asked, stream=True)]
    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert set(kinds[2:-3]) <= {"content_block_delta", "ping"}


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_and_its_result(client: Anthropic, stream: bool) -> None:
    messages = say("What is the weather in Lisbon? Use get_weather.")

    def ask() -> anthropic.types.Message:
        asked = {"model": CHAT, "max_tokens": 256, "messages": messages, "tools": [TOOL]}
        if not stream:
            return client.messages.create(**asked)
        with client.messages.stream(**asked) as opened:
            return opened.get_final_message()

    first = ask()
    assert first.stop_reason == "tool_use"
    (call,) = [block for block in first.content if block.type == "tool_use"]
    assert call.name == WEATHER
    assert isinstance(call.input["city"], str)
    result = {"type": "tool_result", "tool_use_id": call.id, "content": '{"celsius": 21}'}
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": [result]}]
    second = ask()
    assert second.stop_reason == "end_turn"
    assert '{"celsius": 21}' in second.content[0].text


def test_a_picture_and_instructions_reach_the_vendor(client: Anthropic, cooked: Kitchen) -> None:
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}
    content = [picture, {"type": "text", "text": "What is this?"}]
    answer = client.messages.create(model=CHAT, max_tokens=64, system="Be brief.", messages=say(content))
    assert "(image/png, 1x1)" in answer.content[0].text
    sent = json.loads(cooked.last()["body"])["messages"]
    assert (sent[0]["role"], sent[0]["content"]) == ("system", "Be brief.")
    assert sent[1]["content"][0]["image_url"]["url"] == PNG_URL


def test_a_limit_ends_with_max_tokens(client: Anthropic) -> None:
    answer = client.messages.create(model=CHAT, max_tokens=3, messages=say("Tell me about trains."))
    assert answer.stop_reason == "max_tokens"
    assert answer.usage.output_tokens == 3


def test_thoughts_are_blocks(client: Anthropic) -> None:
    asked = {"model": CHAT, "max_tokens": 4096, "messages": say("Say: done")}
    with client.messages.stream(**asked, thinking={"type": "enabled", "budget_tokens": 1024}) as stream:
        answer = stream.get_final_message()
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[0].thinking
    assert answer.content[1].text == "done"


def test_tokens_are_counted(client: Anthropic) -> None:
    assert client.messages.count_tokens(model=CHAT, messages=say("Say: good morning")).input_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("play", "kind", "status", "word"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_vendors_failure(cooked: Kitchen, play: str, kind: type, status: int, word: str, stream: bool) -> None:
    root = cooked.house.base_url.removesuffix("/v1")
    asked = {"model": f"test/{play}-{'stream' if stream else 'whole'}", "max_tokens": 64, "messages": say("Hello")}
    with (
        Anthropic(base_url=root, api_key=cooked.house.key, max_retries=0) as client,
        pytest.raises(kind) as caught,
    ):
        client.messages.create(**asked, stream=stream)
    assert caught.value.status_code == status
    assert caught.value.body["type"] == "error"
    assert caught.value.body["error"]["type"] == word
    assert caught.value.request_id.startswith("gen-")


def test_a_stream_that_breaks(client: Anthropic) -> None:
    text = ""
    with (
        client.messages.stream(model="test/broken-stream", max_tokens=64, messages=say("Hello")) as stream,
        pytest.raises(anthropic.APIError),
    ):
        for piece in stream.text_stream:
            text += piece
    assert text


def test_mistakes_have_their_classes(client: Anthropic) -> None:
    asked = {"max_tokens": 64, "messages": say("Hello")}
    with pytest.raises(anthropic.NotFoundError) as caught:
        client.messages.create(model="nobody/nothing", **asked)
    assert "nobody/nothing" in caught.value.message
    with pytest.raises(anthropic.AuthenticationError):
        client.with_options(api_key="sk-nobody").messages.create(model=CHAT, **asked)
    with pytest.raises(anthropic.BadRequestError):
        client.messages.create(model=CHAT, max_tokens=64, messages=[])
