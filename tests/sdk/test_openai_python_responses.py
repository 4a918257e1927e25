"""The official OpenAI SDK for Python, unchanged but for base URL and key: Responses."""

import json
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.types.responses import Response
from pydantic import BaseModel

from sdk.kitchen import CHAT, Kitchen
from sdk.samples import PNG_URL, WEATHER

TOOL = {
    "type": "function",
    "name": WEATHER,
    "strict": True,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
}
FAILURES = [
    ("refused", openai.BadRequestError, 400),
    ("limited", openai.RateLimitError, 429),
    ("failed", openai.InternalServerError, 502),
    ("overloaded", openai.InternalServerError, 503),
]


class Trip(BaseModel):
    """What structured output is asked to be."""

    origin: str
    hours: int


@pytest.fixture(scope="module")
def client(cooked: Kitchen) -> Iterator[OpenAI]:
    with OpenAI(base_url=cooked.house.base_url, api_key=cooked.house.key, max_retries=0) as opened:
        yield opened


def _asked(client: OpenAI, *, stream: bool, **asked: object) -> Response:
    """The answer, at once or put together by the SDK."""
    if not stream:
        return client.responses.create(model=CHAT, **asked)
    with client.responses.stream(model=CHAT, **asked) as opened:
        return opened.get_final_response()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer(client: OpenAI, stream: bool) -> None:
    answer = _asked(client, stream=stream, input="Say: good morning", instructions="Be brief.")
    assert (answer.object, answer.status, answer.model) == ("response", "completed", CHAT)
    assert answer.output_text == "good morning"
    assert [item.type for item in answer.output] == ["message"]
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert answer.usage.input_tokens > 0
    assert answer.usage.model_extra["cost"] > 0


def test_events_come_in_order(client: OpenAI) -> None:
    events = list(client.responses.create(model=CHAT, input="Say: good evening", stream=True))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == "good evening"


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_and_its_result(client: OpenAI, stream: bool) -> None:
    turns: list = [{"role": "user", "content": "What is the weather in Lisbon? Use get_weather."}]
    first = _asked(client, stream=stream, input=turns, tools=[TOOL])
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert call.name == WEATHER
    assert isinstance(json.loads(call.arguments)["city"], str)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": '{"celsius": 21}'}
    turns += [*first.output, result]
    second = _asked(client, stream=stream, input=turns, tools=[TOOL])
    assert '{"celsius": 21}' in second.output_text


@pytest.mark.parametrize("stream", [False, True])
def test_a_picture(client: OpenAI, cooked: Kitchen, stream: bool) -> None:
    picture = {"type": "input_image", "image_url": PNG_URL, "detail": "low"}
    content = [{"type": "input_text", "text": "What is this?"}, picture]
    answer = _asked(client, stream=stream, input=[{"role": "user", "content": content}])
    assert "(image/png, 1x1)" in answer.output_text
    sent = json.loads(cooked.last()["body"])["messages"][0]["content"]
    assert sent[1]["image_url"] == {"url": PNG_URL, "detail": "low"}


def test_structured_output_is_parsed(client: OpenAI) -> None:
    answer = client.responses.parse(model=CHAT, input="Plan a trip.", text_format=Trip)
    assert isinstance(answer.output_parsed, Trip)
    with client.responses.stream(model=CHAT, input="Plan a trip.", text_format=Trip) as stream:
        assert isinstance(stream.get_final_response().output_parsed, Trip)


def test_a_limit_leaves_the_answer_incomplete(client: OpenAI) -> None:
    answer = client.responses.create(model=CHAT, input="Tell me about trains.", max_output_tokens=16)
    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.usage.output_tokens == 16


@pytest.mark.parametrize("stream", [False, True])
def test_thoughts_are_items(client: OpenAI, stream: bool) -> None:
    answer = _asked(client, stream=stream, input="Say: done", reasoning={"effort": "low", "summary": "auto"})
    assert [item.type for item in answer.output] == ["reasoning", "message"]
    assert answer.output_text == "done"
    assert answer.usage.output_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("play", "kind", "status"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_vendors_failure(client: OpenAI, play: str, kind: type, status: int, stream: bool) -> None:
    model = f"test/{play}-{'stream' if stream else 'whole'}"
    with pytest.raises(kind) as caught:
        client.responses.create(model=model, input="Hello", stream=stream)
    assert caught.value.status_code == status
    assert caught.value.body["message"]


def test_a_stream_that_breaks(client: OpenAI) -> None:
    text = ""
    with pytest.raises(openai.APIError) as caught:
        for event in client.responses.create(model="test/broken-stream", input="Hello", stream=True):
            text += event.delta if event.type == "response.output_text.delta" else ""
    assert text
    assert not isinstance(caught.value, openai.APIStatusError)


def test_mistakes_have_their_classes(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.responses.create(model="nobody/nothing", input="Hello")
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="sk-nobody").responses.create(model=CHAT, input="Hello")
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model=CHAT, input="Hello", previous_response_id="resp_1")
    assert "previous_response_id" in str(caught.value.param)
