"""A vendor's Responses stream made ours, bytes to bytes. The response object repeats only in the first two events and the last:
those get our envelope; all others pass as the bytes they were. Refuses everything but framing, order and the end.

Nothing is handed out before the first content: until then a failure may still go elsewhere.
"""

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.framing.sse import Splitter, SseEvent
from farebox.dialects.openai_responses.answer_notes import (
    count_items,
    failure_of,
    has_tool_items,
    note_end,
    note_started,
    usage_of,
)
from farebox.dialects.openai_responses.answer_object import DONE, PRIVATE, AnswerObject, failed_events, framed
from farebox.dialects.openai_responses.errors import vendor_failure
from farebox.dialects.openai_responses.stream_decoding import EVENT_BYTES_MAX, started_of
from farebox.dialects.openai_responses.usage import write_usage
from farebox.dialects.openai_responses.words import (
    CALLS,
    NAME,
    SEARCH_ITEM,
    encode,
    given,
    join,
    members_of,
    objects_of,
    one_line,
    text_of,
)
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.ir.errors import AttemptError, Cut, FareboxError, Garbled
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge

_CONTENT = frozenset(
    (
        "response.output_text.delta", "response.refusal.delta", "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
    )
)  # fmt: skip
_ENVELOPES = frozenset(("response.created", "response.in_progress", "response.queued"))
_ENDS = frozenset(("response.completed", "response.incomplete", "response.failed", "response.cancelled"))


class _Seen(Struct, gc=False):
    """As much of an event as the relay needs."""

    type: str = ""
    delta: str | None = None
    sequence_number: int = -1
    item: Raw = Raw(b"")
    response: Raw = Raw(b"")


class _Type(Struct, gc=False):
    type: str = ""


_seen = msgspec.json.Decoder(_Seen).decode
_type = msgspec.json.Decoder(_Type).decode


def our_response(response: dict[str, Raw], envelope: Envelope, more: dict[str, bytes] | None = None) -> bytes:
    """The vendor's response object under our id and names."""
    ours: dict[str, bytes] = {"id": encode(envelope.id), "model": encode(envelope.model)}
    kept: dict[str, bytes | Raw] = {name: raw for name, raw in response.items() if name not in PRIVATE}
    return join(
        {**kept, **ours, "provider": encode(envelope.provider), "previous_response_id": b"null", **(more or {})}
    )


