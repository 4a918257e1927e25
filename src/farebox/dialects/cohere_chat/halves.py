"""The client half of chat, version 2. Refuses to do more than put the parts together."""

from collections.abc import Mapping

from farebox.dialects.cohere_chat.encoding import encode_cohere
from farebox.dialects.cohere_chat.errors import refusal
from farebox.dialects.cohere_chat.stream_decoding import CohereStreamDecoder
from farebox.dialects.cohere_chat.whole_decoding import decode_whole
from farebox.dialects.cohere_chat.words import NAME
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import AttemptError
from farebox.ir.events import Event, Warning
from farebox.ir.request import Request


class CohereClient:
    """See `dialects.ports.ClientHalf`. A vendor's own path stands in `Target.settings["path"]`."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return target.settings.get("path", "/v2/chat")

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        return encode_cohere(request, target)

    def stream(self, target: Target) -> CohereStreamDecoder:
        return CohereStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return refusal(status, headers, body)
