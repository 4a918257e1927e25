"""A canonical request written for `/api/chat`. Sampling goes into `options`; what another dialect said and this one cannot say
becomes a warning, never silence. Media come as base64 only: nothing is fetched.

Own members (see `_OWN`) come as extensions of this dialect, or beside the members of another.
`Target.settings`: `path`, `num_ctx`.
Option words: `no_thinking_words` (levels of thinking are said as yes or no).
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.sending import (
    CHANGED,
    REASONING_DROPPED,
    SEAL_DROPPED,
    UNSUPPORTED,
    Losses,
    arguments,
    body,
    leave,
    members,
    object_of,
    wishes,
)
from farebox.dialects.ollama_chat.words import NAME
from farebox.dialects.ports import Target
from farebox.ir.errors import VendorUnsupported
from farebox.ir.events import Warning
from farebox.ir.request import (
    AnyPart,
    Inline,
    Media,
    Message,
    Opaque,
    OutputFormat,
    Reasoning,
    ReasoningWish,
    Refusal,
    Request,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolMode,
    ToolResult,
)

_OWN = frozenset(("keep_alive", "options", "think"))
_EMPTY = Raw(b'{"type":"object","properties":{}}')
_CUSTOM = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_OPTIONS = (
    ("max_tokens", "num_predict"),
    ("stop", "stop"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("top_k", "top_k"),
    ("min_p", "min_p"),
    ("seed", "seed"),
    ("repetition_penalty", "repeat_penalty"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
)
_ROLES = {Role.DEVELOPER: "system"}
_LEVELS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}
Fields = dict[str, Any]


class _Writer:
    __slots__ = ("_losses", "_names", "_target")

    def __init__(self, target: Target, losses: Losses) -> None:
        self._target = target
        self._losses = losses
        self._names: dict[str, str] = {}

    def message(self, message: Message, path: str) -> list[Fields]:
        rest = self._losses.extras(message.extras, path, NAME)
        results = [self._result(part, path) for part in message.parts if isinstance(part, ToolResult)]
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        if message.name:
            self._losses.say(UNSUPPORTED, f"{path}.name", "This provider takes no names of speakers.")
        if message.role is Role.TOOL or (results and not others):
            return results
        out: Fields = {"role": _ROLES.get(message.role, message.role.value), "content": ""}
        texts: list[str] = []
        for part in others:
            self._part(part, out, texts, path)
        out["content"] = "\n\n".join(texts) if message.role is not Role.ASSISTANT else "".join(texts)
        return [*results, out | rest]

    def _part(self, part: AnyPart, out: Fields, texts: list[str], path: str) -> None:
        if isinstance(part, Opaque):
            self._losses.part(path, "A part")
            return
        rest = self._losses.extras(part.extras, path, NAME)
        if part.cache is not None:
            self._losses.say(UNSUPPORTED, f"{path}.cache_control", "This provider takes no cache marks.")
        if isinstance(part, Text | Refusal):
            texts.append(part.text)
        elif isinstance(part, Media):
            out.setdefault("images", []).append(_image(part, path))
        elif isinstance(part, Reasoning):
            self._thought(part, out, path)
        elif isinstance(part, ToolCall):
            if part.call_id:
                self._names[part.call_id] = part.name
            given = self._given(part, path)
            call = {"function": {"name": part.name, "arguments": given}} | rest
            out.setdefault("tool_calls", []).append(({"id": part.call_id} if part.call_id else {}) | call)
        else:
            self._losses.part(path, "A part")

    def _given(self, part: ToolCall, path: str) -> Raw:
        if part.form == "custom":
            return Raw(msgspec.json.encode({"input": part.arguments}))
        return arguments(part.arguments, self._losses, path)

    def _thought(self, part: Reasoning, out: Fields, path: str) -> None:
        if part.seal is not None:
            self._losses.say(SEAL_DROPPED, path, "Sealed reasoning goes back only to where it was made.")
        text = part.text or part.summary
        if self._target.reasoning_replay == "never" or not text:
            self._losses.say(REASONING_DROPPED, path, "Earlier reasoning was left out.")
            return
        out["thinking"] = out.get("thinking", "") + text

    def _result(self, part: ToolResult, path: str) -> Fields:
        rest = self._losses.extras(part.extras, path, NAME)
        texts = [inner.text for inner in part.parts if isinstance(inner, Text)]
        out: Fields = {"role": "tool", "content": "\n".join(texts)}
        name = part.name or self._names.get(part.call_id, "")
        if name:
            out["tool_name"] = name
        if part.call_id:
            out["tool_call_id"] = part.call_id
        for inner in part.parts:
            if isinstance(inner, Media):
                out.setdefault("images", []).append(_image(inner, path))
            elif not isinstance(inner, Text):
                self._losses.part(path, "A part of a tool result")
        if part.failed:
            self._losses.say(UNSUPPORTED, path, "That a tool failed is only told by its text.")
        return out | rest


def _image(part: Media, path: str) -> str:
    if part.family != "image" or not isinstance(part.source, Inline):
        raise VendorUnsupported("This provider takes text and images as data only.", path=path)
    return part.source.data


def encode_ollama(request: Request, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    losses = Losses()
    given = wishes(request, target, losses)
    own = members(request, NAME, _OWN, losses)
    writer = _Writer(target, losses)
    fields: Fields = {"model": target.model}
    fields["messages"] = [
        written
        for index, message in enumerate(request.messages)
        for written in writer.message(message, f"$.messages[{index}]")
    ]
    fields["stream"] = request.stream
    options = _options(given, own, target)
    if options:
        fields["options"] = options
    for name in ("logprobs", "top_logprobs"):
        if name in given:
            fields[name] = given.pop(name)
    tools = _tools(request, losses)
    if tools:
        fields["tools"] = tools
    if request.output is not None:
        fields.update(_format(request.output, losses))
    if request.reasoning is not None:
        fields.update(_think(request.reasoning, target, losses))
    if request.cache is not None:
        losses.say(UNSUPPORTED, "$.cache_control", "This provider takes no cache marks.")
    leave(given, losses)
    fields.update(own)
    return body(fields, target, losses), losses.warnings


def _options(given: Fields, own: Fields, target: Target) -> Fields:
    """Sampling, the size of the context, and what the caller said in this dialect's own words."""
    options: Fields = {name: given.pop(word) for word, name in _OPTIONS if word in given}
    context = target.settings.get("num_ctx", "")
    if context.isdigit():
        options["num_ctx"] = int(context)
    return options | object_of(own.pop("options"), "options") if "options" in own else options


