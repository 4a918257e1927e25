"""The two halves of generateContent: towards clients and towards vendors. Refuses to do more than put the parts together."""

from collections.abc import Mapping
from urllib.parse import quote

from farebox.dialects.google_generate.decoding import decode_generate
from farebox.dialects.google_generate.encoding import encode_generate
from farebox.dialects.google_generate.errors import error_body, from_answer
from farebox.dialects.google_generate.opening import open_generate, with_path
from farebox.dialects.google_generate.stream_decoding import GenerateStreamDecoder, decode_whole
from farebox.dialects.google_generate.stream_encoding import GenerateStreamEncoder, encode_whole
from farebox.dialects.google_generate.words import NAME
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event, Response, Warning
from farebox.ir.request import Request
from farebox.money.charges import Charge


class GenerateServer:
    """See `dialects.ports.ServerHalf`. Model and stream stand in the path: call `with_path` after `open`.

    `array` answers streams as one JSON array, which is what `streamGenerateContent` without `alt=sse` means.
    """

    name = NAME

    def __init__(self, *, array: bool = False) -> None:
        self._array = array

    def open(self, body: bytes) -> Opened:
        return open_generate(body)

    def with_path(self, opened: Opened, model: str, *, stream: bool) -> Opened:
        return with_path(opened, model, stream=stream)

    def decode(self, opened: Opened) -> Request:
        return decode_generate(opened)

    def stream(self, envelope: Envelope) -> GenerateStreamEncoder:
        return GenerateStreamEncoder(envelope, array=self._array)

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes:
        return encode_whole(response, envelope, charge)

    def error(self, error: FareboxError, request_id: str) -> bytes:
        return error_body(error, request_id)


class GenerateClient:
    """See `dialects.ports.ClientHalf`. `Target.settings["models_path"]` stands before the model (`/models/`)."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        model = quote(target.model, safe="/:@._-")
        front = "" if model.startswith(("models/", "publishers/", "tunedModels/", "endpoints/")) else None
        front = target.settings.get("models_path", "/models/") if front is None else "/"
        return f"{front}{model}:{'streamGenerateContent?alt=sse' if stream else 'generateContent'}"

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        return encode_generate(request, target)

    def stream(self, target: Target) -> GenerateStreamDecoder:
        return GenerateStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return from_answer(status, headers, body)
