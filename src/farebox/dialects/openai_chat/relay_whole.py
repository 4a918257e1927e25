"""A vendor's whole chat answer made ours. Refuses streams."""

import msgspec
from msgspec import UNSET, Raw

from farebox.dialects.openai_chat import usual
from farebox.dialects.openai_chat.answer import MALFORMED, Answer, given, head
from farebox.dialects.openai_chat.pieces import differs
from farebox.dialects.openai_chat.usage import write_usage
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.ir.errors import EmptyAnswer, Garbled
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge

_OURS = frozenset(("id", "object", "created", "model", "provider", "choices", "usage", "error", "p", "padding"))

_encode = msgspec.json.encode


class ChatRelayWhole:
    """See `dialects.ports.RelayWhole`. An answer without content has `EmptyAnswer` as its error and can still be finished."""

    __slots__ = ("_byok", "_front", "outcome")

    def __init__(self, body: bytes, envelope: Envelope, target: Target, kind: type[Answer] = Answer) -> None:
        self.outcome = outcome = Outcome()
        self._byok = envelope.byok
        if kind is Answer and not target.usage and self._usual(body, envelope, target):
            return
        answer = kind(envelope, target, outcome, whole=True)
        text = body.strip(b"\xef\xbb\xbf \t\r\n")
        if not text.startswith(b"{"):
            raise Garbled(metadata={"what": "html" if text.startswith(b"<") else "json"})
        try:
            self._front = self._rewritten(answer, text)
        except MALFORMED:
            raise Garbled(metadata={"what": "answer"}) from None
        outcome.committed = answer.spoke
        outcome.ended = outcome.complete = True
        if not outcome.finish and answer.spoke:
            outcome.finish = "tool_calls" if outcome.tool_calls else "stop"
        tokens = outcome.usage.completion_tokens() if outcome.usage is not None else 0
        said = outcome.content_chars + outcome.reasoning_chars + outcome.tool_calls
        if not answer.spoke and not said and not tokens and outcome.finish not in ("content_filter", "length"):
            outcome.error = EmptyAnswer()

    def _usual(self, body: bytes, envelope: Envelope, target: Target) -> bool:
        """The quick way for an answer of one text choice with plain counters; False leaves everything to the thorough way."""
        if not body.isascii():
            try:
                body.decode()
            except UnicodeDecodeError:
                return False
        try:
            whole = usual.whole(body)
            choice = whole.choices[0]
            message = usual.message(choice.message)
            usage = usual.usage(whole.usage)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return False
        word = choice.finish_reason
        if choice.logprobs is not UNSET and bytes(choice.logprobs)[:1] != b"{" and bytes(choice.logprobs) != b"null":
            return False
        if target.reasoning_field == "think" and "<" in message.content:
            return False
        if usage is None or not word or not message.content or choice.index or not 0 < whole.created < 2**53:
            return False
        finish = usual.finish(word)
        if finish == "error":
            return False
        outcome = self.outcome
        outcome.usage = usage
        outcome.finish, outcome.native_finish = finish, word[:64]
        outcome.upstream_id, outcome.upstream_model = whole.id[:256], whole.model[:256]
        outcome.content_chars = len(message.content)
        outcome.committed = outcome.ended = outcome.complete = True
        if whole.model != target.model and differs(whole.model, target.model):
            outcome.flags = ["model_mismatch"]
        self._front = (
            b'%b,"choices":[{"index":0,"message":%b,"finish_reason":"%b","native_finish_reason":%b%b}]%b%b'
            % (
                head(envelope, Answer.WHOLE_KIND, whole.created),
                choice.message,
                finish.encode(),
                _encode(word),
                usual.member(b"logprobs", choice.logprobs),
                usual.member(b"system_fingerprint", whole.system_fingerprint),
                usual.member(b"service_tier", whole.service_tier),
            )
        )
        return True

    @staticmethod
    def _rewritten(answer: Answer, text: bytes) -> bytes:
        fields = answer.parse(text)
        if not given(fields.get("choices")):
            raise Garbled(metadata={"what": "choices"})
        answer.note(fields)
        choices = answer.choices(fields)
        rest: dict[str, Raw] = {name: raw for name, raw in fields.items() if name not in _OURS}
        tail = b"".join(
            [b',"%b":%b' % (name.encode(), bytes(raw)) for name, raw in rest.items() if name.isidentifier()]
        )
        return answer.open_head(fields) + b',"choices":[' + b",".join(choices) + b"]" + tail

    def finish(self, charge: Charge) -> bytes:
        return self._front + b',"usage":' + write_usage(self.outcome.usage or NOTHING, charge, byok=self._byok) + b"}"
