"""An answer's events (`message-start` to `message-end`) as canonical ones. A text stays open until the next block, since
citations may follow its end. Refuses to frame.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.bedrock_converse.telling import Teller, text_of
from farebox.dialects.cohere_chat.citations import about_plan, citations, part_number
from farebox.dialects.cohere_chat.logprobs import entries
from farebox.dialects.cohere_chat.usage import read_usage
from farebox.dialects.cohere_chat.words import FINISH, NAME, PLAN
from farebox.dialects.framing.sse import Splitter, SseEvent
from farebox.dialects.ports import Outcome, Target
from farebox.dialects.shared.vendor_errors import from_value
from farebox.ir.errors import AttemptError, Garbled, VendorFailed, VendorTimedOut
from farebox.ir.events import CitationAdded, Event, FinishReason, LogprobsAdded, Started
from farebox.ir.request import Opaque, Origin, Reasoning, Text, ToolCall

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_value = msgspec.json.Decoder().decode
_DONE = b"[DONE]"
_END = frozenset(("finish_reason", "usage", "error"))
PLAN_TEXT = Text(text="", extras={NAME: {PLAN: Raw(b"true")}})


class _Content(Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None


class _Function(Struct):
    name: str = ""
    arguments: str | None = None


class _Call(Struct):
    function: _Function
    id: str = ""


class _Message(Struct):
    content: Raw = Raw(b"")
    tool_plan: str | None = None
    tool_calls: Raw = Raw(b"")
    citations: Raw = Raw(b"")


class _Delta(Struct):
    message: _Message | None = None


class _Event(Struct):
    type: str
    delta: Raw = Raw(b"")
    index: int = 0
    id: str = ""
    logprobs: Raw = Raw(b"")


class _TextMessage(Struct):
    content: _Content


class _TextDelta(Struct):
    message: _TextMessage


class _TextEvent(Struct):
    """The frequent event, read in one go."""

    delta: _TextDelta
    index: int = 0
    logprobs: Raw = Raw(b"")


_event = msgspec.json.Decoder(_Event).decode
_delta = msgspec.json.Decoder(_Delta).decode
_content = msgspec.json.Decoder(_Content).decode
_call = msgspec.json.Decoder(_Call).decode
_text_event = msgspec.json.Decoder(_TextEvent).decode


class CohereStreamDecoder:
    """See `dialects.ports.StreamDecoder`."""

    __slots__ = ("_splitter", "_target", "_teller", "_text", "_wordless", "outcome")

    def __init__(self, target: Target) -> None:
        self._splitter = Splitter()
        self._teller = Teller()
        self._target = target
        self._text: tuple[str, int] | None = None
        self._wordless: set[int] = set()
        self.outcome: Outcome = self._teller.outcome

    def feed(self, data: bytes) -> list[Event]:
        return self._guarded(data)

    def close(self) -> list[Event]:
        events = self._guarded(None)
        self._teller.cut()
        return events + self._teller.take()

    def _guarded(self, data: bytes | None) -> list[Event]:
        teller = self._teller
        try:
            for event in self._splitter.rest() if data is None else self._splitter.feed(data):
                if teller.over:
                    break
                self._take(event)
        except AttemptError as error:
            teller.fail(error)
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, RecursionError):
            teller.fail(Garbled(metadata={"what": "event"}))
        return teller.take()

    def _take(self, sse: SseEvent) -> None:
        data = sse.data
        if sse.name == b"content-delta":
            self._text_delta(_text_event(data))
            return
        if data == _DONE:
            return
        fields = _members(data)
        if "type" not in fields:
            raise from_value(_value(data))
        event = _event(data)
        if event.type == "message-start":
            self._teller.start(Started(response_id=event.id), self._target)
        elif event.type == "message-end":
            self._end(_members(event.delta))
        elif event.type == "content-delta":
            self._text_delta(_text_event(data))
        else:
            self._block(event)

    def _block(self, event: _Event) -> None:
        kind = event.type
        message = (_delta(event.delta).message if bytes(event.delta) else None) or _Message()
        if kind == "content-start":
            self._shut_text()
            self._begin(event.index, message.content)
        elif kind == "content-end":
            if self._text != ("content", event.index):
                self._teller.end(("content", event.index))
        elif kind == "tool-plan-delta":
            self._plan(message.tool_plan or "")
        elif kind.startswith("tool-call-"):
            self._call(event, message)
        elif kind == "citation-start":
            self._cite(message.citations)
        elif kind != "citation-end" and f"unknown_event:{kind[:32]}" not in self.outcome.flags:
            self.outcome.flags.append(f"unknown_event:{kind[:32]}")

    def _plan(self, text: str) -> None:
        teller, key = self._teller, ("plan", 0)
        index = teller.at(key)
        self._text = key
        teller.text(teller.begin(key, PLAN_TEXT) if index is None else index, text)

    def _call(self, event: _Event, message: _Message) -> None:
        teller, key = self._teller, ("call", event.index)
        if event.type == "tool-call-start":
            self._shut_text()
            call = _call(message.tool_calls)
            index = teller.begin(key, ToolCall(call_id=call.id, name=call.function.name, arguments=""))
            teller.arguments(index, call.function.arguments or "")
            if not call.function.arguments:
                self._wordless.add(event.index)
        elif event.type == "tool-call-end":
            self._end_call(event.index)
        else:
            at = teller.at(key)
            if at is None:
                raise Garbled(metadata={"what": "call without a start"})
            more = text_of(_members(_members(message.tool_calls)["function"]), "arguments")
            if more:
                self._wordless.discard(event.index)
                teller.arguments(at, more)

    def _begin(self, number: int, raw: Raw) -> None:
        content = _content(raw)
        key = ("content", number)
        if content.type == "text":
            self._text = key
            self._teller.begin(key, Text(text=content.text or ""))
        elif content.type == "thinking":
            self._teller.begin(key, thought(content.thinking or ""))
        else:
            self._teller.begin(key, Opaque(payload=raw, origin=Origin(NAME, self._target.vendor)))

    def _text_delta(self, event: _TextEvent) -> None:
        teller, content = self._teller, event.delta.message.content
        key = ("content", event.index)
        index = teller.at(key)
        if content.text is not None:
            if index is None:
                self._shut_text()
                self._text = key
                index = teller.begin(key, Text(text=""))
            teller.text(index, content.text)
        elif content.thinking is not None:
            teller.thought(teller.begin(key, thought("")) if index is None else index, content.thinking)
        if bytes(event.logprobs):
            teller.add(LogprobsAdded(entries([_value(event.logprobs)])))

    def _shut_text(self) -> None:
        if self._text is not None:
            self._teller.end(self._text)
            self._text = None

    def _end_call(self, number: int) -> None:
        """A call that said no arguments has none."""
        index = self._teller.at(("call", number))
        if index is not None and number in self._wordless:
            self._wordless.discard(number)
            self._teller.arguments(index, "{}")
        self._teller.end(("call", number))

    def _cite(self, raw: Raw) -> None:
        teller = self._teller
        number = part_number(raw)
        key = ("plan", 0) if about_plan(raw) else ("content", number) if number is not None else self._text
        index = teller.at(key) if key is not None else None
        if index is None and self._text is not None:
            index = teller.at(self._text)
        if index is None:
            self._text = ("content", -1)
            index = teller.begin(self._text, Text(text=""))
        for one in citations(raw):
            teller.add(CitationAdded(index, one))

    def _end(self, delta: dict[str, Raw]) -> None:
        for number in list(self._wordless):
            self._end_call(number)
        if "usage" in delta:
            self._teller.use(read_usage(delta["usage"], self.outcome.flags))
        finish(self._teller, text_of(delta, "finish_reason"), delta, _END)


def thought(text: str) -> Reasoning:
    """Reasoning as this API gives it: plain, without a seal."""
    return Reasoning(text=text, origin=Origin(NAME, format="unknown"))


def finish(teller: Teller, word: str, fields: dict[str, Raw], known: frozenset[str]) -> None:
    """Ends an answer; a reason that means failure is one."""
    reason = FINISH.get(word, FinishReason.STOP)
    if reason is FinishReason.ERROR:
        detail: Any = text_of(fields, "error") or word
        teller.fail((VendorTimedOut if word == "TIMEOUT" else VendorFailed)(detail=detail[:256]))
        return
    left = {name: raw for name, raw in fields.items() if name not in known}
    teller.finish(reason, word, complete=bool(word), extras={NAME: left} if left else {})
