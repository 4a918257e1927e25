"""The relay of generateContent: both sides speak it, and documents pass with their envelope rewritten.
Refuses to decode what need not be read.

What ends a candidate is held back: some models repeat the reason in every chunk, and usage waits for the charge. The last
document says both, with an empty text, as Google's own last chunk does.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.answer_writing import one_line
from farebox.dialects.google_generate.citing import searches
from farebox.dialects.google_generate.errors import error_object, from_document
from farebox.dialects.google_generate.framing import Documents
from farebox.dialects.google_generate.stream_decoding import native_reason
from farebox.dialects.google_generate.stream_encoding import Framing, tail
from farebox.dialects.google_generate.usage import read_usage, write_usage
from farebox.dialects.google_generate.words import finish_of
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.dialects.shared.reader import is_null
from farebox.ir.errors import AttemptError, Cut, EmptyAnswer, FareboxError, Garbled, VendorFailed
from farebox.ir.events import FinishReason, Warning
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_value = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
_OURS = frozenset(
    (
        "model",
        "models",
        "provider",
        "stream",
        "route",
        "plugins",
        "sessionId",
        "user",
        "systemInstruction",
        "serviceTier",
    )
)
_ENVELOPE = frozenset(("candidates", "usageMetadata", "modelVersion", "responseId"))
_MOVED = ("finishReason", "finishMessage")
# The chunk that nearly every chunk is: one text, perhaps usage, the envelope. Its text is the only thing that passes.
_usual = re.compile(
    rb'\{"candidates": ?\[\{"content": ?\{"parts": ?\[\{"text": ?"([^"\\]*(?:\\.[^"\\]*)*)"\}\], ?"role": ?"model"\}'
    rb'(?:, ?"index": ?0)?\}\], ?"usageMetadata": ?(\{[^\x00-\x1f]*\}), ?"modelVersion": ?"[^"\\]*"'
    rb', ?"responseId": ?"[^"\\]*"\}'
).fullmatch
_text = msgspec.json.Decoder(str).decode


def relay_request(opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body: the members as the bytes they were, but for ours."""
    warnings: list[Warning] = []
    out: dict[str, Raw] = {}
    for name, raw in opened.fields.items():
        if is_null(raw):
            continue
        if name in target.drop or (name == "serviceTier" and "service_tier" not in target.options):
            warnings.append(Warning("parameter_dropped", f"$.{name}", f"This provider does not take '{name}'."))
        elif name == "systemInstruction":
            out[name] = Raw(_encode({"parts": [{"text": _value(raw)}]})) if bytes(raw)[:1] == b'"' else raw
        elif name == "serviceTier" or name not in _OURS:
            out[target.rename.get(name, name)] = raw
    config = out.get("generationConfig")
    if config is not None and target.drop:
        inner = _members(config)
        for name in target.drop & inner.keys():
            del inner[name]
            warnings.append(
                Warning("parameter_dropped", f"$.generationConfig.{name}", f"This provider does not take '{name}'.")
            )
        out["generationConfig"] = Raw(_encode(inner))
    out.update(target.force)
    return _encode(out), warnings


class _Usage(msgspec.Struct):
    """Usage read only as far as that it is one object with a total."""

    totalTokenCount: int


_has_total = msgspec.json.Decoder(_Usage).decode


