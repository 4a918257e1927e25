"""Folds a stream of events into the answer it tells, and tells an answer as events. Any prefix of a stream folds.
Refuses to judge: broken rules of the stream are the business of whoever made it.
"""

from collections.abc import Iterable

from msgspec import Raw, structs

from farebox.ir.errors import FareboxError
from farebox.ir.events import (
    ArgumentsDelta,
    Choice,
    ChoiceEnded,
    CitationAdded,
    Event,
    Failed,
    Finished,
    LogprobsAdded,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    Response,
    SealDelta,
    Started,
    TextDelta,
    UsageReported,
    Warned,
    Warning,
)
from farebox.ir.request import AnyPart, Citation, Inline, Media, Reasoning, Refusal, Seal, Text, ToolCall
from farebox.ir.usage import Usage


class _OpenPart:
    """A part as it grows."""

    __slots__ = ("citations", "data", "part", "seal", "summary", "text")

    def __init__(self, part: AnyPart) -> None:
        self.part = part
        self.text: list[str] = []
        self.summary: list[str] = []
        self.data: list[str] = []
        self.citations: list[Citation] = []
        self.seal: Seal | None = None

    def done(self) -> AnyPart:
        part, text = self.part, "".join(self.text)
        if isinstance(part, Text):
            return structs.replace(part, text=part.text + text, citations=(*part.citations, *self.citations))
        if isinstance(part, Reasoning):
            summary = part.summary + "".join(self.summary)
            return structs.replace(part, text=part.text + text, summary=summary, seal=self.seal or part.seal)
        if isinstance(part, ToolCall):
            return structs.replace(part, arguments=part.arguments + "".join(self.data), seal=self.seal or part.seal)
        if isinstance(part, Refusal):
            return structs.replace(part, text=part.text + text)
        if isinstance(part, Media):
            source = part.source
            if isinstance(source, Inline):
                source = Inline(source.data + "".join(self.data))
            return structs.replace(part, source=source, transcript=part.transcript + text)
        return part


class _OpenChoice:
    """A choice as it grows."""

    __slots__ = ("ended", "logprobs", "parts", "refusal_logprobs")

    def __init__(self) -> None:
        self.parts: dict[int, _OpenPart] = {}
        self.logprobs: list[Raw] = []
        self.refusal_logprobs: list[Raw] = []
        self.ended: ChoiceEnded | None = None

    def done(self) -> Choice:
        parts = tuple(self.parts[index].done() for index in sorted(self.parts))
        ended = self.ended
        return Choice(
            parts=parts,
            reason=ended.reason if ended else None,
            raw_reason=ended.raw_reason if ended else "",
            stop_sequence=ended.stop_sequence if ended else None,
            logprobs=tuple(self.logprobs),
            refusal_logprobs=tuple(self.refusal_logprobs),
            extras=ended.extras if ended else {},
        )


class Folder:
    """Takes events one by one; `response()` is the fold of those taken."""

    __slots__ = ("_choices", "_complete", "_error", "_started", "_usage", "_warnings")

    def __init__(self) -> None:
        self._started = Started()
        self._choices: dict[int, _OpenChoice] = {}
        self._usage: Usage | None = None
        self._warnings: list[Warning] = []
        self._error: FareboxError | None = None
        self._complete = False

    def _choice(self, index: int) -> _OpenChoice:
        return self._choices.setdefault(index, _OpenChoice())

    def _part(
        self, event: TextDelta | ReasoningDelta | SealDelta | ArgumentsDelta | MediaDelta | CitationAdded
    ) -> _OpenPart:
        return self._choice(event.choice).parts[event.index]

    def take(self, event: Event) -> None:
        match event:
            case TextDelta():
                self._part(event).text.append(event.text)
            case ReasoningDelta():
                part = self._part(event)
                (part.summary if event.summary else part.text).append(event.text)
            case ArgumentsDelta():
                self._part(event).data.append(event.text)
            case MediaDelta():
                part = self._part(event)
                part.data.append(event.data)
                part.text.append(event.transcript)
            case SealDelta():
                self._part(event).seal = event.seal
            case CitationAdded():
                self._part(event).citations.append(event.citation)
            case PartStarted():
                self._choice(event.choice).parts[event.index] = _OpenPart(event.part)
            case LogprobsAdded():
                choice = self._choice(event.choice)
                (choice.refusal_logprobs if event.refusal else choice.logprobs).append(event.entries)
            case ChoiceEnded():
                self._choice(event.choice).ended = event
            case _:
                self._take_rare(event)

    def _take_rare(self, event: Event) -> None:
        match event:
            case Started():
                self._started = event
            case UsageReported():
                self._usage = event.usage
            case Warned():
                self._warnings.append(event.warning)
            case Finished():
                self._complete = event.complete
            case Failed():
                self._error = event.error
            case _:
                pass

    def response(self) -> Response:
        return Response(
            started=self._started,
            choices=tuple(self._choices[index].done() for index in sorted(self._choices)),
            usage=self._usage,
            warnings=tuple(self._warnings),
            error=self._error,
            complete=self._complete,
        )


def fold(events: Iterable[Event]) -> Response:
    """The answer that these events tell."""
    folder = Folder()
    for event in events:
        folder.take(event)
    return folder.response()


def unfold(response: Response) -> list[Event]:
    """Events that fold to this answer: each part whole, at once."""
    events: list[Event] = [response.started]
    events += [Warned(warning) for warning in response.warnings]
    for number, choice in enumerate(response.choices):
        for index, part in enumerate(choice.parts):
            events += [PartStarted(index, part, number), PartEnded(index, number)]
        events += [LogprobsAdded(entries, number) for entries in choice.logprobs]
        events += [LogprobsAdded(entries, number, refusal=True) for entries in choice.refusal_logprobs]
        if choice.reason is not None:
            events.append(
                ChoiceEnded(
                    reason=choice.reason,
                    raw_reason=choice.raw_reason,
                    choice=number,
                    stop_sequence=choice.stop_sequence,
                    extras=choice.extras,
                )
            )
    if response.usage is not None:
        events.append(UsageReported(response.usage))
    events.append(Failed(response.error) if response.error is not None else Finished(complete=response.complete))
    return events
