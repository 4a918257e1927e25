"""The real local model behind `farebox serve`, called with the official OpenAI SDK: what a stranger has without any vendor."""

import json
from collections.abc import Iterator

import openai
import pytest
from openai import OpenAI

from farebox.app.local_model import LICENCE, PROVIDER, PROVIDER_NAME, SLUG, installed
from sdk.samples import say
from system.served import House

pytestmark = pytest.mark.local_model

CAPITAL = say("What is the capital of France? Answer in one sentence.")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    assert installed().complete, f"the local model's packages are missing: {installed().advice}"
    with House(tmp_path_factory.mktemp("home"), "--workers", "1") as running:
        yield running


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0, timeout=120) as opened:
        yield opened


def test_a_whole_answer_is_real_and_free(client: OpenAI) -> None:
    answer = client.chat.completions.create(model=SLUG, messages=CAPITAL, temperature=0, max_tokens=40)
    assert "Paris" in answer.choices[0].message.content
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.model_extra["provider"] == PROVIDER_NAME
    usage = answer.usage
    assert usage.prompt_tokens > 5
    assert 0 < usage.completion_tokens <= 40
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.model_extra["cost"] == 0


def test_a_stream_says_the_same(client: OpenAI) -> None:
    asked = {"model": SLUG, "messages": CAPITAL, "temperature": 0, "max_tokens": 40, "seed": 1}
    chunks = list(client.chat.completions.create(**asked, stream=True))
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert "Paris" in text
    assert len(chunks) > 3
    assert [bool(chunk.usage) for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert chunks[-1].usage.completion_tokens > 0
    assert chunks[-1].usage.model_extra["cost"] == 0


def test_a_limit_ends_with_length(client: OpenAI) -> None:
    asked = {"model": SLUG, "messages": say("Write a long story about a bus."), "temperature": 0, "max_tokens": 5}
    answer = client.chat.completions.create(**asked)
    assert (answer.choices[0].finish_reason, answer.usage.completion_tokens) == ("length", 5)


def test_a_stop_sequence_is_not_in_the_answer(client: OpenAI) -> None:
    asked = {"model": SLUG, "messages": CAPITAL, "temperature": 0, "max_tokens": 40}
    free = client.chat.completions.create(**asked).choices[0].message.content
    stopped = client.chat.completions.create(**asked, stop=["Paris"]).choices[0]
    assert stopped.finish_reason == "stop"
    assert stopped.message.content.strip() == free.partition("Paris")[0].strip()


def test_several_turns_and_instructions_are_read(client: OpenAI) -> None:
    one = client.chat.completions.create(model=SLUG, messages=CAPITAL, max_tokens=1).usage.prompt_tokens
    messages = [
        {"role": "system", "content": "You are a terse teacher."},
        *CAPITAL,
        {"role": "assistant", "content": "Paris."},
        *say("And of Italy?"),
    ]
    answer = client.chat.completions.create(model=SLUG, messages=messages, temperature=0, max_tokens=20)
    assert answer.choices[0].message.content
    assert answer.usage.prompt_tokens > one


def test_a_schema_is_obeyed(client: OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    }
    shape = {"type": "json_schema", "json_schema": {"name": "capital", "strict": True, "schema": schema}}
    answer = client.chat.completions.create(
        model=SLUG, messages=CAPITAL, response_format=shape, temperature=0, max_tokens=60
    )
    assert list(json.loads(answer.choices[0].message.content)) == ["city"]


def test_the_catalogue_names_it_with_its_licence(client: OpenAI, house: House) -> None:
    assert SLUG in {model.id for model in client.models.list()}
    model = house.call("GET", f"/api/v1/model/{SLUG}")[1]["data"]
    with house.open("GET", f"/models/{SLUG}") as page:
        assert LICENCE in page.read().decode()
    assert {float(price) for price in model["pricing"].values()} == {0.0}
    endpoints = house.call("GET", f"/api/v1/models/{SLUG}/endpoints")[1]["data"]["endpoints"]
    assert [endpoint["provider_name"] for endpoint in endpoints] == [PROVIDER_NAME]
    assert "structured_outputs" in endpoints[0]["supported_parameters"]
    assert "tools" not in endpoints[0]["supported_parameters"]
    providers = {provider["slug"]: provider["name"] for provider in house.call("GET", "/api/v1/providers")[1]["data"]}
    assert providers[PROVIDER] == PROVIDER_NAME


def test_what_it_cannot_do_is_the_callers_error(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=SLUG, messages=say("word " * 20_000), max_tokens=5)
