"""Every client protocol in front of a chat vendor, streamed and whole: words arrive, usage is told, the record is kept."""

import base64
from collections.abc import Iterator

import pytest

from farebox.catalogue.snapshot import with_server
from farebox.catalogue.types import Server, ServerModel
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
    unknown = served.post("/bedrock/model/no/such/converse", TURNS)
    assert (unknown.status, unknown.headers["x-amzn-errortype"]) == (404, "ResourceNotFoundException")
    unknown = served.post("/v1/responses", {"model": "no/such", "input": "x"}).json()
    assert unknown["error"]["code"]


def test_counting_is_free_and_leaves_no_record(served: House) -> None:
    counted = served.post("/v1/messages/count_tokens", CHAT)
    assert counted.status == 200
    assert counted.json()["input_tokens"] > 3
    counted = served.post(f"/v1beta/models/{MODEL}:countTokens", CONTENTS)
    assert counted.json()["totalTokens"] > 3
    assert served.post("/v1/messages/count_tokens", {**CHAT, "model": "no/such"}).status == 404


@pytest.mark.parametrize("fault", ["k112-key", "k112-500"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_vendor_that_shows_our_key_shows_it_to_nobody(
    tmp_path_factory: pytest.TempPathFactory, fault: str, *, stream: bool
) -> None:
    key = "vendor-9f8e7d6c5b4a39281706"
    with running(time_scale=20.0) as upstream:
        server = Server(slug="leaky", name="Leaky", base_url=upstream.path(fault), secret="LEAKY_API_KEY")
        snapshot = with_server(offer(), server, [ServerModel(id="m", slug="test/m")])
        with house(snapshot, tmp_path_factory.mktemp("spool"), environ={"LEAKY_API_KEY": key}) as opened:
            answer = opened.chat("test/m", stream=stream)
            record = opened.record(answer.headers["x-generation-id"])
        sent = upstream.requests()[-1]["headers"]
    assert key in str(sent)
    told = answer.body.decode() + str(answer.headers) + repr(record)
    coded = base64.b64encode(key.encode()).decode()
    assert answer.status in (502, 503)
    assert not [word for word in (key, key[:10], key[-10:], coded[:12]) if word in told]
