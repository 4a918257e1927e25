"""A vendor's embeddings made ours: vectors pass as the bytes they are. Refuses answers without vectors."""

import msgspec
from msgspec import Raw

from farebox.dialects.openai_chat.answer import MALFORMED, Answer, given
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.ir.errors import Garbled
from farebox.ir.usage import NOTHING, Unit, Usage
from farebox.money.charges import Charge, usd_text

_encode = msgspec.json.encode
_OURS = frozenset(("id", "object", "model", "provider", "data", "usage", "created", "error"))


class EmbeddingRelayWhole:
    """See `dialects.ports.RelayWhole`."""

    __slots__ = ("_byok", "_front", "outcome")

    def __init__(self, body: bytes, envelope: Envelope, target: Target) -> None:
        self.outcome = outcome = Outcome()
        self._byok = envelope.byok
        text = body.strip(b"\xef\xbb\xbf \t\r\n")
        if not text.startswith(b"{"):
            raise Garbled(metadata={"what": "html" if text.startswith(b"<") else "json"})
        answer = Answer(envelope, target, outcome, whole=True)
        fields = answer.parse(text)
        data = given(fields.get("data"))
        if data[:1] != b"[" or data == b"[]":
            raise Garbled(metadata={"what": "data"})
        try:
            answer.note(fields)
            if outcome.usage is None:
                outcome.usage = _from_total(fields.get("usage"))
        except MALFORMED:
            raise Garbled(metadata={"what": "answer"}) from None
        rest = b"".join(
            [
                b',"%b":%b' % (name.encode(), bytes(raw))
                for name, raw in fields.items()
                if name not in _OURS and name.isidentifier()
            ]
        )
        self._front = b'{"id":%b,"object":"list","model":%b,"provider":%b,"data":%b%b' % (
            _encode(envelope.id), _encode(envelope.model), _encode(envelope.provider), data, rest,
        )  # fmt: skip
        outcome.committed = outcome.ended = outcome.complete = True
        outcome.finish = "stop"

    def finish(self, charge: Charge) -> bytes:
        tokens = (self.outcome.usage or NOTHING).prompt_tokens()
        usage = (
            f'{{"prompt_tokens":{tokens},"total_tokens":{tokens},"cost":{usd_text(charge.total_nano)}'
            f',"is_byok":{"true" if self._byok else "false"}'
            f',"cost_details":{{"upstream_inference_cost":{usd_text(charge.vendor_nano)},"toll_cost":{usd_text(charge.toll_nano)}}}}}'
        )
        return self._front + b',"usage":' + usage.encode() + b"}"


def _from_total(raw: Raw | None) -> Usage | None:
    """Some vendors give nothing but a total."""
    value = msgspec.json.decode(given(raw) or b"null")
    total = value.get("total_tokens") if isinstance(value, dict) else None
    if type(total) is not int or not 0 <= total < 10**12 or raw is None:
        return None
    return Usage({Unit.INPUT_FRESH.value: total} if total else {}, raw)
