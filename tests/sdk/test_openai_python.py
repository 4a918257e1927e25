"""The official OpenAI SDK for Python, unchanged but for base URL and key: generations."""

import json
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI
from openai.lib.streaming.chat import ChatCompletionStreamEvent
from pydantic import BaseModel

from sdk.kitchen import CHAT, SPELLINGS, Kitchen
from sdk.samples import JPEG_URL, PNG_URL, WAV, WEATHER, clock_tool, say, weather_tool


@pytest.fixture(scope="module")
def client(cooked: Kitchen) -> Iterator[OpenAI]:
    with OpenAI(base_url=cooked.house.base_url, api_key=cooked.house.key, max_retries=0) as opened:
        yield opened


class Trip(BaseModel):
    """What structured output is asked to be."""

    origin: str
    stops: list[str]
    hours: int


def told(stream: openai.Stream) -> tuple[str, list]:
    """The text of a stream and its chunks."""
    chunks = list(stream)
    return "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices), chunks


def test_a_whole_answer(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=CHAT, messages=say("Say: good morning"))
    assert answer.object == "chat.completion"
    assert answer.id.startswith("gen-")
    assert answer.model == CHAT
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content == "good morning"
    assert answer.choices[0].message.tool_calls is None
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model_extra["provider"] in {"Alpha", "Beta"}


def test_usage_and_cost(client: OpenAI) -> None:
    usage = client.chat.completions.create(model=CHAT, messages=say("Say: good morning")).usage
    assert usage.prompt_tokens > 0
    assert usage.completion_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    price = (usage.prompt_tokens * 400_000 + usage.completion_tokens * 1_200_000) / 1e12
    details = usage.model_extra["cost_details"]
    assert details["upstream_inference_cost"] == pytest.approx(price, abs=2e-9)
    assert usage.model_extra["cost"] >= details["upstream_inference_cost"]


def test_a_stream(client: OpenAI) -> None:
    text, chunks = told(client.chat.completions.create(model=CHAT, messages=say("Say: good evening"), stream=True))
    assert text == "good evening"
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]


@pytest.mark.parametrize("options", [openai.omit, {"include_usage": True}])
def test_usage_and_cost_are_in_the_last_chunk_of_a_stream(client: OpenAI, options: object) -> None:
    asked = client.chat.completions.create(
        model=CHAT, messages=say("Say: good evening"), stream=True, stream_options=options
    )
    chunks = list(asked)
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    usage = chunks[-1].usage
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.model_extra["cost"] > 0


@pytest.mark.parametrize("role", ["system", "developer"])
def test_instructions_and_several_turns_reach_the_vendor(client: OpenAI, cooked: Kitchen, role: str) -> None:
    messages = [
        {"role": role, "content": f"Be terse, {role}."},
        *say("Say: one"),
        {"role": "assistant", "content": "one"},
        *say("Say: two"),
    ]
    answer = client.chat.completions.create(model=CHAT, messages=messages)
    assert answer.choices[0].message.content == "two"
    sent = json.loads(cooked.last()["body"])["messages"]
    assert [message["content"] for message in sent] == [message["content"] for message in messages]
    assert sent[0]["role"] in {role, "system"}


def test_a_tool_call_and_its_result(client: OpenAI) -> None:
    messages = say("What is the weather in Lisbon? Use get_weather.")
    first = client.chat.completions.create(model=CHAT, messages=messages, tools=[weather_tool()])
    assert first.choices[0].finish_reason == "tool_calls"
    call = first.choices[0].message.tool_calls[0]
    assert (call.type, call.function.name) == ("function", WEATHER)
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    messages += [
        first.choices[0].message.to_dict(),
        {"role": "tool", "tool_call_id": call.id, "content": '{"celsius": 21}'},
    ]
    second = client.chat.completions.create(model=CHAT, messages=messages, tools=[weather_tool()])
    assert '{"celsius": 21}' in second.choices[0].message.content
    assert second.choices[0].finish_reason == "stop"


