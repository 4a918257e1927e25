"""A vendor's chat answer as canonical events, streamed or whole. The relay's rewriting comes first, so that both paths read a
vendor in the same way; what is left here is blocks. Refuses to frame.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.openai_chat.answer import MALFORMED
from farebox.dialects.openai_chat.decoding import NAME
from farebox.dialects.openai_chat.relay_stream import ChatRelayStream
from farebox.dialects.openai_chat.shapes import Call, Delta
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.dialects.shared.reasoning_details import part_of
from farebox.ir.errors import EmptyAnswer, Garbled
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    Failed,
    Finished,
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
from farebox.ir.request import (
    AnyPart,
    Citation,
    Inline,
    Media,
    Origin,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
    Url,
)

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode
_STARTED = frozenset(("id", "object", "created", "model", "provider", "choices", "service_tier", "system_fingerprint"))
_CHOICE = frozenset(("index", "delta", "finish_reason", "native_finish_reason", "logprobs"))


class _Choice(Struct):
    index: int = 0
    delta: Delta = msgspec.field(default_factory=Delta)
    finish_reason: str | None = None
    native_finish_reason: Any = None
    logprobs: dict[str, Raw] | None = None


_choices = msgspec.json.Decoder(list[_Choice]).decode
_choice_members = msgspec.json.Decoder(list[dict[str, Raw]]).decode


class _Blocks:
    """The open parts of one choice."""

    __slots__ = ("_choice", "_current", "_kind", "_next", "calls", "ended", "events", "extras")

    def __init__(self, choice: int) -> None:
        self._choice = choice
        self._current = -1
        self._kind = ""
        self._next = 0
        self.calls: dict[int, int] = {}
        self.events: list[Event] = []
        self.extras: dict[str, Raw] = {}
        self.ended: tuple[str, str] | None = None

    def open(self, part: AnyPart, kind: str) -> int:
        self.shut()
        self._current, self._kind = self.begin(part), kind
        return self._current

    def begin(self, part: AnyPart) -> int:
        index = self._next
        self._next += 1
        self.events.append(PartStarted(index, part, self._choice))
        return index

    def at(self, part: AnyPart, kind: str) -> int:
        return self._current if self._kind == kind else self.open(part, kind)

    def shut(self) -> None:
        if self._current >= 0:
            self.events.append(PartEnded(self._current, self._choice))
        self._current, self._kind = -1, ""

    def end(self) -> None:
        self.shut()
        for index in self.calls.values():
            self.events.append(PartEnded(index, self._choice))
        self.calls.clear()

    def delta(self, delta: Delta) -> None:
        choice = self._choice
        if delta.reasoning_details:
            for detail in delta.reasoning_details:
                self._detail(detail)
        elif delta.reasoning:
            self.events.append(ReasoningDelta(self.at(_plain(), "reasoning.text:0"), delta.reasoning, choice=choice))
        if delta.content:
            self.events.append(TextDelta(self.at(Text(text=""), "text"), delta.content, choice))
        if delta.refusal:
            self.events.append(TextDelta(self.at(Refusal(text=""), "refusal"), delta.refusal, choice))
        for annotation in delta.annotations or ():
            self.events.append(CitationAdded(self.at(Text(text=""), "text"), citation(annotation), choice))
        if delta.audio:
            self._audio(delta.audio)
        for image in delta.images or ():
            self.open(_image(image), "image")
            self.shut()
        for call in delta.tool_calls or ():
            self._call(call)

    def _detail(self, detail: dict[str, Any]) -> None:
        part = part_of(detail)
        kind = f"{detail.get('type')}:{detail.get('index') or 0}"
        empty = Reasoning(origin=part.origin, seal=Seal(part.seal.form, "", part.seal.item_id) if part.seal else None)
        if part.seal is None or part.seal.form == "signature":
            empty = Reasoning(origin=part.origin)
        index = self.at(empty, kind)
        if part.text:
            self.events.append(ReasoningDelta(index, part.text, choice=self._choice))
        if part.summary:
            self.events.append(ReasoningDelta(index, part.summary, summary=True, choice=self._choice))
        if part.seal is not None:
            self.events.append(SealDelta(index, part.seal, self._choice))

    def _audio(self, audio: dict[str, Any]) -> None:
        extras = {name: Raw(_encode(value)) for name, value in audio.items() if name not in ("data", "transcript")}
        part = Media(
            family="audio", source=Inline(""), extras={NAME: {"audio": Raw(_encode(extras))}} if extras else {}
        )
        data, transcript = str(audio.get("data") or ""), str(audio.get("transcript") or "")
        if data or transcript:
            self.events.append(MediaDelta(self.at(part, "audio"), data, transcript, self._choice))

    def _call(self, call: Call) -> None:
        custom = call.custom if call.function is None else None
        form = "custom" if custom is not None else "function"
        name = (custom.name if custom else call.function.name if call.function else None) or ""
        text = (custom.input if custom else call.function.arguments if call.function else None) or ""
        index = self.calls.get(call.index)
        if index is None or (name and call.id):
            self.shut()
            if index is not None:
                self.events.append(PartEnded(index, self._choice))
            index = self.calls[call.index] = self.begin(
                ToolCall(call_id=call.id or "", name=name, arguments="", form=form)
            )
        if text:
            self.events.append(ArgumentsDelta(index, text, self._choice))


def _plain() -> Reasoning:
    return Reasoning(origin=Origin(NAME, format="unknown"))


def _image(image: dict[str, Any]) -> Media:
    url = str((image.get("image_url") or {}).get("url") or "")
    found = url.partition(";base64,")
    if url.startswith("data:") and found[1]:
        return Media(family="image", media_type=found[0][5:], source=Inline(found[2]))
    return Media(family="image", source=Url(url))


def citation(raw: Raw) -> Citation:
    """An annotation as a citation; what is no `url_citation` is kept whole."""
    fields = msgspec.json.decode(raw)
    inner = fields.get("url_citation") if isinstance(fields, dict) else None
    if not isinstance(inner, dict):
        return Citation(extras={NAME: {"annotation": raw}})
    start, end = inner.get("start_index"), inner.get("end_index")
    return Citation(
        url=str(inner.get("url") or ""),
        title=str(inner.get("title") or ""),
        quote=str(inner.get("content") or ""),
        start=start if isinstance(start, int) else None,
        end=end if isinstance(end, int) else None,
    )


class ChatStreamDecoder:
    """See `dialects.ports.StreamDecoder`."""

    __slots__ = ("_begun", "_blocks", "_ended", "_relay", "outcome")

    def __init__(self, target: Target) -> None:
        envelope = Envelope(id="", model="", provider="", created_s=0, choices=128)
        self._relay = ChatRelayStream(envelope, target)
        self.outcome: Outcome = self._relay.outcome
        self._blocks: dict[int, _Blocks] = {}
        self._begun = self._ended = False

    def feed(self, data: bytes) -> list[Event]:
        events = self._events(self._relay.feed(data)) if not self._ended else []
        return events + self._failed()

    def close(self) -> list[Event]:
        out = self._relay.close()
        events = self._events(out) if not self._ended else []
        if self._ended:
            return events
        if self.outcome.error is None or isinstance(self.outcome.error, EmptyAnswer):
            events += self._events(self._relay.held())
        if self.outcome.error is None or isinstance(self.outcome.error, EmptyAnswer):
            events += self._shut(well=True)
            if self.outcome.usage is not None:
                events.append(UsageReported(self.outcome.usage))
            events.append(Finished(complete=self.outcome.complete))
            self._ended = True
            return events
        return events + self._failed()

    def _failed(self) -> list[Event]:
        error = self.outcome.error
        if error is None or self._ended or isinstance(error, EmptyAnswer):
            return []
        self._ended = True
        events = self._shut(well=False)
        if self.outcome.usage is not None:
            events.append(UsageReported(self.outcome.usage))
        return [*events, Failed(error)]

    def _shut(self, *, well: bool) -> list[Event]:
        """Open parts end, and choices that ended well. That waits for the end of the stream: some vendors say more afterwards."""
        events: list[Event] = []
        for number, blocks in self._blocks.items():
            blocks.end()
            events += blocks.events
            blocks.events = []
            if well and blocks.ended is not None:
                reason, native = blocks.ended
                extras = {NAME: dict(blocks.extras)} if blocks.extras else {}
                events.append(ChoiceEnded(reason=FinishReason(reason), raw_reason=native, choice=number, extras=extras))
        return events

    def _events(self, out: bytes) -> list[Event]:
        events: list[Event] = []
        try:
            for event in out.split(b"\n\n"):
                if event:
                    self._chunk(event[6:], events)
        except MALFORMED:
            self.outcome.error = Garbled(metadata={"what": "chunk"})
        return events

    def _chunk(self, data: bytes, events: list[Event]) -> None:
        chunk = _members(data)
        if not self._begun:
            self._begun = True
            events.append(self._started(chunk))
        raw = chunk["choices"]
        for choice, fields in zip(_choices(raw), _choice_members(raw), strict=True):
            blocks = self._blocks.setdefault(choice.index, _Blocks(choice.index))
            blocks.delta(choice.delta)
            blocks.extras.update({name: value for name, value in fields.items() if name not in _CHOICE})
            events += blocks.events
            blocks.events = []
            if choice.logprobs:
                events += _logprobs(choice.logprobs, choice.index)
            if choice.finish_reason is not None:
                native = choice.native_finish_reason
                blocks.ended = (choice.finish_reason, native if isinstance(native, str) else "")

    def _started(self, chunk: dict[str, Raw]) -> Started:
        def word(name: str) -> str | None:
            raw = bytes(chunk.get(name, b""))
            return msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else None

        created = msgspec.json.decode(chunk["created"])
        rest = {name: raw for name, raw in chunk.items() if name not in _STARTED}
        return Started(
            response_id=self.outcome.upstream_id,
            model=self.outcome.upstream_model,
            created_s=created,
            service_tier=word("service_tier"),
            system_fingerprint=word("system_fingerprint"),
            extras={NAME: rest} if rest else {},
        )


def _logprobs(logprobs: dict[str, Raw], choice: int) -> list[Event]:
    events: list[Event] = []
    for name in ("content", "refusal"):
        raw = logprobs.get(name)
        if raw is not None and bytes(raw) not in (b"null", b"[]"):
            events.append(LogprobsAdded(raw, choice, refusal=name == "refusal"))
    return events


def decode_whole(body: bytes, target: Target) -> tuple[list[Event], Outcome]:
    """Events of a whole answer. Raises the error that is in it."""
    decoder = ChatStreamDecoder(target)
    text = body.strip(b"\xef\xbb\xbf \t\r\n")
    events = decoder.feed(text if text.startswith(b"{") else b"<") + decoder.close()
    error = decoder.outcome.error
    if error is not None and not isinstance(error, EmptyAnswer):
        raise error
    return events, decoder.outcome
