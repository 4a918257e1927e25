"""Canonical events and answers written as generateContent. Refuses to price: the end waits for the charge.

Streams are server-sent events, or the elements of one JSON array for clients that did not ask for `alt=sse`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.answer_writing import CandidateWriter, one_line
from farebox.dialects.google_generate.errors import error_object
from farebox.dialects.google_generate.usage import write_usage
from farebox.dialects.google_generate.words import NAME
from farebox.dialects.ports import Envelope
from farebox.ir.errors import FareboxError
from farebox.ir.events import Event, Response, Started, TextDelta, UsageReported
from farebox.ir.fold import unfold
from farebox.ir.usage import NOTHING, Usage
from farebox.money.charges import Charge

_encode = msgspec.json.encode


class Framing:
    """Frames documents as events or as array elements."""

    __slots__ = ("_array", "_begun")

    def __init__(self, *, array: bool) -> None:
        self._array = array
        self._begun = False

    def frame(self, document: bytes) -> bytes:
        if not self._array:
            return b"data: " + document + b"\r\n\r\n"
        mark = b",\r\n" if self._begun else b"["
        self._begun = True
        return mark + document

    def end(self) -> bytes:
        if not self._array:
            return b""
        return b"]" if self._begun else b"[]"


def tail(envelope: Envelope) -> bytes:
    """The members that close every document of ours, without the closing brace."""
    return b',"modelVersion":%b,"responseId":%b' % (_encode(envelope.model), _encode(envelope.id))


class GenerateStreamEncoder:
    """See `dialects.ports.StreamEncoder`."""

    __slots__ = ("_choices", "_envelope", "_framing", "_rest", "_tail", "_usage")

    def __init__(self, envelope: Envelope, *, array: bool = False) -> None:
        self._envelope = envelope
        self._framing = Framing(array=array)
        self._choices: dict[int, CandidateWriter] = {}
        self._tail = tail(envelope)
        self._rest = b""
        self._usage: Usage | None = None

    def _choice(self, index: int) -> CandidateWriter:
        writer = self._choices.get(index)
        if writer is None:
            writer = self._choices[index] = CandidateWriter(reasoning=self._envelope.include_reasoning)
        return writer

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            if type(event) is TextDelta or hasattr(event, "choice"):
                self._choice(event.choice).take(event)
            elif isinstance(event, Started):
                own = event.extras.get(NAME)
                if own:
                    self._rest = b"," + _encode({name: one_line(raw) for name, raw in own.items()})[1:-1]
            elif isinstance(event, UsageReported):
                self._usage = event.usage

    def feed(self, events: Iterable[Event]) -> bytes:
        self.take(events)
        candidates = [
            {"content": {"parts": writer.due(), "role": "model"}, "index": index}
            for index, writer in self._choices.items()
            if writer.parts
        ]
        if not candidates:
            return b""
        return self._framing.frame(b'{"candidates":%b%b%b}' % (_encode(candidates), self._tail, self._rest))

    def document(self, charge: Charge) -> bytes:
        """What is left to say, with usage and cost."""
        candidates: list[Any] = []
        top: dict[str, Raw] = {}
        for index in sorted(self._choices):
            writer = self._choices[index]
            more = writer.top()
            top |= more
            if writer.spoke or "promptFeedback" not in more:
                candidates.append(writer.rest(index, writer.due()))
        front = b'"candidates":%b,' % _encode(candidates) if candidates else b""
        more_top = b"," + _encode(top)[1:-1] if top else b""
        usage = write_usage(self._usage or NOTHING, charge, byok=self._envelope.byok)
        return b'{%b"usageMetadata":%b%b%b%b}' % (front, usage, more_top, self._tail, self._rest)

    def finish(self, charge: Charge) -> bytes:
        return self._framing.frame(self.document(charge)) + self._framing.end()

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        body = _encode({"error": error_object(error, self._envelope.id)})
        return self._framing.frame(body) + self._framing.end()


def encode_whole(response: Response, envelope: Envelope, charge: Charge) -> bytes:
    """A whole answer."""
    encoder = GenerateStreamEncoder(envelope)
    encoder.take(unfold(response))
    return encoder.document(charge)
