"""The relay of the Responses protocol: both sides speak it. Refuses to decode what need not be read."""

from farebox.dialects.openai_responses.relay_request import relay_request
from farebox.dialects.openai_responses.relay_stream import ResponsesRelayStream
from farebox.dialects.openai_responses.relay_whole import ResponsesRelayWhole
from farebox.dialects.openai_responses.stream_decoding import ResponsesStreamDecoder
from farebox.dialects.openai_responses.stream_encoding import ResponsesStreamEncoder
from farebox.dialects.ports import Envelope, Opened, Target
from farebox.ir.errors import FareboxError
from farebox.ir.events import Warning
from farebox.money.charges import Charge


class RecodedStream:
    """A stream taken through the canonical form, for hosts whose streams break the protocol's own rules: ids that change
    within an item, content that is counted on from item to item. Readers that check these rules would stop.
    """

    __slots__ = ("_decoder", "_encoder", "outcome")

    def __init__(self, envelope: Envelope, target: Target) -> None:
        self._decoder = ResponsesStreamDecoder(target)
        self._encoder = ResponsesStreamEncoder(envelope)
        self.outcome = self._decoder.outcome

    def feed(self, data: bytes) -> bytes:
        return self._encoder.feed(self._decoder.feed(data))

    def close(self) -> bytes:
        return self._encoder.feed(self._decoder.close())

    def finish(self, charge: Charge) -> bytes:
        return self._encoder.finish(charge)

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        return self._encoder.fail(error, charge)


class ResponsesRelay:
    """See `dialects.ports.Relay`."""

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
        return relay_request(opened, target)

    def stream(self, envelope: Envelope, target: Target) -> ResponsesRelayStream | RecodedStream:
        return RecodedStream(envelope, target) if "recode" in target.options else ResponsesRelayStream(envelope, target)

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> ResponsesRelayWhole:
        return ResponsesRelayWhole(body, envelope, target)
