"""Embeddings of version 2 as pure functions: canonical request to body, answer to vectors. Refuses lists of token ids, which
this API does not take.

Floats are asked for whatever the caller wants, since both encodings follow from them exactly (four bytes each, little-endian).
"""

import base64
import struct
from typing import Any

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.bedrock_converse.sending import CHANGED, Losses, body
from farebox.dialects.bedrock_converse.telling import text_of
from farebox.dialects.cohere_chat.usage import read_usage
from farebox.dialects.cohere_chat.words import NAME
from farebox.dialects.ports import Target
from farebox.dialects.shared.vendor_errors import from_value
from farebox.ir.errors import Garbled, VendorUnsupported
from farebox.ir.events import Warning
from farebox.ir.request import EmbeddingRequest
from farebox.ir.usage import Usage

EMBED_PATH = "/v2/embed"
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_raws = msgspec.json.Decoder(list[Raw]).decode
_floats = msgspec.json.Decoder(list[float]).decode
_value = msgspec.json.Decoder().decode
# Words of other protocols for what a text is embedded for.
_PURPOSES = {"query": "search_query", "document": "search_document", "passage": "search_document"}


class Embedded(Struct, frozen=True, kw_only=True):
    """One raw list of floats for each input, in their order."""

    vectors: tuple[Raw, ...]
    response_id: str = ""
    usage: Usage | None = None
    flags: tuple[str, ...] = ()


def encode_embed(request: EmbeddingRequest, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    losses = Losses()
    own = losses.extras(request.extras, "$", NAME)
    fields: dict[str, Any] = {"model": target.model}
    texts: list[Any] = []
    for index, raw in enumerate(request.inputs):
        if bytes(raw)[:1] != b'"':
            raise VendorUnsupported("This provider embeds texts only.", path=f"$.input[{index}]")
        texts.append(raw)
    fields["texts"] = texts
    purpose = request.input_type or target.settings.get("input_type", "")
    if not purpose:
        purpose = "search_document"
        losses.say(CHANGED, "$.input_type", "This provider must be told a purpose: the texts count as documents.")
    fields["input_type"] = _PURPOSES.get(purpose, purpose)
    fields["embedding_types"] = ["float"]
    if request.dimensions is not None:
        fields["output_dimension"] = request.dimensions
    if request.user is not None:
        losses.dropped("user")
    fields.update(own)
    return body(fields, target, losses), losses.warnings


def decode_embed(body: bytes) -> Embedded:
    """The vectors. Raises the error that is in the answer, and `Garbled` for what is no answer."""
    flags: list[str] = []
    try:
        fields = _members(body)
        if "embeddings" not in fields:
            if "message" in fields:
                raise from_value(_value(body))
            raise Garbled(metadata={"what": "embeddings"})
        given = fields["embeddings"]
        vectors = _raws(given) if bytes(given)[:1] == b"[" else _raws(_members(given)["float"])
        usage = read_usage(fields["meta"], flags) if "meta" in fields else None
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, RecursionError):
        raise Garbled(metadata={"what": "embeddings"}) from None
    return Embedded(vectors=tuple(vectors), response_id=text_of(fields, "id"), usage=usage, flags=tuple(flags))


def as_base64(vector: Raw) -> str:
    """A vector as base64 of 32-bit floats, as other protocols have it."""
    floats = _floats(vector)
    return base64.b64encode(struct.pack(f"<{len(floats)}f", *floats)).decode()
