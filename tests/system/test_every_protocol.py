"""Every client protocol in front of a chat vendor, streamed and whole: words arrive, usage is told, the record is kept."""

from collections.abc import Iterator

import pytest

from farebox.sims.testing import running
from system.house import House, house, offer

WORDS = "trains run on time"
ASK = f"Say: {WORDS}"
MODEL = "test/parrot"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with running(time_scale=20.0) as upstream:
        snapshot = offer(("alpha", upstream.path("alpha"), ["parrot"]))
        with house(snapshot, tmp_path_factory.mktemp("spool")) as opened:
            yield opened


CHAT = {"model": MODEL, "messages": [{"role": "user", "content": ASK}]}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": ASK}]}]}
TURNS = {"messages": [{"role": "user", "content": [{"text": ASK}]}]}
CALLS = {
    "chat": ("/v1/chat/completions", CHAT),
    "chat below /api": ("/api/v1/chat/completions", CHAT),
    "chat below /openai": ("/openai/v1/chat/completions", CHAT),
    "completions": ("/v1/completions", {"model": MODEL, "prompt": ASK}),
    "responses": ("/v1/responses", {"model": MODEL, "input": ASK}),
    "messages": ("/v1/messages", {**CHAT, "max_tokens": 64}),
    "messages below /anthropic": ("/anthropic/v1/messages", {**CHAT, "max_tokens": 64}),
}


def _pieces(raw: bytes) -> str:
    """The text of a stream, whatever its framing: every JSON string member that carries a piece of answer."""
    return raw.decode("utf-8", "replace")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", CALLS)
def test_a_body_that_names_its_model(served: House, name: str, *, stream: bool) -> None:
    path, body = CALLS[name]
    answer = served.post(path, {**body, "stream": stream})
    assert answer.status == 200, answer.body
    told = _pieces(answer.body)
    assert all(word in told for word in WORDS.split())
    assert '"cost":' in told
    expected = "text/event-stream" if stream else "application/json"
    assert answer.headers["content-type"].startswith(expected)
    record = served.record(answer.headers["x-generation-id"])
    assert record.status == 200
    assert record.streamed is stream
    assert record.usage["output_text"] > 0
    assert record.attempts[0].outcome == "ok"


@pytest.mark.parametrize("prefix", ["/genai/v1beta", "/v1beta", "/v1"])
@pytest.mark.parametrize("verb", ["generateContent", "streamGenerateContent?alt=sse", "streamGenerateContent"])
def test_a_path_that_names_its_model(served: House, prefix: str, verb: str) -> None:
    answer = served.post(f"{prefix}/models/{MODEL}:{verb}", CONTENTS)
    assert answer.status == 200, answer.body
    assert all(word in _pieces(answer.body) for word in WORDS.split())
    array = verb == "streamGenerateContent"
    assert (answer.body[:1] == b"[") is array
    assert served.record(answer.headers["x-generation-id"]).streamed is verb.startswith("stream")


@pytest.mark.parametrize("verb", ["converse", "converse-stream"])
def test_converse(served: House, verb: str) -> None:
    answer = served.post(f"/bedrock/model/{MODEL}/{verb}", TURNS)
    assert answer.status == 200, answer.body
    assert all(word in _pieces(answer.body) for word in WORDS.split())
    stream = verb == "converse-stream"
    assert answer.headers["content-type"] == ("application/vnd.amazon.eventstream" if stream else "application/json")


@pytest.mark.parametrize(
    ("header", "value"),
    [("x-api-key", "{key}"), ("x-goog-api-key", "{key}"), ("api-key", "{key}"), ("Authorization", "Bearer {key}")],
)
def test_every_way_of_sending_the_key(served: House, header: str, value: str) -> None:
    headers = {"Authorization": "", header: value.format(key=served.key)}
    answer = served.post("/v1/chat/completions", CHAT, headers={k: v for k, v in headers.items() if v})
    assert answer.status == 200


def test_errors_leave_in_the_shape_of_their_protocol(served: House) -> None:
    unknown = served.post("/v1/messages", {**CHAT, "model": "no/such", "max_tokens": 5}).json()
    assert unknown["type"] == "error"
    assert unknown["error"]["type"] == "not_found_error"
    unknown = served.post("/v1beta/models/no/such:generateContent", CONTENTS).json()
    assert unknown["error"]["status"] == "NOT_FOUND"
    unknown = served.post("/v1/responses", {"model": "no/such", "input": "x"}).json()
    assert unknown["error"]["code"]


def test_counting_is_free_and_leaves_no_record(served: House) -> None:
    counted = served.post("/v1/messages/count_tokens", CHAT)
    assert counted.status == 200
    assert counted.json()["input_tokens"] > 3
    counted = served.post(f"/v1beta/models/{MODEL}:countTokens", CONTENTS)
    assert counted.json()["totalTokens"] > 3
    assert served.post("/v1/messages/count_tokens", {**CHAT, "model": "no/such"}).status == 404
