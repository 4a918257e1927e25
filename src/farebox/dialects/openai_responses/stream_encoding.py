"""Canonical events and answers written as responses. Refuses to price: the end waits for the charge.

Every item is announced, grows and closes with the events of the protocol, numbered without gaps. A message stays open
while text follows text; a reasoning item until its seal.
"""

from collections.abc import Iterable

from msgspec import Raw

from farebox.dialects.openai_responses.answer_object import DONE, AnswerObject, failed_events, framed
from farebox.dialects.openai_responses.items_out import (
    annotation,
    image_item,
    is_item,
    reasoning_item,
    reasoning_key,
    sealed_before,
)
from farebox.dialects.openai_responses.out_items import OutItem, OutPart, meta_of
from farebox.dialects.openai_responses.words import FORMAT, NAME, encode, made_id
from farebox.dialects.ports import Envelope
from farebox.ir.errors import FareboxError
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    FinishReason,
    LogprobsAdded,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.request import AnyPart, Inline, Media, Opaque, Reasoning, Refusal, Seal, Text, ToolCall
from farebox.ir.usage import Usage
from farebox.money.charges import Charge

_DELTAS = {
    "text": b"response.output_text.delta",
    "refusal": b"response.refusal.delta",
    "summary": b"response.reasoning_summary_text.delta",
    "reasoning": b"response.reasoning_text.delta",
    "call": b"response.function_call_arguments.delta",
    "custom": b"response.custom_tool_call_input.delta",
}


class _Pending:
    """A reasoning or media part that has begun but whose item is not announced yet."""

    __slots__ = ("data", "part", "transcript")

    def __init__(self, part: Reasoning | Media) -> None:
        self.part = part
        self.data: list[str] = []
        self.transcript: list[str] = []


