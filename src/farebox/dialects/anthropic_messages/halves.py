"""The two halves of Messages: towards clients and towards vendors. Refuses to do more than put the parts together."""

from collections.abc import Mapping

from farebox.dialects.anthropic_messages import host
from farebox.dialects.anthropic_messages.decoding import decode_messages
from farebox.dialects.anthropic_messages.encoding import encode_messages
from farebox.dialects.anthropic_messages.errors import answer_error, error_body
from farebox.dialects.anthropic_messages.opening import open_messages
from farebox.dialects.anthropic_messages.stream_decoding import MessagesStreamDecoder, decode_whole
from farebox.dialects.anthropic_messages.stream_encoding import MessagesStreamEncoder, encode_whole
from farebox.dialects.anthropic_messages.words import NAME
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event, Response, Warning
from farebox.ir.request import Request
from farebox.money.charges import Charge


class MessagesServer:
    """See `dialects.ports.ServerHalf`."""

    name = NAME

    def open(self, body: bytes) -> Opened:
        return open_messages(body)

    def decode(self, opened: Opened) -> Request:
        return decode_messages(opened)

    def stream(self, envelope: Envelope) -> MessagesStreamEncoder:
        return MessagesStreamEncoder(envelope)

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes:
        return encode_whole(response, envelope, charge)

    def error(self, error: FareboxError, request_id: str) -> bytes:
        return error_body(error, request_id)


class MessagesClient:
    """See `dialects.ports.ClientHalf`. What hosts want differently stands in `host`, `writing` and `encoding`."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return host.path(target, stream)

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        return encode_messages(request, target)

    def stream(self, target: Target) -> MessagesStreamDecoder:
        return MessagesStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return answer_error(status, headers, body)
