"""The contents of a request as messages: parts in order, signatures before the part they stand on, calls and results with
ids that fit. Refuses nothing: a part that nobody here knows is kept as it is.
"""

import msgspec
from msgspec import Raw, structs

from farebox.dialects.google_generate.media import media_of
from farebox.dialects.google_generate.seals import ORIGIN, before, is_wrapped, told, unwrapped
from farebox.dialects.google_generate.words import FORMAT, NAME, camel, invented_id
from farebox.dialects.shared.reader import Reader, is_null, members, objects
from farebox.ir.request import (
    AnyPart,
    Extras,
    Media,
    Message,
    Opaque,
    Reasoning,
    Role,
    Seal,
    Text,
    ToolCall,
    ToolResult,
)

_encode = msgspec.json.encode
_value = msgspec.json.Decoder().decode
_EMPTY = Text(text="")


def system(raw: Raw | None) -> tuple[Message, ...]:
    """`systemInstruction`: a content, or plain text as some clients send it."""
    if raw is None:
        return ()
    if bytes(raw)[:1] == b'"':
        return (Message(role=Role.SYSTEM, parts=(Text(text=_value(raw)),)),)
    fields = {camel(name): inner for name, inner in members(raw).items()}
    contents = Contents()
    parts = contents.parts(fields.get("parts"), "system")
    return (Message(role=Role.SYSTEM, parts=tuple(parts)),) if parts else ()


class Contents:
    """Remembers the calls of the conversation, so that results find theirs."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[str]] = {}

    def messages(self, contents: list[dict[str, Raw]]) -> list[Message]:
        """Google's own library keeps a streamed answer as one content a chunk: neighbours of the model are one message."""
        out: list[Message] = []
        for index, given in enumerate(contents):
            fields = {camel(name): raw for name, raw in given.items() if not is_null(raw)}
            raw = fields.pop("role", None)
            role = str(_value(raw)) if raw is not None else "user"
            parts = self.parts(fields.pop("parts", None), str(index))
            extras: Extras = {NAME: fields} if fields else {}
            if role == "model":
                _answered(out, parts, extras)
                continue
            results = [part for part in parts if isinstance(part, ToolResult)]
            if results and len(results) == len(parts):
                out += [Message(role=Role.TOOL, parts=(part,), extras=extras) for part in results]
            else:
                out.append(Message(role=Role.USER, parts=tuple(parts), extras=extras))
        return [_trimmed(message) for message in out]

    def parts(self, raw: Raw | None, where: str) -> list[AnyPart]:
        if raw is None or is_null(raw):
            return []
        if bytes(raw)[:1] == b'"':
            return [Text(text=_value(raw))]
        out: list[AnyPart] = []
        for index, fields in enumerate(objects(raw) if bytes(raw)[:1] == b"[" else [members(raw)]):
            self._part(Reader({camel(name): value for name, value in fields.items()}), out, f"{where}.{index}")
        return out

    def _part(self, reader: Reader, out: list[AnyPart], where: str) -> None:
        payload = dict(reader.rest())
        thought, signature = reader.value("thought") is True, reader.value("thoughtSignature")
        signature = signature if isinstance(signature, str) else ""
        for name, read in (("functionCall", self._call), ("functionResponse", self._result)):
            inner = reader.raw(name)
            if inner is not None:
                part = read(Reader({camel(key): raw for key, raw in members(inner).items()}), reader, where)
                if signature and isinstance(part, ToolCall):
                    out.append(before(signature, part.call_id))
                out.append(part)
                return
        text = reader.value("text")
        if isinstance(text, str):
            self._text(text, signature, reader, thought=thought, out=out)
            return
        blob = reader.raw("inlineData") or reader.raw("fileData")
        if blob is not None and not thought:
            if signature:
                out.append(before(signature))
            out.append(self._media(blob, reader))
        elif signature and payload.keys() == {"thoughtSignature"}:
            out += [before(signature), Text(text="")]
        elif payload:
            out.append(Opaque(payload=Raw(_encode(payload)), origin=ORIGIN))

    @staticmethod
    def _text(text: str, signature: str, reader: Reader, *, thought: bool, out: list[AnyPart]) -> None:
        if signature and is_wrapped(signature):
            part = unwrapped(signature, text)
            if part is not None:
                out.append(part)
        elif thought:
            seal = Seal("signature", signature) if signature else None
            out.append(Reasoning(text=text, seal=seal, origin=ORIGIN, extras=reader.extras(NAME)))
        else:
            if signature:
                out.append(before(signature))
            out.append(Text(text=text, extras=reader.extras(NAME)))

    @staticmethod
    def _media(blob: Raw, reader: Reader) -> Media:
        return media_of(_value(blob), reader.extras(NAME))

    def _call(self, call: Reader, outer: Reader, where: str) -> ToolCall:
        name, given = call.text("name") or "", call.text("id")
        args = call.raw("args")
        call_id = given or invented_id(where, 0)
        self._waiting.setdefault(name, []).append(call_id)
        return ToolCall(
            call_id=call_id,
            name=name,
            arguments=bytes(args).decode() if args is not None else "{}",
            extras=_extras(call, outer, "functionCall"),
        )

    def _result(self, result: Reader, outer: Reader, where: str) -> ToolResult:
        name, given = result.text("name") or "", result.text("id")
        waiting = self._waiting.get(name, [])
        if given and given in waiting:
            waiting.remove(given)
        call_id = given or (waiting.pop(0) if waiting else invented_id(where, 1))
        response, media = result.raw("response"), result.raw("parts")
        parts: list[AnyPart] = [Text(text=bytes(response).decode())] if response is not None else []
        if media is not None:
            parts += self.parts(media, where)
        value = _value(response) if response is not None else None
        failed = isinstance(value, dict) and value.keys() == {"error"}
        return ToolResult(
            call_id=call_id,
            name=name,
            parts=tuple(parts),
            failed=failed,
            extras=_extras(result, outer, "functionResponse"),
        )


