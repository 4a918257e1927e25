"""Reads an embedding request, makes it canonical and writes it for a vendor. Refuses to look into what is embedded."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.openai_chat.opening import Short
from farebox.dialects.openai_chat.relay_request import relay_request
from farebox.dialects.ports import Opened, Target
from farebox.dialects.shared.checks import check_forbidden, typed, wanted_models
from farebox.dialects.shared.reader import Reader
from farebox.ir.events import Warning
from farebox.ir.request import EmbeddingRequest

NAME = "openai_embeddings"
INPUTS_MAX = 2048

TokenId = Annotated[int, Meta(ge=0, le=2**31 - 1)]


class EmbeddingHead(Struct, gc=False):
    """Every parameter with its range; what is not named here passes unread."""

    input: str | list[Any] | dict[str, Any]
    model: str | None = None
    models: Annotated[list[str], Meta(max_length=32)] | None = None
    provider: dict[str, Any] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=65_536)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    input_type: Short | None = None
    session_id: Short | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    stream: Literal[False] | None = None


_PARAMETERS = frozenset(("dimensions", "encoding_format", "input_type"))
_PART_MODALITIES = {"image_url": "image", "input_audio": "audio", "video_url": "video", "file": "file"}


def _check_inputs(inputs: list[Any]) -> set[str]:
    """Texts, token lists, the tokens of one text, or parts; the modalities among the parts."""
    if not 0 < len(inputs) <= INPUTS_MAX and not (inputs and type(inputs[0]) is int):
        refuse(f"1 to {INPUTS_MAX} inputs, please.", "too_many" if inputs else "invalid_value", "$.input")
    kinds = {type(item) for item in inputs}
    if len(kinds) != 1 or not kinds <= {str, int, list, dict}:
        refuse("The inputs must be all texts, all token lists or all parts.", "invalid_value", "$.input")
    if kinds == {int}:
        typed(inputs, list[TokenId])
    elif kinds == {list}:
        typed(inputs, list[list[TokenId]])
    modalities: set[str] = set()
    for item in inputs if kinds == {dict} else ():
        for part in item.get("content") or () if isinstance(item.get("content"), list) else (item,):
            modality = _PART_MODALITIES.get(str(part.get("type"))) if isinstance(part, dict) else None
            if modality:
                modalities.add(modality)
    return modalities


def open_embedding(body: bytes) -> Opened:
    """The opened request. Raises `InvalidRequest`."""
    fields, everything = front(body)
    check_forbidden(fields)
    if everything.get("input") is None:
        refuse("'input' is missing.", "missing_field", "$.input")
    head = typed(everything, EmbeddingHead)
    modalities = _check_inputs(head.input) if isinstance(head.input, list) else set()
    return Opened(
        body=body,
        fields=fields,
        models=wanted_models(head.model, head.models),
        provider=fields["provider"] if head.provider is not None else None,
        parameters=frozenset(name for name in _PARAMETERS if everything.get(name) is not None),
        modalities=frozenset(modalities),
        session=head.session_id or "",
        user=head.user or "",
    )


def decode_embedding(opened: Opened) -> EmbeddingRequest:
    """The canonical request."""
    reader = Reader(opened.fields)
    raw = reader.raw("input") or Raw(b"[]")
    value = msgspec.json.decode(raw)
    many = isinstance(value, list) and bool(value) and not isinstance(value[0], int)
    for name in ("model", "models", "provider"):
        reader.raw(name)
    return EmbeddingRequest(
        models=opened.models,
        inputs=tuple(msgspec.json.decode(raw, type=list[Raw])) if many else (raw,),
        single=not many,
        dimensions=reader.value("dimensions"),
        encoding=reader.value("encoding_format") or "float",
        input_type=reader.value("input_type"),
        user=reader.value("user"),
        extras=reader.extras(NAME),
    )


def encode_embedding(request: EmbeddingRequest, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was dropped."""
    fields: dict[str, Any] = {"input": request.inputs[0] if request.single else list(request.inputs)}
    members = {
        "dimensions": request.dimensions,
        "encoding_format": request.encoding if request.encoding != "float" else None,
        "input_type": request.input_type,
        "user": request.user,
    }
    fields.update({name: value for name, value in members.items() if value is not None})
    fields.update(request.extras.get(NAME, {}))
    raw = {name: Raw(msgspec.json.encode(value)) for name, value in fields.items()}
    return relay_request(Opened(body=b"", fields=raw, models=request.models), target)