def test_parallel_tool_calls_streamed_through_the_helper(client: OpenAI) -> None:
    messages = say("Weather and clock in Lisbon and Oslo? Use get_weather and read_clock.")
    tools = [weather_tool(), clock_tool()]
    with client.chat.completions.stream(model=CHAT, messages=messages, tools=tools) as stream:
        events: list[ChatCompletionStreamEvent] = list(stream)
        answer = stream.get_final_completion()
    calls = answer.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == [WEATHER, "read_clock"]
    assert len({call.id for call in calls}) == 2
    assert [call.function.parsed_arguments for call in calls] == [json.loads(c.function.arguments) for c in calls]
    done = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    assert [event.arguments for event in done] == [call.function.arguments for call in calls]
    deltas = [event for event in events if event.type == "tool_calls.function.arguments.delta"]
    assert len(deltas) > 2
    messages.append(answer.choices[0].message.to_dict())
    messages += [{"role": "tool", "tool_call_id": call.id, "content": f"result {i}"} for i, call in enumerate(calls)]
    text, _ = told(client.chat.completions.create(model=CHAT, messages=messages, tools=tools, stream=True))
    assert "result 0; result 1" in text


def test_parallel_tool_calls_can_be_refused(client: OpenAI) -> None:
    answer = client.chat.completions.create(
        model=CHAT,
        messages=say("Use get_weather and read_clock, both."),
        tools=[weather_tool(), clock_tool()],
        parallel_tool_calls=False,
    )
    assert len(answer.choices[0].message.tool_calls) == 1


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_can_be_forced_or_forbidden(client: OpenAI, stream: bool) -> None:
    def names(choice: object) -> list[str]:
        asked = {"model": CHAT, "messages": say("Hello there."), "tools": [weather_tool(), clock_tool()]}
        if stream:
            with client.chat.completions.stream(**asked, tool_choice=choice) as opened:
                answer = opened.get_final_completion()
        else:
            answer = client.chat.completions.create(**asked, tool_choice=choice)
        return [call.function.name for call in answer.choices[0].message.tool_calls or ()]

    assert names({"type": "function", "function": {"name": "read_clock"}}) == ["read_clock"]
    assert names("required") == [WEATHER]
    assert names("none") == []


def test_structured_output_is_parsed(client: OpenAI) -> None:
    answer = client.chat.completions.parse(model=CHAT, messages=say("Plan a trip."), response_format=Trip)
    trip = answer.choices[0].message.parsed
    assert isinstance(trip, Trip)
    assert isinstance(trip.hours, int)


def test_structured_output_is_parsed_from_a_stream(client: OpenAI) -> None:
    with client.chat.completions.stream(model=CHAT, messages=say("Plan a trip."), response_format=Trip) as stream:
        kinds = {event.type for event in stream}
        assert isinstance(stream.get_final_completion().choices[0].message.parsed, Trip)
    assert {"content.delta", "content.done", "chunk"} <= kinds


def test_tool_arguments_are_parsed(client: OpenAI) -> None:
    tool = openai.pydantic_function_tool(Trip, name="book_trip")
    answer = client.chat.completions.parse(model=CHAT, messages=say("Use book_trip now."), tools=[tool])
    assert isinstance(answer.choices[0].message.tool_calls[0].function.parsed_arguments, Trip)


def test_json_mode(client: OpenAI) -> None:
    asked = {"model": CHAT, "messages": say("Some JSON."), "response_format": {"type": "json_object"}}
    assert json.loads(client.chat.completions.create(**asked).choices[0].message.content)
    assert json.loads(told(client.chat.completions.create(**asked, stream=True))[0])


