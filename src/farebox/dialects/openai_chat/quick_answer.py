"""A stream's usual chunks the quick way, by types; every other is left to `Answer`, which it extends. Owns speed, refuses
surprises.
"""

import msgspec
from msgspec import UNSET

from farebox.dialects.openai_chat import usual
from farebox.dialects.openai_chat.answer import Answer
from farebox.dialects.openai_chat.pieces import differs, lower
from farebox.dialects.shared.think import ThinkSplitter
from farebox.ir.usage import Usage

_encode = msgspec.json.encode
_NULL = b"null"


class QuickAnswer(Answer):
    """An `Answer` that knows the usual chunk at sight."""

    __slots__ = ()

    def chunk(self, data: bytes) -> bytes:
        self.spoke = False
        if not self._target.usage:
            ours = self._usual(data)
            if ours is not None:
                return ours
        return super().chunk(data)

    def _usual(self, data: bytes) -> bytes | None:
        """The quick way for a chunk of text, of a finish reason, or of usage alone; None leaves it to the thorough way."""
        try:
            chunk = usual.chunk(data)
            if not data.isascii():
                data.decode()
            usage = usual.usage(chunk.usage) if chunk.usage is not UNSET and bytes(chunk.usage) != _NULL else None
            if not chunk.choices:
                return None if usage is None else self._usual_usage(chunk, usage)
            choice = chunk.choices[0]
            content = choice.delta.content
            text = usual.text(content) if content is not UNSET and bytes(content) != _NULL else ""
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        if len(chunk.choices) != 1 or choice.index or usage is not None or choice.finish_reason == "":
            return None
        if self._target.reasoning_field == "think" and not self._untagged(text, ended=bool(choice.finish_reason)):
            return None
        delta = self._usual_delta(choice.delta)
        if not choice.finish_reason and delta == b"{}":
            return None
        self._usual_names(chunk)
        self.seen.add(0)
        self._count(text)
        finish, native = _NULL, _NULL
        if choice.finish_reason:
            finish, native = self._finish(choice.finish_reason, _encode(choice.finish_reason), 0)
        return b'%b,"choices":[{"index":0,"delta":%b,"finish_reason":%b,"native_finish_reason":%b%b}]%b%b}' % (
            self._head_at(chunk.created),
            delta,
            finish,
            native,
            b',"logprobs":null' if choice.logprobs is None else b"",
            usual.member(b"system_fingerprint", chunk.system_fingerprint),
            usual.member(b"service_tier", chunk.service_tier),
        )

    def _untagged(self, text: str, *, ended: bool) -> bool:
        """Whether this text is answer, whatever came before: tags stand only at the start of an answer."""
        splitter = self._splitters.get(0)
        if splitter is not None:
            return splitter.settled
        begun = text.lstrip()
        if not begun:
            return not text or ended
        if begun[0] == "<":
            return False
        splitter = self._splitters[0] = ThinkSplitter()
        splitter.feed(text)
        return True

    @staticmethod
    def _usual_delta(delta: usual.Delta) -> bytes:
        out = []
        if delta.role is not UNSET:
            out.append(b'"role":"assistant"')
        if delta.content is not UNSET:
            out.append(b'"content":' + bytes(delta.content))
        if delta.refusal is None:
            out.append(b'"refusal":null')
        return b"{" + b",".join(out) + b"}"

    def _usual_names(self, chunk: usual.Chunk) -> None:
        outcome = self.outcome
        if not outcome.upstream_id:
            outcome.upstream_id = chunk.id[:256]
        if not outcome.upstream_model and chunk.model:
            outcome.upstream_model = chunk.model[:256]
            if differs(outcome.upstream_model, self._target.model):
                self._flag("model_mismatch")

    def _usual_usage(self, chunk: usual.Chunk, usage: Usage) -> bytes:
        self._usual_names(chunk)
        outcome = self.outcome
        if outcome.usage is not None and lower(usage.leaves, outcome.usage.leaves):
            self._flag("usage_lowered")
        outcome.usage = usage
        for name, raw in (("system_fingerprint", chunk.system_fingerprint), ("service_tier", chunk.service_tier)):
            if raw is not UNSET:
                self.extras[name] = raw
        return b""
