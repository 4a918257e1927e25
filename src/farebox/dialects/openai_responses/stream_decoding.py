"""A vendor's Responses stream as canonical events, and a whole answer in the same way.
Refuses to guess: an event type nobody here knows is passed over, its item is told whole when it ends.
"""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.framing.sse import Splitter, SseEvent
from farebox.dialects.openai_responses.answer_notes import ENDS, failure_of, note_end, note_started, usage_of
from farebox.dialects.openai_responses.errors import vendor_failure
from farebox.dialects.openai_responses.open_items import OpenItems
from farebox.dialects.openai_responses.words import NAME, format_of, given, members_of, raws_of, text_of, value_of
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import AnswerTooLarge, AttemptError, Cut, Garbled
from farebox.ir.events import ChoiceEnded, Event, Failed, Finished, Started, UsageReported
from farebox.ir.request import Origin

WHOLE_BYTES_MAX = 64 << 20
EVENT_BYTES_MAX = 32 << 20  # an ended response repeats the whole answer, made images included
_BLANK = b"\xef\xbb\xbf \t\r\n"
_STARTED = frozenset(
    (
        "id", "object", "created_at", "completed_at", "model", "output", "usage", "status", "error", "incomplete_details",
        "service_tier", "output_text",
    )
)  # fmt: skip


class Told(Struct, gc=False):
    """Every member of every known event."""

    type: str = ""
    delta: str | None = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    text: str | None = None
    arguments: str | None = None
    input: str | None = None
    refusal: str | None = None
    item: Raw = Raw(b"")
    part: Raw = Raw(b"")
    response: Raw = Raw(b"")
    logprobs: Raw = Raw(b"")
    annotation: Raw = Raw(b"")


class _Kind(Struct, gc=False):
    type: str = ""


_told = msgspec.json.Decoder(Told).decode
_kind = msgspec.json.Decoder(_Kind).decode