class ResponsesRelayStream:
    """See `dialects.ports.RelayStream`."""

    __slots__ = (
        "_end", "_envelope", "_held", "_items", "_last_number", "_object", "_splitter", "_target", "outcome",
    )  # fmt: skip

    def __init__(self, envelope: Envelope, target: Target) -> None:
        self.outcome = Outcome(flags=[])
        self._envelope = envelope
        self._target = target
        self._object = AnswerObject(envelope)
        self._splitter = Splitter(EVENT_BYTES_MAX)
        self._held: list[bytes] = []
        self._items: list[dict[str, Raw]] = []
        self._end: tuple[str, dict[str, Raw]] | None = None
        self._last_number = -1

    def feed(self, data: bytes) -> bytes:
        if self._end is not None or self.outcome.error is not None:
            return b""
        out: list[bytes] = []
        try:
            for event in self._splitter.feed(data):
                out.append(self._take(event))
        except AttemptError as error:
            self.outcome.error = error
            return b""
        return self._hand_out(b"".join(out))

    def _hand_out(self, out: bytes) -> bytes:
        if not self.outcome.committed:
            self._held.append(out)
            return b""
        if self._held:
            out = b"".join(self._held) + out
            self._held.clear()
        return out

    def _take(self, event: SseEvent) -> bytes:
        data = event.data
        if self._end is not None or not data or data == b"[DONE]":
            return b""
        try:
            seen = _seen(data)
        except msgspec.ValidationError:
            return self._odd(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Garbled(metadata={"what": "json"}) from None
        kind = seen.type or event.name.decode("latin-1")
        self._last_number = max(self._last_number, seen.sequence_number)
        if kind in _CONTENT:
            self._count(kind, seen.delta or "")
        elif kind in ("response.output_item.added", "response.output_item.done"):
            self._item(kind, seen.item)
        elif kind in _ENVELOPES:
            return self._begin(kind, seen)
        elif kind in _ENDS:
            return self._ended(kind, seen.response)
        elif kind == "error" or (not kind and b'"error"' in data):
            raise vendor_failure(data)
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), one_line(data))

    @staticmethod
    def _odd(event: SseEvent) -> bytes:
        """An event of another shape passes if its type is unknown here."""
        try:
            kind = _type(event.data).type
        except msgspec.ValidationError:
            raise Garbled(metadata={"what": "event"}) from None
        if kind == "error":
            raise vendor_failure(event.data)
        if kind in _CONTENT or kind in _ENDS or kind in _ENVELOPES:
            raise Garbled(metadata={"what": kind})
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), one_line(event.data))

    def _count(self, kind: str, delta: str) -> None:
        outcome = self.outcome
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            outcome.content_chars += len(delta)
        else:
            outcome.reasoning_chars += len(delta)
        if delta:
            outcome.committed = True

    def _item(self, kind: str, payload: Raw) -> None:
        fields = _members(payload)
        word = text_of(fields.get("type"))
        call = word in CALLS
        if kind == "response.output_item.done":
            self._items.append(fields)
            if not call and word not in ("message", "reasoning"):
                self.outcome.committed = True
            if call and self.outcome.tool_calls < self._done_calls():
                self.outcome.tool_calls = self._done_calls()
                self.outcome.committed = True
        elif call:
            self.outcome.tool_calls += 1
            self.outcome.committed = True

    def _done_calls(self) -> int:
        return sum(text_of(fields.get("type")) in CALLS for fields in self._items)

    def _begin(self, kind: str, seen: _Seen) -> bytes:
        response = _members(seen.response)
        note_started(response, self.outcome, self._target)
        started = started_of(response)
        self._object.learn(started.extras.get(NAME, {}), started.created_s, started.service_tier)
        number = max(seen.sequence_number, 0)
        return framed(kind, b'"response":' + our_response(response, self._envelope), number)

    def _ended(self, kind: str, payload: Raw) -> bytes:
        response, outcome = _members(payload), self.outcome
        note_started(response, outcome, self._target)
        try:
            listed = objects_of(given(response.get("output")) or b"[]")
        except msgspec.DecodeError:
            raise Garbled(metadata={"what": "output"}) from None
        searches = sum(text_of(fields.get("type")) == SEARCH_ITEM for fields in listed or self._items)
        outcome.usage = usage_of(response, self._target, outcome, searches)
        failure = failure_of(response)
        if failure is None and kind in ("response.failed", "response.cancelled"):
            failure = vendor_failure(None)
        if failure is not None:
            raise failure
        if not self._items:
            content, reasoning, calls, _ = count_items(listed)
            outcome.content_chars, outcome.reasoning_chars = (
                max(content, outcome.content_chars),
                max(reasoning, outcome.reasoning_chars),
            )
            outcome.tool_calls = max(calls, outcome.tool_calls)
        if kind == "response.incomplete" and not given(response.get("status")):
            response["status"] = Raw(b'"incomplete"')
        said = outcome.content_chars + outcome.reasoning_chars + outcome.tool_calls
        outcome.committed = outcome.committed or said > 0 or has_tool_items(listed)
        note_end(response, outcome, outcome.tool_calls)
        self._end = (kind, response)
        return b""

    def close(self) -> bytes:
        out = b""
        if self._end is None and self.outcome.error is None:
            try:
                out = self._hand_out(b"".join([self._take(event) for event in self._splitter.rest()]))
            except AttemptError as error:
                self.outcome.error = error
            if not self.outcome.complete and self.outcome.error is None:
                self.outcome.error = Cut()
        self.outcome.ended = True
        return out

    def finish(self, charge: Charge) -> bytes:
        out = b"".join(self._held)
        self._held.clear()
        usage = write_usage(self.outcome.usage or NOTHING, charge, byok=self._envelope.byok)
        kind, response = self._end or ("response.completed", {})
        more = {"usage": usage}
        if self._items and given(response.get("output")) in (b"", b"[]"):
            more["output"] = b"[" + b",".join([join(fields) for fields in self._items]) + b"]"
        body = our_response(response, self._envelope, more)
        return out + framed(kind, b'"response":' + body, self._last_number) + DONE

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        self._held.clear()
        items = [join(fields) for fields in self._items]
        response = self._object.failed(error, items, self.outcome.usage, charge)
        return failed_events(error, response, self._last_number + 1)


def _members(payload: Raw) -> dict[str, Raw]:
    try:
        return members_of(payload or b"{}")
    except msgspec.DecodeError:
        raise Garbled(metadata={"what": "event"}) from None
