"""One candidate of an answer as it grows: which part each piece belongs to, and what ends it. Refuses framing and usage."""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.citing import of_grounding, of_recitation
from farebox.dialects.google_generate.logprobs import entries_of
from farebox.dialects.google_generate.media import media_of
from farebox.dialects.google_generate.partial_calls import PartialCall, is_partial
from farebox.dialects.google_generate.seals import ORIGIN, before, is_wrapped
from farebox.dialects.google_generate.words import FINISH_NUMBERS, NAME, invented_id
from farebox.dialects.ports import Outcome
from farebox.ir.events import (
    CitationAdded,
    Event,
    LogprobsAdded,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    TextDelta,
)
from farebox.ir.request import AnyPart, Extras, Opaque, Reasoning, Seal, Text, ToolCall

_encode = msgspec.json.encode
_TEXT, _THOUGHT = 1, 2
_KNOWN = frozenset(("text", "thought", "thoughtSignature"))
_CALL_KNOWN = frozenset(("name", "args", "id"))
_OWN = frozenset(("content", "index", "finishReason"))
_EMPTY_TEXT = Text(text="")
_EMPTY_THOUGHT = Reasoning(origin=ORIGIN)


class Candidate:
    """`part` and `note` take what comes; `end` closes and cites. Events are appended to `events`."""

    __slots__ = ("_index", "_kind", "_next", "_partial", "_text", "calls", "events", "extras", "native", "outcome")

    def __init__(self, index: int, events: list[Event], outcome: Outcome) -> None:
        self.events = events
        self.outcome = outcome
        self.native = ""
        self.calls = 0
        self.extras: dict[str, Any] = {}
        self._index = index
        self._kind = 0
        self._next = 0
        self._text: list[str] = []
        self._partial: PartialCall | None = None

    def _open(self, part: AnyPart, kind: int) -> int:
        self.shut()
        self._kind = kind
        index = self._next
        self._next = index + 1
        self.events.append(PartStarted(index, part, self._index))
        return index

    def _whole(self, part: AnyPart) -> None:
        self._open(part, 3)
        self.shut()

    def shut(self) -> None:
        if self._kind:
            self.events.append(PartEnded(self._next - 1, self._index))
            self._kind = 0

    def part(self, part: dict[str, Any], arguments: bytes) -> None:
        text = part.get("text")
        if text is not None:
            if len(part) == 1:
                self._say(text)
            else:
                self._text_part(part, text)
        elif "functionCall" in part:
            self._call(part, arguments)
        elif "inlineData" in part and not part.get("thought"):
            self._media(part)
        elif part:
            signature = part.get("thoughtSignature")
            if len(part) == 1 and isinstance(signature, str):
                self._text_part({"text": "", "thoughtSignature": signature}, "")
            elif part.keys() != {"thought"}:
                self.outcome.committed = True
                self._whole(Opaque(payload=Raw(_encode(part)), origin=ORIGIN))

    def _say(self, text: str) -> None:
        if not text:
            return
        outcome = self.outcome
        outcome.content_chars += len(text)
        outcome.committed = True
        self._text.append(text)
        index = self._next - 1 if self._kind == _TEXT else self._open(_EMPTY_TEXT, _TEXT)
        self.events.append(TextDelta(index, text, self._index))

    def _text_part(self, part: dict[str, Any], text: str) -> None:
        """A text that is a thought, is signed, or has members nobody knows."""
        signature = part.get("thoughtSignature")
        signature = signature if isinstance(signature, str) and signature else ""
        rest = {name: Raw(_encode(value)) for name, value in part.items() if name not in _KNOWN}
        if part.get("thought"):
            self._think(text, signature)
        elif signature or rest:
            # A signed part is never joined with its neighbours.
            if signature:
                self._whole(before(signature))
            self._open(Text(text="", extras={NAME: rest}) if rest else _EMPTY_TEXT, _TEXT)
            self._say(text)
            self.shut()
        else:
            self._say(text)

    def _think(self, text: str, signature: str) -> None:
        index = self._next - 1 if self._kind == _THOUGHT else self._open(_EMPTY_THOUGHT, _THOUGHT)
        if text:
            outcome = self.outcome
            outcome.reasoning_chars += len(text)
            outcome.committed = True
            self.events.append(ReasoningDelta(index, text, False, self._index))
        if signature and not is_wrapped(signature):
            self.events.append(SealDelta(index, Seal("signature", signature), self._index))
            self.shut()

    def _call(self, part: dict[str, Any], arguments: bytes) -> None:
        call = part["functionCall"]
        signature = part.get("thoughtSignature")
        text = arguments.decode()
        if self._partial is not None or is_partial(call):
            partial = self._partial = self._partial or PartialCall()
            if partial.take(call, signature):
                self._complete(partial)
            return
        rest = {key: Raw(_encode(value)) for key, value in call.items() if key not in _CALL_KNOWN}
        extras = {NAME: {"functionCall": Raw(_encode(rest))}} if rest else {}
        self._called(str(call.get("name") or ""), text if text != "null" else "{}", call.get("id"), signature, extras)

    def _complete(self, partial: PartialCall) -> None:
        self._partial = None
        self._called(partial.name, partial.arguments(), partial.call_id, partial.signature, {})

    def _called(self, name: str, text: str, given: Any, signature: Any, extras: Extras) -> None:
        seed = f"{self.outcome.upstream_id}:{self._index}:{name}:{text}"
        call_id = given if isinstance(given, str) and given else invented_id(seed, self.calls)
        self.calls += 1
        self.outcome.tool_calls += 1
        self.outcome.committed = True
        if isinstance(signature, str) and signature:
            self._whole(before(signature, call_id))
        self._whole(ToolCall(call_id=call_id, name=name, arguments=text, extras=extras))

    def _media(self, part: dict[str, Any]) -> None:
        signature = part.get("thoughtSignature")
        if isinstance(signature, str) and signature:
            self._whole(before(signature))
        self.outcome.committed = True
        self._whole(media_of(part["inlineData"]))

    def note(self, fields: dict[str, Any]) -> None:
        """Everything beside the content."""
        native = fields.get("finishReason")
        if native is not None:
            word = FINISH_NUMBERS.get(native, "OTHER") if isinstance(native, int) else str(native)
            self.native = "" if word == "FINISH_REASON_UNSPECIFIED" else word
        for name, value in fields.items():
            if name in _OWN or not value:
                continue
            if name == "groundingMetadata" and isinstance(self.extras.get(name), dict) and isinstance(value, dict):
                self.extras[name] |= {key: inner for key, inner in value.items() if inner}
            elif name == "citationMetadata" and isinstance(self.extras.get(name), dict) and isinstance(value, dict):
                cited = [one.get("citations") or [] for one in (self.extras[name], value)]
                self.extras[name] = value | {"citations": [*cited[0], *cited[1]]}
            else:
                self.extras[name] = value

    def end(self) -> None:
        """No more comes: sources and log probabilities, then the end of what is open."""
        if self._partial is not None:
            self._complete(self._partial)
        text = "".join(self._text)
        citations = []
        for name, read in (("groundingMetadata", of_grounding), ("citationMetadata", of_recitation)):
            metadata = self.extras.get(name)
            if isinstance(metadata, dict):
                citations += read(metadata, text)
        if citations:
            index = self._next - 1 if self._kind == _TEXT else self._open(_EMPTY_TEXT, _TEXT)
            self.events += [CitationAdded(index, citation, self._index) for citation in citations]
        self.shut()
        result = self.extras.get("logprobsResult")
        if isinstance(result, dict):
            entries = entries_of(result)
            if entries:
                self.events.append(LogprobsAdded(Raw(_encode(entries)), self._index))
