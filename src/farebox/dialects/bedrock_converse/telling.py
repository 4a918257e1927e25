"""Tells a vendor's answer as canonical events while it comes, and keeps the outcome beside it: which parts are open, how
much was said, how it ended. Knows no protocol's words; block-structured dialects share it.
"""

from collections.abc import Hashable
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import Cut, EmptyAnswer, FareboxError
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    Event,
    Failed,
    Finished,
    FinishReason,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    Started,
    TextDelta,
    UsageReported,
)
from farebox.ir.request import AnyPart, Extras, Reasoning, Refusal, Text, ToolCall
from farebox.ir.usage import Usage

COUNT_MAX = 10**12
WORD_CHARS_MAX = 256


def count(value: Any) -> int | None:
    """A counter; `None` if it is absent. Raises `ValueError` for what is no count."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= COUNT_MAX:
        raise ValueError(value)
    return value


class Teller:
    """Events gather until they are taken. Parts are named by the vendor's own keys."""

    __slots__ = ("_begun", "_events", "_next", "_open", "_over", "_usage", "outcome")

    def __init__(self) -> None:
        self.outcome = Outcome()
        self._events: list[Event] = []
        self._open: dict[Hashable, int] = {}
        self._next = 0
        self._begun = self._over = False
        self._usage: Usage | None = None

    @property
    def over(self) -> bool:
        return self._over

    def take(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    def add(self, event: Event) -> None:
        self._events.append(event)

    def start(self, started: Started, target: Target) -> None:
        """The answer began; a second time changes nothing."""
        if self._begun:
            return
        self._begun = True
        self._events.append(started)
        outcome = self.outcome
        outcome.upstream_id, outcome.upstream_model = started.response_id, started.model
        if started.model and started.model.split(":")[0] != target.model.split(":")[0]:
            outcome.flags.append("model_mismatch")

    def at(self, key: Hashable) -> int | None:
        """The index of an open part."""
        return self._open.get(key)

    def begin(self, key: Hashable, part: AnyPart) -> int:
        """Open a part; one still open under this key ends first. What the part says already is counted."""
        if key in self._open:
            self.end(key)
        index = self._open[key] = self._next
        self._next += 1
        self._events.append(PartStarted(index, part))
        outcome = self.outcome
        if isinstance(part, ToolCall):
            outcome.tool_calls += 1
            outcome.committed = True
        elif isinstance(part, Text | Refusal) and part.text:
            outcome.content_chars += len(part.text)
            outcome.committed = True
        elif isinstance(part, Reasoning) and (part.text or part.seal is not None):
            outcome.reasoning_chars += len(part.text)
            outcome.committed = True
        elif not isinstance(part, Text | Refusal | Reasoning):
            outcome.committed = True
        return index

    def end(self, key: Hashable) -> None:
        index = self._open.pop(key, None)
        if index is not None:
            self._events.append(PartEnded(index))

    def whole(self, part: AnyPart) -> None:
        """A part that is complete at once."""
        self.begin(None, part)
        self.end(None)

    def text(self, index: int, text: str) -> None:
        if text:
            self.outcome.content_chars += len(text)
            self.outcome.committed = True
            self._events.append(TextDelta(index, text))

    def thought(self, index: int, text: str) -> None:
        if text:
            self.outcome.reasoning_chars += len(text)
            self.outcome.committed = True
            self._events.append(ReasoningDelta(index, text))

    def arguments(self, index: int, text: str) -> None:
        if text:
            self._events.append(ArgumentsDelta(index, text))

    def use(self, usage: Usage | None) -> None:
        """What was used; told with the end."""
        if usage is not None:
            self._usage = self.outcome.usage = usage

    def _shut(self) -> None:
        for key in list(self._open):
            self.end(key)

    def _tell_usage(self) -> None:
        if self._usage is not None:
            self._events.append(UsageReported(self._usage))

    def finish(
        self,
        reason: FinishReason,
        native: str,
        *,
        complete: bool = True,
        stop_sequence: str | None = None,
        extras: Extras | None = None,
    ) -> None:
        """The answer ended well. Calls present mean `tool_calls`, since vendors may say only that they stopped."""
        if self._over:
            return
        self._over = True
        self._shut()
        outcome = self.outcome
        if reason is FinishReason.STOP and outcome.tool_calls:
            reason = FinishReason.TOOL_CALLS
        self._events.append(
            ChoiceEnded(
                reason=reason, raw_reason=native[:WORD_CHARS_MAX], stop_sequence=stop_sequence, extras=extras or {}
            )
        )
        self._tell_usage()
        self._events.append(Finished(complete=complete))
        outcome.finish, outcome.native_finish = reason.value, native[:64]
        outcome.ended, outcome.complete = True, complete
        tokens = self._usage.completion_tokens() if self._usage is not None else 0
        if not outcome.committed and not tokens and reason not in (FinishReason.CONTENT_FILTER, FinishReason.LENGTH):
            outcome.error = EmptyAnswer()

    def fail(self, error: FareboxError) -> None:
        """The answer broke."""
        if self._over:
            return
        self._over = True
        self._shut()
        self._tell_usage()
        self._events.append(Failed(error))
        self.outcome.error = error

    def cut(self) -> None:
        """The body ended before the answer did."""
        if not self._over:
            self.fail(Cut())
            self.outcome.ended = True


def rest(fields: dict[str, Raw], known: frozenset[str], dialect: str) -> Extras:
    """Members that nobody here knows, as extras."""
    left = {name: raw for name, raw in fields.items() if name not in known}
    return {dialect: left} if left else {}


def text_of(fields: dict[str, Raw], name: str) -> str:
    """A member that is text, or nothing."""
    raw = fields.get(name)
    value = msgspec.json.decode(raw) if raw is not None else None
    return value if isinstance(value, str) else ""
