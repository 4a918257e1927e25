"""A whole answer written as a response: the end of the stream that would have told it. Refuses streams."""

from msgspec import Raw

from farebox.dialects.openai_responses.stream_encoding import ResponsesStreamEncoder
from farebox.dialects.ports import Envelope
from farebox.ir.events import ChoiceEnded, Event, LogprobsAdded, PartEnded, PartStarted, Response, UsageReported
from farebox.ir.request import Text
from farebox.money.charges import Charge


def encode_whole(response: Response, envelope: Envelope, charge: Charge) -> bytes:
    """A whole answer: the end of the stream that would have told it."""
    encoder = ResponsesStreamEncoder(envelope)
    encoder.feed([response.started])
    choice = response.choices[0] if response.choices else None
    logprobs = list(choice.logprobs) if choice is not None else []
    for index, part in enumerate(choice.parts if choice is not None else ()):
        before: list[Event] = []
        if isinstance(part, Text) and logprobs:
            pieces = b",".join([bytes(piece).strip()[1:-1] for piece in logprobs])
            before, logprobs = [LogprobsAdded(Raw(b"[" + pieces + b"]"))], []
        encoder.feed([*before, PartStarted(index, part), PartEnded(index)])
    if choice is not None and choice.reason is not None:
        encoder.feed([ChoiceEnded(reason=choice.reason)])
    if response.usage is not None:
        encoder.feed([UsageReported(response.usage)])
    encoder.finish(charge)
    return encoder.response(charge)[1]