class ResponsesStreamEncoder:
    """See `dialects.ports.StreamEncoder`."""

    __slots__ = (
        "_envelope",
        "_items",
        "_last",
        "_logprobs",
        "_number",
        "_object",
        "_open",
        "_pending",
        "_reason",
        "_started",
        "_usage",
    )

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._object = AnswerObject(envelope)
        self._number = 0
        self._items: list[OutItem] = []
        self._open: dict[int, OutPart] = {}
        self._pending: dict[int, _Pending] = {}
        self._last: OutItem | None = None
        self._logprobs: Raw | None = None
        self._reason: FinishReason | None = None
        self._usage: Usage | None = None
        self._started = False

    def feed(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if type(event) is TextDelta or type(event) is ArgumentsDelta:
                part = self._open.get(event.index)
                if part is not None and event.choice == 0:
                    out.append(self._delta(part, event.text))
            elif getattr(event, "choice", 0) == 0:
                out.append(self._one(event))
        return b"".join(out)

    def _one(self, event: Event) -> bytes:
        match event:
            case ReasoningDelta():
                return self._thought(event)
            case PartStarted():
                return self._begin(event.index, event.part)
            case PartEnded():
                return self._end_part(event.index)
            case SealDelta():
                return self._seal(event)
            case CitationAdded():
                part = self._open.get(event.index)
                return self._cite(part, event) if part is not None else b""
            case Started():
                self._object.learn(event.extras.get(NAME, {}), event.created_s, event.service_tier)
                return self._start()
            case ChoiceEnded():
                self._reason = event.reason
                return self._close_all()
            case _:
                self._note(event)
        return b""

    def _note(self, event: Event) -> None:
        """Events that nothing is said of at once."""
        match event:
            case LogprobsAdded():
                self._logprobs = event.entries if not event.refusal else None
            case MediaDelta():
                pending = self._pending.get(event.index)
                if pending is not None:
                    pending.data.append(event.data)
                    pending.transcript.append(event.transcript)
            case UsageReported():
                self._usage = event.usage
            case _:
                pass

    def _event(self, kind: str, fields: bytes) -> bytes:
        number = self._number
        self._number += 1
        return framed(kind, fields, number)

    def _events(self, events: Iterable[tuple[str, bytes]]) -> bytes:
        return b"".join([self._event(kind, fields) for kind, fields in events])

    def _start(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        response = b'"response":' + self._object.write("in_progress")
        return self._event("response.created", response) + self._event("response.in_progress", response)

    def _delta(self, part: OutPart, text: str) -> bytes:
        if not text:
            return b""
        part.texts.append(text)
        kind, number = part.kind, self._number
        self._number = number + 1
        name = _DELTAS[kind]
        more = b""
        if kind == "text":
            logprobs, self._logprobs = self._logprobs, None
            more = b',"logprobs":[]' if logprobs is None else b',"logprobs":' + bytes(logprobs)
            if logprobs is not None:
                part.logprobs.append(logprobs)
        return b'event: %b\ndata: {"type":"%b",%b,"delta":%b%b,"sequence_number":%d}\n\n' % (
            name,
            name,
            part.tail,
            encode(text),
            more,
            number,
        )

    def _begin(self, index: int, part: AnyPart) -> bytes:
        out = self._start()
        if isinstance(part, Text):
            out += self._begin_content(index, part, "text") + self._delta(self._open[index], part.text)
            for citation in part.citations:
                out += self._cite(self._open[index], CitationAdded(index, citation))
        elif isinstance(part, Refusal):
            out += self._begin_content(index, part, "refusal") + self._delta(self._open[index], part.text)
        elif isinstance(part, ToolCall) and part.executor == "client":
            if part.seal is not None and self._envelope.include_reasoning:
                before = reasoning_item([sealed_before(part)], word=FORMAT)
                out += self._whole_item(before)
            out += self._begin_call(index, part)
        elif isinstance(part, Reasoning):
            if self._envelope.include_reasoning:
                self._pending[index] = _Pending(part)
                out += self._tell_reasoning(index, part)
        elif isinstance(part, Media):
            self._pending[index] = _Pending(part)
        elif isinstance(part, Opaque) and part.origin is not None and part.origin.dialect == NAME:
            out += (
                self._whole_item(bytes(part.payload)) if is_item(part) else self._begin_content(index, part, "opaque")
            )
        return out

    def _new_item(self, kind: str, prefix: str, meta: dict[str, Raw], key: bytes) -> tuple[OutItem, bytes]:
        out = self._settle()
        number = len(self._items)
        item = OutItem(kind, number, made_id(prefix, self._envelope.id, number), meta, key)
        self._items.append(item)
        self._last = item
        return item, out

    def _settle(self) -> bytes:
        """The last item gets no more parts: it closes, unless one of its parts is still open."""
        last, self._last = self._last, None
        if last is None or last.closed or not all(part.ended for part in last.parts):
            return b""
        return self._events(last.end())

    def _begin_content(self, index: int, part: Text | Refusal | Opaque, kind: str) -> bytes:
        meta, key = meta_of(part.extras.get(NAME, {}))
        item, out = self._last, b""
        if item is None or item.kind != "message" or item.closed or item.key != key:
            item, out = self._new_item("message", "msg", meta, key)
            out += self._events([item.begin()])
        self._open[index] = added = item.add(kind)
        if isinstance(part, Opaque):
            added.payload = part.payload
        return out + self._events(added.begin())

    def _begin_call(self, index: int, call: ToolCall) -> bytes:
        meta, key = meta_of(call.extras.get(NAME, {}), call=True)
        item, out = self._new_item("call", "ctc" if call.form == "custom" else "fc", meta, key)
        item.call = call
        self._open[index] = part = item.add("custom" if call.form == "custom" else "call")
        return out + self._events([item.begin()]) + self._delta(part, call.arguments)

    def _tell_reasoning(self, index: int, part: Reasoning) -> bytes:
        """What a reasoning part holds from its beginning."""
        out = b""
        if part.summary:
            out += self._grow(index, "summary", part.summary)
        if part.text:
            out += self._grow(index, "reasoning", part.text)
        if part.seal is not None and part.seal.data:
            out += self._seal(SealDelta(index, part.seal))
        return out

    def _thought(self, event: ReasoningDelta) -> bytes:
        return self._grow(event.index, "summary" if event.summary else "reasoning", event.text)

    def _grow(self, index: int, kind: str, text: str) -> bytes:
        part = self._open.get(index)
        if part is not None and part.kind == kind:
            return self._delta(part, text)
        if index not in self._pending or not text:
            return b""
        part, out = self._reasoning_part(index, kind)
        return out + self._events(part.begin()) + self._delta(part, text)

    def _reasoning_part(self, index: int, kind: str) -> tuple[OutPart, bytes]:
        begun = self._pending[index].part
        assert isinstance(begun, Reasoning)
        item, out = self._last, b""
        key = reasoning_key(begun)
        fits = (
            item is not None
            and item.kind == "reasoning"
            and not item.closed
            and not item.sealed
            and (not key or key == item.id)
        )
        if item is None or not fits:
            meta, _ = meta_of(begun.extras.get(NAME, {}))
            if key:
                meta = {**meta, "id": Raw(encode(key))}
            item, out = self._new_item("reasoning", "rs", meta, b"")
            out += self._events([item.begin()])
        before = self._open.pop(index, None)
        if before is not None and not before.ended:
            out += self._events(before.end())
        part = item.add(kind)
        part.reasoning = begun
        self._open[index] = part
        return part, out

    def _seal(self, event: SealDelta) -> bytes:
        part, out = self._open.get(event.index), b""
        pending = self._pending.get(event.index)
        if part is not None and self._is_of_another_item(part, event.seal):
            out += self._events([*part.end(), *part.item.end()])
            del self._open[event.index]
            part = None
        if part is None and pending is not None and isinstance(pending.part, Reasoning):
            if event.seal.item_id and pending.part.seal is None:
                extras = {NAME: {"item": Raw(b'{"id":' + encode(event.seal.item_id) + b"}")}}
                pending.part = Reasoning(origin=pending.part.origin, extras=extras)
            part, begun = self._reasoning_part(event.index, "seal")
            out += begun
        if part is not None and part.item.kind == "reasoning":
            part.seal = event.seal
        return out

    @staticmethod
    def _is_of_another_item(part: OutPart, seal: Seal) -> bool:
        """An encryption is bound to its item's id, which cannot change once it was told; a signature is not."""
        encrypted = seal.form != "signature" and part.item.kind == "reasoning" and part.kind != "seal"
        return encrypted and bool(seal.item_id) and seal.item_id != part.item.id

    def _cite(self, part: OutPart, event: CitationAdded) -> bytes:
        number = len(part.citations)
        part.citations.append(event.citation)
        fields = part.tail + b',"annotation_index":%d,"annotation":%b' % (number, encode(annotation(event.citation)))
        return self._event("response.output_text.annotation.added", fields)

    def _end_part(self, index: int) -> bytes:
        pending = self._pending.pop(index, None)
        part = self._open.pop(index, None)
        if part is None:
            return self._end_media(pending) if pending is not None and isinstance(pending.part, Media) else b""
        if part.kind == "text" and self._logprobs is not None:
            part.logprobs.append(self._logprobs)
            self._logprobs = None
        if part.kind == "seal":
            part.ended = True
        out = self._events(part.end())
        item = part.item
        over = item.kind == "call" or item.sealed or item is not self._last
        if over and not item.closed and all(other.ended for other in item.parts):
            out += self._events(item.end())
        return out

    def _end_media(self, pending: _Pending) -> bytes:
        part = pending.part
        assert isinstance(part, Media)
        data = (part.source.data if isinstance(part.source, Inline) else "") + "".join(pending.data)
        number = len(self._items)
        whole = Media(
            family=part.family,
            media_type=part.media_type,
            source=Inline(data) if data else part.source,
            extras=part.extras,
        )
        if part.family == "image":
            return self._whole_item(image_item(whole, made_id("ig", self._envelope.id, number)))
        spoken = part.transcript + "".join(pending.transcript)
        content = [{"type": "output_audio", "data": data, "transcript": spoken}]
        fields = {
            "id": made_id("msg", self._envelope.id, number),
            "type": "message",
            "status": "completed",
            "role": "assistant",
        }
        return self._whole_item(encode({**fields, "content": content}))

    def _whole_item(self, payload: bytes) -> bytes:
        item, out = self._new_item("whole", "item", {}, b"")
        self._last = None
        item.closed, item.written = True, payload
        fields = b'"output_index":%d,"item":%b' % (item.index, payload)
        return (
            out + self._event("response.output_item.added", fields) + self._event("response.output_item.done", fields)
        )

    def _close_all(self) -> bytes:
        self._last = None
        self._open.clear()
        self._pending.clear()
        return self._events([event for item in self._items if not item.closed for event in item.end()])

    def response(self, charge: Charge) -> tuple[str, bytes]:
        """The status and the response object of the answer so far, ended."""
        return self._object.ended(self._reason, [item.written for item in self._items], self._usage, charge)

    def finish(self, charge: Charge) -> bytes:
        out = self._start() + self._close_all()
        status, response = self.response(charge)
        return out + self._event(f"response.{status}", b'"response":' + response) + DONE

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        out = self._start()
        response = self._object.failed(
            error, [item.written for item in self._items if item.closed], self._usage, charge
        )
        number, self._number = self._number, self._number + 2
        return out + failed_events(error, response, number)
