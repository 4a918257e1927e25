"""The two halves of chat completions: towards clients and towards vendors. Refuses to do more than put the parts together."""

from collections.abc import Mapping

from farebox.dialects.openai_chat.decoding import NAME, decode_chat
from farebox.dialects.openai_chat.encoding import encode_chat
from farebox.dialects.openai_chat.errors import error_body
from farebox.dialects.openai_chat.opening import open_chat
from farebox.dialects.openai_chat.stream_decoding import ChatStreamDecoder, decode_whole
from farebox.dialects.openai_chat.stream_encoding import ChatStreamEncoder, encode_whole
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.dialects.shared.vendor_errors import from_answer
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event, Response, Warning
from farebox.ir.request import Request
from farebox.money.charges import Charge


class ChatServer:
    """See `dialects.ports.ServerHalf`."""

    name = NAME

    def open(self, body: bytes) -> Opened:
        return open_chat(body)

    def decode(self, opened: Opened) -> Request:
        return decode_chat(opened)

    def stream(self, envelope: Envelope) -> ChatStreamEncoder:
        return ChatStreamEncoder(envelope)

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes:
        return encode_whole(response, envelope, charge)

    def error(self, error: FareboxError, request_id: str) -> bytes:
        return error_body(error, request_id)


class ChatClient:
    """See `dialects.ports.ClientHalf`. A vendor's own path stands in `Target.settings["path"]`."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return target.settings.get("path", "/chat/completions")

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        return encode_chat(request, target)

    def stream(self, target: Target) -> ChatStreamDecoder:
        return ChatStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return from_answer(status, headers, body)
