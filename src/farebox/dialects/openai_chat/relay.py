"""The relay of chat completions: both sides speak this dialect. Refuses to decode what need not be read."""

from farebox.dialects.openai_chat.relay_request import relay_request
from farebox.dialects.openai_chat.relay_stream import ChatRelayStream
from farebox.dialects.openai_chat.relay_whole import ChatRelayWhole
from farebox.dialects.ports import Envelope, Opened, Target
from farebox.ir.events import Warning


class ChatRelay:
    """See `dialects.ports.Relay`."""

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
        return relay_request(opened, target)

    def stream(self, envelope: Envelope, target: Target) -> ChatRelayStream:
        return ChatRelayStream(envelope, target)

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> ChatRelayWhole:
        return ChatRelayWhole(body, envelope, target)
