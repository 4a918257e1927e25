"""What real vendors said reaches a client of every protocol alike: text, tool calls, thoughts, finish, usage; and failures."""

import json
import random
from collections.abc import Iterator

import pytest

from farebox.catalogue.snapshot import with_server
from farebox.catalogue.types import Server, ServerModel
from farebox.dialects.ports import Outcome, Target
from farebox.dialects.registry import CLIENTS
from farebox.ir.events import FinishReason, Response
from farebox.ir.fold import fold
from farebox.ir.request import Reasoning, Refusal, Text, ToolCall
from system.house import EMPTY, House, house
from system.protocols import PROTOCOLS, Said, arguments_of
from system.replay import Recording, Replayer, recording, replaying

RECORDED = {
    "anthropic_messages": (
        "anthropic/anthropic.messages-anthropic-claude-sonnet-4-5-1",
        "anthropic/anthropic.messages-anthropic-prompt-caching-stream-legacy",
        "anthropic/anthropic.messages-claude-3-7-sonnet-latest-multi-tool",
        "anthropic/anthropic.messages-testanthropicthinkingwithcachecontrol-claude-sonnet-4-thinking-streaming",
        "anthropic/anthropic.messages-messages-thinking-redacted-thinking-roundtrip-nonstreaming",
        "anthropic/anthropic.messages-claude-opus-5-thinking-genstream-maxtokens",
        "anthropic/anthropic.messages-strict-schema-streaming-structured-output-and-strict-tool-use-stream-tog",
    ),
    "openai_responses": (
        "openai/openai.responses-agent-with-tool-1",
        "openai/openai.responses-chat-function-calling-openai-gpt-5-nano-can-handle-multiple-tool-calls-i",
        "openai/openai.responses-gpt-5-6-sol-thinking-genstream-tools-squareroot-2",
        "openai/openai.responses-gpt-5-6-terra-thinking-genstreammultimodal-image-gif-url",
        "openai/openai.responses-gpt-5-mini-web-search-streaming",
        "openai/openai.responses-streaming-grammar-incomplete-mid-tool-call",
    ),
    "google_generate": (
        "google/google.streamGenerateContent-testgooglethinking-gemini-2-5-pro-thinking-streaming",
        "google/google.streamGenerateContent-testgooglecommon-gemini-2-5-pro-multi-tool-streaming",
        "google/google.streamGenerateContent-streams-tool-calls-and-resumes-with-results",
        "google/google.streamGenerateContent-streaming-grammar-max-tokens-truncation",
        "google/google.streamGenerateContent-testgoogleaigeneratecontentwithsystemmessage",
        "google/google.streamGenerateContent-stream-with-tools-1",
    ),
    "cohere_chat": (
        "cohere/native/cohere.v2.chat-cohere-max-tokens",
        "cohere/native/cohere.v2.chat-cohere-model-thinking-part",
        "cohere/native/cohere.v2.chat-chat-function-calling-cohere-command-a-03-2025-can-handle-multiple-tool",
        "cohere/native/cohere.v2.chat-command-a-reasoning-08-2025-thinking-genstream-tools-toolbias-usa",
        "cohere/native/cohere.v2.chat-streaming-streaming-smoke",
    ),
    "ollama_chat": (
        "ollama/native/ollama.chat-agent-max-tokens",
        "ollama/native/ollama.chat-gemma4-e2b-thinking-gensync-tools-toolbias-canada",
        "ollama/native/ollama.chat-gemma4-e2b-thinking-genstream-maxtokens",
        "ollama/native/ollama.chat-qwen3-5-2b-thinking-genstream-tools-squareroot-1-any",
        "ollama/native/ollama.chat-stream-with-tools-1",
    ),
    "bedrock_converse": (
        "bedrock/bedrock.converse-bedrock-converse-prompt-caching",
        "bedrock/bedrock.converse-anthropic-claude-sonnet-4-5-20250929-v1-0-tool-round-trip-1",
        "bedrock/bedrock.converse-bedrock-model-thinking-part-anthropic",
        "bedrock/bedrock.converse_stream-raw-streaming-raw-stream-surfaces-two-distinct-tool-calls",
        "bedrock/bedrock.converse_stream-bedrock-model-thinking-part-redacted-stream",
        "bedrock/bedrock.converse_stream-testconversestreamtoolcallwithemptytoolarguments",
    ),
}
# What the vendor refused, and what that is to a client of ours: only its own mistakes are told as such.
REFUSED = {
    "anthropic/anthropic.messages-strict-schema-matrix-boolean-root-schema-is-rejected-for-tool-input": 400,
    "anthropic/anthropic.messages-response-identity-edge-provider-error-response-surfaces-cleanly": 503,
    "openai/openai.responses-error-identity-edge-auth-rejection-carries-identity": 503,
    "openai/openai.responses-openai-error": 503,
    "google/google.streamGenerateContent-streaming-failure-image-rejected": 400,
    "cohere/native/cohere.v2.chat-errors-bad-model-gensync": 503,
    "ollama/native/ollama.chat-gemma4-e2b-genstreammultimodal-image-gif-inline": 400,
    "bedrock/bedrock.converse-bedrock-converse-error": 503,
    "bedrock/bedrock.converse_stream-converse-stream-with-invalid-model": 503,
}
DIALECT_OF = {
    "anthropic": "anthropic_messages",
    "openai": "openai_responses",
    "google": "google_generate",
    "cohere": "cohere_chat",
    "ollama": "ollama_chat",
    "bedrock": "bedrock_converse",
}
ALL = [(dialect, name) for dialect, names in RECORDED.items() for name in names]
PRICES = {"input_fresh": 1_000_000, "output_text": 2_000_000, "search": 1_000_000_000}
# Whole answers with a sealed thought: what the vendor must be sent back, as it gave it.
SEALED = {
    "anthropic/anthropic.messages-claude-opus-5-thinking-gensyncmultimodal-image-png-url": "signature",
    "bedrock/bedrock.converse-bedrock-model-thinking-part-anthropic": "signature",
    "openai/openai.responses-chat-with-params-openai-gpt-5-nano-supports-response-format-param": "encrypted_content",
    "google/google.generateContent-thinkingbudget-gemini-3-5-flash-lite-thinking": "thoughtSignature",
}
FINISHES = {FinishReason.STOP: "stop", FinishReason.LENGTH: "length", FinishReason.TOOL_CALLS: "tool_calls"}


