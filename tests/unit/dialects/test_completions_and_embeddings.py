"""Owns the legacy completions and embeddings dialects, over recorded traffic and by hand; refuses chat."""

import json
from typing import Any

import pytest

from farebox.dialects.ports import Envelope, Target
from farebox.dialects.registry import CLIENTS, RELAYS, SERVERS
from farebox.ir.errors import Cut, Garbled, InvalidRequest, UnsupportedFeature
from farebox.ir.fold import fold
from farebox.money.charges import Charge
from unit.dialects.traffic import Exchange, answers, chunks, exchanges

CHARGE = Charge(total_nano=10, vendor_nano=9, toll_nano=1)
TARGET = Target(model="m", vendor="v")
ENVELOPE = Envelope(id="gen-1", model="a/b", provider="P", created_s=5)
TEXT, CHAT, VECTORS = "openai_completions", "openai_chat", "openai_embeddings"
COMPLETIONS = [item for item in answers("completions") if b'"text"' in item.body]
EMBEDDINGS = [item for item in answers("embeddings") if b'"embedding"' in item.body]


@pytest.mark.parametrize("exchange", COMPLETIONS, ids=[item.name for item in COMPLETIONS])
def test_recorded_completions(exchange: Exchange) -> None:
    envelope = exchange.envelope()
    if exchange.streamed:
        stream = RELAYS[TEXT].stream(envelope, exchange.target())
        out = stream.feed(exchange.body) + stream.close()
        assert stream.outcome.error is None
        told = chunks(out + stream.finish(CHARGE))
        text = "".join(choice["text"] for chunk in told for choice in chunk["choices"])
        assert told[-1]["usage"]["cost"] == 0.00000001
    else:
        whole = RELAYS[TEXT].whole(exchange.body, envelope, exchange.target())
        answer = json.loads(whole.finish(CHARGE))
        assert answer["object"] == "text_completion"
        text = "".join(choice["text"] for choice in answer["choices"])
    assert text
    decoder = CLIENTS[TEXT].stream(exchange.target())
    response = fold(decoder.feed(exchange.body) + decoder.close())
    assert response.error is None
    assert "".join(getattr(part, "text", "") for choice in response.choices for part in choice.parts) == text
    if isinstance(exchange.request, dict) and exchange.request.get("model"):
        opened = SERVERS[TEXT].open(json.dumps(exchange.request).encode())
        assert json.loads(RELAYS[TEXT].request(opened, TARGET)[0])["prompt"] == exchange.request["prompt"]


def opened(**members: Any) -> Any:
    return SERVERS[TEXT].open(json.dumps({"model": "a", "prompt": "Say"} | members).encode())


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"prompt": None}, "$.prompt"),
        ({"prompt": []}, "$.prompt"),
        ({"prompt": ["a", 1]}, "$.prompt"),
        ({"prompt": ["a"] * 2049}, "$.prompt"),
        ({"prompt": [-1]}, "$.prompt[0]"),
        ({"n": 0}, "$.n"),
        ({"best_of": 21}, "$.best_of"),
        ({"best_of": 1, "n": 2}, "$.best_of"),
        ({"logprobs": 10**6}, "$.logprobs"),
        ({"max_tokens": -1}, "$.max_tokens"),
        ({"api_base": "x"}, "$.api_base"),
    ],
)
def test_bad_completion_requests(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        opened(**members)
    assert caught.value.path == path


def test_prompts_count_as_choices() -> None:
    assert opened(prompt=["a", "b"], n=3).choices == 6
    assert opened(prompt=[1, 2, 3]).choices == 1
    assert opened(prompt=[[1], [2]]).choices == 2


def test_a_completion_crosses_to_chat_and_back() -> None:
    request = SERVERS[TEXT].decode(opened(max_tokens=5, suffix="x", stop="\n", stream=True))
    body, warnings = CLIENTS[CHAT].encode(request, TARGET)
    sent = json.loads(body)
    assert sent["messages"] == [{"role": "user", "content": "Say"}]
    assert (sent["max_tokens"], sent["stop"], sent["stream"]) == (5, "\n", True)
    assert [warning.code for warning in warnings] == ["unsupported"]
    events = CLIENTS[CHAT].stream(TARGET)
    data = (
        b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}],'
        b'"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n'
        b"data: [DONE]\n\n"
    )
    told = events.feed(data) + events.close()
    encoder = SERVERS[TEXT].stream(ENVELOPE)
    found = chunks(encoder.feed(told) + encoder.finish(CHARGE))
    assert "".join(choice["text"] for chunk in found for choice in chunk["choices"]) == "Hi"
    assert found[0]["choices"][0]["reasoning"] == "hm"
    assert found[-2]["choices"][0]["finish_reason"] == "stop"
    assert found[-1]["usage"]["total_tokens"] == 3
    whole = json.loads(SERVERS[TEXT].whole(fold(told), ENVELOPE, CHARGE))
    assert whole["choices"][0]["text"] == "Hi"


