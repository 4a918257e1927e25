"""A vendor's answer as canonical events, streamed or whole. Refuses framing (`framing`) and the meaning of a part
(`answer_parts`).

The reason a candidate ended with is said last, at the end of the body: old models repeat `STOP` in every chunk, and calls,
sources or usage may follow it. The end of the body is the end mark; an answer without any reason is cut.
"""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.google_generate.answer_parts import Candidate
from farebox.dialects.google_generate.citing import searches
from farebox.dialects.google_generate.errors import from_document
from farebox.dialects.google_generate.framing import Documents
from farebox.dialects.google_generate.usage import read_usage
from farebox.dialects.google_generate.words import FINISH_NUMBERS, NAME, finish_of
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import AttemptError, Cut, EmptyAnswer, Garbled, VendorFailed
from farebox.ir.events import (
    ChoiceEnded,
    Event,
    Failed,
    Finished,
    FinishReason,
    Started,
    UsageReported,
)

CHOICES_MAX = 128
TOP = "$"
_TOP = frozenset(("candidates", "usageMetadata", "modelVersion", "responseId", "createTime"))
_CALL = b'"functionCall"'
_value = msgspec.json.Decoder().decode
_encode = msgspec.json.encode


class _Call(Struct):
    args: Raw = Raw(b"{}")


class _Part(Struct):
    functionCall: _Call | None = None


class _Content(Struct):
    parts: list[_Part] | None = None


class _Cand(Struct):
    content: _Content | None = None


class _Chunk(Struct):
    candidates: list[_Cand] | None = None


_chunk_calls = msgspec.json.Decoder(_Chunk).decode


def _arguments(data: bytes) -> list[list[bytes]]:
    """The arguments of calls as they were written, by candidate and part."""
    return [
        [
            bytes(part.functionCall.args) if part.functionCall else b""
            for part in (candidate.content.parts if candidate.content and candidate.content.parts else ())
        ]
        for candidate in _chunk_calls(data).candidates or ()
    ]


