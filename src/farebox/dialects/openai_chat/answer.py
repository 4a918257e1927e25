"""Rewrites what a vendor of this dialect answers, chunk by chunk or whole: our envelope, one spelling of reasoning, one set of
finish reasons; all other members stay the bytes they were. Refuses framing and pricing (see `relay_stream`, `relay_whole`).
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from farebox.dialects.openai_chat.pieces import (
    differs,
    extension_usage,
    lower,
    reasoning_detail,
    split_list,
    without_absurd_usage,
)
from farebox.dialects.openai_chat.shapes import check_delta
from farebox.dialects.openai_chat.usage import read_usage
from farebox.dialects.openai_chat.words import REASONING_FIELDS, finish_word
from farebox.dialects.ports import Envelope, Outcome, Target
from farebox.dialects.shared.think import ThinkSplitter
from farebox.dialects.shared.vendor_errors import from_value
from farebox.ir.errors import Garbled, VendorFailed

Fields = dict[str, bytes | Raw]

members = msgspec.json.Decoder(dict[str, Raw]).decode
_objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_string = msgspec.json.Decoder(str).decode
_value = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
_NULL = b"null"
MALFORMED = (
    msgspec.MsgspecError,
    UnicodeDecodeError,
    KeyError,
    TypeError,
    AttributeError,
    ValueError,
    RecursionError,
)
_NOISE = frozenset(
    ("id", "object", "created", "model", "provider", "choices", "usage", "obfuscation", "p", "padding", "error")
)
_CONTENT_MEMBERS = ("refusal", "audio", "images", "function_call", "executed_tools")


def join(fields: Mapping[str, bytes | Raw]) -> bytes:
    """A JSON object of ready members."""
    return b"{" + b",".join([b'"%b":%b' % (_key(name), bytes(raw)) for name, raw in fields.items()]) + b"}"


def _key(name: str) -> bytes:
    return name.encode() if name.isidentifier() and name.isascii() else _encode(name)[1:-1]


def given(raw: Raw | None) -> bytes:
    """The bytes of a member, empty if it is absent or null."""
    if raw is None:
        return b""
    data = bytes(raw)
    return b"" if data == _NULL else data


def head(envelope: Envelope, kind: str, created_s: int) -> bytes:
    """The members that open every answer and chunk of ours, without the closing brace."""
    return b'{"id":%b,"object":"%b","created":%d,"model":%b,"provider":%b' % (
        _encode(envelope.id), kind.encode(), created_s, _encode(envelope.model), _encode(envelope.provider),
    )  # fmt: skip


class Answer:
    """One answer on its way through. Raises an `AttemptError` for errors in it."""

    WHOLE_KIND = "chat.completion"
    CHUNK_KIND = "chat.completion.chunk"
    FAILED_CHOICE = b'{"index":0,"delta":{"content":""},"finish_reason":"error","native_finish_reason":null}'
    LAST_CHOICE = b'{"index":%d,"delta":{},"finish_reason":%b,"native_finish_reason":%b}'

    __slots__ = (
        "_blank", "_calls", "_created_s", "_envelope", "_head", "_kind", "_splitters", "_target", "_whole",
        "extras", "finished", "from_whole", "outcome", "seen", "spoke", "stateless",
    )  # fmt: skip

    def __init__(self, envelope: Envelope, target: Target, outcome: Outcome, *, whole: bool = False) -> None:
        self.outcome = outcome
        self.extras: Fields = {}
        self.seen: set[int] = set()
        self.finished: set[int] = set()
        self.spoke = False
        self.stateless = True
        self.from_whole = False
        self._envelope = envelope
        self._target = target
        self._whole = whole
        self._kind = self.WHOLE_KIND if whole else self.CHUNK_KIND
        self._head = b""
        self._created_s = 0
        self._splitters: dict[int, ThinkSplitter] = {}
        self._calls: dict[int, int] = {}
        self._blank: set[int] = set()

    def open_head(self, chunk: dict[str, Raw] | None = None) -> bytes:
        """Our opening members; `created` is the vendor's when it says one."""
        created = _value(chunk["created"]) if chunk and "created" in chunk else 0
        return self._head_at(created if isinstance(created, int) else 0)

    def _head_at(self, created: int) -> bytes:
        if not 0 < created < 2**53:
            created = self._created_s or self._envelope.created_s
        if not self._head or created != self._created_s:
            self._created_s = created
            self._head = head(self._envelope, self._kind, created)
        return self._head

    def parse(self, data: bytes) -> dict[str, Raw]:
        """The members of a JSON object; an error in it is raised."""
        try:
            if not data.isascii():
                data.decode()
            chunk = members(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            repaired = without_absurd_usage(data)
            if not repaired:
                raise Garbled(metadata={"what": "json"}) from None
            self._flag("usage_absurd")
            chunk = members(repaired)
        self.check_error(chunk)
        return chunk

    def check_error(self, chunk: dict[str, Raw]) -> None:
        """An error under status 200, in any of the recorded shapes."""
        if given(chunk.get("error")):
            raise from_value({name: _value(raw) for name, raw in chunk.items() if name != "choices"})
        base = given(chunk.get("base_resp"))
        if base and _value(base).get("status_code"):
            raise from_value({"base_resp": _value(base)}, default_status=502)
        if "choices" not in chunk and not self._whole and given(chunk.get("object")) == b'"error"':
            raise from_value({name: _value(raw) for name, raw in chunk.items()})

    def note(self, chunk: dict[str, Raw]) -> None:
        """Ids, model and usage, remembered."""
        outcome = self.outcome
        if not outcome.upstream_id and len(given(chunk.get("id"))) > 2:
            outcome.upstream_id = str(_value(chunk["id"]))[:256]
        if not outcome.upstream_model and len(given(chunk.get("model"))) > 2:
            outcome.upstream_model = str(_value(chunk["model"]))[:256]
            if differs(outcome.upstream_model, self._target.model):
                self._flag("model_mismatch")
        raw = chunk.get("usage")
        if not given(raw):
            raw = extension_usage(chunk)
        if raw is not None and given(raw):
            self._note_usage(raw)

    def _note_usage(self, raw: Raw) -> None:
        """The last cumulative counts win; fewer than before are flagged."""
        outcome = self.outcome
        usage = read_usage(raw, self._target.usage, outcome.flags)
        if usage is not None:
            if outcome.usage is not None and lower(usage.leaves, outcome.usage.leaves):
                self._flag("usage_lowered")
            outcome.usage = usage

    def chunk(self, data: bytes) -> bytes:
        """One stream chunk of ours for one of the vendor's, without framing; empty if nothing is left of it."""
        self.spoke = False
        try:
            return self._rewritten(data)
        except MALFORMED:
            raise Garbled(metadata={"what": "chunk"}) from None

    def _rewritten(self, data: bytes) -> bytes:
        chunk = self.parse(data)
        self.note(chunk)
        rest = {name: raw for name, raw in chunk.items() if name not in _NOISE}
        choices = self.choices(chunk)
        if not choices:
            self.extras.update(rest)
            return b""
        out = self.open_head(chunk) + b',"choices":[' + b",".join(choices) + b"]"
        return out + b"".join([b',"%b":%b' % (_key(name), bytes(raw)) for name, raw in rest.items()]) + b"}"

    def choices(self, chunk: dict[str, Raw]) -> list[bytes]:
        """Our choices for the vendor's; those nobody asked for are dropped and flagged."""
        raw = given(chunk.get("choices"))
        if not raw:
            return []
        out: list[bytes] = []
        for position, choice in enumerate(_objects(raw)):
            index = _value(choice["index"]) if given(choice.get("index")) else position
            if not isinstance(index, int) or not 0 <= index < self._envelope.choices:
                self._flag("extra_choices")
                continue
            if self._whole and index in self.seen:
                self._flag("duplicate_choice")
            self.seen.add(index)
            nested = choice.pop("usage", None)
            if nested is not None and given(nested):
                self._note_usage(nested)
            rewritten = self._choice(choice, index)
            if rewritten:
                out.append(rewritten)
        return out

    def _flag(self, word: str) -> None:
        if word not in self.outcome.flags:
            self.outcome.flags.append(word)

    def _choice(self, choice: dict[str, Raw], index: int) -> bytes:
        if given(choice.get("error")):
            raise from_value({"error": _value(choice["error"])})
        native = given(choice.pop("finish_reason", None))
        prior = given(choice.pop("native_finish_reason", None))
        word = str(_value(native)) if native else ""
        ours = self._said(choice, index, ended=bool(word))
        if native and not word:
            self._blank.add(index)
        finish, native_raw = _NULL, _NULL
        if word:
            finish, native_raw = self._finish(word, prior or native, index)
        elif self._whole:
            self._flag("finish_missing")
            finish = self._finish("stop", b'""', index)[0]
        elif not ours and not self._whole:
            return b""
        choice.pop("index", None)
        fields: Fields = {"index": b"%d" % index, **(ours or self._nothing())}
        fields["finish_reason"] = finish
        fields["native_finish_reason"] = native_raw
        if "logprobs" in choice and bytes(choice["logprobs"])[:1] != b"{":
            choice["logprobs"] = Raw(_NULL)
        fields.update(choice)
        return join(fields)

    def _nothing(self) -> Fields:
        return {"message" if self._whole else "delta": b"{}"}

    def _said(self, choice: dict[str, Raw], index: int, *, ended: bool) -> Fields:
        """The member that carries what is said in this choice; empty if nothing is."""
        member = "message" if self._whole else "delta"
        delta, message_raw = given(choice.pop("delta", None)), given(choice.pop("message", None))
        text = choice.pop("text", None)
        body = (message_raw or delta) if self._whole or self.from_whole else (delta or message_raw)
        message = members(body) if body else {}
        if not body and text is not None:
            message = {"content": text}
        ours = self._message(message, index, ended=ended)
        if not ours:
            return {}
        said = join(ours)
        check_delta(said)
        return {member: said}

    def _finish(self, word: str, native: bytes, index: int) -> tuple[bytes, bytes]:
        common = finish_word(word, bool(self._calls.get(index)))
        self.finished.add(index)
        self.stateless = False
        if index == 0 or not self.outcome.finish:
            self.outcome.finish = common
            self.outcome.native_finish = str(_value(native))[:64]
        if common == "error":
            raise VendorFailed(detail=word[:64])
        return _encode(common), native

    def blank_end(self, *, certain: bool) -> bytes:
        """Some vendors end with an empty finish reason, or (`certain`: usage and end mark came) with none at all: the chunk that
        says it properly. Empty if none is due.
        """
        open_choices = self.seen - self.finished
        due = open_choices if certain or self._blank >= open_choices else set()
        if due:
            self._flag("finish_missing")
        out = []
        for index in sorted(due):
            finish, native = self._finish("stop", b'""', index)
            out.append(self.LAST_CHOICE % (index, finish, native))
        return self.open_head() + b',"choices":[' + b",".join(out) + b"]}" if out else b""

    def _message(self, message: dict[str, Raw], index: int, *, ended: bool) -> Fields:
        """The delta or message, rewritten."""
        reasoning, details = self._pop_reasoning(message)
        out: Fields = {}
        if "role" in message:
            message.pop("role")
            out["role"] = b'"assistant"'
        reasoning += self._content(message, index, ended=ended)
        out.update(self._reasoning(reasoning, details))
        if given(message.get("tool_calls")):
            message["tool_calls"] = Raw(self._tool_calls(_objects(message["tool_calls"]), index))
        elif "tool_calls" in message:
            message.pop("tool_calls")
        for name in _CONTENT_MEMBERS:
            if given(message.get(name)) not in (b"", b'""', b"[]", b"{}"):
                self.spoke = True
        out.update(message)
        return out

    def _content(self, message: dict[str, Raw], index: int, *, ended: bool) -> str:
        """Puts the answer text in place and gives the reasoning found in it."""
        content = given(message.get("content"))
        thought = ""
        if content[:1] == b'"':
            text = _string(content)
            if self._target.reasoning_field == "think":
                thought, text = self._think(text, index, ended=ended)
                message["content"] = Raw(_encode(text))
        elif content[:1] == b"[":
            thought, text = split_list(_value(content))
            message["content"] = Raw(_encode(text))
        elif content:
            text = content.decode()
            message["content"] = Raw(_encode(text))
        elif ended and index in self._splitters:
            thought, text = self._splitters[index].close()
            if text:
                message["content"] = Raw(_encode(text))
        else:
            return ""
        self._count(text)
        return thought

    def _count(self, text: str) -> None:
        if text:
            self.outcome.content_chars += len(text)
            self.spoke = True

    def _think(self, text: str, index: int, *, ended: bool) -> tuple[str, str]:
        splitter = self._splitters.setdefault(index, ThinkSplitter())
        thought, answer = splitter.feed(text)
        if ended or self._whole:
            more = splitter.close()
            thought, answer = thought + more[0], answer + more[1]
        self.stateless = splitter.settled
        return thought, answer

    def _pop_reasoning(self, message: dict[str, Raw]) -> tuple[str, bytes]:
        text = ""
        for name in (self._target.reasoning_field, *REASONING_FIELDS):
            raw = given(message.pop(name, None)) if name else b""
            if raw[:1] == b'"' and not text:
                text = _string(raw)
        message.pop("channel", None)
        details = given(message.pop("reasoning_details", None))
        return text, details if details[:1] == b"[" and details != b"[]" else b""

    def _reasoning(self, text: str, details: bytes) -> Fields:
        if not text and not details:
            return {}
        if not text and details:
            text = "".join(
                str(part.get("text") or part.get("summary") or "") for part in _value(details) if isinstance(part, dict)
            )
        self.outcome.reasoning_chars += len(text)
        if not self._envelope.include_reasoning:
            return {}
        self.spoke = True
        out: Fields = {}
        if text:
            out["reasoning"] = _encode(text)
        out["reasoning_details"] = details or reasoning_detail(text)
        return out

    def _tool_calls(self, calls: list[dict[str, Raw]], index: int) -> bytes:
        out = [join(self._tool_call(call, index, position)) for position, call in enumerate(calls)]
        self.spoke = True
        return b"[" + b",".join(out) + b"]"

    def _tool_call(self, call: dict[str, Raw], index: int, position: int) -> dict[str, Raw]:
        """One call or a piece of one: with an id and an index even where the vendor gave none."""
        function = members(given(call.get("function")) or b"{}")
        if len(given(function.get("name"))) > 2 or given(call.get("custom")).find(b'"name"') > 0:
            self.stateless = False
            position = self._calls.get(index, 0)
            self._calls[index] = position + 1
            self.outcome.tool_calls += 1
            if len(given(call.get("id"))) <= 2:
                base = (self._envelope.id.removeprefix("gen-") or self.outcome.upstream_id)[-16:]
                call["id"] = Raw(_encode(f"call_{base}_{index}_{position}"))
            call.setdefault("type", Raw(b'"function"'))
        arguments = given(function.get("arguments"))
        if arguments[:1] == b"{":
            function["arguments"] = Raw(_encode(arguments.decode()))
            call["function"] = Raw(join(function))
        elif self._whole and function and not arguments:
            function["arguments"] = Raw(b'"{}"')
            call["function"] = Raw(join(function))
        if not given(call.get("index")):
            call.pop("index", None)
            if not self._whole:
                call["index"] = Raw(b"%d" % position)
        return call
