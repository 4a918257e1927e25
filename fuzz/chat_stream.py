"""Owns the fuzz target of a vendor's chat stream; its laws: cuts never matter, and one terminal event. Refuses the network."""

from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.dialects.registry import CLIENTS, RELAYS, SERVERS
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import Event, Failed, Finished
from farebox.money.charges import Charge
from fuzz.transports import pieces

NAME = "openai_chat"
TARGET = Target(model="vendor-model", vendor="fuzz")
ENVELOPE = Envelope(id="gen-fuzz", model="author/model", provider="Fuzz", created_s=1_790_000_000)
CHARGE = Charge()


def _decode(parts: list[bytes]) -> tuple[list[Event], Outcome]:
    decoder = CLIENTS[NAME].stream(TARGET)
    events = [event for part in parts for event in decoder.feed(part)]
    return events + decoder.close(), decoder.outcome


def _summary(outcome: Outcome) -> tuple[object, ...]:
    error = type(outcome.error)
    return outcome.usage, outcome.finish, outcome.native_finish, outcome.content_chars, outcome.tool_calls, error


def one(data: bytes) -> None:
    try:
        whole, outcome = _decode([data])
        cut, cut_outcome = _decode(pieces(data))
    except AttemptError:
        return
    for events in (whole, cut):
        ends = [event for event in events if isinstance(event, Finished | Failed)]
        assert len(ends) == 1, "not exactly one terminal event"
        assert events[-1] is ends[0], "an event after the end"
    assert _summary(outcome) == _summary(cut_outcome), "the cuts changed what was understood"
    _encode(whole, outcome.error)
    _relay(data)


def _encode(events: list[Event], error: FareboxError | None) -> None:
    encoder = SERVERS[NAME].stream(ENVELOPE)
    out = encoder.feed(events) + (encoder.fail(error, CHARGE) if error else encoder.finish(CHARGE))
    assert out.endswith(b"data: [DONE]\n\n")


def _relay(data: bytes) -> None:
    relay = RELAYS[NAME].stream(ENVELOPE, TARGET)
    out = b""
    for piece in pieces(data):
        out += relay.feed(piece)
        if relay.outcome.error is not None:
            break
    else:
        relay.close()
    error = relay.outcome.error
    out += relay.fail(error, CHARGE) if error else relay.finish(CHARGE)
    assert out.endswith(b"data: [DONE]\n\n")
