"""The halves and the relay of embeddings. Refuses crossings to generating dialects: an embedding is no generation."""

from collections.abc import Mapping
from typing import NoReturn

from farebox.dialects.openai_chat.errors import error_body
from farebox.dialects.openai_chat.relay_request import relay_request
from farebox.dialects.openai_embeddings.answer import EmbeddingRelayWhole
from farebox.dialects.openai_embeddings.opening import NAME, open_embedding
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.dialects.shared.vendor_errors import from_answer
from farebox.ir.errors import AttemptError, FareboxError, UnsupportedFeature
from farebox.ir.events import Event, Response, Warning
from farebox.ir.request import Request
from farebox.money.charges import Charge


def _no_crossing() -> NoReturn:
    raise UnsupportedFeature("Embeddings go to endpoints for embeddings only.")


class EmbeddingServer:
    """See `dialects.ports.ServerHalf`."""

    name = NAME

    def open(self, body: bytes) -> Opened:
        return open_embedding(body)

    def decode(self, opened: Opened) -> Request:
        _no_crossing()

    def stream(self, envelope: Envelope) -> NoReturn:
        _no_crossing()

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes:
        _no_crossing()

    def error(self, error: FareboxError, request_id: str) -> bytes:
        return error_body(error, request_id)


class EmbeddingClient:
    """See `dialects.ports.ClientHalf`."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return target.settings.get("path", "/embeddings")

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        _no_crossing()

    def stream(self, target: Target) -> NoReturn:
        _no_crossing()

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        _no_crossing()

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return from_answer(status, headers, body)


class EmbeddingRelay:
    """See `dialects.ports.Relay`."""

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
        return relay_request(opened, target)

    def stream(self, envelope: Envelope, target: Target) -> NoReturn:
        _no_crossing()

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> EmbeddingRelayWhole:
        return EmbeddingRelayWhole(body, envelope, target)
