"""The official OpenRouter SDK for Python, unchanged but for server URL and key: generations and failures."""

import asyncio
import json
import time
from collections.abc import Iterator

import pytest
from openrouter import OpenRouter, errors

from sdk.kitchen import CHAT, SPELLINGS, Kitchen
from sdk.samples import PNG_URL, WEATHER, clock_tool, say, weather_tool


def url(cooked: Kitchen) -> str:
    return cooked.house.base_url.replace("/v1", "/api/v1")


@pytest.fixture(scope="module")
def client(cooked: Kitchen) -> Iterator[OpenRouter]:
    # Left to itself the SDK repeats what failed for an hour.
    with OpenRouter(
        api_key=cooked.house.key, server_url=url(cooked), retry_config=None, x_open_router_title="Tests"
    ) as opened:
        yield opened


def test_a_whole_answer_with_usage_and_cost(client: OpenRouter, cooked: Kitchen) -> None:
    answer = client.chat.send(model=CHAT, messages=say("Say: good morning"))
    assert answer.choices[0].message.content == "good morning"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == CHAT
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.usage.cost > answer.usage.cost_details.upstream_inference_cost > 0
    assert answer.usage.is_byok is False
    assert cooked.house.record(answer.id).title == "Tests"


def test_a_stream_with_usage_and_cost_at_its_end(client: OpenRouter) -> None:
    with client.chat.send(model=CHAT, messages=say("Say: good evening"), stream=True) as stream:
        chunks = list(stream)
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices) == "good evening"
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.cost > 0
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_and_several_turns_reach_the_vendor(client: OpenRouter, cooked: Kitchen, role: str) -> None:
    messages = [
        {"role": role, "content": "Be terse."},
        *say("Say: one"),
        {"role": "assistant", "content": "one"},
        *say("Say: two"),
    ]
    assert client.chat.send(model=CHAT, messages=messages).choices[0].message.content == "two"
    sent = json.loads(cooked.last()["body"])["messages"]
    assert [message["content"] for message in sent] == ["Be terse.", "Say: one", "one", "Say: two"]


def test_tool_calls_and_their_results(client: OpenRouter) -> None:
    messages = say("Weather and clock in Lisbon? Use get_weather and read_clock.")
    tools = [weather_tool(), clock_tool()]
    first = client.chat.send(model=CHAT, messages=messages, tools=tools)
    calls = first.choices[0].message.tool_calls
    assert first.choices[0].finish_reason == "tool_calls"
    assert [call.function.name for call in calls] == [WEATHER, "read_clock"]
    assert all(isinstance(json.loads(call.function.arguments), dict) for call in calls)
    messages.append(first.choices[0].message.model_dump(exclude_unset=True))
    messages += [{"role": "tool", "tool_call_id": call.id, "content": f"result {i}"} for i, call in enumerate(calls)]
    assert "result 0; result 1" in client.chat.send(model=CHAT, messages=messages).choices[0].message.content


def test_tool_calls_in_a_stream(client: OpenRouter) -> None:
    gathered: dict[int, list[str]] = {}
    forced = {"type": "function", "function": {"name": "read_clock"}}
    asked = {"model": CHAT, "messages": say("Hello."), "tools": [weather_tool(), clock_tool()]}
    with client.chat.send(**asked, tool_choice=forced, stream=True) as stream:
        for chunk in stream:
            for choice in chunk.choices:
                for call in choice.delta.tool_calls or ():
                    named = call.function.name or "" if call.function else ""
                    assert named in {"", "read_clock"}
                    gathered.setdefault(int(call.index), []).append(call.function.arguments or "")
    assert list(gathered) == [0]
    assert isinstance(json.loads("".join(gathered[0]))["place"], str)


@pytest.mark.parametrize("stream", [False, True])
def test_structured_output(client: OpenRouter, stream: bool) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    shape = {"type": "json_schema", "json_schema": {"name": "number", "strict": True, "schema": schema}}
    asked = {"model": CHAT, "messages": say("A number."), "response_format": shape}
    if stream:
        with client.chat.send(**asked, stream=True) as opened:
            text = "".join(c.delta.content or "" for chunk in opened for c in chunk.choices)
    else:
        text = client.chat.send(**asked).choices[0].message.content
    assert isinstance(json.loads(text)["n"], int)


def test_pictures(client: OpenRouter) -> None:
    picture = {"type": "image_url", "image_url": {"url": PNG_URL}}
    answer = client.chat.send(model=CHAT, messages=say([{"type": "text", "text": "What is this?"}, picture]))
    assert "(image/png, 1x1)" in answer.choices[0].message.content


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_reasoning_with_its_details(client: OpenRouter, spelling: str) -> None:
    message = client.chat.send(model=f"test/think-{spelling}-whole", messages=say("Say: done")).choices[0].message
    assert message.content == "done"
    assert message.reasoning.startswith("Let me think this through.")
    assert "".join(detail.text for detail in message.reasoning_details) == message.reasoning
    with client.chat.send(model=f"test/think-{spelling}-stream", messages=say("Say: done"), stream=True) as stream:
        deltas = [choice.delta for chunk in stream for choice in chunk.choices]
    assert "".join(delta.reasoning or "" for delta in deltas) == message.reasoning
    told = "".join(detail.text or "" for delta in deltas for detail in delta.reasoning_details or ())
    assert told == message.reasoning