def _model(name: str, protocol: str, *, stream: bool) -> str:
    return f"test/{protocol}-{'stream' if stream else 'whole'}-{recording(name).slug}"


@pytest.fixture(scope="module")
def vendor() -> Iterator[Replayer]:
    names = [name for _, name in ALL] + list(REFUSED) + list(SEALED)
    with replaying(*map(recording, names), seed=random.randrange(2**32)) as running:
        yield running


@pytest.fixture(scope="module")
def served(vendor: Replayer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    snapshot = EMPTY
    modes = [(name, recording(name).streamed) for _, name in ALL]
    modes += [(name, False) for name in SEALED]
    modes += [(name, stream) for name in REFUSED for stream in (False, True)]
    for name, stream in modes:
        for protocol in PROTOCOLS:
            # A provider for each: what fails in one test must not cool down another's.
            model = _model(name, protocol, stream=stream)
            slug = model.removeprefix("test/")
            dialect = DIALECT_OF[name.partition("/")[0]]
            server = Server(slug=slug, name=slug, base_url=vendor.base_url(recording(name)), dialect=dialect)
            offered = ServerModel(id="its-model", slug=model, context_length=1_000_000, prices=PRICES)
            snapshot = with_server(snapshot, server, [offered])
    with house(snapshot, tmp_path_factory.mktemp("spool")) as opened:
        yield opened


def _read(dialect: str, recorded: Recording) -> tuple[Response, Outcome]:
    """What the vendor's dialect makes of the answer in one piece."""
    client = CLIENTS[dialect]
    target = Target(model="its-model", vendor="v", reasoning_field="think")
    if recorded.streamed:
        decoder = client.stream(target)
        return fold(decoder.feed(recorded.body) + decoder.close()), decoder.outcome
    events, outcome = client.whole(recorded.body, target)
    return fold(events), outcome


def _expected(response: Response) -> Said:
    (choice,) = response.choices
    assert response.usage is not None
    calls = [part for part in choice.parts if isinstance(part, ToolCall) and part.executor == "client"]
    return Said(
        "".join(part.text for part in choice.parts if isinstance(part, Text | Refusal)),
        "".join(part.summary + part.text for part in choice.parts if isinstance(part, Reasoning)),
        [(call.name, arguments_of(call.arguments)) for call in calls],
        "tool_calls" if calls and choice.reason is FinishReason.STOP else FINISHES.get(choice.reason, "content_filter"),
        response.usage.prompt_tokens(),
        response.usage.completion_tokens(),
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("dialect", "name"), ALL, ids=[name.rpartition("/")[2][:70] for _, name in ALL])
def test_an_answer_is_the_same_in_every_protocol(served: House, dialect: str, name: str, protocol: str) -> None:
    recorded = recording(name)
    spoken = PROTOCOLS[protocol]
    path, body = spoken.ask(_model(name, protocol, stream=recorded.streamed), recorded.streamed)
    answer = served.post(path, body)
    assert answer.status == 200, answer.body
    response, outcome = _read(dialect, recorded)
    assert outcome.error is None
    assert spoken.read(answer) == _expected(response)
    record = served.record(answer.headers["x-generation-id"])
    assert record.usage == response.usage.leaves
    assert record.usage_source == "vendor"
    assert (record.status, record.streamed) == (200, recorded.streamed)
    assert record.finish == outcome.finish
    assert record.vendor_cost_nano > 0
    assert not {"usage_absurd", "usage_clamped", "usage_metered"} & set(record.flags)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("name", "status"), REFUSED.items(), ids=[name.rpartition("/")[2][:70] for name in REFUSED])
