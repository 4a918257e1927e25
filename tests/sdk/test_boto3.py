"""boto3's Converse, unchanged but for its endpoint; our key travels as AWS's own bearer token."""

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.client import BaseClient
from botocore.config import Config
from botocore.exceptions import ClientError

from farebox.sims.testing import running
from sdk.certificates import certified
from sdk.kitchen import CHAT, Kitchen, kitchen, menu
from sdk.samples import PNG_URL, WEATHER
from system.house import house

PNG = base64.b64decode(PNG_URL.partition("base64,")[2])
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS = {"tools": [{"toolSpec": {"name": WEATHER, "description": "The weather.", "inputSchema": {"json": SCHEMA}}}]}
ONCE = Config(retries={"total_max_attempts": 1}, proxies={})
FAILURES = [
    ("refused", "ValidationException", 400),
    ("limited", "ThrottlingException", 429),
    ("overloaded", "ServiceUnavailableException", 503),
]


BEARER = "AWS_BEARER_TOKEN_BEDROCK"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kitchen, Path]]:
    """A kitchen behind HTTPS, and the authority to trust: a bearer token is not sent in the clear by this library."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = certified(folder)
    with (
        running() as upstream,
        house(menu(upstream), folder / "spool", tls_certificate=certificate, tls_key=key) as opened,
    ):
        yield Kitchen(opened, upstream), certificate


@pytest.fixture(autouse=True)
def no_credentials_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library looks for credentials on the machine's network otherwise."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.delenv(BEARER, raising=False)


def _client(secure: tuple[Kitchen, Path], monkeypatch: pytest.MonkeyPatch, key: str) -> BaseClient:
    kitchen, authority = secure
    monkeypatch.setenv(BEARER, key)
    return boto3.Session(region_name="us-east-1").client(
        "bedrock-runtime",
        endpoint_url=f"https://127.0.0.1:{kitchen.house.port}/bedrock",
        verify=str(authority),
        config=ONCE,
    )


@pytest.fixture
def cooked(secure: tuple[Kitchen, Path]) -> Kitchen:
    return secure[0]


@pytest.fixture
def client(secure: tuple[Kitchen, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseClient]:
    opened = _client(secure, monkeypatch, secure[0].house.key)
    yield opened
    opened.close()


def events_of(answer: dict) -> list[dict]:
    """The events of a stream; its connection goes back or is closed."""
    with closing(answer["stream"]) as stream:
        return list(stream)


def said(*blocks: dict) -> list[dict]:
    """A conversation of one turn."""
    return [{"role": "user", "content": list(blocks)}]


def test_a_whole_answer(client: BaseClient) -> None:
    answer = client.converse(modelId=CHAT, messages=said({"text": "Say: good morning"}))
    assert answer["output"]["message"] == {"role": "assistant", "content": [{"text": "good morning"}]}
    assert answer["stopReason"] == "end_turn"
    usage = answer["usage"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"]
    assert usage["inputTokens"] > 0
    assert answer["metrics"]["latencyMs"] >= 0


def test_a_stream(client: BaseClient) -> None:
    answer = client.converse_stream(modelId=CHAT, messages=said({"text": "Say: good evening"}))
    events = events_of(answer)
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta["text"] for delta in deltas) == "good evening"
    kinds = [next(iter(event)) for event in events]
    assert kinds[0] == "messageStart"
    assert kinds[-3:] == ["contentBlockStop", "messageStop", "metadata"]
    assert events[-2]["messageStop"]["stopReason"] == "end_turn"
    assert events[-1]["metadata"]["usage"]["outputTokens"] > 0


def test_a_tool_call_and_its_result(client: BaseClient) -> None:
    messages = said({"text": "What is the weather in Lisbon? Use get_weather."})
    first = client.converse(modelId=CHAT, messages=messages, toolConfig=TOOLS)
    assert first["stopReason"] == "tool_use"
    message = first["output"]["message"]
    (call,) = [block["toolUse"] for block in message["content"] if "toolUse" in block]
    assert call["name"] == WEATHER
    assert isinstance(call["input"]["city"], str)
    result = {"toolUseId": call["toolUseId"], "content": [{"json": {"celsius": 21}}]}
    messages += [message, *said({"toolResult": result})]
    second = client.converse(modelId=CHAT, messages=messages, toolConfig=TOOLS)
    assert second["stopReason"] == "end_turn"
    assert "celsius" in second["output"]["message"]["content"][0]["text"]


def test_a_streamed_tool_call(client: BaseClient) -> None:
    answer = client.converse_stream(modelId=CHAT, messages=said({"text": "Use get_weather."}), toolConfig=TOOLS)
    events = events_of(answer)
    starts = [event["contentBlockStart"]["start"] for event in events if "contentBlockStart" in event]
    assert [start["toolUse"]["name"] for start in starts if "toolUse" in start] == [WEATHER]
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    text = "".join(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta)
    assert isinstance(json.loads(text)["city"], str)
    assert [event["messageStop"]["stopReason"] for event in events if "messageStop" in event] == ["tool_use"]


def test_a_picture_and_instructions_reach_the_vendor(client: BaseClient, cooked: Kitchen) -> None:
    picture = {"image": {"format": "png", "source": {"bytes": PNG}}}
    asked = said(picture, {"text": "What is this?"})
    answer = client.converse(modelId=CHAT, messages=asked, system=[{"text": "Be brief."}])
    assert "(image/png, 1x1)" in answer["output"]["message"]["content"][0]["text"]
    sent = json.loads(cooked.last()["body"])["messages"]
    assert (sent[0]["role"], sent[0]["content"]) == ("system", "Be brief.")
    assert sent[1]["content"][0]["image_url"]["url"] == PNG_URL


def test_a_limit_ends_with_max_tokens(client: BaseClient) -> None:
    asked = said({"text": "Tell me about trains."})
    answer = client.converse(modelId=CHAT, messages=asked, inferenceConfig={"maxTokens": 3})
    assert answer["stopReason"] == "max_tokens"
    assert answer["usage"]["outputTokens"] == 3


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("play", "code", "status"), FAILURES, ids=[case[0] for case in FAILURES])
def test_a_vendors_failure(client: BaseClient, play: str, code: str, status: int, stream: bool) -> None:
    call = client.converse_stream if stream else client.converse
    with pytest.raises(ClientError) as caught:
        call(modelId=f"test/{play}-{'stream' if stream else 'whole'}", messages=said({"text": "Hello"}))
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["Error"]["Message"]
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert isinstance(caught.value, getattr(client.exceptions, code))


def test_a_stream_that_breaks_raises(client: BaseClient) -> None:
    answer = client.converse_stream(modelId="test/broken-stream", messages=said({"text": "Hello"}))
    seen = []
    with closing(answer["stream"]) as stream, pytest.raises(ClientError) as caught:
        for event in stream:
            seen.append(next(iter(event)))
    assert "contentBlockDelta" in seen
    assert caught.value.response["Error"]["Message"]


def test_mistakes_have_their_classes(
    client: BaseClient, secure: tuple[Kitchen, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = said({"text": "Hello"})
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.converse(modelId="nobody/nothing", messages=asked)
    with closing(_client(secure, monkeypatch, "sk-nobody")) as stranger, pytest.raises(ClientError) as caught:
        stranger.converse(modelId=CHAT, messages=asked)
    assert caught.value.response["Error"]["Code"] == "UnrecognizedClientException"


@pytest.mark.parametrize("config", [ONCE, ONCE.merge(Config(signature_version=UNSIGNED))], ids=["signed", "unsigned"])
def test_without_tls_the_key_has_a_header_of_its_own(tmp_path: Path, config: Config) -> None:
    with kitchen(tmp_path) as plain:
        session = boto3.Session("any-id", "any-secret", region_name="us-east-1")
        address = plain.house.base_url.removesuffix("/v1") + "/bedrock"

        def add(params: dict, **_: object) -> None:
            params["headers"]["X-Api-Key"] = plain.house.key

        with closing(session.client("bedrock-runtime", endpoint_url=address, config=config)) as client:
            client.meta.events.register("before-call.bedrock-runtime", add)
            answer = client.converse(modelId=CHAT, messages=said({"text": "Say: hi"}))
        assert answer["output"]["message"]["content"] == [{"text": "hi"}]
