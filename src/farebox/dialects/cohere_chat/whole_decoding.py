"""A whole answer as canonical events. Refuses bodies that are no answer."""

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.telling import Teller, text_of
from farebox.dialects.cohere_chat.citations import about_plan, citations, part_number
from farebox.dialects.cohere_chat.logprobs import entries
from farebox.dialects.cohere_chat.stream_decoding import PLAN_TEXT, finish, thought
from farebox.dialects.cohere_chat.usage import read_usage
from farebox.dialects.cohere_chat.words import NAME
from farebox.dialects.ports import Outcome, Target
from farebox.dialects.shared.vendor_errors import from_value
from farebox.ir.errors import Garbled
from farebox.ir.events import Event, LogprobsAdded, Started
from farebox.ir.request import AnyPart, Citation, Opaque, Origin, Text, ToolCall

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_raws = msgspec.json.Decoder(list[Raw]).decode
_value = msgspec.json.Decoder().decode
_OWN = frozenset(("id", "message", "finish_reason", "usage", "logprobs", "error"))
_EMPTY = (b"null", b"[]", b'""', b"")


def decode_whole(body: bytes, target: Target) -> tuple[list[Event], Outcome]:
    """Events of a whole answer. Raises the error that is in it, and `Garbled` for what is no answer."""
    try:
        fields = _members(body.strip(b"\xef\xbb\xbf \t\r\n"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Garbled(metadata={"what": "json"}) from None
    if bytes(fields.get("message", b""))[:1] != b"{":
        if "message" in fields or "error" in fields:
            raise from_value(_value(body))
        raise Garbled(metadata={"what": "message"})
    teller = Teller()
    teller.start(Started(response_id=text_of(fields, "id")), target)
    try:
        _message(_members(fields["message"]), teller, target)
        if _given(fields, "logprobs"):
            teller.add(LogprobsAdded(entries(_value(fields["logprobs"]))))
        if "usage" in fields:
            teller.use(read_usage(fields["usage"], teller.outcome.flags))
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, RecursionError):
        raise Garbled(metadata={"what": "message"}) from None
    finish(teller, text_of(fields, "finish_reason"), fields, _OWN)
    error = teller.outcome.error
    if error is not None and not teller.outcome.ended:
        raise error
    return teller.take(), teller.outcome


def _given(fields: dict[str, Raw], name: str) -> bool:
    return bytes(fields.get(name, b"")) not in _EMPTY


def _message(message: dict[str, Raw], teller: Teller, target: Target) -> None:
    cited: dict[int | None, list[Citation]] = {}
    for raw in _raws(message["citations"]) if _given(message, "citations") else []:
        key = -1 if about_plan(raw) else part_number(raw)
        cited.setdefault(key, []).extend(citations(raw))
    parts: list[tuple[int, AnyPart]] = []
    if _given(message, "tool_plan"):
        parts.append((-1, Text(text=text_of(message, "tool_plan"), extras=PLAN_TEXT.extras)))
    content = message.get("content", Raw(b"[]"))
    if bytes(content)[:1] == b'"':
        parts.append((0, Text(text=str(_value(content)))))
    elif _given(message, "content"):
        parts += [(number, _part(raw, target)) for number, raw in enumerate(_raws(content))]
    texts = [number for number, part in parts if isinstance(part, Text)]
    for number, part in parts:
        notes = cited.pop(number, [])
        if isinstance(part, Text):
            if texts and number == texts[-1]:
                notes = [*notes, *(one for rest in cited.values() for one in rest)]
                cited.clear()
            if part.text or notes:
                teller.whole(Text(text=part.text, extras=part.extras, citations=tuple(notes)))
        else:
            teller.whole(part)
    for call in _objects(message["tool_calls"]) if _given(message, "tool_calls") else []:
        function = _members(call["function"])
        arguments = text_of(function, "arguments") or "{}"
        teller.whole(ToolCall(call_id=text_of(call, "id"), name=text_of(function, "name"), arguments=arguments))


def _part(raw: Raw, target: Target) -> AnyPart:
    fields = _members(raw)
    kind = text_of(fields, "type")
    if kind == "text":
        return Text(text=text_of(fields, "text"))
    if kind == "thinking":
        return thought(text_of(fields, "thinking"))
    return Opaque(payload=raw, origin=Origin(NAME, target.vendor))