def _tools(request: Request, losses: Losses) -> list[Fields]:
    """The tools on offer. Requests with a `tool_choice` hang here (recorded by others, 2025), so there never is one."""
    choice = request.tool_choice
    if choice is not None and choice.mode is ToolMode.NONE:
        return []
    if choice is not None and choice.mode is not ToolMode.AUTO:
        losses.dropped("tool_choice")
    specs = [_tool(tool, losses, f"$.tools[{index}]") for index, tool in enumerate(request.tools)]
    return [spec for spec in specs if spec is not None]


def _tool(tool: Tool, losses: Losses, path: str) -> Fields | None:
    rest = losses.extras(tool.extras, path, NAME)
    if tool.form == "server":
        losses.part(path, "A tool that the vendor runs")
        return None
    if tool.form == "custom":
        losses.say(CHANGED, path, "A custom tool was sent as a function with one text argument.")
    if tool.cache is not None:
        losses.say(UNSUPPORTED, f"{path}.cache_control", "This provider takes no cache marks.")
    if tool.strict:
        losses.say(UNSUPPORTED, f"{path}.strict", "This provider takes no strict tools.")
    inner: Fields = {"name": tool.name}
    if tool.description:
        inner["description"] = tool.description
    inner["parameters"] = _CUSTOM if tool.form == "custom" else tool.schema if tool.schema is not None else _EMPTY
    return {"type": "function", "function": inner} | rest


def _format(output: OutputFormat, losses: Losses) -> Fields:
    losses.extras(output.extras, "$.response_format", NAME)
    if output.form == "text":
        return {}
    if output.form == "json_schema" and output.schema is not None:
        return {"format": output.schema}
    if output.form in ("json_object", "json_schema"):
        return {"format": "json"}
    losses.dropped("response_format")
    return {}


def _think(wish: ReasoningWish, target: Target, losses: Losses) -> Fields:
    losses.extras(wish.extras, "$.reasoning", NAME)
    on = wish.enabled
    if on is None and wish.effort is not None:
        on = wish.effort != "none"
    if on is None and wish.max_tokens:
        on = True
    if on is None:
        return {}
    if target.reasoning_wish == "none":
        if on:
            losses.dropped("reasoning")
        return {}
    if wish.max_tokens is not None and on:
        losses.say(CHANGED, "$.reasoning.max_tokens", "This provider takes no thinking budget.")
    if on and wish.effort in _LEVELS and "no_thinking_words" not in target.options:
        return {"think": _LEVELS[wish.effort]}
    return {"think": on}
