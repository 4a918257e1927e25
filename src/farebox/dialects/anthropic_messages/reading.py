"""A vendor's stream as canonical events: what each event of the protocol says. Refuses framing (bytes come from a splitter).

A block that others run (server tools, their results) is one opaque part, told when it is whole.
"""

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.anthropic_messages.blocks import OWN, citation_of, extras_of, part_of
from farebox.dialects.anthropic_messages.errors import stream_error
from farebox.dialects.anthropic_messages.seals import unwrap
from farebox.dialects.anthropic_messages.usage import merge, read_usage
from farebox.dialects.anthropic_messages.words import REASONS
from farebox.dialects.ports import Outcome
from farebox.dialects.shared.reader import Reader, members
from farebox.ir.errors import AttemptError, Cut, EmptyAnswer, Garbled, InvalidRequest
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    Failed,
    Finished,
    FinishReason,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.request import Opaque, Reasoning, Seal, Text, ToolCall

_encode = msgspec.json.encode
_value = msgspec.json.Decoder().decode


_ABSENT = Raw(b"")
_NOTHING = (b"", b"null")
# Some hosts end with the mark of another protocol.
NO_DATA = (b"", b"[DONE]")


class Delta(Struct, gc=False):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: Raw = _ABSENT


class Wire(Struct, gc=False):
    """One event, as far as every event is alike."""

    type: str | None = None
    index: int | None = None
    delta: Delta | None = None
    content_block: dict[str, Raw] | None = None
    message: dict[str, Raw] | None = None
    error: Raw = _ABSENT
    usage: Raw = _ABSENT


wire = msgspec.json.Decoder(Wire).decode
_KNOWN = frozenset(("id", "type", "role", "model", "content", "stop_reason", "stop_sequence", "usage"))
_DELTAS = frozenset(("text_delta", "thinking_delta", "input_json_delta", "signature_delta", "citations_delta"))


class _Open:
    """The block that is open."""

    __slots__ = ("arguments", "block", "index", "opaque", "said")

    def __init__(self, index: int, block: dict[str, Raw], *, opaque: bool) -> None:
        self.index = index
        self.block = block
        self.opaque = opaque
        self.arguments: list[str] = []
        self.said = False


