"""Canonical events and answers written as chat completions. Refuses to price: the end waits for the charge."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from farebox.dialects.openai_chat.answer import head
from farebox.dialects.openai_chat.decoding import NAME
from farebox.dialects.openai_chat.relay_stream import DONE, fail_chunk
from farebox.dialects.openai_chat.usage import write_usage
from farebox.dialects.ports import Envelope, Outcome
from farebox.dialects.shared.reasoning_details import detail_of
from farebox.ir.errors import FareboxError
from farebox.ir.events import (
    ArgumentsDelta,
    Choice,
    ChoiceEnded,
    CitationAdded,
    Event,
    LogprobsAdded,
    MediaDelta,
    PartStarted,
    ReasoningDelta,
    Response,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.request import AnyPart, Citation, Inline, Media, Reasoning, Refusal, Text, ToolCall, Url
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge

_encode = msgspec.json.encode
Fields = dict[str, object]


def annotation(citation: Citation) -> object:
    """A citation as an annotation."""
    kept = citation.extras.get(NAME, {}).get("annotation")
    if kept is not None:
        return kept
    inner = {
        "url": citation.url,
        "title": citation.title,
        "content": citation.quote or None,
        "start_index": citation.start,
        "end_index": citation.end,
    }
    return {"type": "url_citation", "url_citation": {name: value for name, value in inner.items() if value is not None}}


def _image(part: Media, index: int) -> Fields:
    url = f"data:{part.media_type};base64,{part.source.data}" if isinstance(part.source, Inline) else ""
    url = part.source.url if isinstance(part.source, Url) else url
    return {"type": "image_url", "image_url": {"url": url}, "index": index}


def _call(part: ToolCall) -> Fields:
    inner = {"name": part.name, ("arguments" if part.form == "function" else "input"): part.arguments}
    return {"id": part.call_id, "type": part.form, part.form: inner}


class _Told:
    """What a choice's open parts are, to say deltas in the right member."""

    __slots__ = ("calls", "images", "parts", "role", "thoughts")

    def __init__(self) -> None:
        self.parts: dict[int, AnyPart] = {}
        self.thoughts: dict[int, int] = {}
        self.calls: dict[int, int] = {}
        self.images = 0
        self.role = False


