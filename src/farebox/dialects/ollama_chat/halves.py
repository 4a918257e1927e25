"""The client half of Ollama's chat. Refuses to do more than put the parts together."""

from collections.abc import Mapping

from farebox.dialects.ollama_chat.encoding import encode_ollama
from farebox.dialects.ollama_chat.errors import refusal
from farebox.dialects.ollama_chat.stream_decoding import OllamaStreamDecoder, decode_whole
from farebox.dialects.ollama_chat.words import NAME
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import AttemptError
from farebox.ir.events import Event, Warning
from farebox.ir.request import Request


class OllamaClient:
    """See `dialects.ports.ClientHalf`. A vendor's own path stands in `Target.settings["path"]`."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return target.settings.get("path", "/api/chat")

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        return encode_ollama(request, target)

    def stream(self, target: Target) -> OllamaStreamDecoder:
        return OllamaStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return refusal(status, headers, body)
