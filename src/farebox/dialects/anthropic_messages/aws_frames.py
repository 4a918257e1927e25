"""Streams of this protocol in AWS event-stream frames, as one host sends them (`invoke-with-response-stream`): each frame holds
one event, base64 inside JSON. Refuses frames that hold anything else; an exception frame is the error it names.

Option word: `aws_event_stream`.
"""

import base64
import binascii
from collections.abc import Iterator

import msgspec

from farebox.dialects.framing.aws_events import AwsEvent, FrameSplitter
from farebox.dialects.framing.sse import SseEvent
from farebox.dialects.shared.vendor_errors import Said, leaf, parse, said
from farebox.ir.errors import AttemptError, Garbled

# The exceptions of a stream, as statuses that the shared rules know (API reference, 2026-11).
_STATUS = {
    "validationexception": 400,
    "throttlingexception": 429,
    "serviceunavailableexception": 503,
    "modeltimeoutexception": 408,
    "modelstreamerrorexception": 502,
    "internalserverexception": 500,
}


class _Payload(msgspec.Struct, gc=False):
    bytes: str


_payload = msgspec.json.Decoder(_Payload).decode


class InvokeFrames:
    """See `stream_decoding.Framing`."""

    __slots__ = ("_frames",)

    def __init__(self) -> None:
        self._frames = FrameSplitter()

    def feed(self, data: bytes) -> Iterator[SseEvent]:
        for frame in self._frames.feed(data):
            if frame.kind != "event":
                raise _exception(frame)
            try:
                event = base64.b64decode(_payload(frame.payload).bytes, validate=True)
            except (msgspec.MsgspecError, binascii.Error, UnicodeDecodeError):
                raise Garbled(metadata={"what": "frame"}) from None
            yield SseEvent(b"", event)

    @staticmethod
    def rest() -> list[SseEvent]:
        """A frame that is not whole holds nothing to tell."""
        return []


def _exception(frame: AwsEvent) -> AttemptError:
    what = said(parse(frame.payload), frame.payload)
    return leaf(_STATUS.get(frame.name.lower(), 500), Said(what.text, f"{what.words} {frame.name}"))
