"""The halves and the relay of legacy completions. Refuses to frame or price by itself: chat's machinery does both."""

from collections.abc import Iterable, Mapping

import msgspec

from farebox.dialects.openai_chat.answer import head
from farebox.dialects.openai_chat.encoding import Writer, chat_fields
from farebox.dialects.openai_chat.errors import error_body
from farebox.dialects.openai_chat.relay_request import relay_request
from farebox.dialects.openai_chat.relay_stream import DONE, ChatRelayStream, fail_chunk
from farebox.dialects.openai_chat.relay_whole import ChatRelayWhole
from farebox.dialects.openai_chat.stream_decoding import ChatStreamDecoder, decode_whole
from farebox.dialects.openai_chat.usage import write_usage
from farebox.dialects.openai_completions.answer import CompletionAnswer
from farebox.dialects.openai_completions.opening import NAME, decode_completion, encode_completion, open_completion
from farebox.dialects.ports import Envelope, Opened, Outcome, Target
from farebox.dialects.shared.vendor_errors import from_answer
from farebox.ir.errors import AttemptError, FareboxError
from farebox.ir.events import (
    ChoiceEnded,
    Event,
    PartStarted,
    ReasoningDelta,
    Response,
    TextDelta,
    UsageReported,
    Warning,
)
from farebox.ir.request import Media, Message, Reasoning, Request, Text, ToolCall, ToolResult
from farebox.ir.usage import NOTHING
from farebox.money.charges import Charge

_encode = msgspec.json.encode


class CompletionStreamEncoder:
    """See `dialects.ports.StreamEncoder`."""

    __slots__ = ("_envelope", "_head", "_outcome", "_texts")

    def __init__(self, envelope: Envelope) -> None:
        self._envelope = envelope
        self._outcome = Outcome()
        self._head = head(envelope, CompletionAnswer.CHUNK_KIND, envelope.created_s)
        self._texts: set[tuple[int, int]] = set()

    def feed(self, events: Iterable[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            match event:
                case UsageReported():
                    self._outcome.usage = event.usage
                case PartStarted() if isinstance(event.part, Text):
                    self._texts.add((event.choice, event.index))
                    if event.part.text:
                        out.append(self._chunk(event.choice, {"text": event.part.text}))
                case PartStarted() if isinstance(event.part, Reasoning):
                    if event.part.text and self._envelope.include_reasoning:
                        out.append(self._chunk(event.choice, {"text": "", "reasoning": event.part.text}))
                case TextDelta() if (event.choice, event.index) in self._texts:
                    out.append(self._chunk(event.choice, {"text": event.text}))
                case ReasoningDelta() if self._envelope.include_reasoning:
                    out.append(self._chunk(event.choice, {"text": "", "reasoning": event.text}))
                case ChoiceEnded():
                    told = {
                        "text": "",
                        "finish_reason": event.reason.value,
                        "native_finish_reason": event.raw_reason or None,
                    }
                    out.append(self._chunk(event.choice, told))
                case _:
                    pass
        return b"".join(out)

    def _chunk(self, choice: int, told: dict[str, str | None]) -> bytes:
        fields = {"index": choice} | told
        fields.setdefault("finish_reason", None)
        return b'data: %b,"choices":[%b]}\n\n' % (self._head, _encode(fields))

    def finish(self, charge: Charge) -> bytes:
        usage = write_usage(self._outcome.usage or NOTHING, charge, byok=self._envelope.byok)
        return b'data: %b,"choices":[],"usage":%b}\n\n' % (self._head, usage) + DONE

    def fail(self, error: FareboxError, charge: Charge) -> bytes:
        return fail_chunk(
            self._head,
            error,
            charge,
            envelope=self._envelope,
            outcome=self._outcome,
            choice=CompletionAnswer.FAILED_CHOICE,
        )


class CompletionServer:
    """See `dialects.ports.ServerHalf`."""

    name = NAME

    def open(self, body: bytes) -> Opened:
        return open_completion(body)

    def decode(self, opened: Opened) -> Request:
        return decode_completion(opened)

    def stream(self, envelope: Envelope) -> CompletionStreamEncoder:
        return CompletionStreamEncoder(envelope)

    def whole(self, response: Response, envelope: Envelope, charge: Charge) -> bytes:
        choices: list[dict[str, object]] = []
        for index, choice in enumerate(response.choices):
            text = "".join(part.text for part in choice.parts if isinstance(part, Text))
            thought = "".join(part.text for part in choice.parts if isinstance(part, Reasoning))
            fields: dict[str, object] = {"index": index, "text": text, "logprobs": None}
            if thought and envelope.include_reasoning:
                fields["reasoning"] = thought
            fields["finish_reason"] = choice.reason.value if choice.reason is not None else None
            fields["native_finish_reason"] = choice.raw_reason or None
            choices.append(fields)
        front = head(envelope, CompletionAnswer.WHOLE_KIND, response.started.created_s or envelope.created_s)
        usage = write_usage(response.usage or NOTHING, charge, byok=envelope.byok)
        return b'%b,"choices":%b,"usage":%b}' % (front, _encode(choices), usage)

    def error(self, error: FareboxError, request_id: str) -> bytes:
        return error_body(error, request_id)


def _lost(messages: tuple[Message, ...], writer: Writer) -> None:
    for index, message in enumerate(messages):
        if any(isinstance(part, Media | ToolCall | ToolResult) for part in message.parts):
            writer.lost(f"$.messages[{index}]", "A part that is not text")


class CompletionClient:
    """See `dialects.ports.ClientHalf`."""

    name = NAME

    def path(self, target: Target, stream: bool) -> str:
        return target.settings.get("path", "/completions")

    def encode(self, request: Request, target: Target) -> tuple[bytes, list[Warning]]:
        fields, writer = chat_fields(request)
        writer.warnings = [warning for warning in writer.warnings if NAME not in warning.message]
        _lost(request.messages, writer)
        if request.tools:
            writer.lost("$.tools", "A tool")
        opened = Opened(
            body=b"",
            fields=encode_completion(request, fields),
            models=request.models,
            stream=request.stream,
            max_tokens=request.limits.max_tokens,
            parameters=frozenset(("reasoning",)) if request.reasoning is not None else frozenset(),
        )
        body, warnings = relay_request(opened, target)
        return body, writer.warnings + warnings

    def stream(self, target: Target) -> ChatStreamDecoder:
        return ChatStreamDecoder(target)

    def whole(self, body: bytes, target: Target) -> tuple[list[Event], Outcome]:
        return decode_whole(body, target)

    def error(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> AttemptError:
        return from_answer(status, headers, body)


class CompletionRelay:
    """See `dialects.ports.Relay`."""

    def request(self, opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
        return relay_request(opened, target)

    def stream(self, envelope: Envelope, target: Target) -> ChatRelayStream:
        return ChatRelayStream(envelope, target, CompletionAnswer)

    def whole(self, body: bytes, envelope: Envelope, target: Target) -> ChatRelayWhole:
        return ChatRelayWhole(body, envelope, target, CompletionAnswer)