class ChatStreamEncoder:
    """See `dialects.ports.StreamEncoder`."""

    __slots__ = ("_choices", "_created_s", "_envelope", "_outcome", "_rest")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._outcome = Outcome()
        self._created_s = envelope.created_s
        self._choices: dict[int, _Told] = {}
        self._rest = b""

    def _head(self) -> bytes:
        return head(self._envelope, "chat.completion.chunk", self._created_s)

    def feed(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            match event:
                case Started():
                    self._start(event)
                case UsageReported():
                    self._outcome.usage = event.usage
                case ChoiceEnded():
                    native = _encode(event.raw_reason or None)
                    rest = dict(event.extras.get(NAME, {}))
                    out.append(
                        self._chunk(event.choice, {}, finish=_encode(event.reason.value), native=native, rest=rest)
                    )
                case LogprobsAdded():
                    told = {"refusal" if event.refusal else "content": event.entries}
                    out.append(self._chunk(event.choice, {"content": ""}, rest={"logprobs": Raw(_encode(told))}))
                case _:
                    delta = self._delta(event)
                    if delta:
                        out.append(self._chunk(getattr(event, "choice", 0), delta))
        return b"".join(out)

    def _start(self, event: Started) -> None:
        if event.created_s:
            self._created_s = event.created_s
        rest: dict[str, object] = dict(event.extras.get(NAME, {}))
        if event.service_tier is not None:
            rest["service_tier"] = event.service_tier
        if event.system_fingerprint is not None:
            rest["system_fingerprint"] = event.system_fingerprint
        self._rest = b"," + _encode(rest)[1:-1] if rest else b""

    def _chunk(
        self,
        choice: int,
        delta: Fields,
        *,
        finish: bytes = b"null",
        native: bytes = b"null",
        rest: dict[str, Raw] | None = None,
    ) -> bytes:
        told = self._choices.setdefault(choice, _Told())
        if not told.role:
            told.role = True
            delta = {"role": "assistant"} | delta
        more = b"," + _encode(rest)[1:-1] if rest else b""
        return b'data: %b,"choices":[{"index":%d,"delta":%b,"finish_reason":%b,"native_finish_reason":%b%b}]%b}\n\n' % (
            self._head(), choice, _encode(delta), finish, native, more, self._rest,
        )  # fmt: skip

    def _delta(self, event: Event) -> Fields:
        told = self._choices.setdefault(getattr(event, "choice", 0), _Told())
        match event:
            case PartStarted():
                told.parts[event.index] = event.part
                return self._begin(event.index, event.part, told)
            case TextDelta():
                return {"refusal" if isinstance(told.parts[event.index], Refusal) else "content": event.text}
            case ReasoningDelta() | SealDelta():
                return self._thought(event, told)
            case ArgumentsDelta():
                part = told.parts[event.index]
                custom = isinstance(part, ToolCall) and part.form == "custom"
                inner: Fields = {"custom": {"input": event.text}} if custom else {"function": {"arguments": event.text}}
                return {"tool_calls": [{"index": told.calls[event.index]} | inner]}
            case MediaDelta():
                heard = {"data": event.data or None, "transcript": event.transcript or None}
                return {"audio": {name: value for name, value in heard.items() if value is not None}}
            case CitationAdded():
                return {"annotations": [annotation(event.citation)]}
            case _:
                return {}

    def _begin(self, index: int, part: AnyPart, told: _Told) -> Fields:
        if isinstance(part, ToolCall):
            told.calls[index] = len(told.calls)
            return {"tool_calls": [{"index": told.calls[index]} | _call(part)]}
        if isinstance(part, Text) and part.text:
            return {"content": part.text} | (
                {"annotations": [annotation(one) for one in part.citations]} if part.citations else {}
            )
        if isinstance(part, Refusal) and part.text:
            return {"refusal": part.text}
        if isinstance(part, Reasoning):
            told.thoughts[index] = len(told.thoughts)
            if not self._envelope.include_reasoning or not (
                part.text or part.summary or (part.seal and part.seal.data)
            ):
                return {}
            return _thought_fields(part, told.thoughts[index])
        if isinstance(part, Media) and part.family == "image":
            told.images += 1
            return {"images": [_image(part, told.images - 1)]}
        return {}

    def _thought(self, event: ReasoningDelta | SealDelta, told: _Told) -> Fields:
        begun = told.parts[event.index]
        if not self._envelope.include_reasoning or not isinstance(begun, Reasoning):
            return {}
        if isinstance(event, SealDelta):
            piece = Reasoning(seal=event.seal, origin=begun.origin)
        elif event.summary:
            piece = Reasoning(summary=event.text, origin=begun.origin)
        else:
            piece = Reasoning(text=event.text, origin=begun.origin)
        return _thought_fields(piece, told.thoughts[event.index])

    def finish(self, charge: Charge) -> bytes:
        usage = write_usage(self._outcome.usage or NOTHING, charge, byok=self._envelope.byok)
        return b'data: %b,"choices":[]%b,"usage":%b}\n\n' % (self._head(), self._rest, usage) + DONE

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        return fail_chunk(self._head(), error, charge, envelope=self._envelope, outcome=self._outcome)


def _thought_fields(part: Reasoning, index: int) -> Fields:
    text = part.text or part.summary
    return ({"reasoning": text} if text else {}) | {"reasoning_details": [detail_of(part, index)]}


def _message(choice: Choice, envelope: Envelope) -> Fields:
    texts = [part for part in choice.parts if isinstance(part, Text)]
    calls = [part for part in choice.parts if isinstance(part, ToolCall)]
    refusals = [part.text for part in choice.parts if isinstance(part, Refusal)]
    out: Fields = {"role": "assistant", "content": "".join(part.text for part in texts) if texts else None}
    thoughts = [part for part in choice.parts if isinstance(part, Reasoning)]
    if thoughts and envelope.include_reasoning:
        text = "".join(part.text or part.summary for part in thoughts)
        if text:
            out["reasoning"] = text
        out["reasoning_details"] = [detail_of(part, index) for index, part in enumerate(thoughts)]
    if calls:
        out["tool_calls"] = [_call(part) for part in calls]
    if refusals:
        out["refusal"] = "".join(refusals)
    notes = [annotation(citation) for part in texts for citation in part.citations]
    if notes:
        out["annotations"] = notes
    media = [part for part in choice.parts if isinstance(part, Media)]
    images = [part for part in media if part.family == "image"]
    if images:
        out["images"] = [_image(part, index) for index, part in enumerate(images)]
    for part in media:
        if part.family == "audio" and isinstance(part.source, Inline):
            rest = part.extras.get(NAME, {}).get("audio")
            kept: Fields = dict(msgspec.json.decode(rest, type=dict[str, Raw])) if rest is not None else {}
            out["audio"] = kept | {"data": part.source.data, "transcript": part.transcript}
    return out


def encode_whole(response: Response, envelope: Envelope, charge: Charge) -> bytes:
    """A whole answer."""
    choices: list[Fields] = []
    for index, choice in enumerate(response.choices):
        fields: Fields = {
            "index": index,
            "message": _message(choice, envelope),
            "finish_reason": choice.reason.value if choice.reason is not None else None,
            "native_finish_reason": choice.raw_reason or None,
        }
        if choice.logprobs or choice.refusal_logprobs:
            fields["logprobs"] = {"content": _joined(choice.logprobs), "refusal": _joined(choice.refusal_logprobs)}
        choices.append(fields | dict(choice.extras.get(NAME, {})))
    started = response.started
    rest: Fields = dict(started.extras.get(NAME, {}))
    if started.service_tier is not None:
        rest["service_tier"] = started.service_tier
    if started.system_fingerprint is not None:
        rest["system_fingerprint"] = started.system_fingerprint
    more = b"," + _encode(rest)[1:-1] if rest else b""
    front = head(envelope, "chat.completion", started.created_s or envelope.created_s)
    usage = write_usage(response.usage or NOTHING, charge, byok=envelope.byok)
    return b'%b,"choices":%b%b,"usage":%b}' % (front, _encode(choices), more, usage)


def _joined(pieces: tuple[Raw, ...]) -> list[Raw] | None:
    entries = [entry for piece in pieces for entry in msgspec.json.decode(piece, type=list[Raw])]
    return entries or None
