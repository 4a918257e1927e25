"""Canonical events of one candidate as parts of this dialect. A signature stands on the part after its sealed part; calls are
written when they are whole, since this dialect has no partial arguments. Refuses framing, usage and the end.
"""

from typing import Any

import msgspec
from msgspec import Raw, structs

from farebox.dialects.google_generate.citing import to_grounding
from farebox.dialects.google_generate.logprobs import result_of
from farebox.dialects.google_generate.media import blob_of
from farebox.dialects.google_generate.seals import is_ours, wrapped
from farebox.dialects.google_generate.words import FORMAT, NAME, finish_word, is_invented
from farebox.ir.events import (
    ArgumentsDelta,
    ChoiceEnded,
    CitationAdded,
    Event,
    LogprobsAdded,
    MediaDelta,
    PartEnded,
    PartStarted,
    ReasoningDelta,
    SealDelta,
    TextDelta,
)
from farebox.ir.request import (
    AnyPart,
    Citation,
    Inline,
    Media,
    Opaque,
    Reasoning,
    Refusal,
    Seal,
    Text,
    ToolCall,
)

_encode = msgspec.json.encode
_value = msgspec.json.Decoder().decode
_raws = msgspec.json.Decoder(dict[str, Raw]).decode
Fields = dict[str, Any]
TOP = "$"


def one_line(raw: Raw | bytes) -> Raw:
    """JSON without line breaks: a stream's event is one line."""
    data = bytes(raw)
    return Raw(_encode(_value(data)) if b"\n" in data or b"\r" in data else data)


