"""The open items of a vendor's stream, and the canonical parts they tell. Refuses framing and the response's own fate.

A part closes with what its `done` events say in full: what no delta brought is made up for, so that vendors which send
whole items only, or no `content_part` events, read the same.
"""

from msgspec import Raw, structs

from farebox.dialects.openai_responses.items_in import (
    call_part,
    citation_of,
    content_part,
    extras_of,
    item_extras,
    item_parts,
    reasoning_parts,
)
from farebox.dialects.openai_responses.words import CALLS, NAME, SEARCH_ITEM, given, members_of, raws_of, text_of
from farebox.dialects.ports import Outcome
from farebox.ir.events import (
    ArgumentsDelta,
    CitationAdded,
    Event,
    LogprobsAdded,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    TextDelta,
)
from farebox.ir.request import AnyPart, Origin, Reasoning, Refusal, Text

Fields = dict[str, Raw]


class OpenPart:
    """A part of a stream: its index, what kind of delta it takes, and how much of it was told."""

    __slots__ = ("citations", "ended", "family", "index", "logprobs", "sent")

    def __init__(self, index: int, family: str) -> None:
        self.index = index
        self.family = family
        self.sent: list[str] = []
        self.citations = 0
        self.logprobs = False
        self.ended = False


class OpenItem:
    """An item of a stream."""

    __slots__ = ("done", "fields", "kind", "parts")

    def __init__(self, kind: str, fields: Fields) -> None:
        self.kind = kind
        self.fields = fields
        self.parts: dict[tuple[str, int], OpenPart] = {}
        self.done = False


