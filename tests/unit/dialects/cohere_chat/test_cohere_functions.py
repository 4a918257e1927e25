"""Owns embeddings and reranking over recorded traffic; refuses chat."""

import base64
import json
import struct
from typing import Any

import pytest
from msgspec import Raw

from farebox.dialects.cohere_chat.embed import as_base64, decode_embed, encode_embed
from farebox.dialects.cohere_chat.errors import refusal
from farebox.dialects.cohere_chat.rerank import Ranking, decode_rerank, encode_rerank
from farebox.dialects.ports import Target
from farebox.ir.errors import Garbled, VendorFailed, VendorModelMissing, VendorUnsupported
from farebox.ir.request import EmbeddingRequest
from unit.dialects.bedrock_converse.native_traffic import Exchange, by_name, exchanges

EMBEDS = list(exchanges("cohere/native/cohere.v2.embed*.json"))
RERANKS = list(exchanges("cohere/native/cohere.v2.rerank*.json"))
NAME = "cohere_chat"


def raw(value: Any) -> Raw:
    return Raw(json.dumps(value).encode())


@by_name([item for item in EMBEDS if item.request])
def test_recorded_embedding_requests_are_written_as_they_were(exchange: Exchange) -> None:
    body = {name: value for name, value in exchange.request.items() if value is not None}
    request = EmbeddingRequest(
        models=("m",),
        inputs=tuple(raw(text) for text in body["texts"]),
        dimensions=body.get("output_dimension"),
        input_type=body["input_type"],
        extras={NAME: {name: raw(body[name]) for name in ("truncate",) if name in body}},
    )
    written, warnings = encode_embed(request, Target(model=body["model"], vendor="v"))
    assert json.loads(written) == body
    assert warnings == []


@by_name([item for item in EMBEDS if item.status == 200])
def test_vectors_and_usage(exchange: Exchange) -> None:
    want = json.loads(exchange.body)
    answer = decode_embed(exchange.body)
    assert [json.loads(bytes(vector)) for vector in answer.vectors] == want["embeddings"]["float"]
    assert answer.response_id == want.get("id", "")
    billed = want.get("meta", {}).get("billed_units", {})
    assert (answer.usage.leaves if answer.usage else {}) == ({"input_fresh": billed["input_tokens"]} if billed else {})
    packed = base64.b64decode(as_base64(answer.vectors[0]))
    floats = struct.unpack(f"<{len(packed) // 4}f", packed)
    assert floats == pytest.approx(want["embeddings"]["float"][0], rel=1e-6)


def test_what_else_an_embedding_may_ask() -> None:
    request = EmbeddingRequest(models=("m",), inputs=(raw("a"),), user="u", input_type="query", dimensions=8)
    written, warnings = encode_embed(request, Target(model="e", vendor="v"))
    assert json.loads(written)["input_type"] == "search_query"
    assert [warning.path for warning in warnings] == ["$.user"]
    plain = EmbeddingRequest(models=("m",), inputs=(raw("a"),))
    written, warnings = encode_embed(plain, Target(model="e", vendor="v"))
    assert json.loads(written)["input_type"] == "search_document" and len(warnings) == 1
    _, warnings = encode_embed(plain, Target(model="e", vendor="v", settings={"input_type": "clustering"}))
    assert warnings == []
    with pytest.raises(VendorUnsupported):
        encode_embed(EmbeddingRequest(models=("m",), inputs=(raw([1, 2]),)), Target(model="e", vendor="v"))


def test_errors_of_embeddings() -> None:
    (exchange,) = [item for item in EMBEDS if item.status >= 400]
    assert type(refusal(exchange.status, exchange.headers, exchange.body)) is VendorModelMissing
    with pytest.raises(VendorFailed):
        decode_embed(b'{"id":"i","message":"internal server error"}')
    for body in (b"", b"{}", b'{"embeddings":{"int8":[]}}', b'{"embeddings":5}'):
        with pytest.raises(Garbled):
            decode_embed(body)


@by_name([item for item in RERANKS if item.request])
def test_recorded_rankings_are_written_as_they_were(exchange: Exchange) -> None:
    body = {name: value for name, value in exchange.request.items() if value is not None}
    request = Ranking(
        query=body["query"], documents=tuple(raw(text) for text in body["documents"]), top_n=body.get("top_n")
    )
    written, warnings = encode_rerank(request, Target(model=body["model"], vendor="v"))
    assert json.loads(written) == body
    assert warnings == []


@by_name(RERANKS)
def test_rankings_and_their_usage(exchange: Exchange) -> None:
    want = json.loads(exchange.body)
    answer = decode_rerank(exchange.body)
    assert [(one.index, one.relevance_score) for one in answer.results] == [
        (one["index"], one["relevance_score"]) for one in want["results"]
    ]
    assert answer.usage is not None
    assert answer.usage.leaves == {"search_unit": want["meta"]["billed_units"]["search_units"]}


def test_documents_that_are_objects() -> None:
    request = Ranking(query="q", documents=(raw({"text": "a"}), raw({"text": "b", "id": 1}), raw({"x": 1})))
    written, warnings = encode_rerank(request, Target(model="r", vendor="v"))
    assert json.loads(written)["documents"] == ["a", "b", '{"x": 1}']
    assert [warning.path for warning in warnings] == ["$.documents[1]"]


def test_errors_of_rankings() -> None:
    with pytest.raises(VendorFailed):
        decode_rerank(b'{"message":"internal server error"}')
    for body in (b"", b"{}", b'{"results":[{"index":"x"}]}'):
        with pytest.raises(Garbled):
            decode_rerank(body)
