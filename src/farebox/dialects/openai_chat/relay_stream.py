"""A vendor's chat stream made ours, bytes to bytes: the hottest code of the house. Refuses everything but framing, order
and the end of the stream; what a chunk becomes is `answer`'s.

Nothing is handed out before the first content: until then a failure may still go elsewhere.
"""

from collections.abc import Iterable

import msgspec

from farebox.dialects.framing.splice import Template, learn
from farebox.dialects.framing.sse import EVENT_BYTES_MAX, Splitter
from farebox.dialects.openai_chat.answer import Answer
from farebox.dialects.openai_chat.errors import error_object
from farebox.dialects.openai_chat.quick_answer import QuickAnswer
from farebox.dialects.openai_chat.usage import write_usage
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.dialects.shared.vendor_errors import from_value, parse
from farebox.ir.errors import AnswerTooLarge, AttemptError, Cut, EmptyAnswer, FareboxError, Garbled
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge

WHOLE_BYTES_MAX = 64 << 20
DONE = b"data: [DONE]\n\n"
_KEYS = (b"content", b"text", b"reasoning_content", b"reasoning", b"arguments")
_ANSWER_KEYS = frozenset((b"content", b"text"))
_LEARNING_TRIES = 6
_BLANK = b"\xef\xbb\xbf \t\r\n"


