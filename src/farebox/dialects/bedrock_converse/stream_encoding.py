"""Canonical events and answers written as ConverseStream frames and Converse bodies. Refuses to price: stop and metadata wait
for the charge. One answer only: further choices are left out, since the protocol has no word for them.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse import answer_writing as writing
from farebox.dialects.bedrock_converse.seals import sealed, signature, word_of
from farebox.dialects.bedrock_converse.words import NAME
from farebox.dialects.framing.aws_events import frame
from farebox.dialects.ports import Envelope
from farebox.ir.errors import FareboxError
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    Response,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.request import AnyPart, Inline, Media, Opaque, Reasoning, Refusal, Seal, Text, ToolCall
from farebox.ir.usage import Usage
from farebox.money.charges import Charge

_encode = msgspec.json.encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
Fields = dict[str, Any]


def event(name: str, fields: Any) -> bytes:
    head = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return frame(head, _encode(fields))


class _Open:
    """A part that is being told: its block's number (-1 until something is said), and its seal until the end."""

    __slots__ = ("number", "part", "said", "seal")

    def __init__(self, part: AnyPart) -> None:
        self.part = part
        self.number = -1
        self.seal: Seal | None = getattr(part, "seal", None)
        self.said = False


class ConverseStreamEncoder:
    """See `dialects.ports.StreamEncoder`."""

    __slots__ = ("_begun", "_ended", "_envelope", "_next", "_open", "_out", "_usage")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._open: dict[int, _Open] = {}
        self._next = 0
        self._begun = False
        self._ended: ChoiceEnded | None = None
        self._usage: Usage | None = None
        self._out: list[bytes] = []

    def feed(self, events: Iterable[Event]) -> bytes:
        for one in events:
            if getattr(one, "choice", 0) == 0:
                self._tell(one)
        out, self._out = self._out, []
        return b"".join(out)

    def _tell(self, one: Event) -> None:
        match one:
            case TextDelta():
                self._delta(one.index, {"text": one.text})
            case ReasoningDelta():
                self._thought(one)
            case ArgumentsDelta():
                self._open[one.index].said = True
                self._delta(one.index, {"toolUse": {"input": one.text}})
            case PartStarted():
                self._start(one)
            case PartEnded():
                self._end(self._open.pop(one.index))
            case SealDelta():
                self._open[one.index].seal = one.seal
            case CitationAdded():
                self._delta(one.index, {"citation": writing.citation_fields(one.citation)})
            case MediaDelta():
                self._media(one)
            case Started() | ChoiceEnded() | UsageReported():
                self._keep(one)
            case _:
                pass

    def _keep(self, one: Started | ChoiceEnded | UsageReported) -> None:
        if isinstance(one, ChoiceEnded):
            self._ended = one
        elif isinstance(one, UsageReported):
            self._usage = one.usage
        else:
            self._begin()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._out.append(event("messageStart", {"role": "assistant"}))

    def _number(self, opened: _Open) -> int:
        if opened.number < 0:
            self._begin()
            opened.number = self._next
            self._next += 1
        return opened.number

    def _delta(self, index: int, delta: Fields) -> None:
        number = self._number(self._open[index])
        self._out.append(event("contentBlockDelta", {"contentBlockIndex": number, "delta": delta}))

    def _announce(self, opened: _Open, start: Fields) -> None:
        number = self._number(opened)
        self._out.append(event("contentBlockStart", {"contentBlockIndex": number, "start": start}))

    def _start(self, one: PartStarted) -> None:
        part, index = one.part, one.index
        opened = self._open[index] = _Open(part)
        if isinstance(part, Text | Refusal):
            if part.text:
                self._delta(index, {"text": part.text})
            for citation in part.citations if isinstance(part, Text) else ():
                self._delta(index, {"citation": writing.citation_fields(citation)})
        elif isinstance(part, Reasoning):
            if (part.text or part.summary) and self._envelope.include_reasoning:
                self._delta(index, {"reasoningContent": {"text": part.text or part.summary}})
                opened.said = True
        elif isinstance(part, ToolCall):
            self._announce(opened, {"toolUse": {"toolUseId": part.call_id, "name": part.name}})
            if part.arguments:
                opened.said = True
                self._delta(index, {"toolUse": {"input": part.arguments}})
        elif isinstance(part, Media):
            self._image(opened, part, index)
        elif isinstance(part, Opaque):
            self._opaque(opened, part, index)

    def _image(self, opened: _Open, part: Media, index: int) -> None:
        if part.family != "image":
            return
        self._announce(opened, {"image": {"format": writing.format_word(part)}})
        if isinstance(part.source, Inline) and part.source.data:
            self._delta(index, {"image": {"source": {"bytes": part.source.data}}})

    def _media(self, one: MediaDelta) -> None:
        if self._open[one.index].number >= 0 and one.data:
            self._delta(one.index, {"image": {"source": {"bytes": one.data}}})

    def _opaque(self, opened: _Open, part: Opaque, index: int) -> None:
        """A block of this protocol that the service ran itself, taken apart as it came."""
        if part.origin is None or part.origin.dialect != NAME:
            return
        for kind, raw in _members(part.payload).items():
            if kind not in ("toolUse", "toolResult"):
                continue
            inner = _members(raw)
            told = inner.pop("input" if kind == "toolUse" else "content", None)
            self._announce(opened, {kind: inner})
            if told is not None:
                delta = {"input": bytes(told).decode()} if kind == "toolUse" else told
                self._delta(index, {kind: delta})

    def _thought(self, one: ReasoningDelta) -> None:
        if self._envelope.include_reasoning:
            self._open[one.index].said = True
            self._delta(one.index, {"reasoningContent": {"text": one.text}})

    def _end(self, opened: _Open) -> None:
        part, seal = opened.part, opened.seal
        if isinstance(part, Reasoning) and seal is not None and self._envelope.include_reasoning:
            word = word_of(part.origin)
            plain = opened.said or seal.form == "signature"
            content = {"signature": signature(seal, word)} if plain else sealed(seal, word)
            self._seal(self._number(opened), content)
        self._stop(opened.number)
        if isinstance(part, ToolCall) and seal is not None:
            number = self._number(_Open(part))
            self._seal(number, sealed(seal, word_of(part.origin), part.call_id))
            self._stop(number)

    def _seal(self, number: int, content: Fields) -> None:
        fields = {"contentBlockIndex": number, "delta": {"reasoningContent": content}}
        self._out.append(event("contentBlockDelta", fields))

    def _stop(self, number: int) -> None:
        if number >= 0:
            self._out.append(event("contentBlockStop", {"contentBlockIndex": number}))

    def finish(self, charge: Charge) -> bytes:
        self._begin()
        extras = dict(self._ended.extras.get(NAME, {})) if self._ended is not None else {}
        more = extras.pop("additionalModelResponseFields", None)
        stop: Fields = {"stopReason": writing.stop_word(self._ended)}
        if more is not None:
            stop["additionalModelResponseFields"] = more
        metadata: Fields = {"usage": writing.usage_fields(self._usage, charge), "metrics": {"latencyMs": 0}}
        out, self._out = self._out, []
        return b"".join([*out, event("messageStop", stop), event("metadata", metadata | extras)])

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        kind, fields = writing.in_stream(error)
        out, self._out = self._out, []
        usage = {"usage": writing.usage_fields(self._usage, charge)} if self._usage is not None else {}
        head = {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"}
        return b"".join([*out, frame(head, _encode(fields | usage))])


def encode_whole(response: Response, envelope: Envelope, charge: Charge) -> bytes:
    """A whole answer."""
    choice = response.choices[0] if response.choices else None
    content: list[Any] = []
    for part in choice.parts if choice is not None else ():
        if not isinstance(part, Reasoning) or envelope.include_reasoning:
            content += writing.blocks(part)
    ended = None
    if choice is not None and choice.reason is not None:
        ended = ChoiceEnded(reason=choice.reason, raw_reason=choice.raw_reason, stop_sequence=choice.stop_sequence)
    body: Fields = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": writing.stop_word(ended),
        "usage": writing.usage_fields(response.usage, charge),
        "metrics": {"latencyMs": 0},
    }
    return _encode(body | (dict(choice.extras.get(NAME, {})) if choice is not None else {}))