class Teller:
    """Tells one answer. `take` raises the error that an event is."""

    __slots__ = ("_indexes", "_next", "_open", "ended", "outcome", "seen_usage", "started", "stopped")

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.seen_usage: dict[str, Raw] = {}
        self.started = self.stopped = self.ended = False
        self._open: dict[int, _Open] = {}
        self._indexes: dict[int, int] = {}
        self._next = 0

    def take(self, data: bytes, out: list[Event]) -> None:
        """The events that one event of the protocol is."""
        if not data.isascii():
            _check_text(data)
        try:
            event = wire(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if data.strip() in NO_DATA:
                return
            raise _no_event(data) from None
        if event.type == "content_block_delta":
            self._delta(event, data, out)
        elif event.type is not None:
            tell = self._tellers().get(event.type)
            if tell is not None:
                tell(event, data, out)
            elif bytes(event.error) not in _NOTHING:
                raise stream_error(_value(data))
        elif bytes(event.error) not in _NOTHING:
            raise stream_error(_value(data))
        else:
            raise Garbled(metadata={"what": "event"})

    def _tellers(self) -> dict[str, Callable[[Wire, bytes, list[Event]], None]]:
        return {
            "message_start": self._start,
            "content_block_start": self._begin,
            "content_block_stop": self._end,
            "message_delta": self._close,
            "message_stop": self._stop,
            "error": self._error,
        }

    def _start(self, event: Wire, data: bytes, out: list[Event]) -> None:
        message = event.message
        if message is None:
            raise Garbled(metadata={"what": "message"})
        self.started = True
        outcome = self.outcome
        outcome.upstream_id = outcome.upstream_id or _word(message, "id")
        outcome.upstream_model = outcome.upstream_model or _word(message, "model")
        out.append(started(message))
        self._count(message.get("usage"), out)

    def _count(self, raw: Raw | None, out: list[Event]) -> None:
        if raw is None:
            return
        merge(self.seen_usage, raw)
        usage = read_usage(self.seen_usage, self.outcome.flags)
        if usage is not None:
            self.outcome.usage = usage
            out.append(UsageReported(usage))

    def _begin(self, event: Wire, data: bytes, out: list[Event]) -> None:
        block = event.content_block
        if block is None or event.index is None or event.index in self._open or event.index in self._indexes:
            raise Garbled(metadata={"what": "block"})
        kind = _word(block, "type")
        if kind not in ("text", "thinking", "redacted_thinking", "tool_use"):
            self._open[event.index] = _Open(event.index, block, opaque=True)
            return
        index = self._indexes[event.index] = self._next
        self._next += 1
        open_block = self._open[event.index] = _Open(index, block, opaque=False)
        try:
            part = part_of(block)
        except (msgspec.MsgspecError, InvalidRequest):
            raise Garbled(metadata={"what": "block"}) from None
        if isinstance(part, ToolCall):
            self.outcome.tool_calls += 1
            self.outcome.committed = True
            open_block.said = part.arguments not in ("", "{}")
            part = part if open_block.said else msgspec.structs.replace(part, arguments="")
        elif isinstance(part, Text) and part.text:
            self._spoke(len(part.text), 0)
        elif isinstance(part, Reasoning):
            part = part if part.origin is not None else msgspec.structs.replace(part, origin=OWN)
            if part.text or part.seal is not None:
                self._spoke(0, len(part.text))
        out.append(PartStarted(index, part))

    def _spoke(self, content: int, reasoning: int) -> None:
        outcome = self.outcome
        outcome.content_chars += content
        outcome.reasoning_chars += reasoning
        outcome.committed = True

    def _delta(self, event: Wire, data: bytes, out: list[Event]) -> None:
        delta, outcome = event.delta, self.outcome
        block = self._open.get(event.index) if event.index is not None else None
        if block is None or delta is None:
            raise Garbled(metadata={"what": "delta"})
        if block.opaque:
            if delta.partial_json is not None:
                block.arguments.append(delta.partial_json)
            else:
                _grow(block.block, _object(members(data).get("delta")))
            return
        index = block.index
        if delta.text:
            outcome.content_chars += len(delta.text)
            outcome.committed = True
            out.append(TextDelta(index, delta.text))
        elif delta.thinking:
            outcome.reasoning_chars += len(delta.thinking)
            outcome.committed = True
            out.append(ReasoningDelta(index, delta.thinking))
        elif delta.partial_json:
            block.said = True
            out.append(ArgumentsDelta(index, delta.partial_json))
        elif delta.signature:
            out.append(SealDelta(index, _seal(delta.signature)))
        elif bytes(delta.citation) not in _NOTHING:
            out.append(CitationAdded(index, citation_of(delta.citation)))
        elif delta.type not in _DELTAS and "unknown_delta" not in outcome.flags:
            outcome.flags.append("unknown_delta")

    def _end(self, event: Wire, data: bytes, out: list[Event]) -> None:
        block = self._open.pop(event.index, None) if event.index is not None else None
        if block is not None:
            self._shut(block, out)

    def _shut(self, block: _Open, out: list[Event]) -> None:
        if block.opaque:
            index, self._next = self._next, self._next + 1
            self._indexes[block.index] = index
            given = "".join(block.arguments)
            if given:
                block.block["input"] = _input(given)
            self.outcome.committed = True
            out += [PartStarted(index, Opaque(payload=Raw(_encode(block.block)), origin=OWN)), PartEnded(index)]
            return
        if not block.said and _word(block.block, "type") == "tool_use":
            out.append(ArgumentsDelta(block.index, "{}"))
        out.append(PartEnded(block.index))

    def _close(self, event: Wire, data: bytes, out: list[Event]) -> None:
        fields = members(data)
        delta = Reader(_object(fields.get("delta")))
        raw, sequence = delta.raw("stop_reason"), delta.raw("stop_sequence")
        reason = _text(raw)
        if reason and not self.stopped:
            self.shut(out)
            self.stopped = True
            out.append(ended(reason, _text(sequence), delta))
            self.outcome.native_finish = reason
            self.outcome.finish = out[-1].reason.value  # type: ignore[union-attr]
        self._count(event.usage, out)

    def shut(self, out: list[Event]) -> None:
        """Closes what the vendor left open."""
        for block in list(self._open.values()):
            self._shut(block, out)
        self._open.clear()

    def _stop(self, event: Wire, data: bytes, out: list[Event]) -> None:
        self.finish(out, complete=True)

    def _error(self, event: Wire, data: bytes, out: list[Event]) -> None:
        raise stream_error(_value(data))

    def finish(self, out: list[Event], *, complete: bool) -> None:
        """The end of the answer: was it one?"""
        outcome = self.outcome
        self.shut(out)
        self.ended = outcome.ended = True
        tokens = outcome.usage.completion_tokens() if outcome.usage is not None else 0
        if not self.stopped:
            outcome.error = Cut()
            out.append(Failed(outcome.error))
            return
        if not outcome.committed and not tokens and outcome.finish not in ("content_filter", "length"):
            outcome.error = EmptyAnswer()
        outcome.complete = complete and outcome.error is None
        out.append(Finished(complete=complete))

    def fail(self, error: AttemptError, out: list[Event]) -> None:
        """The answer broke."""
        self.shut(out)
        self.ended = self.outcome.ended = True
        self.outcome.error = error
        out.append(Failed(error))


def _check_text(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError:
        raise Garbled(metadata={"what": "utf8"}) from None


def _no_event(data: bytes) -> AttemptError:
    """Data that is no event: perhaps an error in a shape of the host's own."""
    try:
        fields = members(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Garbled(metadata={"what": "json"})
    return stream_error(_value(data)) if "error" in fields else Garbled(metadata={"what": "event"})


def _word(fields: dict[str, Raw], name: str) -> str:
    return _text(fields.get(name)) or ""


def _text(raw: Raw | None) -> str | None:
    value = _value(raw) if raw is not None and bytes(raw)[:1] == b'"' else None
    return value if isinstance(value, str) else None


def _object(raw: Raw | None) -> dict[str, Raw]:
    return members(raw) if raw is not None and bytes(raw)[:1] == b"{" else {}


def _seal(signature: str) -> Seal:
    return unwrap(signature, "signature")[1]


def _grow(block: dict[str, Raw], delta: dict[str, Raw]) -> None:
    """A delta of a block that nobody here knows: texts grow, other members are replaced."""
    for name, raw in delta.items():
        if name == "type":
            continue
        before, more = _text(block.get(name)), _text(raw)
        block[name] = Raw(_encode(before + more)) if before is not None and more is not None else raw


def _input(text: str) -> Raw:
    try:
        members(text)
    except msgspec.MsgspecError:
        return Raw(_encode(text))
    return Raw(text.encode())


def started(message: dict[str, Raw]) -> Started:
    """The beginning that an answer's envelope tells."""
    usage = _object(message.get("usage"))
    rest = Reader({name: raw for name, raw in message.items() if name not in _KNOWN})
    return Started(
        response_id=_word(message, "id"),
        model=_word(message, "model"),
        service_tier=_text(usage.get("service_tier")),
        extras=extras_of(rest, {}),
    )


def ended(reason: str, sequence: str | None, rest: Reader) -> ChoiceEnded:
    """The end that a stop reason tells; a word nobody knows is a normal end."""
    return ChoiceEnded(
        reason=REASONS.get(reason, FinishReason.STOP),
        raw_reason=reason,
        stop_sequence=sequence,
        extras=extras_of(rest, {}),
    )