def _answered(out: list[Message], parts: list[AnyPart], extras: Extras) -> None:
    """More of the model's: put to what it said right before, pieces of one text or thought joined."""
    before = out[-1] if out and out[-1].role is Role.ASSISTANT and not extras and not out[-1].extras else None
    said: list[AnyPart] = list(out.pop().parts) if before is not None else []
    for part in parts:
        _join(said, part)
    out.append(Message(role=Role.ASSISTANT, parts=tuple(said), extras=extras))


def _trimmed(message: Message) -> Message:
    """Without the empty texts that end a stream; a signature on one is kept by the sealed part before it."""
    parts = message.parts
    while message.role is Role.ASSISTANT and len(parts) > 1 and parts[-1] == _EMPTY:
        parts = parts[:-1]
    return message if parts is message.parts else structs.replace(message, parts=parts)


def _join(said: list[AnyPart], part: AnyPart) -> None:
    last = said[-1] if said else None
    if isinstance(part, Reasoning) and part.origin is not None and part.origin.format != FORMAT:
        # A foreign seal, unwrapped: the thought that it seals came before it, in plain pieces.
        text = part.text or part.summary
        while said and isinstance(said[-1], Reasoning) and said[-1].seal is None:
            thought = said.pop()
            text = (thought.text if isinstance(thought, Reasoning) else "") + text
        said.append(told(part, text))
    elif _plain_text(part) and _plain_text(last) and not _signed(said):
        said[-1] = structs.replace(part, text=last.text + part.text)  # type: ignore[union-attr]
    else:
        said.append(part)


def _plain_text(part: AnyPart | None) -> bool:
    return isinstance(part, Text) and not part.extras


def _signed(said: list[AnyPart]) -> bool:
    """Whether the last part bears a signature: the sealed part right before it says so."""
    seal = said[-2].seal if len(said) > 1 and isinstance(said[-2], Reasoning) else None
    return seal is not None and seal.form == "encrypted" and not seal.item_id


def _extras(inner: Reader, outer: Reader, kind: str) -> Extras:
    rest = {name: raw for name, raw in outer.rest().items() if not is_null(raw)}
    left = {name: raw for name, raw in inner.rest().items() if not is_null(raw)}
    if left:
        rest[kind] = Raw(_encode(left))
    return {NAME: rest} if rest else {}
