"""A whole Converse answer as canonical events. Refuses bodies that are no answer."""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse import media, reasoning
from farebox.dialects.bedrock_converse.citations import citation
from farebox.dialects.bedrock_converse.errors import refusal
from farebox.dialects.bedrock_converse.stream_decoding import call, finish
from farebox.dialects.bedrock_converse.telling import Teller
from farebox.dialects.bedrock_converse.usage import read_usage
from farebox.dialects.bedrock_converse.words import NAME, Family, family
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import Garbled
from farebox.ir.events import Event, Started
from farebox.ir.request import AnyPart, Opaque, Origin, Reasoning, Seal, Text

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_value = msgspec.json.Decoder().decode
_NOTHING = Text(text="")
_OWN = frozenset(("output", "stopReason", "usage"))


def decode_whole(body: bytes, target: Target) -> tuple[list[Event], Outcome]:
    """Events of a whole answer. Raises the error that is in it, and `Garbled` for what is no answer."""
    try:
        fields = _members(body.strip(b"\xef\xbb\xbf \t\r\n"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Garbled(metadata={"what": "json"}) from None
    if "output" not in fields:
        if "message" in fields or "__type" in fields or "Output" in fields:
            raise refusal(502, {}, body)
        raise Garbled(metadata={"what": "output"})
    teller = Teller()
    teller.start(Started(), target)
    kind = family(target.model)
    try:
        message = _members(_members(fields["output"])["message"])
        for block in _objects(message.get("content", b"[]")):
            part = _part(block, kind, target)
            if part != _NOTHING:
                teller.whole(part)
        if "usage" in fields:
            teller.use(read_usage(fields["usage"], teller.outcome.flags))
        extras = {name: raw for name, raw in fields.items() if name not in _OWN}
        stop = _value(fields["stopReason"]) if "stopReason" in fields else ""
        finish(teller, str(stop), extras, complete=bool(stop))
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, RecursionError):
        raise Garbled(metadata={"what": "output"}) from None
    error = teller.outcome.error
    if error is not None and not teller.outcome.ended:
        raise error
    return teller.take(), teller.outcome


def _part(block: dict[str, Raw], kind: Family, target: Target) -> AnyPart:
    part: AnyPart | None = None
    fields = dict(block)
    fields.pop("type", None)
    if len(fields) == 1:
        ((name, raw),) = fields.items()
        if name == "text":
            return Text(text=str(_value(raw)))
        if name == "toolUse":
            inner = _members(raw)
            if (_value(inner["type"]) if "type" in inner else "tool_use") == "tool_use":
                part = call(inner, bytes(inner.get("input", b"{}")).decode())
        elif name == "reasoningContent":
            part = _reasoning(_members(raw), kind, target)
        elif name == "citationsContent":
            part = _cited(_members(raw))
        else:
            part = media.part_of(name, raw) if name in ("image", "video", "document", "audio") else None
    return part or Opaque(payload=Raw(msgspec.json.encode(block)), origin=Origin(NAME, target.vendor))


def _reasoning(fields: dict[str, Raw], kind: Family, target: Target) -> Reasoning | None:
    origin = reasoning.origin(kind, target)
    if "redactedContent" in fields:
        return Reasoning(origin=origin, seal=reasoning.redacted([str(_value(fields["redactedContent"]))], kind))
    if "reasoningText" not in fields:
        return None
    inner: dict[str, Any] = _value(fields["reasoningText"])
    signature = inner.get("signature")
    return Reasoning(
        text=str(inner.get("text") or ""),
        seal=Seal("signature", signature) if isinstance(signature, str) and signature else None,
        origin=origin,
    )


def _cited(fields: dict[str, Raw]) -> Text:
    pieces = _value(fields["content"]) if "content" in fields else []
    text = "".join(str(piece.get("text") or "") for piece in pieces)
    return Text(text=text, citations=tuple(citation(one) for one in _objects(fields.get("citations", b"[]"))))
