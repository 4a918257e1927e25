"""The client half of Converse. Refuses to do more than put the parts together; signing is the vendor connection's."""

from collections.abc import Mapping
from urllib.parse import quote

from farebox.dialects.bedrock_converse.encoding import encode_converse
from farebox.dialects.bedrock_converse.errors import refusal
from farebox.dialects.bedrock_converse.stream_decoding import ConverseStreamDecoder
from farebox.dialects.bedrock_converse.whole_decoding import decode_whole
from farebox.dialects.bedrock_converse.words import NAME
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import AttemptError
from farebox.ir.events import Event, Warning
from farebox.ir.request import Request


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
