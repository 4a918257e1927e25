"""A ConverseStream answer as canonical events. A block opens with its first delta, since only calls announce themselves; a
call that says no arguments has none (`{}`); the end is told when the metadata came, so that usage and traces are part of it.
Refuses to frame.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.anthropic_messages.seals import unescape
from farebox.dialects.bedrock_converse import reasoning
from farebox.dialects.bedrock_converse.citations import citation
from farebox.dialects.bedrock_converse.errors import in_stream
from farebox.dialects.bedrock_converse.telling import Teller
from farebox.dialects.bedrock_converse.usage import read_usage
from farebox.dialects.bedrock_converse.words import NAME, STOPS, family
from farebox.dialects.framing.aws_events import AwsEvent, FrameSplitter
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import AttemptError, Garbled, VendorFailed
from farebox.ir.events import CitationAdded, Event, FinishReason, MediaDelta, SealDelta, Started
from farebox.ir.request import Inline, Media, Opaque, Origin, Reasoning, Seal, Text, ToolCall

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
_NOISE = frozenset(("p", "usage", "stopReason"))
_CLIENT_CALLS = ("", "tool_use")


class _Input(Struct):
    input: str = ""


class _Thought(Struct, rename="camel"):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(Struct, rename="camel"):
    text: str | None = None
    tool_use: _Input | None = None
    reasoning_content: _Thought | None = None
    citation: dict[str, Raw] | None = None
    image: Raw = Raw(b"")


class _BlockDelta(Struct, rename="camel"):
    delta: _Delta
    content_block_index: int = 0


class _Start(Struct, rename="camel"):
    tool_use: dict[str, Raw] | None = None
    image: dict[str, Raw] | None = None


class _BlockStart(Struct, rename="camel"):
    start: _Start
    content_block_index: int = 0


class _BlockStop(Struct, rename="camel"):
    content_block_index: int = 0


_block_delta = msgspec.json.Decoder(_BlockDelta).decode
_block_start = msgspec.json.Decoder(_BlockStart).decode
_block_stop = msgspec.json.Decoder(_BlockStop).decode


class _Unknown:
    """A block nobody here understands, gathered until it is whole."""

    __slots__ = ("kind", "pieces", "start")

    def __init__(self, kind: str, start: dict[str, Raw]) -> None:
        self.kind = kind
        self.start = start
        self.pieces: list[Any] = []

    def payload(self) -> Raw:
        """The block in the form of a whole answer, as near as its deltas tell."""
        inner: dict[str, Any] = dict(self.start)
        if self.kind == "toolUse":
            text = "".join(str(piece.get("input") or "") for piece in self.pieces if isinstance(piece, dict))
            inner["input"] = Raw(text.encode() or b"{}")
        elif self.pieces:
            flat: list[Any] = []
            for piece in self.pieces:
                flat += piece if isinstance(piece, list) else [piece]
            inner["content"] = flat
        return Raw(_encode({self.kind: inner}))


class ConverseStreamDecoder:
    """See `dialects.ports.StreamDecoder`."""

    __slots__ = (
        "_extras",
        "_kind",
        "_seals",
        "_splitter",
        "_stop",
        "_target",
        "_teller",
        "_unknown",
        "_wordless",
        "outcome",
    )

    def __init__(self, target: Target) -> None:
        self._splitter = FrameSplitter()
        self._teller = Teller()
        self._target = target
        self._kind = family(target.model)
        self._seals: dict[int, tuple[str, list[str]]] = {}
        self._unknown: dict[int, _Unknown] = {}
        self._wordless: set[int] = set()
        self._stop = ""
        self._extras: dict[str, Raw] = {}
        self.outcome: Outcome = self._teller.outcome

    def feed(self, data: bytes) -> list[Event]:
        teller = self._teller
        try:
            for event in self._splitter.feed(data):
                if teller.over:
                    break
                self._event(event)
        except AttemptError as error:
            teller.fail(error)
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, RecursionError):
            teller.fail(Garbled(metadata={"what": "event"}))
        return teller.take()

    def close(self) -> list[Event]:
        if not self._teller.over:
            if self._stop:
                self._end(complete=False)
            else:
                self._teller.cut()
        return self._teller.take()

    def _event(self, event: AwsEvent) -> None:
        if event.kind != "event":
            raise in_stream(event.name, event.payload, event.headers.get(":error-message", ""))
        name = event.name
        if name == "contentBlockDelta":
            self._delta(event.payload)
        elif name == "contentBlockStart":
            self._begin(event.payload)
        elif name == "contentBlockStop":
            self._shut(_block_stop(event.payload).content_block_index)
        elif name == "messageStart":
            self._teller.start(Started(model=""), self._target)
        elif name == "messageStop":
            fields = _members(event.payload)
            self._stop = str(_value(fields["stopReason"]))
            self._keep(fields)
        elif name == "metadata":
            self._metadata(_members(event.payload))
        elif f"unknown_event:{name[:32]}" not in self.outcome.flags:
            self.outcome.flags.append(f"unknown_event:{name[:32]}")

    def _metadata(self, fields: dict[str, Raw]) -> None:
        if "usage" in fields:
            self._teller.use(read_usage(fields["usage"], self.outcome.flags))
        self._keep(fields)
        if self._stop:
            self._end(complete=True)

    def _keep(self, fields: dict[str, Raw]) -> None:
        self._extras.update({name: raw for name, raw in fields.items() if name not in _NOISE})

    def _delta(self, payload: bytes) -> None:
        event = _block_delta(payload)
        key, delta = event.content_block_index, event.delta
        teller = self._teller
        index = teller.at(key)
        if delta.text is not None:
            if delta.text:
                teller.text(teller.begin(key, Text(text="")) if index is None else index, delta.text)
        elif delta.tool_use is not None and key not in self._unknown:
            if index is None:
                raise Garbled(metadata={"what": "call without a start"})
            if delta.tool_use.input:
                self._wordless.discard(key)
                teller.arguments(index, delta.tool_use.input)
        elif delta.reasoning_content is not None:
            self._thought(key, delta.reasoning_content)
        elif delta.citation is not None:
            index = teller.begin(key, Text(text="")) if index is None else index
            teller.add(CitationAdded(index, citation(delta.citation)))
        elif bytes(delta.image) and index is not None:
            self._image(index, delta.image)
        else:
            self._strange(key, _members(_members(payload)["delta"]))

    def _thought(self, key: int, thought: _Thought) -> None:
        teller = self._teller
        index = teller.at(key)
        if index is None:
            index = teller.begin(key, Reasoning(origin=reasoning.origin(self._kind, self._target)))
        if thought.text:
            teller.thought(index, thought.text)
        for form, piece in (("signature", thought.signature), ("redacted", thought.redacted_content)):
            if piece:
                self._seals.setdefault(key, (form, []))[1].append(piece)
                self.outcome.committed = True

    def _image(self, index: int, raw: Raw) -> None:
        source = _value(raw).get("source")
        data = source.get("bytes") if isinstance(source, dict) else None
        if isinstance(data, str):
            self._teller.add(MediaDelta(index, data))

    def _begin(self, payload: bytes) -> None:
        event = _block_start(payload)
        key, start = event.content_block_index, event.start
        if start.tool_use is not None:
            fields = start.tool_use
            if (_value(fields["type"]) if "type" in fields else "") in _CLIENT_CALLS:
                self._teller.begin(key, call(fields, ""))
                self._wordless.add(key)
                return
            self._unknown[key] = _Unknown("toolUse", fields)
        elif start.image is not None:
            word = str(_value(start.image["format"])) if "format" in start.image else "png"
            self._teller.begin(key, Media(family="image", media_type=f"image/{word}", source=Inline("")))
        else:
            kinds = _members(_members(payload)["start"])
            for kind, raw in kinds.items():
                self._unknown[key] = _Unknown(kind, _members(raw))

    def _strange(self, key: int, delta: dict[str, Raw]) -> None:
        for kind, raw in delta.items():
            self._unknown.setdefault(key, _Unknown(kind, {})).pieces.append(_value(raw))

    def _shut(self, key: int) -> None:
        teller = self._teller
        form, pieces = self._seals.pop(key, ("", []))
        index = teller.at(key)
        if pieces and index is not None:
            whole = "".join(pieces)
            seal = Seal(form, whole) if form == "signature" else reasoning.redacted(pieces, self._kind)
            teller.add(SealDelta(index, seal))
        if key in self._wordless and index is not None:
            self._wordless.discard(key)
            teller.arguments(index, "{}")
        unknown = self._unknown.pop(key, None)
        if unknown is not None:
            teller.whole(Opaque(payload=unknown.payload(), origin=Origin(NAME, self._target.vendor)))
        teller.end(key)

    def _end(self, *, complete: bool) -> None:
        for key in {*self._seals, *self._unknown, *self._wordless}:
            self._shut(key)
        finish(self._teller, self._stop, self._extras, complete=complete)


def call(fields: dict[str, Raw], arguments: str) -> ToolCall:
    """A tool use as a call; what we do not know of it is kept."""
    known = ("toolUseId", "name", "input", "type")
    extras = {name: raw for name, raw in fields.items() if name not in known}
    return ToolCall(
        call_id=str(_value(fields["toolUseId"])) if "toolUseId" in fields else "",
        name=unescape(str(_value(fields["name"]))) if "name" in fields else "",
        arguments=arguments,
        extras={NAME: extras} if extras else {},
    )


def finish(teller: Teller, stop: str, extras: dict[str, Raw], *, complete: bool) -> None:
    """Ends an answer; a stop that means failure is one."""
    reason = STOPS.get(stop, FinishReason.STOP)
    if reason is FinishReason.ERROR:
        teller.fail(VendorFailed(detail=stop[:64]))
        return
    more = _value(extras["additionalModelResponseFields"]) if "additionalModelResponseFields" in extras else None
    sequence = more.get("stop_sequence") if isinstance(more, dict) else None
    teller.finish(
        reason,
        stop,
        complete=complete,
        stop_sequence=sequence if isinstance(sequence, str) else None,
        extras={NAME: extras} if extras else {},
    )