class OpenItems:
    """Takes what the stream says of items and parts, gives events."""

    __slots__ = ("_items", "_next", "_origin", "_outcome", "begun", "calls", "searches")

    def __init__(self, origin: Origin, outcome: Outcome) -> None:
        self._origin = origin
        self._outcome = outcome
        self._items: dict[int, OpenItem] = {}
        self._next = 0
        self.begun = False
        self.calls = 0
        self.searches = 0

    def open_item(self, output_index: int, payload: Raw) -> list[Event]:
        fields = members_of(payload)
        kind = text_of(fields.get("type")) or "message"
        item = self._items.get(output_index)
        if item is not None and not item.done:
            return []
        self._items[output_index] = item = OpenItem(kind, fields)
        return self._begin_call(item) if kind in CALLS else []

    def _item(self, output_index: int, kind: str) -> OpenItem:
        item = self._items.get(output_index)
        if item is None:
            item = self._items[output_index] = OpenItem(kind, {})
        return item

    def _begin(self, item: OpenItem, key: tuple[str, int], part: AnyPart) -> list[Event]:
        item.parts[key] = OpenPart(self._next, key[0])
        self._next += 1
        self.begun = True
        return [PartStarted(item.parts[key].index, part)]

    def _begin_call(self, item: OpenItem) -> list[Event]:
        kind = item.kind if item.kind in CALLS else "function_call"
        part = call_part(item.fields, kind, answer=True)
        self.calls += 1
        self._outcome.tool_calls += 1
        self._outcome.committed = True
        return self._begin(item, ("call", 0), structs.replace(part, arguments=""))

    def _extras(self, item: OpenItem) -> dict[str, Raw]:
        if item.kind == "message":
            return item_extras(item.fields, "type", "role", "content", "status")
        return item_extras(
            item.fields, "type", "summary", "content", "encrypted_content", "signature", "format", "status"
        )

    def part(self, output_index: int, family: str, number: int) -> tuple[OpenPart, list[Event]]:
        """The open part that a delta belongs to, begun if nothing announced it."""
        item = self._item(output_index, "reasoning" if family in ("reasoning", "summary") else "message")
        found = item.parts.get((family, number))
        if found is not None:
            return found, []
        extras = extras_of(self._extras(item))
        part: AnyPart
        if family == "text":
            part = Text(text="", extras=extras)
        elif family == "refusal":
            part = Refusal(text="", extras=extras)
        elif family == "call":
            return self._call_part(item)
        else:
            word = text_of(item.fields.get("format")) or self._origin.format
            part = Reasoning(origin=Origin(NAME, self._origin.vendor, word), extras=extras)
        events = self._begin(item, (family, number), part)
        return item.parts[(family, number)], events

    def _call_part(self, item: OpenItem) -> tuple[OpenPart, list[Event]]:
        events = self._begin_call(item)
        return item.parts[("call", 0)], events

    def delta(self, family: str, output_index: int, number: int, text: str) -> list[Event]:
        part, events = self.part(output_index, family, number)
        if text and not part.ended:
            part.sent.append(text)
            events.append(self._event(part, text))
        return events

    def _event(self, part: OpenPart, text: str) -> Event:
        outcome, family = self._outcome, part.family
        if family == "call":
            return ArgumentsDelta(part.index, text)
        outcome.committed = True
        if family in ("text", "refusal"):
            outcome.content_chars += len(text)
            return TextDelta(part.index, text)
        outcome.reasoning_chars += len(text)
        return ReasoningDelta(part.index, text, family == "summary")

    def logprobs(self, output_index: int, number: int, entries: Raw) -> list[Event]:
        part, events = self.part(output_index, "text", number)
        part.logprobs = True
        return [*events, LogprobsAdded(entries)]

    def cite(self, output_index: int, number: int, raw: Raw) -> list[Event]:
        part, events = self.part(output_index, "text", number)
        if part.ended:
            return events
        part.citations += 1
        return [*events, CitationAdded(part.index, citation_of(raw))]

    def complete(self, family: str, output_index: int, number: int, text: str) -> list[Event]:
        """The full text of a part: what the deltas left out follows."""
        part, events = self.part(output_index, family, number)
        return events + self._make_up(part, text)

    def _make_up(self, part: OpenPart, text: str) -> list[Event]:
        sent = "".join(part.sent)
        if part.ended or not text.startswith(sent) or len(text) == len(sent):
            return []
        part.sent = [text]
        return [self._event(part, text[len(sent) :])]

    def end_part(self, output_index: int, family: str, number: int) -> list[Event]:
        item = self._items.get(output_index)
        part = item.parts.get((family, number)) if item is not None else None
        return self._end(part) if part is not None else []

    @staticmethod
    def _end(part: OpenPart) -> list[Event]:
        if part.ended:
            return []
        part.ended = True
        return [PartEnded(part.index)]

    def end_content(self, output_index: int, number: int, payload: Raw) -> list[Event]:
        """A content part in full, at its end."""
        item = self._item(output_index, "message")
        fields = members_of(payload)
        kind = text_of(fields.get("type"))
        family = {"refusal": "refusal", "reasoning_text": "reasoning", "summary_text": "summary"}.get(kind, "text")
        if kind not in ("output_text", "text", "refusal", "reasoning_text", "summary_text"):
            shared = self._extras(item)
            if ("other", number) in item.parts:
                return []
            events = self._begin(item, ("other", number), content_part(payload, shared))
            return events + self._end(item.parts[("other", number)])
        part, events = self.part(output_index, family, number)
        events += self._make_up(part, text_of(fields.get("refusal" if family == "refusal" else "text")))
        if family == "text" and not part.ended:
            cited = raws_of(given(fields.get("annotations")) or b"[]")[part.citations :]
            events += [CitationAdded(part.index, citation_of(raw)) for raw in cited]
            part.citations += len(cited)
            entries = given(fields.get("logprobs"))
            if not part.logprobs and entries[:1] == b"[" and entries != b"[]":
                part.logprobs = True
                events.append(LogprobsAdded(Raw(entries)))
        return events + self._end(part)

    def end_item(self, output_index: int, payload: Raw) -> list[Event]:
        """An item in full, at its end."""
        fields = members_of(payload)
        kind = text_of(fields.get("type")) or "message"
        item = self._items.get(output_index)
        if item is None or item.done:
            item = self._items[output_index] = OpenItem(kind, fields)
        item.done = True
        if kind == "message":
            events: list[Event] = []
            content = raws_of(given(fields.get("content")) or b"[]")
            for number, entry in zip(_numbers(item, len(content)), content, strict=True):
                events += self.end_content(output_index, number, Raw(entry))
        elif kind == "reasoning":
            events = self._end_reasoning(item, output_index, fields)
        elif kind in CALLS:
            events = [] if ("call", 0) in item.parts else self._begin_call_of(item, fields)
            part = item.parts[("call", 0)]
            events += self._make_up(part, call_part(fields, kind, answer=True).arguments) + self._end(part)
        else:
            events = self._whole_item(item, payload, kind)
        for part in item.parts.values():
            events += self._end(part)
        return events

    def _begin_call_of(self, item: OpenItem, fields: Fields) -> list[Event]:
        item.fields = fields
        return self._begin_call(item)

    def _end_reasoning(self, item: OpenItem, output_index: int, fields: Fields) -> list[Event]:
        events: list[Event] = []
        item.fields = {**fields, **{name: raw for name, raw in item.fields.items() if name == "id"}}
        for family, member in (("summary", "summary"), ("reasoning", "content")):
            for number, entry in enumerate(raws_of(given(fields.get(member)) or b"[]")):
                text = text_of(members_of(entry).get("text"))
                part, begun = self.part(output_index, family, number)
                events += begun + self._make_up(part, text) + self._end(part)
        bare = {name: raw for name, raw in fields.items() if name not in ("summary", "content")}
        for number, sealed in enumerate(reasoning_parts(bare, self._origin, answer=True)):
            events += self._begin(item, ("seal", number), sealed) + self._end(item.parts[("seal", number)])
        return events

    def _whole_item(self, item: OpenItem, payload: Raw, kind: str) -> list[Event]:
        if kind == SEARCH_ITEM:
            self.searches += 1
        events: list[Event] = []
        for number, part in enumerate(item_parts(payload, self._origin, answer=True)):
            self._outcome.committed = True
            events += self._begin(item, ("whole", number), part) + self._end(item.parts[("whole", number)])
        return events

    def end_all(self, output: list[Raw]) -> list[Event]:
        """The response ended: items it lists that the stream never told, and whatever is still open."""
        events: list[Event] = []
        if not self.begun:
            for output_index, payload in enumerate(output):
                events += self.end_item(output_index, payload)
        for item in self._items.values():
            for part in item.parts.values():
                events += self._end(part)
        return events


def _numbers(item: OpenItem, count: int) -> list[int]:
    """Under which numbers the stream told the content parts: not every vendor counts them from 0 in each item."""
    told = sorted(number for _, number in item.parts)[:count]
    first = told[-1] + 1 if told else 0
    return told + list(range(first, first + count - len(told)))
