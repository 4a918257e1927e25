"""The two halves of the Responses protocol: towards clients and towards vendors. Refuses more than putting parts together."""

from collections.abc import Mapping

from farebox.dialects.openai_chat.errors import error_body
from farebox.dialects.openai_responses.decoding import decode_responses
from farebox.dialects.openai_responses.encoding import encode_responses
from farebox.dialects.openai_responses.opening import open_responses
from farebox.dialects.openai_responses.stream_decoding import ResponsesStreamDecoder, decode_whole
from farebox.dialects.openai_responses.stream_encoding import ResponsesStreamEncoder
from farebox.dialects.openai_responses.whole_encoding import encode_whole
from farebox.dialects.openai_responses.words import NAME
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.dialects.shared.vendor_errors import from_answer
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event, Response, Warning
from farebox.ir.request import Request
from farebox.money.charges import Charge


class ResponsesServer:
    """See `dialects.ports.ServerHalf`."""

    name = NAME

    def open(self, body: bytes) -> Opened:
        return open_responses(body)

    def decode(self, opened: Opened) -> Request:
        return decode_responses(opened)

    def stream(self, envelope: Envelope) -> ResponsesStreamEncoder:
        return ResponsesStreamEncoder(envelope)

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes:
        return encode_whole(response, envelope, charge)

    def error(self, error: FareboxError, request_id: str) -> bytes:
        return error_body(error, request_id)


class ResponsesClient:
    """See `dialects.ports.ClientHalf`. A vendor's own path stands in `Target.settings["path"]`."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return target.settings.get("path", "/responses")

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        return encode_responses(request, target)

    def stream(self, target: Target) -> ResponsesStreamDecoder:
        return ResponsesStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return from_answer(status, headers, body)
