"""The two halves of Converse: towards clients and towards vendors. Refuses to do more than put the parts together; signing is
the vendor connection's, and the signature of a client's request is the edge's.
"""

from collections.abc import Mapping
from urllib.parse import quote

from farebox.dialects.bedrock_converse.answer_writing import error_body, exception
from farebox.dialects.bedrock_converse.decoding import decode_converse
from farebox.dialects.bedrock_converse.encoding import encode_converse
from farebox.dialects.bedrock_converse.errors import refusal
from farebox.dialects.bedrock_converse.opening import open_converse, with_path
from farebox.dialects.bedrock_converse.stream_decoding import ConverseStreamDecoder
from farebox.dialects.bedrock_converse.stream_encoding import ConverseStreamEncoder, encode_whole
from farebox.dialects.bedrock_converse.whole_decoding import decode_whole
from farebox.dialects.bedrock_converse.words import NAME
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event, Response, Warning
from farebox.ir.request import Request
from farebox.money.charges import Charge

# The type of a streamed answer, and the header that says the kind of an error.
STREAM_TYPE = b"application/vnd.amazon.eventstream"
ERROR_HEADER = b"x-amzn-errortype"


class ConverseServer:
    """See `dialects.ports.ServerHalf`. Model and stream stand in the path: call `with_path` after `open`."""

    name = NAME

    def open(self, body: bytes) -> Opened:
        return open_converse(body)

    def with_path(self, opened: Opened, model: str, *, stream: bool) -> Opened:
        return with_path(opened, model, stream=stream)

    def decode(self, opened: Opened) -> Request:
        return decode_converse(opened)

    def stream(self, envelope: Envelope) -> ConverseStreamEncoder:
        return ConverseStreamEncoder(envelope)

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes:
        return encode_whole(response, envelope, charge)

    def error(self, error: FareboxError, request_id: str) -> bytes:
        return error_body(error, request_id)

    def error_type(self, error: FareboxError) -> str:
        """The value of `ERROR_HEADER`."""
        return exception(error)[0]


class ConverseClient:
    """See `dialects.ports.ClientHalf`. The model id is one segment of the path, whatever is in it."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return f"/model/{quote(target.model, safe='')}/converse{'-stream' if stream else ''}"

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        return encode_converse(request, target)

    def stream(self, target: Target) -> ConverseStreamDecoder:
        return ConverseStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return refusal(status, headers, body)
