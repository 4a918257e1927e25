"""The vendor's stream from bytes to events, and whole answers by the same events. Refuses to frame by itself."""

from collections.abc import Iterable
from typing import Protocol

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.aws_frames import InvokeFrames
from farebox.dialects.anthropic_messages.errors import stream_error
from farebox.dialects.anthropic_messages.reading import Teller
from farebox.dialects.framing.sse import Splitter, SseEvent
from farebox.dialects.ports import Outcome, Target
from farebox.dialects.shared.reader import members, objects
from farebox.ir.errors import AnswerTooLarge, AttemptError, Garbled
from farebox.ir.events import Event

WHOLE_BYTES_MAX = 64 << 20
BLANK = b"\xef\xbb\xbf \t\r\n"
_encode = msgspec.json.encode


class Framing(Protocol):
    """What cuts a vendor's bytes into events: SSE here, another for hosts with a framing of their own."""

    def feed(self, data: bytes) -> Iterable[SseEvent]: ...

    def rest(self) -> Iterable[SseEvent]: ...


def framing_of(target: Target) -> Framing | None:
    """The framing of a host that does not send SSE."""
    return InvokeFrames() if "aws_event_stream" in target.options else None


class MessagesStreamDecoder:
    """See `dialects.ports.StreamDecoder`."""

    __slots__ = ("_begun", "_size", "_splitter", "_teller", "_whole", "outcome")

    def __init__(self, target: Target) -> None:
        framing = framing_of(target)
        self.outcome = Outcome(flags=[])
        self._teller = Teller(self.outcome)
        self._splitter: Framing = framing if framing is not None else Splitter()
        self._begun = framing is not None
        self._whole: list[bytes] | None = None
        self._size = 0

    def feed(self, data: bytes) -> list[Event]:
        out: list[Event] = []
        teller = self._teller
        if teller.ended:
            return out
        try:
            if not self._begun:
                data = self._begin(data)
            if self._whole is not None:
                self._gather(data)
            elif data:
                for event in self._splitter.feed(data):
                    if not teller.ended:
                        teller.take(event.data, out)
        except AttemptError as error:
            teller.fail(error, out)
        return out

    def _begin(self, data: bytes) -> bytes:
        """An answer that is no stream: JSON is read to its end, a page is refused."""
        data = data.lstrip(BLANK)
        if data:
            self._begun = True
            if data.startswith(b"<"):
                raise Garbled(metadata={"what": "html"})
            if data.startswith(b"{"):
                self._whole = []
        return data

    def _gather(self, data: bytes) -> None:
        assert self._whole is not None
        self._whole.append(data)
        self._size += len(data)
        if self._size > WHOLE_BYTES_MAX:
            raise AnswerTooLarge(metadata={"what": "body"})

    def close(self) -> list[Event]:
        out: list[Event] = []
        teller = self._teller
        if teller.ended:
            return out
        try:
            if self._whole is not None:
                tell_whole(b"".join(self._whole), teller, out)
            else:
                for event in self._splitter.rest():
                    if not teller.ended:
                        teller.take(event.data, out)
        except AttemptError as error:
            teller.fail(error, out)
        if not teller.ended:
            teller.finish(out, complete=False)
        return out


def whole_fields(body: bytes) -> dict[str, Raw]:
    """The members of a whole answer. Raises the error that it is."""
    text = body.strip(BLANK)
    if not text.startswith(b"{"):
        raise Garbled(metadata={"what": "html" if text.startswith(b"<") else "json"})
    try:
        text.decode()
        fields = members(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise Garbled(metadata={"what": "json"}) from None
    if "error" in fields and bytes(fields["error"]) != b"null":
        raise stream_error(msgspec.json.decode(text))
    if bytes(fields.get("content", b""))[:1] != b"[":
        raise Garbled(metadata={"what": "content"})
    return fields


def tell_whole(body: bytes, teller: Teller, out: list[Event]) -> None:
    """A whole answer told as the stream it could have been."""
    fields = whole_fields(body)
    end = {name: fields.pop(name) for name in ("stop_reason", "stop_sequence", "stop_details") if name in fields}
    end.setdefault("stop_reason", Raw(b'"end_turn"'))
    content, usage = fields.pop("content"), fields.pop("usage", None)
    teller.take(_encode({"type": "message_start", "message": fields | {"usage": usage}}), out)
    try:
        blocks = objects(content)
    except msgspec.MsgspecError:
        raise Garbled(metadata={"what": "content"}) from None
    for index, block in enumerate(blocks):
        teller.take(_encode({"type": "content_block_start", "index": index, "content_block": block}), out)
        teller.take(_encode({"type": "content_block_stop", "index": index}), out)
    teller.take(_encode({"type": "message_delta", "delta": end, "usage": usage}), out)
    teller.finish(out, complete=True)


def decode_whole(body: bytes, target: Target) -> tuple[list[Event], Outcome]:
    """Events of a whole answer. Raises the error that is in it."""
    outcome = Outcome(flags=[])
    events: list[Event] = []
    tell_whole(body, Teller(outcome), events)
    return events, outcome
