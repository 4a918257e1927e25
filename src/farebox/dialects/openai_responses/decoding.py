"""A Responses request made canonical. Refuses nothing that `opening` let through: what it does not know is kept as extras.

Consecutive items of the assistant (reasoning, one message, calls, items of vendor-side tools) become one message.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.openai_responses.items_in import content_part, extras_of, item_parts, mark_of
from farebox.dialects.openai_responses.words import (
    ENCRYPTED,
    LOGPROBS,
    NAME,
    OWN,
    RESULTS,
    encode,
    given,
    members_of,
    raws_of,
    text_of,
)
from farebox.dialects.ports import Opened
from farebox.dialects.shared.reader import Reader
from farebox.ir.errors import InvalidRequest
from farebox.ir.request import (
    AnyPart,
    Message,
    Opaque,
    Origin,
    OutputFormat,
    OutputLimits,
    ReasoningWish,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolChoice,
    ToolMode,
    ToolResult,
)

_SAMPLING = (
    "temperature", "top_p", "top_k", "top_a", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "seed",
    "top_logprobs",
)  # fmt: skip
_ORIGIN = Origin(NAME)


def decode_responses(opened: Opened) -> Request:
    """The canonical request. Raises `InvalidRequest` for members of a wrong type that `opening` does not look at."""
    try:
        return _decode(opened)
    except msgspec.DecodeError as problem:
        raise InvalidRequest(f"{str(problem)[:200]}.", path="$.input", reason="invalid_value") from None


def _decode(opened: Opened) -> Request:
    reader = Reader({name: raw for name, raw in opened.fields.items() if name not in OWN})
    reader.raw("max_output_tokens")
    messages = _instructions(reader) + _input(reader.raw("input"))
    tools, stop, cache = reader.items("tools") or [], reader.value("stop"), reader.value("cache_control")
    text = reader.inner("text")
    output, verbosity = _output(text) if text is not None else (None, None)
    choice, chosen = _choice(reader)
    includes = reader.value("include") or []
    numbers = {name: reader.value(name) for name in _SAMPLING}
    logprobs = True if LOGPROBS in includes or numbers["top_logprobs"] else None
    sampling = Sampling(logprobs=logprobs, logit_bias=reader.raw("logit_bias"), **numbers)
    parallel, wish = reader.value("parallel_tool_calls"), wish_of(reader.inner("reasoning"))
    named = {name: reader.value(name) for name in ("service_tier", "user", "metadata")}
    modalities, cache_key = reader.value("modalities") or (), reader.value("prompt_cache_key")
    extras = {name: raw for name, raw in (reader.rest() | chosen).items() if given(raw)}
    others = [word for word in includes if word not in (LOGPROBS, ENCRYPTED)]
    if others or ENCRYPTED in includes:
        extras["include"] = Raw(encode([ENCRYPTED, *others] if ENCRYPTED in includes else others))
    if text is not None and any(given(raw) for raw in text.rest().values()):
        extras["text"] = Raw(encode(text.rest()))
    return Request(
        models=opened.models,
        messages=tuple(messages),
        tools=tuple(_tool(fields) for fields in tools),
        tool_choice=choice,
        parallel_tools=parallel,
        output=output,
        reasoning=wish,
        sampling=sampling,
        limits=OutputLimits(
            max_tokens=opened.max_tokens,
            stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
            verbosity=verbosity,
        ),
        modalities=tuple(modalities),
        cache=mark_of(cache),
        cache_key=cache_key,
        stream=opened.stream,
        extras=extras_of(extras),
        **named,
    )


def _instructions(reader: Reader) -> list[Message]:
    raw = reader.raw("instructions")
    if raw is None:
        return []
    if bytes(raw)[:1] == b'"':
        return [Message(role=Role.SYSTEM, parts=(Text(text=text_of(raw)),))]
    return _input(raw)


def _input(raw: Raw | None) -> list[Message]:
    if raw is None:
        return []
    if bytes(raw)[:1] == b'"':
        return [Message(role=Role.USER, parts=(Text(text=text_of(raw)),))]
    turns = _Turns()
    for payload in raws_of(raw):
        turns.take(payload)
    turns.end()
    return turns.messages


class _Turns:
    """Gathers items into messages; `turn` is what the assistant said without a break."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._turn: list[AnyPart] = []
        self._spoken = False

    def end(self) -> None:
        if self._turn:
            self.messages.append(Message(role=Role.ASSISTANT, parts=tuple(self._turn)))
            self._turn = []
        self._spoken = False

    def take(self, payload: Raw) -> None:
        fields = members_of(payload)
        kind = text_of(fields.get("type")) or "message"
        role = text_of(fields.get("role")) or "user"
        spoken = kind == "message" and role == "assistant"
        if spoken or (kind != "message" and kind not in RESULTS and not kind.endswith(("_output", "_response"))):
            if self._spoken and (spoken or kind == "reasoning"):
                self.end()
            self._spoken = self._spoken or spoken
            self._turn += item_parts(payload, _ORIGIN, answer=False)
            return
        self.end()
        if kind in RESULTS:
            self.messages.append(_result(fields, kind))
        elif kind == "message":
            self.messages.append(Message(role=Role(role), parts=tuple(item_parts(payload, _ORIGIN, answer=False))))
        else:
            self.messages.append(Message(role=Role.USER, parts=(Opaque(payload=payload, origin=_ORIGIN),)))