class _Answer:
    """What passes, watched and rewritten."""

    def __init__(self, envelope: Envelope, target: Target, outcome: Outcome) -> None:
        self.outcome = outcome
        self.tail = tail(envelope)
        self.ends: dict[int, dict[str, Raw]] = {}
        self.natives: dict[int, str] = {}
        self.seen: set[int] = set()
        self.top: dict[str, Raw] = {}
        self.begun = self.blocked = False
        self._shown = envelope.include_reasoning
        self._calls: dict[int, int] = {}
        self._usage: Raw | bytes | None = None
        self._searches = 0
        self._by_request = target.usage.get("search") == "request"

    def read(self, data: bytes) -> list[dict[str, Raw]]:
        """The candidates of a document, noted and rewritten. Raises the error that is in it."""
        try:
            if not data.isascii():
                data.decode()
            fields = _members(data)
            if "error" in fields and not is_null(fields["error"]):
                raise from_document(_value(data))
            self._note(fields)
            raw = fields.get("candidates")
            candidates = _objects(raw) if raw is not None and not is_null(raw) else []
            return [self._candidate(candidate) for candidate in candidates]
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, AttributeError, KeyError):
            raise Garbled(metadata={"what": "json"}) from None

    def usual(self, data: bytes) -> bytes:
        """Our document for a chunk that holds one text and nothing to be noted; empty for any other."""
        found = _usual(data) if self.begun else None
        if found is None:
            return b""
        spelled, usage = found.groups()
        try:
            text = _text(b'"%b"' % spelled)
            _has_total(usage)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return b""
        self._usage = usage
        self.seen.add(0)
        outcome = self.outcome
        outcome.content_chars += len(text)
        outcome.committed = outcome.committed or bool(text)
        return b'{"candidates":[{"content":{"parts":[{"text":"%b"}],"role":"model"},"index":0}]%b}' % (
            spelled,
            self.tail,
        )

    def _note(self, fields: dict[str, Raw]) -> None:
        outcome = self.outcome
        if not self.begun:
            self.begun = True
            for name, member in (("upstream_id", "responseId"), ("upstream_model", "modelVersion")):
                if member in fields:
                    setattr(outcome, name, str(_value(fields[member]))[:256])
        raw = fields.get("usageMetadata")
        if raw is not None and bytes(raw)[:1] == b"{":
            if self._usage is None:
                outcome.usage = read_usage(_value(raw), flags=outcome.flags)
            if self._usage is None or b'"totalTokenCount"' in bytes(raw):
                self._usage = raw
        if not fields.keys() <= _ENVELOPE:
            self.top |= {name: one_line(raw) for name, raw in fields.items() if name not in _ENVELOPE}
            feedback = self.top.get("promptFeedback")
            value = _value(feedback) if feedback is not None else None
            if isinstance(value, dict) and value.get("blockReason"):
                self.blocked = True
                outcome.native_finish = str(value["blockReason"])[:64]

    def _candidate(self, candidate: dict[str, Raw]) -> dict[str, Raw]:
        index = _value(candidate["index"]) if "index" in candidate else 0
        self.seen.add(index)
        if "finishReason" in candidate:
            held = {name: candidate.pop(name) for name in _MOVED if name in candidate}
            native = native_reason(_value(held["finishReason"]))
            if native and native != "FINISH_REASON_UNSPECIFIED":
                self.natives[index] = native
                held["finishReason"] = Raw(_encode(native))
                self.ends[index] = held
        grounding = candidate.get("groundingMetadata")
        if grounding is not None:
            found = searches(_value(grounding) or {})
            self._searches = max(self._searches, min(found, 1) if self._by_request else found)
        content = candidate.get("content")
        if content is not None and bytes(content)[:1] == b"{":
            self._content(content, candidate, index)
        return candidate

    def _content(self, content: Raw, candidate: dict[str, Raw], index: int) -> None:
        value = _value(content)
        parts = value.get("parts") or []
        outcome = self.outcome
        hidden = False
        for part in parts:
            text = part.get("text")
            if text is not None:
                if part.get("thought"):
                    outcome.reasoning_chars += len(text)
                    hidden = not self._shown
                else:
                    outcome.content_chars += len(text)
                outcome.committed = outcome.committed or bool(text)
            elif part:
                outcome.committed = True
                if (part.get("functionCall") or {}).get("name"):
                    outcome.tool_calls += 1
                    self._calls[index] = self._calls.get(index, 0) + 1
        if hidden:
            value["parts"] = [part for part in parts if not (part.get("thought") and "text" in part)]
            candidate["content"] = Raw(_encode(value))

    def conclude(self, *, whole: bool) -> None:
        """The end of the body: usage, reasons, and whether the answer is complete. Raises."""
        outcome = self.outcome
        self.read_usage()
        if not self.seen and not self.blocked:
            raise EmptyAnswer if whole and self.begun and not self.top else Cut
        if self.seen and not self.natives and not self.blocked and not (whole and outcome.committed):
            raise Cut
        for index in sorted(self.seen) or [0]:
            native = self.natives.get(index, "")
            reason = finish_of(native, has_calls=self._calls.get(index, 0) > 0)
            if not native and self.blocked:
                reason, native = FinishReason.CONTENT_FILTER, outcome.native_finish
            if reason is FinishReason.ERROR:
                raise VendorFailed(detail=native[:64])
            if not outcome.finish:
                outcome.finish, outcome.native_finish = reason.value, native[:64]
        tokens = outcome.usage.completion_tokens() if outcome.usage is not None else 0
        if not outcome.committed and not tokens and outcome.finish not in ("content_filter", "length"):
            outcome.error = EmptyAnswer()
        outcome.complete = outcome.error is None

    def read_usage(self) -> None:
        if self._usage is not None:
            usage = read_usage(_value(self._usage), self._searches, self.outcome.flags)
            self.outcome.usage = usage or self.outcome.usage

    def document(self, candidates: list[Any], usage: bytes) -> bytes:
        front = b'"candidates":%b,' % _encode(candidates) if candidates else b""
        top = b"," + _encode(self.top)[1:-1] if self.top else b""
        return b'{%b"usageMetadata":%b%b%b}' % (front, usage, top, self.tail)


