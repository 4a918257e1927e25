"""A vendor's whole chat answer made ours. Refuses streams."""

from msgspec import Raw

from farebox.dialects.openai_chat.answer import MALFORMED, Answer, given
from farebox.dialects.openai_chat.usage import write_usage
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.ir.errors import EmptyAnswer, Garbled
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge

_OURS = frozenset(
    ("id", "object", "created", "model", "provider", "choices", "usage", "error", "p", "padding", "x_groq")
)


class ChatRelayWhole:
    """See `dialects.ports.RelayWhole`. An answer without content has `EmptyAnswer` as its error and can still be finished."""

    __slots__ = ("_byok", "_front", "outcome")

    def __init__(self, body: bytes, envelope: Envelope, target: Target, kind: type[Answer] = Answer) -> None:
        self.outcome = outcome = Outcome()
        self._byok = envelope.byok
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
