"""The official OpenAI SDK for Python: every failure is the exception its users catch, and leaving stops the vendor."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator

import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from sdk.kitchen import CHAT, Kitchen
from sdk.samples import say

FAILURES = [
    ("refused", openai.BadRequestError, 400, "invalid_request"),
    ("context", openai.BadRequestError, 400, "context_length_exceeded"),
    ("filtered", openai.PermissionDeniedError, 403, "content_policy_violation"),
    ("large", openai.APIStatusError, 413, "payload_too_large"),
    ("limited", openai.RateLimitError, 429, "rate_limit_exceeded"),
    ("failed", openai.InternalServerError, 502, "upstream_error"),
    ("overloaded", openai.InternalServerError, 503, "provider_overloaded"),
    ("late", openai.InternalServerError, 504, "upstream_timeout"),
]


@pytest.fixture(scope="module")
def client(cooked: Kitchen) -> Iterator[OpenAI]:
    with OpenAI(base_url=cooked.house.base_url, api_key=cooked.house.key, max_retries=0) as opened:
        yield opened


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("play", "kind", "status", "word"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_vendors_failure(client: OpenAI, play: str, kind: type, status: int, word: str, stream: bool) -> None:
    model = f"test/{play}-{'stream' if stream else 'whole'}"
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model=model, messages=say("Hello"), stream=stream)
    error = caught.value
    assert error.status_code == status
    assert error.code == str(status)
    assert error.body["metadata"]["error_type"] == word
    assert error.body["message"]
    assert error.type
    if status in (429, 503):
        assert int(error.response.headers["retry-after"]) >= 1


@pytest.mark.parametrize("key", ["sk-nobody", "sk-farebox-v1-0000000000-" + "0" * 43 + "-000000"])
def test_a_wrong_key(client: OpenAI, key: str) -> None:
    stranger = client.with_options(api_key=key)
    with pytest.raises(openai.AuthenticationError) as caught:
        stranger.chat.completions.create(model=CHAT, messages=say("Hello"))
    assert key not in str(caught.value)


def test_an_unknown_model(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="nobody/nothing", messages=say("Hello"), stream=stream)
        assert "nobody/nothing" in caught.value.body["message"]
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nobody/nothing", input="Hello")
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="nobody/nothing", prompt="Hello")


def test_an_unknown_address(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.get("/no/such/thing", cast_to=object)


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"messages": []}, "messages"),
        ({"temperature": "hot"}, "temperature"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"tools": [{"type": "function", "function": {"name": 7}}]}, "tools[0].function.name"),
    ],
)
def test_a_bad_request_names_its_parameter(client: OpenAI, cooked: Kitchen, wrong: dict, param: str) -> None:
    before = len(cooked.upstream.requests())
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{"model": CHAT, "messages": say("Hello"), **wrong})
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"
    assert len(cooked.upstream.requests()) == before


def test_an_embedding_model_does_not_chat(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model="test/embed", messages=say("Hello"))


@pytest.mark.parametrize(("play", "word"), [("broken", "upstream_error"), ("cut", "upstream_cut")])
def test_a_stream_that_breaks(client: OpenAI, play: str, word: str) -> None:
    stream = client.chat.completions.create(model=f"test/{play}-stream", messages=say("Hello"), stream=True)
    text = ""
    with pytest.raises(openai.APIError) as caught:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text
    assert not isinstance(caught.value, openai.APIStatusError)
    assert (caught.value.code, caught.value.body["metadata"]["error_type"]) == ("502", word)


def test_the_helper_reports_a_broken_stream(client: OpenAI) -> None:
    with (
        client.chat.completions.stream(model="test/broken-stream", messages=say("Hello")) as stream,
        pytest.raises(openai.APIError),
    ):
        stream.until_done()


def test_nobody_at_the_address(client: OpenAI) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # bound, not listening: refused
        lost = client.with_options(base_url=f"http://127.0.0.1:{probe.getsockname()[1]}/v1")
        with pytest.raises(openai.APIConnectionError) as caught:
            lost.chat.completions.create(model=CHAT, messages=say("Hello"))
    assert not isinstance(caught.value, openai.APITimeoutError)


def left_within_s(cooked: Kitchen, model: str, left_s: float) -> float:
    """How long after `left_s` the vendor's exchange with this model ended, because the gateway left."""

    def entry() -> dict:
        return next(r for r in reversed(cooked.upstream.requests()) if r["scope"] == model)

    assert cooked.upstream.until(lambda _: entry()["ended_s"] is not None)
    assert entry()["outcome"] == "client left"
    connection = entry()["connection"]
    assert cooked.upstream.until(
        lambda u: not any(c["open"] for c in u.connections() if c["number"] == connection), within_s=1.0
    )
    return entry()["ended_s"] - left_s


def test_leaving_a_stream_stops_the_vendor(client: OpenAI, cooked: Kitchen) -> None:
    stream = client.chat.completions.create(model="test/endless-stream", messages=say("Hello"), stream=True)
    first = next(iter(stream))
    left_s = time.time()
    stream.close()
    assert left_within_s(cooked, "endless-stream", left_s) < 1.0
    record = cooked.house.record(first.id)
    assert record.cancelled


def test_a_callers_timeout_stops_the_vendor(client: OpenAI, cooked: Kitchen) -> None:
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model="test/lazy-whole", messages=say("Hello"))
    assert left_within_s(cooked, "lazy-whole", time.time()) < 1.0


def test_a_cancelled_task_stops_the_vendor(cooked: Kitchen) -> None:
    async def run() -> float:
        async with AsyncOpenAI(base_url=cooked.house.base_url, api_key=cooked.house.key, max_retries=0) as client:
            begun = asyncio.Event()

            async def read() -> None:
                asked = {"model": "test/endless-whole", "messages": say("Hello")}
                async with await client.chat.completions.create(**asked, stream=True) as stream:
                    async for _ in stream:
                        begun.set()

            task = asyncio.create_task(read())
            await begun.wait()
            left_s = time.time()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            return left_s

    assert left_within_s(cooked, "endless-whole", asyncio.run(run())) < 1.0


def test_concurrent_calls_of_the_async_client(cooked: Kitchen) -> None:
    async def run() -> list[str]:
        async with AsyncOpenAI(base_url=cooked.house.base_url, api_key=cooked.house.key, max_retries=0) as client:

            async def ask(number: int) -> str:
                answer = await client.chat.completions.create(model=CHAT, messages=say(f"Say: number {number}"))
                return answer.choices[0].message.content

            return await asyncio.gather(*map(ask, range(12)))

    assert asyncio.run(run()) == [f"number {number}" for number in range(12)]


def test_what_failed_is_charged_nothing(client: OpenAI, cooked: Kitchen) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(model="test/failed-whole", messages=say("Hello"))
    record = cooked.house.record(caught.value.response.headers["x-generation-id"])
    assert record.total_nano == 0
    assert json.dumps(caught.value.body)
