"""The official Gemini SDK for Python, unchanged but for base URL and key."""

import base64
from collections.abc import Iterator

import pytest
from google import genai
from google.genai import errors, types

from sdk.kitchen import CHAT, Kitchen
from sdk.samples import PNG_URL, WEATHER

PNG = base64.b64decode(PNG_URL.partition("base64,")[2])
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL = types.Tool(function_declarations=[types.FunctionDeclaration(name=WEATHER, parameters_json_schema=SCHEMA)])
BY_HAND = types.AutomaticFunctionCallingConfig(disable=True)
FAILURES = [
    ("refused", errors.ClientError, 400, "INVALID_ARGUMENT"),
    ("limited", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
    ("failed", errors.ServerError, 502, "UNAVAILABLE"),
    ("overloaded", errors.ServerError, 503, "UNAVAILABLE"),
]


def _client(cooked: Kitchen, prefix: str = "", key: str = "") -> genai.Client:
    root = cooked.house.base_url.removesuffix("/v1")
    options = types.HttpOptions(base_url=root + prefix, retry_options=types.HttpRetryOptions(attempts=1))
    return genai.Client(api_key=key or cooked.house.key, vertexai=False, http_options=options)


@pytest.fixture(scope="module", params=["", "/genai"], ids=["root", "prefix"])
def client(cooked: Kitchen, request: pytest.FixtureRequest) -> Iterator[genai.Client]:
    opened = _client(cooked, request.param)
    yield opened
    opened.close()


def test_a_whole_answer(client: genai.Client) -> None:
    answer = client.models.generate_content(model=CHAT, contents="Say: good morning")
    assert answer.text == "good morning"
    assert answer.candidates[0].finish_reason == types.FinishReason.STOP
    assert answer.model_version == CHAT
    assert answer.response_id.startswith("gen-")
    usage = answer.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    assert usage.prompt_token_count > 0


def test_a_stream(client: genai.Client) -> None:
    chunks = list(client.models.generate_content_stream(model=CHAT, contents="Say: good evening"))
    assert "".join(chunk.text or "" for chunk in chunks) == "good evening"
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    assert chunks[-1].usage_metadata.candidates_token_count > 0


def test_a_chat_remembers(client: genai.Client) -> None:
    chat = client.chats.create(model=CHAT, config=types.GenerateContentConfig(system_instruction="Be brief."))
    assert chat.send_message("Say: one").text == "one"
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("Say: two")) == "two"
    assert [content.role for content in chat.get_history()][:3] == ["user", "model", "user"]


def test_a_tool_call_and_its_result(client: genai.Client) -> None:
    asked = types.UserContent("What is the weather in Lisbon? Use get_weather.")
    config = types.GenerateContentConfig(tools=[TOOL], automatic_function_calling=BY_HAND)
    first = client.models.generate_content(model=CHAT, contents=[asked], config=config)
    (call,) = first.function_calls
    assert call.name == WEATHER
    assert isinstance(call.args["city"], str)
    result = types.FunctionResponse(id=call.id, name=call.name, response={"celsius": 21})
    turns = [asked, first.candidates[0].content, types.UserContent([types.Part(function_response=result)])]
    second = client.models.generate_content(model=CHAT, contents=turns, config=config)
    assert "celsius" in second.text
    assert "21" in second.text


def test_tools_are_called_by_the_library_itself(client: genai.Client) -> None:
    called = []

    def get_weather(city: str) -> str:
        """The weather of a city."""
        called.append(city)
        return "sunny, 21 degrees"

    config = types.GenerateContentConfig(tools=[get_weather])
    asked = "What is the weather in Lisbon? Use get_weather."
    answer = client.models.generate_content(model=CHAT, contents=asked, config=config)
    assert called
    assert "sunny, 21 degrees" in answer.text


def test_a_streamed_tool_call(client: genai.Client) -> None:
    config = types.GenerateContentConfig(tools=[TOOL], automatic_function_calling=BY_HAND)
    chunks = client.models.generate_content_stream(model=CHAT, contents="Use get_weather.", config=config)
    calls = [call for chunk in chunks for call in chunk.function_calls or ()]
    assert [call.name for call in calls] == [WEATHER]


def test_a_picture(client: genai.Client) -> None:
    contents = [types.Part.from_bytes(data=PNG, mime_type="image/png"), "What is this?"]
    assert "(image/png, 1x1)" in client.models.generate_content(model=CHAT, contents=contents).text


def test_a_limit_ends_with_max_tokens(client: genai.Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=3)
    answer = client.models.generate_content(model=CHAT, contents="Tell me about trains.", config=config)
    assert answer.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS


def test_thoughts_are_marked(client: genai.Client) -> None:
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1024)
    config = types.GenerateContentConfig(thinking_config=thinking)
    answer = client.models.generate_content(model=CHAT, contents="Say: done", config=config)
    assert [bool(part.thought) for part in answer.candidates[0].content.parts] == [True, False]
    assert answer.text == "done"
    assert answer.usage_metadata.thoughts_token_count > 0


def test_structured_output_is_parsed(client: genai.Client) -> None:
    config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=SCHEMA)
    answer = client.models.generate_content(model=CHAT, contents="Plan.", config=config)
    assert isinstance(answer.parsed["city"], str)


def test_tokens_are_counted(client: genai.Client) -> None:
    assert client.models.count_tokens(model=CHAT, contents="Say: good morning").total_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("play", "kind", "status", "word"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_vendors_failure(cooked: Kitchen, play: str, kind: type, status: int, word: str, stream: bool) -> None:
    with _client(cooked) as client, pytest.raises(kind) as caught:
        if stream:
            list(client.models.generate_content_stream(model=f"test/{play}-stream", contents="Hello"))
        else:
            client.models.generate_content(model=f"test/{play}-whole", contents="Hello")
    assert (caught.value.code, caught.value.status) == (status, word)
    assert caught.value.message


def test_mistakes_are_client_errors(cooked: Kitchen) -> None:
    with _client(cooked) as client, pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="nobody/nothing", contents="Hello")
    assert (caught.value.code, caught.value.status) == (404, "NOT_FOUND")
    with _client(cooked, key="sk-nobody") as stranger, pytest.raises(errors.ClientError) as caught:
        stranger.models.generate_content(model=CHAT, contents="Hello")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")
