"""Canonical events and answers written as Messages. Refuses to price: the end waits for the charge.

Blocks of this protocol stand one after the other. A part that starts while another is open closes it, unless the open one is
a tool call whose arguments are not whole: then the new part waits.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.answer_blocks import (
    answer_blocks,
    call_fields,
    call_seal,
    citation_raw,
    seal_text,
    word_of,
)
from farebox.dialects.anthropic_messages.errors import error_event
from farebox.dialects.anthropic_messages.seals import wrap
from farebox.dialects.anthropic_messages.usage import usage_fields, write_usage
from farebox.dialects.anthropic_messages.words import NAME, stop_word
from farebox.dialects.ports import Envelope
from farebox.dialects.shared.reader import members
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
from farebox.ir.request import AnyPart, Inline, Media, Reasoning, Refusal, Seal, Text, ToolCall
from farebox.ir.usage import NOTHING, Usage
from farebox.money.charges import Charge

_encode = msgspec.json.encode
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
Fields = dict[str, Any]
_Delta = TextDelta | ReasoningDelta | SealDelta | ArgumentsDelta | MediaDelta | CitationAdded


def _delta(block: int, kind: bytes, member: bytes, value: bytes) -> bytes:
    return (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":%b}}\n\n'
        % (block, kind, member, value)
    )


class _Part:
    """A part on its way: what is open, or waits."""

    __slots__ = ("arguments", "block", "data", "ended", "part", "seal", "waiting")

    def __init__(self, part: AnyPart) -> None:
        self.part = part
        self.block = -1
        self.arguments: list[str] = []
        self.data: list[str] = []
        self.seal: Seal | None = None
        self.waiting: list[Event] = []
        self.ended = False


class MessagesStreamEncoder:
    """See `dialects.ports.StreamEncoder`."""

    __slots__ = ("_begun", "_blocks", "_current", "_ended", "_envelope", "_parts", "_queue", "_started", "_usage")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._started = Started()
        self._begun = False
        self._usage: Usage | None = None
        self._ended: ChoiceEnded | None = None
        self._parts: dict[int, _Part] = {}
        self._current: _Part | None = None
        self._queue: list[_Part] = []
        self._blocks = 0

    def feed(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is TextDelta or kind is ReasoningDelta or kind is ArgumentsDelta:
                self._take(event, out)  # type: ignore[arg-type]
            elif kind is UsageReported:
                self._usage = event.usage  # type: ignore[union-attr]
            elif kind is Started:
                self._started = event  # type: ignore[assignment]
            elif kind is ChoiceEnded:
                self._end(event, out)  # type: ignore[arg-type]
            elif isinstance(event, PartStarted | PartEnded | SealDelta | MediaDelta | CitationAdded):
                self._take(event, out)
        return b"".join(out)

    def _end(self, event: ChoiceEnded, out: list[bytes]) -> None:
        if event.choice == 0:
            self._ended = event
            self._flush(out)

    def _head(self, out: list[bytes]) -> None:
        """The first event, once: when the first content comes, what the vendor counted until then is known."""
        if not self._begun:
            self._begun = True
            out.append(b"event: message_start\ndata: " + self._start(self._started) + b"\n\n")

    def _start(self, started: Started) -> bytes:
        message = envelope_fields(self._envelope)
        usage = usage_fields(self._usage or NOTHING)
        return _encode(
            {
                "type": "message_start",
                "message": message
                | {"content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
                | started.extras.get(NAME, {}),
            }
        )

    def _take(self, event: PartStarted | PartEnded | _Delta, out: list[bytes]) -> None:
        if event.choice != 0:
            return
        if isinstance(event, PartStarted):
            self._head(out)
            part = self._parts[event.index] = _Part(event.part)
            self._admit(part, out)
            return
        known = self._parts.get(event.index)
        if known is None:
            return
        if known is not self._current:
            self._late(known, event, out)
        elif isinstance(event, PartEnded):
            self._shut(out)
        else:
            self._write(known, event, out)

    def _admit(self, part: _Part, out: list[bytes]) -> None:
        self._queue.append(part)
        if self._current is None:
            self._open(self._queue.pop(0), out)
        elif _whole(self._current):
            self._shut(out)

    def _late(self, part: _Part, event: PartEnded | _Delta, out: list[bytes]) -> None:
        """An event for a part that waits, or for one that was closed before its end."""
        if part in self._queue:
            part.waiting.append(event)
        elif not isinstance(event, PartEnded) and isinstance(part.part, Text | Reasoning | Refusal):
            again = _Part(Text(text="") if not isinstance(part.part, Reasoning) else Reasoning(origin=part.part.origin))
            again.waiting.append(event)
            self._parts[event.index] = again
            self._admit(again, out)

    def _open(self, part: _Part, out: list[bytes]) -> None:
        self._current = part
        what = part.part
        match what:
            case ToolCall():
                self._call(part, what, out)
            case Text() | Refusal():
                self._text(part, what, out)
            case Reasoning():
                self._think(part, what, out)
            case Media():
                pass
            case _:
                for block in answer_blocks(what):
                    self._one_block(block, out)
        waiting, part.waiting = part.waiting, []
        for event in waiting:
            if isinstance(event, PartEnded):
                self._shut(out)
            else:
                self._write(part, event, out)

    def _call(self, part: _Part, what: ToolCall, out: list[bytes]) -> None:
        apart = call_seal(what)
        if apart is not None:
            self._one_block(apart, out)
        self._begin(part, call_fields(what, Raw(b"{}")), out)
        if what.arguments:
            self._arguments(part, what.arguments, out)

    def _text(self, part: _Part, what: Text | Refusal, out: list[bytes]) -> None:
        self._begin(part, {"type": "text", "text": ""} | what.extras.get(NAME, {}), out)
        if what.text:
            out.append(_delta(part.block, b"text_delta", b"text", _encode(what.text)))
        for citation in what.citations if isinstance(what, Text) else ():
            out.append(_delta(part.block, b"citations_delta", b"citation", bytes(citation_raw(citation))))

    def _think(self, part: _Part, what: Reasoning, out: list[bytes]) -> None:
        text = (what.text or what.summary) if self._envelope.include_reasoning else ""
        if what.seal is not None and what.seal.form != "signature" and not text:
            if what.seal.data:
                self._one_block({"type": "redacted_thinking", "data": wrap(what.seal, word_of(what))}, out)
            return
        if text:
            self._thought(part, text, out)
        if what.seal is not None and what.seal.data:
            part.seal = what.seal

    def _thought(self, part: _Part, text: str, out: list[bytes]) -> None:
        if part.block < 0:
            self._begin(part, {"type": "thinking", "thinking": "", "signature": ""}, out)
        if text:
            out.append(_delta(part.block, b"thinking_delta", b"thinking", _encode(text)))

    def _begin(self, part: _Part, block: Fields, out: list[bytes]) -> None:
        part.block = self._blocks
        self._blocks += 1
        out.append(
            b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
            % (part.block, _encode(block))
        )

    def _one_block(self, block: Fields | Raw, out: list[bytes]) -> None:
        index = self._blocks
        self._blocks += 1
        out.append(
            b'event: content_block_start\ndata: {"type":"content_block_start","index":%d,"content_block":%b}\n\n'
            b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
            % (index, _encode(block), index)
        )

    def _write(self, part: _Part, event: Event, out: list[bytes]) -> None:
        match event:
            case TextDelta():
                out.append(_delta(part.block, b"text_delta", b"text", _encode(event.text)))
            case ReasoningDelta():
                if self._envelope.include_reasoning:
                    self._thought(part, event.text, out)
            case ArgumentsDelta():
                self._arguments(part, event.text, out)
            case SealDelta():
                part.seal = event.seal
            case MediaDelta():
                part.data.append(event.data or event.transcript)
            case CitationAdded():
                out.append(_delta(part.block, b"citations_delta", b"citation", bytes(citation_raw(event.citation))))

    @staticmethod
    def _arguments(part: _Part, text: str, out: list[bytes]) -> None:
        part.arguments.append(text)
        out.append(_delta(part.block, b"input_json_delta", b"partial_json", _encode(text)))

    def _shut(self, out: list[bytes]) -> None:
        """Closes the current part; the next one that waits opens."""
        part = self._current
        assert part is not None
        self._current = None
        if isinstance(part.part, Reasoning):
            self._sealed(part, part.part, out)
        if part.block >= 0:
            out.append(b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % part.block)
        if isinstance(part.part, ToolCall) and part.seal is not None:
            apart = call_seal(msgspec.structs.replace(part.part, seal=part.seal))
            if apart is not None:
                self._one_block(apart, out)
        if isinstance(part.part, Media):
            for block in answer_blocks(_grown(part.part, part.data)):
                self._one_block(block, out)
        if self._queue:
            self._open(self._queue.pop(0), out)

    def _sealed(self, part: _Part, what: Reasoning, out: list[bytes]) -> None:
        seal = part.seal
        if seal is None or not seal.data:
            return
        if part.block < 0 and seal.form != "signature":
            self._one_block({"type": "redacted_thinking", "data": wrap(seal, word_of(what))}, out)
            return
        self._thought(part, "", out)
        out.append(_delta(part.block, b"signature_delta", b"signature", _encode(seal_text(seal, what))))

    def _flush(self, out: list[bytes]) -> None:
        while self._current is not None:
            self._shut(out)

    def finish(self, charge: Charge) -> bytes:
        out: list[bytes] = []
        self._head(out)
        self._flush(out)
        ended = self._ended
        reason = ended.reason if ended is not None else None
        raw, sequence = (ended.raw_reason, ended.stop_sequence) if ended is not None else ("", None)
        delta: Fields = {"stop_reason": stop_word(reason, raw, sequence), "stop_sequence": sequence}
        delta |= ended.extras.get(NAME, {}) if ended is not None else {}
        usage = write_usage(self._usage or NOTHING, charge, byok=self._envelope.byok)
        out.append(
            b'event: message_delta\ndata: {"type":"message_delta","delta":%b,"usage":%b}\n\n' % (_encode(delta), usage)
        )
        return b"".join(out) + STOP

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        return error_event(error, self._envelope.id)


def _whole(part: _Part) -> bool:
    """Whether a part may be closed before its end was told."""
    if not isinstance(part.part, ToolCall):
        return not isinstance(part.part, Media)
    try:
        members("".join(part.arguments))
    except msgspec.MsgspecError:
        return False
    return True


def _grown(part: Media, data: list[str]) -> Media:
    if isinstance(part.source, Inline) and part.family == "image":
        return msgspec.structs.replace(part, source=Inline(part.source.data + "".join(data)))
    return part


def envelope_fields(envelope: Envelope) -> Fields:
    """The members that open every answer of ours."""
    return {
        "id": envelope.id,
        "type": "message",
        "role": "assistant",
        "model": envelope.model,
        "provider": envelope.provider,
    }


def encode_whole(response: Response, envelope: Envelope, charge: Charge) -> bytes:
    """A whole answer."""
    choice = response.choices[0] if response.choices else None
    shown = envelope.include_reasoning
    blocks = [block for part in choice.parts for block in answer_blocks(part, shown=shown)] if choice else []
    fields = envelope_fields(envelope)
    fields["content"] = blocks
    reason, raw = (choice.reason, choice.raw_reason) if choice else (None, "")
    sequence = choice.stop_sequence if choice else None
    fields |= {"stop_reason": stop_word(reason, raw, sequence), "stop_sequence": sequence}
    fields |= (choice.extras.get(NAME, {}) if choice else {}) | response.started.extras.get(NAME, {})
    usage = write_usage(response.usage or NOTHING, charge, byok=envelope.byok)
    return _encode(fields)[:-1] + b',"usage":' + usage + b"}"
