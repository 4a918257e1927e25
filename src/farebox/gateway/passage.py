"""An answer on its way from vendor bytes to client bytes: relayed where both sides speak alike, else through the
canonical form. One shape for both, so that a generation's life is written once. Refuses IO.
"""

from farebox.dialects.ports import (
    ClientHalf,
    Envelope,
    Outcome,
    RelayStream,
    RelayWhole,
    ServerHalf,
    StreamDecoder,
    StreamEncoder,
    Target,
)
from farebox.gateway.world import Prepared
from farebox.ir.errors import FareboxError
from farebox.ir.events import Response
from farebox.ir.fold import fold
from farebox.money.charges import Charge


class CrossedStream:
    """A stream decoded from the vendor's dialect and encoded in the client's."""

    __slots__ = ("_decoder", "_encoder", "outcome")

    def __init__(self, decoder: StreamDecoder, encoder: StreamEncoder) -> None:
        self._decoder = decoder
        self._encoder = encoder
        self.outcome: Outcome = decoder.outcome

    def feed(self, data: bytes) -> bytes:
        events = self._decoder.feed(data)
        if self.outcome.ended:
            # The end mark came: what the decoder keeps for its end (usage, the last parts) belongs to it.
            events += self._decoder.close()
        return self._encoder.feed(events)

    def close(self) -> bytes:
        return self._encoder.feed(self._decoder.close())

    def finish(self, charge: Charge) -> bytes:
        return self._encoder.finish(charge)

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        return self._encoder.fail(error, charge)


class CrossedWhole:
    """A whole answer decoded and folded, to be encoded with its charge."""

    __slots__ = ("_envelope", "_response", "_server", "outcome")

    def __init__(self, server: ServerHalf, response: Response, envelope: Envelope, outcome: Outcome) -> None:
        self._server = server
        self._response = response
        self._envelope = envelope
        self.outcome = outcome

    def finish(self, charge: Charge) -> bytes:
        return self._server.whole(self._response, self._envelope, charge)


def stream(server: ServerHalf, prepared: Prepared, envelope: Envelope, *, relayed: bool) -> RelayStream | CrossedStream:
    """The passage of a streamed answer."""
    target: Target = prepared.target
    if relayed and prepared.relay is not None:
        return prepared.relay.stream(envelope, target)
    client: ClientHalf = prepared.client
    return CrossedStream(client.stream(target), server.stream(envelope))


def whole(
    body: bytes, server: ServerHalf, prepared: Prepared, envelope: Envelope, *, relayed: bool
) -> RelayWhole | CrossedWhole:
    """The passage of a whole answer. Raises an AttemptError for bytes that are no answer."""
    if relayed and prepared.relay is not None:
        return prepared.relay.whole(body, envelope, prepared.target)
    events, outcome = prepared.client.whole(body, prepared.target)
    response = fold(events)
    if response.error is not None:
        raise response.error
    return CrossedWhole(server, response, envelope, outcome)