class CandidateWriter:
    """`take` gathers parts; `parts` hands over those that are due."""

    __slots__ = (
        "_citations", "_data", "_logprobs", "_open", "_part", "_seal", "_shown", "_signatures", "_text", "ended",
        "parts", "spoke",
    )  # fmt: skip

    def __init__(self, *, reasoning: bool) -> None:
        self.parts: list[Any] = []
        self.ended: ChoiceEnded | None = None
        self.spoke = False
        self._shown = reasoning
        self._part: dict[int, AnyPart] = {}
        self._data: dict[int, list[str]] = {}
        self._open = -1
        self._seal: Seal | None = None
        self._signatures: list[str] = []
        self._text: list[str] = []
        self._citations: list[Citation] = []
        self._logprobs: list[Any] = []

    def take(self, event: Event) -> None:
        match event:
            case TextDelta():
                self._say(event.index, event.text)
            case ReasoningDelta():
                self._think(event.index, event.text)
            case ArgumentsDelta():
                self._data[event.index].append(event.text)
            case PartStarted():
                self._begin(event.index, event.part)
            case PartEnded():
                self._finish(event.index)
            case SealDelta():
                self._seal = event.seal
                self._sign(event.index)
            case ChoiceEnded():
                self.ended = event
            case _:
                self._take_rare(event)

    def _take_rare(self, event: Event) -> None:
        match event:
            case MediaDelta():
                self._data.setdefault(event.index, []).append(event.data)
                self._text.append(event.transcript)
                if event.transcript:
                    self._put({"text": event.transcript})
            case CitationAdded():
                self._citations.append(event.citation)
            case LogprobsAdded():
                if not event.refusal:
                    self._logprobs += _value(event.entries)
            case _:
                pass

    def _put(self, part: Any) -> None:
        self.parts.append(part)
        self.spoke = True
        self._open = -1

    def _begin(self, index: int, part: AnyPart) -> None:
        self._part[index] = part
        self._open = -1
        if isinstance(part, Text | Refusal):
            if isinstance(part, Text):
                self._citations += part.citations
            if part.text:
                self._say(index, part.text)
        elif isinstance(part, Reasoning):
            self._begin_thought(index, part)
        elif isinstance(part, ToolCall):
            self._data[index] = [part.arguments]
        elif isinstance(part, Media):
            self._data[index] = []
        elif isinstance(part, Opaque) and part.origin is not None and part.origin.format == FORMAT:
            self._put(one_line(part.payload))

    def _begin_thought(self, index: int, part: Reasoning) -> None:
        self._seal = part.seal
        text = part.text or part.summary
        if part.seal is not None and part.seal.data and not text and part.seal.form == "encrypted" and is_ours(part):
            self._signatures.append(part.seal.data)
            self._seal = None
        elif text:
            self._think(index, text)

    def _say(self, index: int, text: str) -> None:
        self._text.append(text)
        if self._open == index:
            self.parts[-1]["text"] += text
            return
        part: Fields = {"text": text}
        begun = self._part[index]
        if begun.extras and NAME in begun.extras:
            part |= {name: one_line(raw) for name, raw in begun.extras[NAME].items()}
        if self._signatures:
            part["thoughtSignature"] = self._signatures.pop(0)
        self._put(part)
        self._open = index

    def _think(self, index: int, text: str) -> None:
        if not self._shown or not text:
            return
        if self._open == index:
            self.parts[-1]["text"] += text
            return
        self._put({"text": text, "thought": True})
        self._open = index

    def _sign(self, index: int) -> None:
        """The seal of a thought, as soon as it is known if it is Google's, else at the thought's end."""
        part = self._part.get(index)
        if not isinstance(part, Reasoning) or not is_ours(part) or self._seal is None:
            return
        if self._seal.form == "encrypted":
            self._signatures.append(self._seal.data)
            self._seal = None
            return
        self._put_seal(index, self._seal.data)

    def _put_seal(self, index: int, signature: str) -> None:
        self._seal = None
        if not self._shown:
            return
        if self._open == index:
            self.parts[-1]["thoughtSignature"] = signature
            self._open = -1
        else:
            self._put({"text": "", "thought": True, "thoughtSignature": signature})

    def _finish(self, index: int) -> None:
        part = self._part.pop(index)
        if isinstance(part, Text):
            if self._signatures:
                self._put({"text": "", "thoughtSignature": self._signatures.pop(0)})
        elif isinstance(part, Reasoning):
            if self._seal is not None and self._seal.data:
                own = is_ours(part)
                self._put_seal(index, self._seal.data if own else wrapped(structs.replace(part, seal=self._seal)))
            self._seal = None
        elif isinstance(part, ToolCall):
            self._put(self._call(part, "".join(self._data.pop(index))))
        elif isinstance(part, Media):
            data = "".join(self._data.pop(index))
            source = Inline(part.source.data + data) if isinstance(part.source, Inline) else part.source
            self._put(self._signed(blob_of(structs.replace(part, source=source))))
        self._open = -1

    def _signed(self, part: Fields) -> Fields:
        if self._signatures:
            part["thoughtSignature"] = self._signatures.pop(0)
        return part

    def _call(self, call: ToolCall, text: str) -> Fields:
        args: Any = Raw(b"{}")
        if text.strip():
            try:
                args = one_line(text.encode()) if isinstance(_value(text), dict) else {"arguments": _value(text)}
            except msgspec.DecodeError:
                args = {"input" if call.form == "custom" else "arguments": text}
        inner: Fields = {"name": call.name, "args": args}
        if call.call_id and not is_invented(call.call_id):
            inner["id"] = call.call_id
        rest = call.extras.get(NAME, {}).get("functionCall")
        if rest is not None:
            inner |= _raws(rest)
        return self._signed({"functionCall": inner})

    def due(self) -> list[Any]:
        """The parts to be sent now."""
        parts, self.parts = self.parts, []
        self._open = -1
        return parts

    def rest(self, index: int, parts: list[Any]) -> Fields:
        """The candidate's last words: reason, sources and whatever the vendor said beside the content."""
        parts = parts + [{"text": "", "thoughtSignature": signature} for signature in self._signatures]
        out: Fields = {"content": {"parts": parts or [{"text": ""}], "role": "model"}}
        ended = self.ended
        if ended is not None:
            out["finishReason"] = finish_word(ended.reason, ended.raw_reason)
        out["index"] = index
        own = ended.extras.get(NAME, {}) if ended is not None else {}
        out |= {name: one_line(raw) for name, raw in own.items() if name != TOP}
        if self._citations and not {"groundingMetadata", "citationMetadata"} & out.keys():
            out["groundingMetadata"] = to_grounding(self._citations, "".join(self._text))
        if self._logprobs and "logprobsResult" not in out:
            out["logprobsResult"] = result_of(self._logprobs)
        return out

    def top(self) -> dict[str, Raw]:
        """What stood beside the candidates."""
        raw = self.ended.extras.get(NAME, {}).get(TOP) if self.ended is not None else None
        return {name: one_line(value) for name, value in _raws(raw).items()} if raw is not None else {}