class ResponsesStreamDecoder:
    """See `dialects.ports.StreamDecoder`."""

    __slots__ = ("_begun", "_items", "_over", "_size", "_splitter", "_target", "_whole", "outcome")

    def __init__(self, target: Target) -> None:
        self.outcome = Outcome(flags=[])
        self._target = target
        self._items = OpenItems(Origin(NAME, target.vendor, format_of(target)), self.outcome)
        self._splitter = Splitter(EVENT_BYTES_MAX)
        self._whole: list[bytes] | None = None  # the pieces of JSON where a stream was asked for
        self._size = 0
        self._begun = self._over = False

    def feed(self, data: bytes) -> list[Event]:
        if self._over:
            return []
        events: list[Event] = []
        try:
            if not self._begun or self._whole is not None:
                data = self._sniff(data)
            for event in self._splitter.feed(data) if data else ():
                self._take(event, events)
        except AttemptError as error:
            self._fail(error, events)
        return events

    def _sniff(self, data: bytes) -> bytes:
        """Some vendors answer a stream request with JSON: that is read to its end."""
        pieces = self._whole
        if not self._begun:
            data = data.lstrip(_BLANK)
            if not data:
                return b""
            self._begun = True
            if data[:1] == b"{":
                pieces = self._whole = []
            elif data[:1] == b"<":
                raise Garbled(metadata={"what": "html"})
        if pieces is None:
            return data
        pieces.append(data)
        self._size += len(data)
        if self._size > WHOLE_BYTES_MAX:
            raise AnswerTooLarge(metadata={"what": "body"})
        return b""

    def _fail(self, error: AttemptError, events: list[Event]) -> None:
        self.outcome.error = error
        self._over = True
        events += self._items.end_all([])
        events.append(Failed(error))

    def _take(self, event: SseEvent, events: list[Event]) -> None:
        data = event.data
        if self._over or data == b"[DONE]" or not data:
            return
        try:
            told = _told(data)
        except msgspec.ValidationError:
            told = self._odd(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise Garbled(metadata={"what": "json"}) from None
        kind = told.type or event.name.decode("latin-1")
        handler = _HANDLERS.get(kind)
        if handler is not None:
            try:
                handler(self, told, events)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise Garbled(metadata={"what": kind}) from None
        elif kind == "error" or (not kind and b'"error"' in data):
            raise vendor_failure(data)

    @staticmethod
    def _odd(data: bytes) -> Told:
        """An event with members of other types: no fault if the type is unknown here."""
        try:
            kind = _kind(data).type
        except msgspec.ValidationError:
            raise Garbled(metadata={"what": "event"}) from None
        if kind in _HANDLERS:
            raise Garbled(metadata={"what": kind})
        return Told(type=kind)

    def _start(self, told: Told, events: list[Event]) -> None:
        response = members_of(told.response or b"{}")
        first = not self.outcome.upstream_id
        note_started(response, self.outcome, self._target)
        if first:
            events.append(started_of(response))

    def _text(self, told: Told, events: list[Event]) -> None:
        if len(told.logprobs) > 2 and bytes(told.logprobs)[:1] == b"[":
            events += self._items.logprobs(told.output_index, told.content_index, told.logprobs)
        events += self._items.delta("text", told.output_index, told.content_index, told.delta or "")

    def _text_done(self, told: Told, events: list[Event]) -> None:
        events += self._items.complete("text", told.output_index, told.content_index, told.text or "")

    def _cite(self, told: Told, events: list[Event]) -> None:
        events += self._items.cite(told.output_index, told.content_index, told.annotation)

    def _refusal(self, told: Told, events: list[Event]) -> None:
        events += self._items.delta("refusal", told.output_index, told.content_index, told.delta or "")

    def _refusal_done(self, told: Told, events: list[Event]) -> None:
        events += self._items.complete("refusal", told.output_index, told.content_index, told.refusal or "")

    def _thought(self, told: Told, events: list[Event]) -> None:
        events += self._items.delta("reasoning", told.output_index, told.content_index, told.delta or "")

    def _thought_done(self, told: Told, events: list[Event]) -> None:
        events += self._items.complete("reasoning", told.output_index, told.content_index, told.text or "")
        events += self._items.end_part(told.output_index, "reasoning", told.content_index)

    def _summary(self, told: Told, events: list[Event]) -> None:
        events += self._items.delta("summary", told.output_index, told.summary_index, told.delta or "")

    def _summary_done(self, told: Told, events: list[Event]) -> None:
        events += self._items.complete("summary", told.output_index, told.summary_index, told.text or "")
        events += self._items.end_part(told.output_index, "summary", told.summary_index)

    def _arguments(self, told: Told, events: list[Event]) -> None:
        events += self._items.delta("call", told.output_index, 0, told.delta or "")

    def _arguments_done(self, told: Told, events: list[Event]) -> None:
        events += self._items.complete("call", told.output_index, 0, told.arguments or told.input or "")

    def _item_added(self, told: Told, events: list[Event]) -> None:
        events += self._items.open_item(told.output_index, told.item)

    def _item_done(self, told: Told, events: list[Event]) -> None:
        events += self._items.end_item(told.output_index, told.item)

    def _part_done(self, told: Told, events: list[Event]) -> None:
        events += self._items.end_content(told.output_index, told.content_index, told.part)

    def _end(self, told: Told, events: list[Event]) -> None:
        response = members_of(told.response or b"{}")
        if not self.outcome.upstream_id:
            self._start(told, events)
        failure = failure_of(response)
        self.outcome.usage = usage_of(response, self._target, self.outcome, self._items.searches)
        if self.outcome.usage is not None:
            events.append(UsageReported(self.outcome.usage))
        if failure is None and told.type in ("response.failed", "response.cancelled"):
            failure = vendor_failure(None)
        if failure is not None:
            raise failure
        events += self._items.end_all(raws_of(given(response.get("output")) or b"[]"))
        if told.type == "response.incomplete" and not given(response.get("status")):
            response["status"] = Raw(b'"incomplete"')
        reason = note_end(response, self.outcome, self._items.calls)
        events.append(ChoiceEnded(reason=reason, raw_reason=self.outcome.native_finish))
        events.append(Finished())
        self._over = True

    def close(self) -> list[Event]:
        events: list[Event] = []
        if not self._over:
            try:
                self._close(events)
            except AttemptError as error:
                self._fail(error, events)
        self.outcome.ended = True
        self._over = True
        return events

    def _close(self, events: list[Event]) -> None:
        if self._whole is not None:
            told, _ = decode_whole(b"".join(self._whole), self._target, self.outcome)
            events += told
            return
        for event in self._splitter.rest():
            self._take(event, events)
        if not self.outcome.complete:
            raise Cut()


_HANDLERS: Mapping[str, Callable[[ResponsesStreamDecoder, Told, list[Event]], None]] = {
    "response.output_text.delta": ResponsesStreamDecoder._text,
    "response.reasoning_summary_text.delta": ResponsesStreamDecoder._summary,
    "response.reasoning_text.delta": ResponsesStreamDecoder._thought,
    "response.function_call_arguments.delta": ResponsesStreamDecoder._arguments,
    "response.custom_tool_call_input.delta": ResponsesStreamDecoder._arguments,
    "response.refusal.delta": ResponsesStreamDecoder._refusal,
    "response.created": ResponsesStreamDecoder._start,
    "response.queued": ResponsesStreamDecoder._start,
    "response.in_progress": ResponsesStreamDecoder._start,
    "response.output_item.added": ResponsesStreamDecoder._item_added,
    "response.output_item.done": ResponsesStreamDecoder._item_done,
    "response.content_part.done": ResponsesStreamDecoder._part_done,
    "response.output_text.done": ResponsesStreamDecoder._text_done,
    "response.output_text.annotation.added": ResponsesStreamDecoder._cite,
    "response.refusal.done": ResponsesStreamDecoder._refusal_done,
    "response.reasoning_text.done": ResponsesStreamDecoder._thought_done,
    "response.reasoning_summary_text.done": ResponsesStreamDecoder._summary_done,
    "response.function_call_arguments.done": ResponsesStreamDecoder._arguments_done,
    "response.custom_tool_call_input.done": ResponsesStreamDecoder._arguments_done,
    "response.completed": ResponsesStreamDecoder._end,
    "response.incomplete": ResponsesStreamDecoder._end,
    "response.failed": ResponsesStreamDecoder._end,
    "response.cancelled": ResponsesStreamDecoder._end,
}


def started_of(response: dict[str, Raw]) -> Started:
    """The beginning that a response object tells; what only this protocol says of it goes along."""
    created = value_of(given(response.get("created_at")) or b"0")
    rest = {name: raw for name, raw in response.items() if name not in _STARTED}
    return Started(
        response_id=text_of(response.get("id")),
        model=text_of(response.get("model")),
        created_s=int(created) if isinstance(created, int | float) and 0 < created < 2**53 else 0,
        service_tier=text_of(response.get("service_tier")) or None,
        extras={NAME: rest} if rest else {},
    )


def parse_whole(body: bytes) -> dict[str, Raw]:
    """The members of a whole answer. Raises an `AttemptError` if it is none."""
    text = body.strip(_BLANK)
    if not text.startswith(b"{"):
        raise Garbled(metadata={"what": "html" if text.startswith(b"<") else "json"})
    try:
        if not text.isascii():
            text.decode()
        response = members_of(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Garbled(metadata={"what": "json"}) from None
    failure = failure_of(response)
    if failure is not None:
        raise failure
    if given(response.get("output"))[:1] != b"[" or (text_of(response.get("status")) or "completed") not in ENDS:
        raise Garbled(metadata={"what": "output"})
    return response


def decode_whole(body: bytes, target: Target, outcome: Outcome | None = None) -> tuple[list[Event], Outcome]:
    """Events of a whole answer."""
    outcome = outcome if outcome is not None else Outcome(flags=[])
    response = parse_whole(body)
    note_started(response, outcome, target)
    items = OpenItems(Origin(NAME, target.vendor, format_of(target)), outcome)
    events: list[Event] = [started_of(response)]
    try:
        events += items.end_all(raws_of(given(response["output"])))
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Garbled(metadata={"what": "item"}) from None
    outcome.usage = usage_of(response, target, outcome, items.searches)
    if outcome.usage is not None:
        events.append(UsageReported(outcome.usage))
    reason = note_end(response, outcome, items.calls)
    events += [ChoiceEnded(reason=reason, raw_reason=outcome.native_finish), Finished()]
    return events, outcome
