"""A vendor's whole answer made ours: another envelope and usage, all else the bytes it was. Refuses streams."""

import msgspec
from msgspec import Raw

from farebox.dialects.openai_responses.answer_notes import count_items, has_tool_items, note_end, note_started, usage_of
from farebox.dialects.openai_responses.relay_stream import our_response
from farebox.dialects.openai_responses.stream_decoding import parse_whole
from farebox.dialects.openai_responses.usage import write_usage
from farebox.dialects.openai_responses.words import given, objects_of
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.ir.errors import Garbled
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge


class ResponsesRelayWhole:
    """See `dialects.ports.RelayWhole`. An answer without content has `EmptyAnswer` as its error and can still be finished."""

    __slots__ = ("_envelope", "_response", "outcome")

    def __init__(self, body: bytes, envelope: Envelope, target: Target) -> None:
        self.outcome = outcome = Outcome(flags=[])
        self._envelope = envelope
        self._response: dict[str, Raw] = parse_whole(body)
        note_started(self._response, outcome, target)
        try:
            items = objects_of(given(self._response["output"]))
        except msgspec.DecodeError:
            raise Garbled(metadata={"what": "item"}) from None
        outcome.content_chars, outcome.reasoning_chars, outcome.tool_calls, searches = count_items(items)
        said = outcome.content_chars + outcome.reasoning_chars + outcome.tool_calls
        outcome.committed = said > 0 or has_tool_items(items)
        outcome.usage = usage_of(self._response, target, outcome, searches)
        note_end(self._response, outcome, outcome.tool_calls)

    def finish(self, charge: Charge) -> bytes:
        usage = write_usage(self.outcome.usage or NOTHING, charge, byok=self._envelope.byok)
        return our_response(self._response, self._envelope, {"usage": usage})
