"""The relay of the Responses protocol: both sides speak it. Refuses to decode what need not be read."""

from farebox.dialects.openai_responses.relay_request import relay_request
from farebox.dialects.openai_responses.relay_stream import ResponsesRelayStream
from farebox.dialects.openai_responses.relay_whole import ResponsesRelayWhole
from farebox.dialects.ports import Envelope, Opened, Target
from farebox.ir.events import Warning


class ResponsesRelay:
    """See `dialects.ports.Relay`."""

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
        return relay_request(opened, target)

    def stream(self, envelope: Envelope, target: Target) -> ResponsesRelayStream:
        return ResponsesRelayStream(envelope, target)

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> ResponsesRelayWhole:
        return ResponsesRelayWhole(body, envelope, target)
