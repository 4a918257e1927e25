"""An answer in JSON lines (or one object) as canonical events. Calls come whole and often without an id: one is invented.
A prefix of thinking inside the text is told apart where the target says so. Refuses to frame.
"""

from datetime import datetime
from hashlib import blake2b

import msgspec
from msgspec import Raw, Struct

from farebox.dialects.bedrock_converse.telling import Teller, text_of
from farebox.dialects.framing.json_lines import LineSplitter
from farebox.dialects.ollama_chat.errors import in_stream
from farebox.dialects.ollama_chat.usage import COUNTERS, read_usage
from farebox.dialects.ollama_chat.words import DONE, NAME
from farebox.dialects.ports import Outcome, Target
from farebox.dialects.shared.think import ThinkSplitter
from farebox.ir.errors import AttemptError, EmptyAnswer, Garbled
from farebox.ir.events import Event, FinishReason, LogprobsAdded, Started
from farebox.ir.request import Inline, Media, Origin, Reasoning, Text, ToolCall

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_value = msgspec.json.Decoder().decode
_OWN = frozenset(("model", "created_at", "message", "done", "done_reason", "logprobs", *COUNTERS))
WHOLE_BYTES_MAX = 64 << 20


class _Message(Struct):
    content: str | None = None
    thinking: str | None = None
    tool_calls: Raw = Raw(b"")
    images: list[str] | None = None


class _Line(Struct):
    message: _Message | None = None
    done: bool = False
    error: Raw = Raw(b"")
    logprobs: Raw = Raw(b"")


_line = msgspec.json.Decoder(_Line).decode


class OllamaStreamDecoder:
    """See `dialects.ports.StreamDecoder`."""

    __slots__ = ("_begun", "_salt", "_splitter", "_target", "_teller", "_think", "outcome")

    def __init__(self, target: Target, limit: int | None = None) -> None:
        self._splitter = LineSplitter(limit) if limit else LineSplitter()
        self._teller = Teller()
        self._target = target
        self._think = ThinkSplitter() if target.reasoning_field == "think" else None
        self._begun = False
        self._salt = ""
        self.outcome: Outcome = self._teller.outcome

    def feed(self, data: bytes) -> list[Event]:
        return self._guarded(data)

    def close(self) -> list[Event]:
        events = self._guarded(None)
        self._teller.cut()
        return events + self._teller.take()

    def _guarded(self, data: bytes | None) -> list[Event]:
        teller = self._teller
        try:
            for line in self._splitter.rest() if data is None else self._splitter.feed(data):
                if teller.over:
                    break
                self._take(line)
        except AttemptError as error:
            teller.fail(error)
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError, AttributeError, RecursionError):
            teller.fail(Garbled(metadata={"what": "line"}))
        return teller.take()

    def _take(self, data: bytes) -> None:
        line = _line(data)
        if bytes(line.error):
            raise in_stream(data)
        if not self._begun:
            self._begin(data)
        if line.message is not None:
            self._message(line.message)
        if bytes(line.logprobs) not in (b"", b"null", b"[]"):
            _objects(line.logprobs)  # raises unless these are entries
            self._teller.add(LogprobsAdded(line.logprobs))
        if line.done:
            self._end(_members(data))
        elif line.message is None:
            raise Garbled(metadata={"what": "line"})

    def _begin(self, data: bytes) -> None:
        self._begun = True
        fields = _members(data)
        created = text_of(fields, "created_at")
        model = text_of(fields, "model")
        self._salt = blake2b(data, digest_size=6).hexdigest()
        self._teller.start(Started(model=model, created_s=_seconds(created)), self._target)

    def _message(self, message: _Message) -> None:
        if message.thinking:
            self._thought(message.thinking)
        if message.content:
            thought, text = ("", message.content) if self._think is None else self._think.feed(message.content)
            self._thought(thought)
            self._text(text)
        for image in message.images or ():
            self._only("")
            self._teller.whole(Media(family="image", media_type="image/png", source=Inline(image)))
        if bytes(message.tool_calls) not in (b"", b"null"):
            for call in _objects(message.tool_calls):
                self._call(call)

    def _only(self, key: str) -> None:
        """No other part stays open."""
        for other in ("thinking", "text"):
            if other != key:
                self._teller.end(other)

    def _thought(self, text: str) -> None:
        if not text:
            return
        self._only("thinking")
        index = self._teller.at("thinking")
        if index is None:
            index = self._teller.begin("thinking", Reasoning(origin=Origin(NAME, format="unknown")))
        self._teller.thought(index, text)

    def _text(self, text: str) -> None:
        if not text:
            return
        self._only("text")
        index = self._teller.at("text")
        if index is None:
            index = self._teller.begin("text", Text(text=""))
        self._teller.text(index, text)

    def _call(self, fields: dict[str, Raw]) -> None:
        self._only("")
        function = _members(fields["function"])
        given = function.get("arguments", Raw(b"{}"))
        arguments = str(_value(given)) if bytes(given)[:1] == b'"' else bytes(given).decode()
        call_id = text_of(fields, "id") or f"call_{self._salt}_{self.outcome.tool_calls}"
        rest = {name: raw for name, raw in fields.items() if name not in ("id", "type", "function")}
        self._teller.whole(
            ToolCall(
                call_id=call_id,
                name=text_of(function, "name"),
                arguments="{}" if arguments == "null" else arguments,
                extras={NAME: rest} if rest else {},
            )
        )

    def _end(self, fields: dict[str, Raw]) -> None:
        if self._think is not None:
            thought, text = self._think.close()
            self._thought(thought)
            self._text(text)
        self._teller.use(read_usage(fields, self.outcome.flags))
        word = text_of(fields, "done_reason")
        rest = {name: raw for name, raw in fields.items() if name not in _OWN}
        self._teller.finish(DONE.get(word, FinishReason.STOP), word or "stop", extras={NAME: rest} if rest else {})


def _seconds(text: str) -> int:
    try:
        moment = datetime.fromisoformat(text[:19] + "+00:00")
    except ValueError:
        return 0
    return max(0, int(moment.timestamp()))


def decode_whole(body: bytes, target: Target) -> tuple[list[Event], Outcome]:
    """Events of a whole answer. Raises the error that is in it, and `Garbled` for what is no answer."""
    text = body.strip(b"\xef\xbb\xbf \t\r\n")
    if not text.startswith(b"{"):
        raise Garbled(metadata={"what": "html" if text.startswith(b"<") else "json"})
    decoder = OllamaStreamDecoder(target, WHOLE_BYTES_MAX)
    # A line feed stands only between the tokens of an object, never inside its strings.
    events = decoder.feed(text.replace(b"\n", b" ") + b"\n") + decoder.close()
    error = decoder.outcome.error
    if error is not None and not isinstance(error, EmptyAnswer):
        raise error
    return events, decoder.outcome