class GenerateStreamDecoder:
    """See `dialects.ports.StreamDecoder`."""

    __slots__ = (
        "_begun", "_by_request", "_candidates", "_documents", "_ended", "_events", "_top", "_usage", "_whole", "outcome",
    )  # fmt: skip

    def __init__(self, target: Target, *, whole: bool = False) -> None:
        self.outcome = Outcome(flags=[])
        self._documents = Documents()
        self._candidates: dict[int, Candidate] = {}
        self._events: list[Event] = []
        self._top: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}
        self._begun = self._ended = False
        self._whole = whole
        # Older models are billed by grounded answer, newer ones by search (prices checked 2026-11-24).
        self._by_request = target.usage.get("search") == "request"

    def feed(self, data: bytes) -> list[Event]:
        if self._ended:
            return []
        try:
            for document in self._documents.feed(data):
                self._document(document)
        except AttemptError as error:
            self._fail(error)
        return self._taken()

    def close(self) -> list[Event]:
        if self._ended:
            return []
        try:
            for document in self._documents.close():
                self._document(document)
            self._conclude()
        except AttemptError as error:
            self._fail(error)
        return self._taken()

    def _taken(self) -> list[Event]:
        events = self._events[:]
        self._events.clear()
        return events

    def _document(self, data: bytes) -> None:
        try:
            chunk = _value(data)
            arguments = _arguments(data) if _CALL in data else None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            if data.strip() in (b"", b"[DONE]"):
                return
            raise Garbled(metadata={"what": "json"}) from None
        if type(chunk) is not dict:
            raise Garbled(metadata={"what": "json"})
        if chunk.get("error"):
            raise from_document(chunk)
        if not self._begun:
            self._start(chunk)
        usage = chunk.get("usageMetadata")
        if type(usage) is dict and ("totalTokenCount" in usage or not self._usage):
            self._usage = usage
        if not chunk.keys() <= _TOP:
            self._top.update({name: value for name, value in chunk.items() if name not in _TOP})
        candidates = chunk.get("candidates")
        if candidates:
            self._take(candidates, arguments)

    def _take(self, candidates: Any, arguments: list[list[bytes]] | None) -> None:
        try:
            for position, candidate in enumerate(candidates):
                self._candidate(candidate, arguments[position] if arguments else ())
        except (TypeError, AttributeError, KeyError, IndexError):
            raise Garbled(metadata={"what": "candidate"}) from None

    def _start(self, chunk: dict[str, Any]) -> None:
        self._begun = True
        outcome = self.outcome
        outcome.upstream_id = str(chunk.get("responseId") or "")[:256]
        outcome.upstream_model = str(chunk.get("modelVersion") or "")[:256]
        created = chunk.get("createTime")
        usage = chunk.get("usageMetadata")
        if type(usage) is dict:
            outcome.usage = read_usage(usage, flags=outcome.flags)
        self._events.append(
            Started(
                response_id=outcome.upstream_id,
                model=outcome.upstream_model,
                created_s=_seconds(created),
                extras={NAME: {"createTime": Raw(_encode(created))}} if created is not None else {},
            )
        )

    def _candidate(self, fields: dict[str, Any], arguments: list[bytes] | tuple[()]) -> None:
        index = fields.get("index") or 0
        candidate = self._candidates.get(index)
        if candidate is None:
            if type(index) is not int or not 0 <= index < CHOICES_MAX:
                raise Garbled(metadata={"what": "candidate"})
            candidate = self._candidates[index] = Candidate(index, self._events, self.outcome)
        content = fields.get("content")
        if content:
            parts = content.get("parts")
            if parts:
                for position, part in enumerate(parts):
                    candidate.part(part, arguments[position] if arguments else b"")
        if len(fields) > 1 + ("index" in fields) or "content" not in fields:
            candidate.note(fields)

    def _conclude(self) -> None:
        outcome = self.outcome
        self._read_usage()
        blocked = self._blocked()
        if not self._candidates and not blocked:
            if self._begun and self._whole and not self._top:
                raise EmptyAnswer
            raise Cut
        finished = [candidate.native for candidate in self._candidates.values() if candidate.native]
        if self._candidates and not finished and not blocked and not (self._whole and outcome.committed):
            raise Cut
        for candidate in self._candidates.values():
            candidate.end()
        self._end_choices(blocked)
        tokens = outcome.usage.completion_tokens() if outcome.usage is not None else 0
        if not outcome.committed and not tokens and outcome.finish not in ("content_filter", "length"):
            outcome.error = EmptyAnswer()
        outcome.complete = outcome.error is None
        if outcome.usage is not None:
            self._events.append(UsageReported(outcome.usage))
        self._events.append(Finished(complete=True))
        self._ended = outcome.ended = True

    def _blocked(self) -> str:
        feedback = self._top.get("promptFeedback")
        reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
        return str(reason) if reason else ""

    def _end_choices(self, blocked: str) -> None:
        outcome = self.outcome
        top = {TOP: Raw(_encode(self._top))} if self._top else {}
        if not self._candidates:
            outcome.finish, outcome.native_finish = "content_filter", blocked[:64]
            ended = ChoiceEnded(
                reason=FinishReason.CONTENT_FILTER, raw_reason=blocked, extras={NAME: top} if top else {}
            )
            self._events.append(ended)
            return
        for index in sorted(self._candidates):
            candidate = self._candidates[index]
            native = blocked if blocked and not candidate.native else candidate.native
            reason = finish_of(native, has_calls=candidate.calls > 0)
            if blocked and not candidate.native:
                reason = FinishReason.CONTENT_FILTER
            if reason is FinishReason.ERROR:
                raise VendorFailed(detail=native[:64])
            if not outcome.finish:
                outcome.finish, outcome.native_finish = reason.value, native[:64]
            rest = {name: Raw(_encode(value)) for name, value in candidate.extras.items()} | top
            top = {}
            self._events.append(
                ChoiceEnded(reason=reason, raw_reason=native, choice=index, extras={NAME: rest} if rest else {})
            )

    def _read_usage(self) -> None:
        count = 0
        for candidate in self._candidates.values():
            found = searches(candidate.extras.get("groundingMetadata") or {})
            count += min(found, 1) if self._by_request else found
        usage = read_usage(self._usage, count, self.outcome.flags) if self._usage else None
        if usage is not None:
            self.outcome.usage = usage

    def _fail(self, error: AttemptError) -> None:
        self._read_usage()
        for candidate in self._candidates.values():
            candidate.shut()
        if self.outcome.usage is not None:
            self._events.append(UsageReported(self.outcome.usage))
        self._events.append(Failed(error))
        self.outcome.error = error
        self._ended = self.outcome.ended = True


def _seconds(created: Any) -> int:
    try:
        return max(int(datetime.fromisoformat(created).timestamp()), 0) if isinstance(created, str) else 0
    except (ValueError, OverflowError):
        return 0


def decode_whole(body: bytes, target: Target) -> tuple[list[Event], Outcome]:
    """Events of a whole answer. Raises the error that is in it."""
    decoder = GenerateStreamDecoder(target, whole=True)
    events = decoder.feed(body if body.strip() else b"<") + decoder.close()
    error = decoder.outcome.error
    if error is not None and not isinstance(error, EmptyAnswer):
        raise error
    return events, decoder.outcome


def native_reason(value: Any) -> str:
    """A finish reason as a word; some libraries were recorded with its number."""
    return FINISH_NUMBERS.get(value, "OTHER") if isinstance(value, int) else str(value or "")