def test_only_one_text_crosses() -> None:
    for prompt in (["a", "b"], [1, 2]):
        with pytest.raises(UnsupportedFeature):
            SERVERS[TEXT].decode(opened(prompt=prompt))
    assert SERVERS[TEXT].decode(opened(prompt=["a"])).messages[0].parts[0].text == "a"  # type: ignore[union-attr]


def test_chat_crosses_to_completions_with_a_warning_for_what_is_no_text() -> None:
    body = {
        "model": "a",
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}],
        "tools": [{"type": "function", "function": {"name": "f"}}],
    }
    request = SERVERS[CHAT].decode(SERVERS[CHAT].open(json.dumps(body).encode()))
    out, warnings = CLIENTS[TEXT].encode(request, TARGET)
    assert json.loads(out) == {"model": "m", "prompt": "s\n\nu"}
    assert [warning.path for warning in warnings] == ["$.tools"]


def test_a_broken_completion_stream() -> None:
    stream = RELAYS[TEXT].stream(ENVELOPE, TARGET)
    out = stream.feed(b'data: {"choices":[{"index":0,"text":"Hi","finish_reason":null}]}\n\n') + stream.close()
    assert isinstance(stream.outcome.error, Cut)
    last = chunks(out + stream.fail(stream.outcome.error, CHARGE))[-1]
    assert last["choices"][0] == {"index": 0, "text": "", "finish_reason": "error", "native_finish_reason": None}
    assert last["error"]["code"] == 502


@pytest.mark.parametrize("exchange", EMBEDDINGS, ids=[item.name for item in EMBEDDINGS])
def test_recorded_embeddings(exchange: Exchange) -> None:
    whole = RELAYS[VECTORS].whole(exchange.body, exchange.envelope(), exchange.target())
    told, recorded = json.loads(whole.finish(CHARGE)), json.loads(exchange.body)
    assert told["data"] == recorded["data"]
    assert (told["model"], told["provider"], told["object"]) == ("author/model", "Provider", "list")
    assert told["usage"]["cost"] == 0.00000001
    assert told["usage"]["is_byok"] is False
    if (recorded.get("usage") or {}).get("prompt_tokens"):
        assert told["usage"]["prompt_tokens"] == recorded["usage"]["prompt_tokens"]
    if isinstance(exchange.request, dict) and exchange.request.get("model"):
        opened = SERVERS[VECTORS].open(json.dumps(exchange.request).encode())
        assert json.loads(RELAYS[VECTORS].request(opened, TARGET)[0])["input"] == exchange.request["input"]


@pytest.mark.parametrize(
    ("members", "path"),
    [
        ({"input": None}, "$.input"),
        ({"input": []}, "$.input"),
        ({"input": ["a"] * 2049}, "$.input"),
        ({"input": ["a", 1]}, "$.input"),
        ({"input": [[-1]]}, "$[0][0]"),
        ({"input": 5}, "$.input"),
        ({"dimensions": 0}, "$.dimensions"),
        ({"encoding_format": "hex"}, "$.encoding_format"),
        ({"stream": True}, "$.stream"),
        ({"extra_headers": {}}, "$.extra_headers"),
    ],
)
def test_bad_embedding_requests(members: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        SERVERS[VECTORS].open(json.dumps({"model": "a", "input": "x"} | members).encode())
    assert caught.value.path == path


@pytest.mark.parametrize(
    "body", [b"<html>", b"{}", b'{"data":[]}', b'{"data":{}}', b'{"data":[1],"usage":{"prompt_tokens":[}}', b"[]"]
)
def test_what_is_no_embedding_is_garbled(body: bytes) -> None:
    with pytest.raises(Garbled):
        RELAYS[VECTORS].whole(body, ENVELOPE, TARGET)


def test_embeddings_do_not_cross() -> None:
    opened = SERVERS[VECTORS].open(b'{"model":"a","input":"x"}')
    with pytest.raises(UnsupportedFeature):
        SERVERS[VECTORS].decode(opened)


def test_every_recorded_kind_is_here() -> None:
    assert len(exchanges("chat")) > 500
    assert len(COMPLETIONS) >= 8
    assert len(EMBEDDINGS) >= 20
