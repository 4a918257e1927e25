"""The relay of Messages: both sides speak this dialect. Refuses to decode what need not be read."""

from farebox.dialects.anthropic_messages.relay_request import relay_request
from farebox.dialects.anthropic_messages.relay_stream import MessagesRelayStream, MessagesRelayWhole
from farebox.dialects.ports import Envelope, Opened, Target
from farebox.ir.events import Warning


class MessagesRelay:
    """See `dialects.ports.Relay`."""

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
        return relay_request(opened, target)

    def stream(self, envelope: Envelope, target: Target) -> MessagesRelayStream:
        return MessagesRelayStream(envelope, target)

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> MessagesRelayWhole:
        return MessagesRelayWhole(body, envelope, target)