@pytest.mark.parametrize("url", [PNG_URL, JPEG_URL])
@pytest.mark.parametrize("stream", [False, True])
def test_pictures(client: OpenAI, cooked: Kitchen, url: str, stream: bool) -> None:
    picture = {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
    content = [{"type": "text", "text": "What is this?"}, picture]
    asked = {"model": CHAT, "messages": say(content)}
    if stream:
        text, _ = told(client.chat.completions.create(**asked, stream=True))
    else:
        text = client.chat.completions.create(**asked).choices[0].message.content
    assert ("(image/png, 1x1)" if url == PNG_URL else f"an image at {JPEG_URL}") in text
    assert json.loads(cooked.last()["body"])["messages"][0]["content"] == content


def test_sounds_and_files(client: OpenAI, cooked: Kitchen) -> None:
    content = [
        {"type": "text", "text": "What is in these?"},
        {"type": "input_audio", "input_audio": {"data": WAV, "format": "wav"}},
        {"type": "file", "file": {"filename": "note.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
    ]
    text = client.chat.completions.create(model=CHAT, messages=say(content)).choices[0].message.content
    assert "I hear a sound of 4 bytes (wav)." in text
    assert "a file of 5 bytes (application/pdf)" in text
    assert json.loads(cooked.last()["body"])["messages"][0]["content"] == content


@pytest.mark.parametrize("stream", [False, True])
def test_logprobs(client: OpenAI, stream: bool) -> None:
    asked = {"model": CHAT, "messages": say("Say: good morning"), "logprobs": True, "top_logprobs": 2}
    if stream:
        _, chunks = told(client.chat.completions.create(**asked, stream=True))
        tokens = [t for chunk in chunks for c in chunk.choices if c.logprobs for t in c.logprobs.content or ()]
    else:
        tokens = client.chat.completions.create(**asked).choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == "good morning"
    assert all(len(token.top_logprobs) == 2 and token.logprob < 0 for token in tokens)


@pytest.mark.parametrize("stream", [False, True])
def test_several_choices(client: OpenAI, stream: bool) -> None:
    asked = {"model": CHAT, "messages": say("Tell me about trains, please."), "n": 2}
    if stream:
        with client.chat.completions.stream(**asked) as opened:
            opened.until_done()
            answer = opened.get_final_completion()
    else:
        answer = client.chat.completions.create(**asked)
    assert [choice.index for choice in answer.choices] == [0, 1]
    texts = [choice.message.content for choice in answer.choices]
    assert all(texts)
    assert texts[0] != texts[1]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
def test_a_limit_ends_with_length(client: OpenAI, limit: str, stream: bool) -> None:
    asked = {"model": CHAT, "messages": say("Tell me about trains."), limit: 3}
    if stream:
        _, chunks = told(client.chat.completions.create(**asked, stream=True))
        reasons, usage = [c.finish_reason for k in chunks for c in k.choices if c.finish_reason], chunks[-1].usage
    else:
        answer = client.chat.completions.create(**asked)
        reasons, usage = [answer.choices[0].finish_reason], answer.usage
    assert reasons == ["length"]
    assert usage.completion_tokens == 3


def test_a_truncated_parse_is_the_sdks_own_error(client: OpenAI) -> None:
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model=CHAT, messages=say("Plan."), response_format=Trip, max_tokens=1)


def test_stop_and_seed_reach_the_vendor(client: OpenAI, cooked: Kitchen) -> None:
    asked = {"model": CHAT, "messages": say("Say: red, green, blue"), "stop": [", green"], "seed": 7}
    answer = client.chat.completions.create(**asked, temperature=0.5, top_p=0.9, user="someone")
    assert answer.choices[0].message.content == "red"
    sent = json.loads(cooked.last()["body"])
    assert (sent["stop"], sent["seed"], sent["temperature"], sent["top_p"]) == ([", green"], 7, 0.5, 0.9)
    again = [
        client.chat.completions.create(model=CHAT, messages=say("Trains?"), seed=seed).choices[0].message.content
        for seed in (1, 1, 2)
    ]
    assert again[0] == again[1] != again[2]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_reasoning_has_one_spelling(client: OpenAI, spelling: str) -> None:
    answer = client.chat.completions.create(model=f"test/think-{spelling}-whole", messages=say("Say: done"))
    message = answer.choices[0].message
    assert message.content == "done"
    assert message.reasoning.startswith("Let me think this through.")
    text, chunks = told(
        client.chat.completions.create(model=f"test/think-{spelling}-stream", messages=say("Say: done"), stream=True)
    )
    deltas = [choice.delta.model_extra.get("reasoning") or "" for chunk in chunks for choice in chunk.choices]
    assert text == "done"
    assert "".join(deltas) == message.reasoning


def test_reasoning_is_asked_for_in_either_way(client: OpenAI) -> None:
    for wish in ({"reasoning_effort": "low"}, {"extra_body": {"reasoning": {"effort": "low"}}}):
        answer = client.chat.completions.create(model=CHAT, messages=say("Say: done"), **wish)
        assert answer.choices[0].message.reasoning
        assert answer.usage.completion_tokens_details.reasoning_tokens > 0


def test_a_begun_answer_is_continued(client: OpenAI) -> None:
    messages = [*say("Say: good morning"), {"role": "assistant", "content": "good"}]
    answer = client.chat.completions.create(model=CHAT, messages=messages)
    assert answer.choices[0].message.content.endswith(" morning")


def test_provider_preferences(client: OpenAI) -> None:
    for slug in ("alpha", "beta"):
        preferred = {"provider": {"order": [slug], "allow_fallbacks": False}}
        answer = client.chat.completions.create(model=CHAT, messages=say("Say: hi"), extra_body=preferred)
        assert answer.model_extra["provider"] == slug.title()


@pytest.mark.parametrize("mode", ["whole", "stream"])
def test_a_list_of_models_is_tried_in_order(client: OpenAI, mode: str) -> None:
    asked = {"model": f"test/overloaded-{mode}", "messages": say("Say: hi"), "extra_body": {"models": [CHAT]}}
    if mode == "stream":
        text, chunks = told(client.chat.completions.create(**asked, stream=True))
        assert (text, chunks[0].model) == ("hi", CHAT)
    else:
        answer = client.chat.completions.create(**asked)
        assert (answer.choices[0].message.content, answer.model) == ("hi", CHAT)


@pytest.mark.parametrize("stream", [False, True])
def test_raw_answers_carry_the_generation_id(client: OpenAI, cooked: Kitchen, stream: bool) -> None:
    raw = client.chat.completions.with_raw_response.create(model=CHAT, messages=say("Say: hi"), stream=stream)
    id_ = raw.headers["x-generation-id"]
    parsed = raw.parse()
    assert {chunk.id for chunk in parsed} == {id_} if stream else parsed.id == id_
    record = cooked.house.record(id_)
    assert (record.model, record.streamed) == (CHAT, stream)


def test_vendors_never_see_the_callers_key_or_library(client: OpenAI, cooked: Kitchen) -> None:
    client.chat.completions.create(model=CHAT, messages=say("Say: hi"))
    head = cooked.last()["head"].lower()
    assert cooked.house.key.lower() not in head
    assert "x-stainless" not in head


def test_legacy_completions(client: OpenAI) -> None:
    answer = client.completions.create(model=CHAT, prompt="Say: good morning")
    assert (answer.object, answer.choices[0].text, answer.choices[0].finish_reason) == (
        "text_completion",
        "good morning",
        "stop",
    )
    assert answer.usage.total_tokens > 0
    chunks = list(client.completions.create(model=CHAT, prompt="Say: good morning", stream=True))
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == "good morning"
    assert chunks[-1].usage.model_extra["cost"] > 0


def test_embeddings_as_numbers_and_packed(client: OpenAI, cooked: Kitchen) -> None:
    asked = {"model": "test/embed", "input": ["one", "two"], "dimensions": 8}
    plain = client.embeddings.create(**asked, encoding_format="float")
    packed = client.embeddings.create(**asked)  # the SDK asks for base64 and unpacks it
    assert json.loads(cooked.last()["body"])["encoding_format"] == "base64"
    assert [entry.index for entry in plain.data] == [0, 1]
    assert [len(entry.embedding) for entry in plain.data] == [8, 8]
    for one, other in zip(plain.data, packed.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    coded = client.embeddings.create(**asked, encoding_format="base64")
    assert isinstance(coded.data[0].embedding, str)
    assert plain.usage.prompt_tokens == plain.usage.total_tokens > 0


def test_legacy_completions_of_several_choices(client: OpenAI) -> None:
    asked = {"model": CHAT, "prompt": "Tell me about trains.", "n": 2, "max_tokens": 5}
    answer = client.completions.create(**asked)
    assert [choice.index for choice in answer.choices] == [0, 1]
    assert {choice.finish_reason for choice in answer.choices} == {"length"}
    chunks = list(client.completions.create(**asked, stream=True))
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}
