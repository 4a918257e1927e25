"""What control answers, through both official Python SDKs, from a house as a stranger starts it."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import openai
import pytest
from openai import OpenAI
from openrouter import OpenRouter, errors

from sdk.samples import say
from system.served import House

SPRINT, PARROT = "simulated/sprint", "simulated/parrot"


def wait_for(value: Callable[[], object], *, within_s: float = 10.0) -> object:
    """The first true value: what a worker has answered reaches control a moment later."""
    end = time.monotonic() + within_s
    while not (found := value()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


@pytest.fixture(scope="module")
def openai_client(served: House) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{served.url}/v1", api_key=served.key, max_retries=0) as opened:
        yield opened


@pytest.fixture(scope="module")
def openrouter_client(served: House) -> Iterator[OpenRouter]:
    with OpenRouter(api_key=served.key, server_url=f"{served.url}/api/v1", retry_config=None) as opened:
        yield opened


def test_openai_lists_and_retrieves_models(openai_client: OpenAI) -> None:
    listed = {model.id: model for model in openai_client.models.list()}
    assert {SPRINT, PARROT} <= listed.keys()
    assert isinstance(listed[SPRINT].created, int)
    one = openai_client.models.retrieve(SPRINT)
    assert (one.id, one.object, one.owned_by) == (SPRINT, "model", "simulated")
    with pytest.raises(openai.NotFoundError):
        openai_client.models.retrieve("nobody/nothing")


def test_openrouter_reads_the_catalogue(openrouter_client: OpenRouter) -> None:
    models = {model.id: model for model in openrouter_client.models.list().result.data}
    assert float(models[SPRINT].pricing.prompt) == 0
    assert float(models[PARROT].pricing.prompt) > 0
    assert openrouter_client.models.count().data.count >= len(models)
    assert openrouter_client.models.get(author="simulated", slug="parrot").data.id == PARROT
    endpoints = openrouter_client.endpoints.list(author="simulated", slug="parrot").data.endpoints
    assert len(endpoints) == 3
    assert all(endpoint.provider_name.startswith("Simulated") for endpoint in endpoints)
    assert "sim-alpha" in {provider.slug for provider in openrouter_client.providers.list().data}
    embedders = {model.id for model in openrouter_client.embeddings.list_models().result.data}
    assert "simulated/compass" in embedders
    assert SPRINT not in embedders


def test_openrouter_reads_a_generation(openrouter_client: OpenRouter) -> None:
    answer = openrouter_client.chat.send(model=SPRINT, messages=say("Say: hi"))

    def found() -> object:
        try:
            return openrouter_client.generations.get_generation(id=answer.id).data
        except errors.NotFoundResponseError:
            return None  # on its way from the worker

    generation = wait_for(found)
    assert (generation.id, generation.model) == (answer.id, SPRINT)
    assert generation.tokens_completion == answer.usage.completion_tokens
    assert generation.total_cost == answer.usage.cost


# Importing and reading the SDK's own types warns about members that its makers mean to remove.
@pytest.mark.filterwarnings("ignore:warning. .. DEPRECATED:DeprecationWarning")
def test_openrouter_manages_keys(openrouter_client: OpenRouter, served: House) -> None:
    own = openrouter_client.api_keys.get_current_key_metadata().data
    assert own.is_management_key
    made = openrouter_client.api_keys.create(name="by the SDK", limit=5)
    assert made.data.limit_remaining == 5
    with OpenRouter(api_key=made.key, server_url=f"{served.url}/api/v1", retry_config=None) as other:
        assert other.chat.send(model=SPRINT, messages=say("Say: hi")).choices[0].message.content == "hi"
        with pytest.raises(errors.OpenRouterError) as caught:
            other.api_keys.list()
        assert caught.value.status_code == 403
    used = wait_for(lambda: openrouter_client.api_keys.get(hash=made.data.hash).data.last_used_at)
    assert (used.minute, used.second) == (0, 0)  # exact to the hour
    assert used <= datetime.now(UTC)
    changed = openrouter_client.api_keys.update(hash=made.data.hash, name="renamed", disabled=True).data
    assert (changed.name, changed.disabled) == ("renamed", True)
    assert "renamed" in {key.name for key in openrouter_client.api_keys.list().data}
    openrouter_client.api_keys.delete(hash=made.data.hash)
    with pytest.raises(errors.NotFoundResponseError):
        openrouter_client.api_keys.get(hash=made.data.hash)