def test_a_refusal_is_an_error_in_every_protocol(
    served: House, name: str, status: int, protocol: str, *, stream: bool
) -> None:
    path, body = PROTOCOLS[protocol].ask(_model(name, protocol, stream=stream), stream)
    answer = served.post(path, body)
    assert answer.status == status, answer.body
    error = answer.json()["error"]
    assert error["message"]
    record = served.record(answer.headers["x-generation-id"])
    assert record.total_nano == 0
    assert record.usage == {}
    assert record.error
    assert record.attempts[-1].status == recording(name).status


def _second_turn(protocol: str, body: dict, answer: dict) -> dict:
    """The request of the next turn: what was asked, what was answered as it came, and a word more."""
    match protocol:
        case "chat":
            more = [answer["choices"][0]["message"], {"role": "user", "content": "Go on."}]
            return body | {"messages": body["messages"] + more}
        case "messages":
            more = [{"role": "assistant", "content": answer["content"]}, {"role": "user", "content": "Go on."}]
            return body | {"messages": body["messages"] + more}
        case "responses":
            said = [{"role": "user", "content": body["input"]}]
            return body | {"input": [*said, *answer["output"], {"role": "user", "content": "Go on."}]}
    more = [answer["candidates"][0]["content"], {"role": "user", "parts": [{"text": "Go on."}]}]
    return body | {"contents": body["contents"] + more}


def _sealed(value: object, name: str) -> list[str]:
    """Every text of that name, wherever it stands."""
    if isinstance(value, dict):
        here = [value[name]] if isinstance(value.get(name), str) else []
        return here + [seal for inner in value.values() for seal in _sealed(inner, name)]
    return [seal for inner in value for seal in _sealed(inner, name)] if isinstance(value, list) else []


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(("name", "member"), SEALED.items(), ids=[name.partition("/")[0] for name in SEALED])
def test_a_sealed_thought_goes_back_as_it_came(
    served: House, vendor: Replayer, name: str, member: str, protocol: str
) -> None:
    path, body = PROTOCOLS[protocol].ask(_model(name, protocol, stream=False), False)
    if protocol == "responses":
        body["include"] = ["reasoning.encrypted_content"]
    first = served.post(path, body)
    assert first.status == 200, first.body
    second = served.post(path, _second_turn(protocol, body, first.json()))
    assert second.status == 200, second.body
    given = _sealed(json.loads(recording(name).body), member)
    assert given
    sent = [json.loads(data) for at, data in vendor.received if at.split("/")[1] == recording(name).slug][-1]
    assert _sealed(sent, member) == given