class GenerateRelayStream:
    """See `dialects.ports.RelayStream`."""

    __slots__ = ("_answer", "_documents", "_envelope", "_framing", "_stopped", "outcome")

    def __init__(self, envelope: Envelope, target: Target, *, array: bool = False) -> None:
        self.outcome = Outcome(flags=[])
        self._envelope = envelope
        self._answer = _Answer(envelope, target, self.outcome)
        self._documents = Documents()
        self._framing = Framing(array=array)
        self._stopped = False

    def feed(self, data: bytes) -> bytes:
        if self._stopped:
            return b""
        try:
            return b"".join([self._document(document) for document in self._documents.feed(data)])
        except AttemptError as error:
            return self._broke(error)

    def _document(self, data: bytes) -> bytes:
        answer = self._answer
        usual = answer.usual(data)
        if usual:
            return self._framing.frame(usual)
        if data.strip() in (b"", b"[DONE]"):
            return b""
        candidates = [one for one in answer.read(data) if one.keys() - {"index"}]
        if not candidates:
            return b""
        body = _encode(candidates)
        if b"\n" in body or b"\r" in body:
            body = _encode(_value(body))
        return self._framing.frame(b'{"candidates":%b%b}' % (body, answer.tail))

    def _broke(self, error: AttemptError) -> bytes:
        self._answer.read_usage()
        self.outcome.error = error
        self._stopped = self.outcome.ended = True
        return b""

    def close(self) -> bytes:
        if self._stopped:
            return b""
        out = b""
        try:
            out = b"".join([self._document(document) for document in self._documents.close()])
            self._answer.conclude(whole=False)
        except AttemptError as error:
            return self._broke(error)
        self._stopped = self.outcome.ended = True
        return out

    def finish(self, charge: Charge) -> bytes:
        answer = self._answer
        empty: dict[str, object] = {"content": {"parts": [{"text": ""}], "role": "model"}}
        candidates = [empty | {"index": index} | answer.ends.get(index, {}) for index in sorted(answer.seen)]
        usage = write_usage(self.outcome.usage or NOTHING, charge, byok=self._envelope.byok)
        return self._framing.frame(answer.document(candidates, usage)) + self._framing.end()

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        body = _encode({"error": error_object(error, self._envelope.id)})
        return self._framing.frame(body) + self._framing.end()


class GenerateRelayWhole:
    """See `dialects.ports.RelayWhole`."""

    __slots__ = ("_answer", "_byok", "_candidates", "outcome")

    def __init__(self, body: bytes, envelope: Envelope, target: Target) -> None:
        self.outcome = Outcome(flags=[])
        self._byok = envelope.byok
        self._answer = answer = _Answer(envelope, target, self.outcome)
        documents = Documents()
        found = documents.feed(body if body.strip() else b"<") + documents.close()
        if len(found) != 1:
            raise Garbled(metadata={"what": "json"})
        candidates = answer.read(found[0])
        answer.conclude(whole=True)
        stop: dict[str, Raw] = {} if answer.blocked else {"finishReason": Raw(b'"STOP"')}
        self._candidates = [
            candidate | answer.ends.get(_value(candidate["index"]) if "index" in candidate else 0, stop)
            for candidate in candidates
        ]
        self.outcome.ended = True

    def finish(self, charge: Charge) -> bytes:
        usage = write_usage(self.outcome.usage or NOTHING, charge, byok=self._byok)
        return self._answer.document(self._candidates, usage)


class GenerateRelay:
    """See `dialects.ports.Relay`. `array` frames streams as one JSON array, for clients that did not ask for events."""

    def __init__(self, *, array: bool = False) -> None:
        self._array = array

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
        return relay_request(opened, target)

    def stream(self, envelope: Envelope, target: Target) -> GenerateRelayStream:
        return GenerateRelayStream(envelope, target, array=self._array)

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> GenerateRelayWhole:
        return GenerateRelayWhole(body, envelope, target)
