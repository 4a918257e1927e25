"""The response object of an answer: its head in our name, the members that readers of this protocol expect, the end with
usage and cost. Refuses to know events.
"""

from collections.abc import Iterable, Mapping

from msgspec import Raw

from farebox.dialects.openai_responses.errors import error_event, failed_member
from farebox.dialects.openai_responses.usage import write_usage
from farebox.dialects.openai_responses.words import encode, join, one_line, status_of
from farebox.dialects.ports import Envelope
from farebox.ir.errors import FareboxError
from farebox.ir.events import FinishReason
from farebox.ir.usage import NOTHING, Usage
from farebox.money.charges import Charge

DONE = b"data: [DONE]\n\n"
# Members that say how a vendor bills the house, or that belong to a state which is not ours: not the caller's business.
PRIVATE = frozenset(("billing", "copilot_usage", "previous_response_id"))
_TIERS = frozenset(("auto", "default", "fast", "flex", "priority", "scale", "ultrafast"))
_EXPECTED: Mapping[str, bytes] = {
    "instructions": b"null",
    "max_output_tokens": b"null",
    "metadata": b"{}",
    "parallel_tool_calls": b"true",
    "previous_response_id": b"null",
    "reasoning": b'{"effort":null,"summary":null}',
    "store": b"false",
    "temperature": b"null",
    "text": b'{"format":{"type":"text"}}',
    "tool_choice": b'"auto"',
    "tools": b"[]",
    "top_p": b"null",
    "truncation": b'"disabled"',
}


class AnswerObject:
    """Writes the response object in each of its states."""

    __slots__ = ("_created_s", "_envelope", "_rest", "_tier")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._created_s = envelope.created_s
        self._tier = envelope.service_tier
        self._rest: dict[str, bytes | Raw] = dict(_EXPECTED)

    def learn(self, rest: Mapping[str, Raw], created_s: int = 0, tier: str | None = None) -> None:
        """What the vendor said of its response beyond the envelope."""
        self._created_s = created_s or self._created_s
        self._tier = tier if tier in _TIERS else self._tier
        self._rest.update({name: raw for name, raw in rest.items() if name not in PRIVATE})

    def write(self, status: str, output: Iterable[bytes] = (), more: Mapping[str, bytes] | None = None) -> bytes:
        """The object: `more` overrides members."""
        envelope = self._envelope
        fields: dict[str, bytes | Raw] = {
            "id": encode(envelope.id),
            "object": b'"response"',
            "created_at": b"%d" % self._created_s,
            "status": encode(status),
            "model": encode(envelope.model),
            "provider": encode(envelope.provider),
            "error": b"null",
            "incomplete_details": b"null",
            "output": b"[" + b",".join(output) + b"]",
            "service_tier": encode(self._tier or None),
            "usage": b"null",
        }
        return join({**fields, **self._rest, **(more or {})})

    def ended(
        self, reason: FinishReason | None, output: Iterable[bytes], usage: Usage | None, charge: Charge
    ) -> tuple[str, bytes]:
        """The status and the object of an answer that went well."""
        status, details = status_of(reason)
        more = {
            "incomplete_details": encode(details),
            "usage": write_usage(usage or NOTHING, charge, byok=self._envelope.byok),
        }
        return status, self.write(status, output, more)

    def failed(self, error: FareboxError, output: Iterable[bytes], usage: Usage | None, charge: Charge) -> bytes:
        """The object of an answer that broke."""
        more = {
            "error": encode(failed_member(error)),
            "error_type": encode(error.code),
            "usage": write_usage(usage or NOTHING, charge, byok=self._envelope.byok),
        }
        return self.write("failed", output, more)


def framed(kind: str, fields: bytes, number: int) -> bytes:
    """One event of the stream; `fields` are ready members."""
    name = kind.encode()
    return b'event: %b\ndata: {"type":"%b",%b,"sequence_number":%d}\n\n' % (name, name, one_line(fields), number)


def failed_events(error: FareboxError, response: bytes, number: int) -> bytes:
    """The end of a stream that broke: the error as libraries raise it, the failed response, the end mark."""
    first = framed("error", encode(error_event(error))[1:-1], number)
    return first + framed("response.failed", b'"response":' + response, number + 1) + DONE