def test_reasoning_is_asked_for(client: OpenRouter) -> None:
    answer = client.chat.send(model=CHAT, messages=say("Say: done"), reasoning={"effort": "low"})
    assert answer.choices[0].message.reasoning
    assert answer.usage.completion_tokens_details.reasoning_tokens > 0


def test_logprobs_limits_and_seeds(client: OpenRouter, cooked: Kitchen) -> None:
    asked = {"model": CHAT, "messages": say("Tell me about trains."), "logprobs": True, "top_logprobs": 1}
    answer = client.chat.send(**asked, max_tokens=3, seed=7, stop=["zebra"], temperature=0.5)
    assert answer.choices[0].finish_reason == "length"
    assert len(answer.choices[0].logprobs.content) == 3
    sent = json.loads(cooked.last()["body"])
    assert (sent["max_tokens"], sent["seed"], sent["stop"], sent["temperature"]) == (3, 7, ["zebra"], 0.5)


def test_providers_and_models_are_chosen(client: OpenRouter, cooked: Kitchen) -> None:
    for slug in ("alpha", "beta"):
        chosen = {"order": [slug], "allow_fallbacks": False}
        answer = client.chat.send(model=CHAT, messages=say("Say: hi"), provider=chosen)
        assert cooked.house.record(answer.id).provider == slug
    answer = client.chat.send(models=["test/overloaded-whole", CHAT], messages=say("Say: hi"))
    assert (answer.model, answer.choices[0].message.content) == (CHAT, "hi")


def test_embeddings(client: OpenRouter) -> None:
    plain = client.embeddings.generate(model="test/embed", input=["one", "two"], dimensions=8, encoding_format="float")
    assert [len(entry.embedding) for entry in plain.data] == [8, 8]
    assert plain.usage.prompt_tokens > 0
    assert plain.usage.cost > 0
    coded = client.embeddings.generate(model="test/embed", input="one", encoding_format="base64")
    assert isinstance(coded.data[0].embedding, str)


FAILURES = [
    ("refused", errors.BadRequestResponseError, 400),
    ("large", errors.PayloadTooLargeResponseError, 413),
    ("limited", errors.TooManyRequestsResponseError, 429),
    ("failed", errors.BadGatewayResponseError, 502),
    ("overloaded", errors.ServiceUnavailableResponseError, 503),
    ("filtered", errors.ForbiddenResponseError, 403),
    ("late", errors.OpenRouterError, 504),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("play", "kind", "status"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_vendors_failure(client: OpenRouter, play: str, kind: type, status: int, stream: bool) -> None:
    model = f"test/{play}-{'stream' if stream else 'whole'}"
    with pytest.raises(kind) as caught:
        client.chat.send(model=model, messages=say("Hello"), stream=stream)
    assert caught.value.status_code == status
    assert json.loads(caught.value.body)["error"]["code"] == status


def test_the_callers_mistakes(client: OpenRouter, cooked: Kitchen) -> None:
    with pytest.raises(errors.NotFoundResponseError):
        client.chat.send(model="nobody/nothing", messages=say("Hello"))
    with pytest.raises(errors.BadRequestResponseError):
        client.chat.send(model=CHAT, messages=[])
    with (
        OpenRouter(api_key="sk-nobody", server_url=url(cooked), retry_config=None) as stranger,
        pytest.raises(errors.UnauthorizedResponseError),
    ):
        stranger.chat.send(model=CHAT, messages=say("Hello"))


def test_a_stream_that_breaks_says_so(client: OpenRouter) -> None:
    with client.chat.send(model="test/broken-stream", messages=say("Hello"), stream=True) as stream:
        chunks = list(stream)
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
    assert (chunks[-1].error.code, chunks[-1].choices[0].finish_reason) == (502, "error")


def test_leaving_a_stream_stops_the_vendor(cooked: Kitchen) -> None:
    async def run() -> float:
        async with OpenRouter(api_key=cooked.house.key, server_url=url(cooked), retry_config=None) as client:
            asked = {"model": "test/endless-stream", "messages": say("Hello")}
            async with await client.chat.send_async(**asked, stream=True) as stream:
                async for _ in stream:
                    break
            return time.time()

    left_s = asyncio.run(run())
    assert cooked.upstream.until(lambda _: cooked.last()["ended_s"] is not None)
    assert cooked.last()["outcome"] == "client left"
    assert cooked.last()["ended_s"] - left_s < 1.0
