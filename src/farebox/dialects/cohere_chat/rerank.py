"""Reranking of version 2 as values and pure functions. Refuses documents without text."""

from typing import Any

import msgspec
from msgspec import Raw, Struct, field

from farebox.dialects.bedrock_converse.sending import Losses, body
from farebox.dialects.bedrock_converse.telling import text_of
from farebox.dialects.cohere_chat.usage import read_usage
from farebox.dialects.cohere_chat.words import NAME
from farebox.dialects.ports import Target
from farebox.dialects.shared.vendor_errors import from_value
from farebox.ir.errors import Garbled
from farebox.ir.events import Warning
from farebox.ir.request import Extras
from farebox.ir.usage import Usage

RERANK_PATH = "/v2/rerank"
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.Decoder().decode


class Ranking(Struct, frozen=True, kw_only=True):
    """What is asked: which of the documents (texts, or objects with a `text`) fit the query."""

    query: str
    documents: tuple[Raw, ...]
    top_n: int | None = None
    extras: Extras = field(default_factory=dict)


class Ranked(Struct, frozen=True):
    """A document by its place in the request, and how relevant it is."""

    index: int
    relevance_score: float


class RankingAnswer(Struct, frozen=True, kw_only=True):
    """Best first."""

    results: tuple[Ranked, ...]
    response_id: str = ""
    usage: Usage | None = None
    flags: tuple[str, ...] = ()


_results = msgspec.json.Decoder(tuple[Ranked, ...]).decode


def encode_rerank(request: Ranking, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    losses = Losses()
    own = losses.extras(request.extras, "$", NAME)
    fields: dict[str, Any] = {
        "model": target.model,
        "query": request.query,
        "documents": [
            _text(document, losses, f"$.documents[{index}]") for index, document in enumerate(request.documents)
        ],
    }
    if request.top_n is not None:
        fields["top_n"] = request.top_n
    fields.update(own)
    return body(fields, target, losses), losses.warnings


def _text(document: Raw, losses: Losses, path: str) -> Raw | str:
    """Texts only are taken: of an object its `text` is, or else the whole of it as it was written."""
    if bytes(document)[:1] == b'"':
        return document
    value = _value(document)
    if isinstance(value, dict) and isinstance(value.get("text"), str):
        if len(value) > 1:
            losses.part(path, "More than the text of a document")
        return str(value["text"])
    return bytes(document).decode()


def decode_rerank(body: bytes) -> RankingAnswer:
    """The ranking. Raises the error that is in the answer, and `Garbled` for what is no answer."""
    flags: list[str] = []
    try:
        fields = _members(body)
        if "results" not in fields:
            if "message" in fields:
                raise from_value(_value(body))
            raise Garbled(metadata={"what": "results"})
        results = _results(fields["results"])
        usage = read_usage(fields["meta"], flags) if "meta" in fields else None
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError):
        raise Garbled(metadata={"what": "results"}) from None
    return RankingAnswer(results=results, response_id=text_of(fields, "id"), usage=usage, flags=tuple(flags))
