"""A vendor's Messages stream made ours, bytes to bytes: content passes as it came, the envelope of `message_start` is ours, and
the end (`message_delta`, `message_stop`) waits for the charge. Refuses to forward pings: they are a sign of life between the
vendor and us.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.anthropic_messages.errors import error_event
from farebox.dialects.anthropic_messages.host import join
from farebox.dialects.anthropic_messages.reading import NO_DATA, Teller
from farebox.dialects.anthropic_messages.stream_decoding import (
    BLANK,
    WHOLE_BYTES_MAX,
    Framing,
    framing_of,
    tell_whole,
    whole_fields,
)
from farebox.dialects.anthropic_messages.stream_encoding import STOP, MessagesStreamEncoder
from farebox.dialects.anthropic_messages.usage import received_with_charge
from farebox.dialects.framing.sse import EVENT_BYTES_MAX, Splitter, SseEvent
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.dialects.shared.reader import members
from farebox.ir.errors import AnswerTooLarge, AttemptError, FareboxError, Garbled
from farebox.ir.events import Event
from farebox.money.charges import Charge

_encode = msgspec.json.encode


class _Kind(Struct, gc=False):
    type: str = ""


_kind_of = msgspec.json.Decoder(_Kind).decode
_DELTA = b"event: content_block_delta\ndata: "
_PASSED = frozenset((b"content_block_start", b"content_block_stop", b"content_block_delta"))
_END = Raw(b'{"stop_reason":"end_turn","stop_sequence":null}')


class MessagesRelayStream:
    """See `dialects.ports.RelayStream`."""

    __slots__ = (
        "_begun", "_encoder", "_end", "_envelope", "_rest", "_sink", "_size", "_splitter", "_teller", "_whole", "outcome",
    )  # fmt: skip

    def __init__(self, envelope: Envelope, target: Target) -> None:
        self.outcome = Outcome(flags=[])
        self._envelope = envelope
        self._teller = Teller(self.outcome)
        self._sink: list[Event] = []
        self._rest = b""
        self._splitter: Framing | None = framing_of(target)
        self._begun = self._splitter is not None
        self._whole: list[bytes] | None = None
        self._size = 0
        self._encoder: MessagesStreamEncoder | None = None
        self._end: dict[str, Raw] = {}

    def feed(self, data: bytes) -> bytes:
        if self._teller.ended:
            return b""
        out: list[bytes] = []
        try:
            self._feed(data, out)
        except AttemptError as error:
            self._teller.fail(error, self._sink)
        self._sink.clear()
        return b"".join(out)

    def _feed(self, data: bytes, out: list[bytes]) -> None:
        if not self._begun:
            data = data.lstrip(BLANK)
            if not data:
                return
            self._begun = True
            if data[:1] == b"<":
                raise Garbled(metadata={"what": "html"})
            self._whole = [] if data[:1] == b"{" else None
        if self._whole is not None:
            self._gather(data)
            return
        if self._splitter is None and b"\r" in data:
            self._splitter = Splitter()
            data, self._rest = self._rest + data, b""
        if self._splitter is not None:
            self._events(self._splitter.feed(data), out)
            return
        blocks = (self._rest + data).split(b"\n\n") if self._rest else data.split(b"\n\n")
        self._rest = blocks.pop()
        if len(self._rest) > EVENT_BYTES_MAX:
            raise AnswerTooLarge(metadata={"what": "event"})
        self._blocks(blocks, out)

    def _gather(self, data: bytes) -> None:
        """JSON where a stream was asked for: read to its end."""
        assert self._whole is not None
        self._whole.append(data)
        self._size += len(data)
        if self._size > WHOLE_BYTES_MAX:
            raise AnswerTooLarge(metadata={"what": "body"})

    def _blocks(self, blocks: list[bytes], out: list[bytes]) -> None:
        teller, sink, skip = self._teller, self._sink, len(_DELTA)
        for block in blocks:
            if teller.ended:
                return
            if block.startswith(_DELTA) and b"\n" not in block[skip:]:
                teller.take(block[skip:], sink)
                out += (block, b"\n\n")
            else:
                self._events(Splitter().feed(block + b"\n\n"), out)

    def _events(self, events: Iterable[SseEvent], out: list[bytes]) -> None:
        for _, data in events:
            if self._teller.ended:
                return
            self._event(data, out)

    def _event(self, data: bytes, out: list[bytes]) -> None:
        if data.strip() in NO_DATA:
            return
        started = self._teller.started
        self._teller.take(data, self._sink)
        kind = _kind_of(data).type.encode()
        if kind in _PASSED:
            out.append(b"event: %b\n%b\n\n" % (kind, _lines(data)))
        elif kind == b"message_start" and not started:
            message = members(members(data)["message"])
            out.append(b'event: message_start\ndata: {"type":"message_start","message":%b}\n\n' % self._ours(message))
        elif kind == b"message_delta":
            self._keep_end(members(data))
        elif kind not in (b"message_start", b"message_stop", b"ping"):
            out.append(b"event: %b\n%b\n\n" % (kind, _lines(data)))

    def _ours(self, message: dict[str, Raw]) -> bytes:
        return ours(message, self._envelope)

    def _keep_end(self, fields: dict[str, Raw]) -> None:
        for name, raw in fields.items():
            if name not in ("type", "usage"):
                self._end[name] = raw

    def close(self) -> bytes:
        teller = self._teller
        if teller.ended:
            return b""
        out: list[bytes] = []
        try:
            if self._whole is not None:
                events: list[Event] = []
                tell_whole(b"".join(self._whole), teller, events)
                self._encoder = MessagesStreamEncoder(self._envelope)
                return self._encoder.feed(events)
            if self._splitter is not None:
                self._events(self._splitter.rest(), out)
            elif self._rest:
                self._events(Splitter().feed(self._rest + b"\n\n"), out)
        except AttemptError as error:
            teller.fail(error, self._sink)
        if not teller.ended:
            teller.finish(self._sink, complete=False)
        self._sink.clear()
        return b"".join(out)

    def finish(self, charge: Charge) -> bytes:
        if self._encoder is not None:
            return self._encoder.finish(charge)
        usage = received_with_charge(self._teller.seen_usage, charge, byok=self._envelope.byok)
        end: dict[str, bytes | Raw] = {"type": b'"message_delta"', "delta": _END}
        return b"event: message_delta\ndata: " + join(end | self._end | {"usage": usage}) + b"\n\n" + STOP

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        return error_event(error, self._envelope.id)


def _lines(data: bytes) -> bytes:
    """Data as it is framed: an event over several lines stays so."""
    return b"data: " + data.replace(b"\n", b"\ndata: ")


def ours(message: dict[str, Raw], envelope: Envelope) -> bytes:
    """A message with our envelope; every other member stays the bytes it was."""
    mine: dict[str, bytes | Raw] = {
        "id": _encode(envelope.id),
        "model": _encode(envelope.model),
        "provider": _encode(envelope.provider),
    }
    return join(dict(message) | mine)


class MessagesRelayWhole:
    """See `dialects.ports.RelayWhole`. An answer without content has `EmptyAnswer` as its error and can still be finished."""

    __slots__ = ("_envelope", "_fields", "_seen", "outcome")

    def __init__(self, body: bytes, envelope: Envelope, target: Target) -> None:
        self.outcome = Outcome(flags=[])
        self._envelope = envelope
        self._fields = whole_fields(body)
        teller = Teller(self.outcome)
        tell_whole(body, teller, [])
        self._seen = teller.seen_usage

    def finish(self, charge: Charge) -> bytes:
        usage = received_with_charge(self._seen, charge, byok=self._envelope.byok)
        return ours(self._fields | {"usage": Raw(usage)}, self._envelope)