def _result(fields: dict[str, Raw], kind: str) -> Message:
    reader = Reader(fields)
    reader.raw("type")
    call_id, output = text_of(reader.raw("call_id")), given(reader.raw("output"))
    parts: tuple[AnyPart, ...]
    if output[:1] == b"[":
        parts = tuple(content_part(Raw(entry), {}) for entry in raws_of(output))
    else:
        parts = (Text(text=text_of(output) if output[:1] == b'"' else output.decode()),)
    rest = {name: raw for name, raw in reader.rest().items() if given(raw)}
    if RESULTS[kind] != "function":
        rest["type"] = Raw(encode(kind))
    return Message(role=Role.TOOL, parts=(ToolResult(call_id=call_id, parts=parts, extras=extras_of(rest)),))


def _tool(fields: dict[str, Raw]) -> Tool:
    reader = Reader(fields)
    form = text_of(reader.raw("type")) or "function"
    if form not in ("function", "custom"):
        return Tool(name=form, form="server", extras={NAME: {"definition": Raw(encode(fields))}})
    cache = reader.value("cache_control")
    name, description, strict = reader.text("name") or "", reader.text("description") or "", reader.value("strict")
    schema = reader.raw("parameters")
    return Tool(
        name=name,
        description=description,
        schema=schema,
        strict=strict,
        form=form,
        cache=mark_of(cache),
        extras=extras_of({name: raw for name, raw in reader.rest().items() if given(raw)}),
    )


def _choice(reader: Reader) -> tuple[ToolChoice | None, dict[str, Raw]]:
    """The choice, and the raw member where only this protocol can say it."""
    raw = reader.raw("tool_choice")
    if raw is None:
        return None, {}
    if bytes(raw)[:1] == b'"':
        return ToolChoice(ToolMode(text_of(raw))), {}
    inner = Reader(members_of(raw))
    kind, name = text_of(inner.raw("type")), text_of(inner.raw("name"))
    if kind in ("function", "custom") and name:
        return ToolChoice(ToolMode.NAMED, (name,)), {}
    if kind == "allowed_tools":
        tools: list[Any] = inner.value("tools") or []
        if all(isinstance(tool, dict) and tool.get("type") == "function" and tool.get("name") for tool in tools):
            mode = ToolMode.REQUIRED if text_of(inner.raw("mode")) == "required" else ToolMode.AUTO
            return ToolChoice(mode, tuple(str(tool["name"]) for tool in tools)), {}
    return None, {"tool_choice": raw}


def _output(reader: Reader) -> tuple[OutputFormat | None, str | None]:
    verbosity = reader.text("verbosity")
    inner = reader.inner("format")
    if inner is None:
        return None, verbosity
    form = inner.text("type") or "text"
    name, schema, strict = inner.text("name") or "", inner.raw("schema"), inner.value("strict")
    description = inner.text("description") or ""
    rest = {name: raw for name, raw in inner.rest().items() if given(raw)}
    return OutputFormat(
        form=form, name=name, schema=schema, strict=strict, description=description, extras=extras_of(rest)
    ), verbosity


def wish_of(reader: Reader | None) -> ReasoningWish | None:
    if reader is None:
        return None
    return ReasoningWish(
        effort=reader.text("effort"),
        max_tokens=reader.value("max_tokens"),
        enabled=reader.value("enabled"),
        exclude=bool(reader.value("exclude")),
        summary=reader.text("summary"),
        extras=extras_of({name: raw for name, raw in reader.rest().items() if given(raw)}),
    )