class ChatRelayStream:
    """See `dialects.ports.RelayStream`."""

    __slots__ = (
        "_answer", "_begun", "_done", "_envelope", "_held", "_kind", "_pieces", "_size", "_splitter", "_spoken", "_stopped",
        "_target", "_template", "_tries", "_whole", "outcome",
    )  # fmt: skip

    def __init__(self, envelope: Envelope, target: Target, kind: type[Answer] = QuickAnswer) -> None:
        self.outcome = Outcome()
        self._envelope = envelope
        self._target = target
        self._kind = kind
        self._answer = kind(envelope, target, self.outcome)
        self._template: Template | None = None
        self._tries = _LEARNING_TRIES
        self._pieces: list[bytes] = []
        self._size = 0
        self._held: list[bytes] = []
        self._splitter: Splitter | None = None
        self._whole: list[bytes] | None = None
        self._begun = self._stopped = self._done = self._spoken = False

    def feed(self, data: bytes) -> bytes:
        if self._pieces:
            if b"\n" not in data and b"\r" not in data:
                return self._keep(data)
            self._pieces.append(data)
            data = b"".join(self._pieces)
            self._pieces.clear()
            self._size = 0
        template = self._template
        if template is not None and data.startswith(template.head) and data.endswith(template.tail):
            spliced = template.run(data)
            if spliced is not None:
                return self._spliced(template, spliced)
        if self._stopped or not data:
            return b""
        try:
            return self._slow(data)
        except AttemptError as error:
            return self._broke(error)

    def _spliced(self, template: Template, spliced: tuple[bytes, str]) -> bytes:
        out, text = spliced
        self._tries = _LEARNING_TRIES
        outcome = self.outcome
        if template.key in _ANSWER_KEYS:
            outcome.content_chars += len(text)
        elif template.key != b"arguments":
            outcome.reasoning_chars += len(text)
        if outcome.committed:
            return out
        return self._hand_out(out, content=bool(text))

    def _keep(self, data: bytes) -> bytes:
        """Bytes of an event that is not complete yet."""
        self._pieces.append(data)
        self._size += len(data)
        if self._size > EVENT_BYTES_MAX:
            self._pieces.clear()
            return self._broke(AnswerTooLarge(metadata={"what": "event"}))
        return b""

    def _broke(self, error: AttemptError) -> bytes:
        self.outcome.error = error
        self._stopped = True
        self._template = None
        self._held.clear()
        return b""

    def _hand_out(self, out: bytes, *, content: bool) -> bytes:
        if self.outcome.committed:
            return out
        self._held.append(out)
        if not content:
            return b""
        self.outcome.committed = True
        out = b"".join(self._held)
        self._held.clear()
        return out

    def _slow(self, data: bytes) -> bytes:
        if not self._begun:
            data = data.lstrip(_BLANK)
            if not data:
                return b""
            self._begun = True
            if data[:1] in (b"{", b"["):
                self._whole = []
            elif data[:1] == b"<":
                raise Garbled(metadata={"what": "html"})
        if self._whole is not None:
            return self._gather(data)
        if self._splitter is None and b"\r" in data:
            self._splitter = Splitter()
        if self._splitter is not None:
            return self._events(self._splitter.feed(data))
        cut = data.rfind(b"\n\n")
        if cut < 0:
            return self._keep(data)
        if cut + 2 < len(data):
            self._keep(data[cut + 2 :])
        return self._blocks(data[:cut].split(b"\n\n"))

    def _gather(self, data: bytes) -> bytes:
        """JSON where a stream was asked for: read to its end."""
        assert self._whole is not None
        self._whole.append(data)
        self._size += len(data)
        if self._size > WHOLE_BYTES_MAX:
            raise AnswerTooLarge(metadata={"what": "body"})
        return b""

    def _events(self, events: Iterable[tuple[bytes, bytes]]) -> bytes:
        out: list[bytes] = []
        for name, data in events:
            if self._stopped:
                break
            try:
                out.append(self._event(data, name))
            except AttemptError as error:
                self._broke(error)
        return b"".join(out)

    def _blocks(self, blocks: list[bytes]) -> bytes:
        out: list[bytes] = []
        at, count = 0, len(blocks)
        while at < count and not self._stopped:
            run = self._run(blocks, at)
            if run > at:
                template = self._template
                assert template is not None
                spliced = template.run(b"\n\n".join(blocks[at:run]) + b"\n\n")
                if spliced is not None:
                    out.append(self._spliced(template, spliced))
                    at = run
                    continue
            out.append(self._block(blocks[at]))
            at += 1
        return b"".join(out)

    def _run(self, blocks: list[bytes], at: int) -> int:
        """Where the run of blocks that look like the known chunk ends."""
        template = self._template
        if template is None:
            return at
        head, tail = template.head, template.tail[:-2]
        while at < len(blocks) and blocks[at].startswith(head) and blocks[at].endswith(tail):
            at += 1
        return at

    def _block(self, block: bytes) -> bytes:
        event = block + b"\n\n"
        if not block.startswith(b"data: {") or b"\n" in block:
            return self._events(Splitter().feed(event))
        try:
            return self._event(block[6:], b"", event)
        except AttemptError as error:
            return self._broke(error)

    def _event(self, data: bytes, name: bytes, framed: bytes = b"") -> bytes:
        if len(data) > EVENT_BYTES_MAX:
            raise AnswerTooLarge(metadata={"what": "event"})
        if data.strip() == b"[DONE]":
            self._done = True
            out = self._conclude()
            self._stopped = True
            return out
        if not data.strip():
            return b""
        if name == b"error":
            raise from_value(parse(data) or data.decode("utf-8", "replace"))
        answer = self._answer
        answer.stateless = True
        ours = answer.chunk(data)
        if not ours:
            return b""
        if framed and answer.spoke and answer.stateless and self._tries:
            # The first chunk with content often names the role as well, and no other is like it.
            if self._spoken:
                self._learn(framed)
            self._spoken = True
        return self._hand_out(_framed(ours), content=answer.spoke)

    def _learn(self, framed: bytes) -> None:
        self._tries -= 1
        self._template = learn(framed, _KEYS, self._rewritten) or self._template

    def _rewritten(self, framed: bytes) -> bytes:
        """Our event for a vendor's, by an answer that starts anew: no counters of this stream move."""
        settled = self._target
        if settled.reasoning_field == "think":
            settled = msgspec.structs.replace(settled, reasoning_field="")
        try:
            answer = self._kind(self._envelope, settled, Outcome())
            ours = answer.chunk(framed[6:-2])
        except AttemptError:
            return b""
        return b"data: " + ours + b"\n\n" if answer.spoke else b""

    def close(self) -> bytes:
        if self.outcome.ended:
            return b""
        out = b""
        if not self._stopped:
            try:
                out = self._rest()
                if not self._stopped:
                    out += self._conclude()
            except AttemptError as error:
                self._broke(error)
        self.outcome.ended = True
        self._stopped = True
        return out

    def _rest(self) -> bytes:
        if self._whole is not None:
            return self._one_chunk(b"".join(self._whole))
        if self._splitter is not None:
            return self._events(self._splitter.rest())
        if self._pieces:
            rest = b"".join(self._pieces)
            self._pieces.clear()
            return self._events(Splitter().feed(rest + b"\n\n"))
        return b""

    def _one_chunk(self, body: bytes) -> bytes:
        """A whole answer to a stream request: one chunk and the end."""
        self._answer.from_whole = self._done = True
        ours = self._answer.chunk(body)
        if not ours:
            raise Garbled(metadata={"what": "json"})
        return self._hand_out(_framed(ours), content=self._answer.spoke)

    def _conclude(self) -> bytes:
        """The vendor's end: was it complete?"""
        outcome, answer = self.outcome, self._answer
        spoke = outcome.content_chars or outcome.reasoning_chars or outcome.tool_calls or outcome.committed
        blank = answer.blank_end(certain=bool(self._done and outcome.usage is not None and spoke))
        out = self._hand_out(b"data: " + blank + b"\n\n", content=False) if blank else b""
        outcome.ended = True
        said = outcome.content_chars + outcome.reasoning_chars + outcome.tool_calls
        tokens = outcome.usage.completion_tokens() if outcome.usage is not None else 0
        if not answer.seen <= answer.finished or not answer.finished:
            empty = not said and not tokens and self._done
            self.outcome.error = EmptyAnswer() if empty else Cut()
        elif not outcome.committed and not said and not tokens and outcome.finish not in ("content_filter", "length"):
            outcome.error = EmptyAnswer()
        outcome.complete = outcome.error is None and (self._done or outcome.usage is not None)
        return out

    def held(self) -> bytes:
        """What was held back because nothing in it was content."""
        out = b"".join(self._held)
        self._held.clear()
        return out

    def finish(self, charge: Charge) -> bytes:
        usage = write_usage(self.outcome.usage or NOTHING, charge, byok=self._envelope.byok)
        extras = b"".join(
            [b',"%b":%b' % (msgspec.json.encode(name)[1:-1], bytes(raw)) for name, raw in self._answer.extras.items()]
        )
        last = _framed(self._answer.open_head() + b',"choices":[]' + extras + b',"usage":' + usage + b"}")
        return self.held() + last + DONE

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        self._held.clear()
        return fail_chunk(
            self._answer.open_head(),
            error,
            charge,
            envelope=self._envelope,
            outcome=self.outcome,
            choice=self._kind.FAILED_CHOICE,
        )


def _framed(ours: bytes) -> bytes:
    """An event of one line: white space between JSON tokens may hold line ends, which would split it."""
    if b"\n" in ours or b"\r" in ours:
        ours = msgspec.json.format(ours, indent=-1)
    return b"data: " + ours + b"\n\n"


def fail_chunk(
    head: bytes,
    error: FareboxError,
    charge: Charge,
    *,
    envelope: Envelope,
    outcome: Outcome,
    choice: bytes = Answer.FAILED_CHOICE,
) -> bytes:
    """The in-stream error form and the end mark."""
    usage = write_usage(outcome.usage or NOTHING, charge, byok=envelope.byok)
    body = msgspec.json.encode(error_object(error, envelope.id))
    return b"data: " + head + b',"choices":[' + choice + b'],"error":' + body + b',"usage":' + usage + b"}\n\n" + DONE
