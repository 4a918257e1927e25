"""A canonical request written as chat: first in the common form, then through the relay's own rewriting for the vendor.
What another dialect said and chat cannot say becomes a warning, never silence.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.openai_chat.decoding import NAME
from farebox.dialects.openai_chat.relay_request import relay_request
from farebox.dialects.ports import Opened, Target
from farebox.dialects.shared.reasoning_details import detail_of
from farebox.ir.events import Warning
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    FileId,
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
    ToolChoice,
    ToolMode,
    ToolResult,
)

_encode = msgspec.json.encode
Fields = dict[str, Any]


class Writer:
    """Gathers the members, the marks for rewriting, and what was lost."""

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self.warnings: list[Warning] = []

    def lost(self, path: str, what: str) -> None:
        self.warnings.append(Warning("unsupported", path, f"{what} cannot be said in this dialect."))

    def extras(self, extras: dict[str, dict[str, Raw]], path: str) -> Fields:
        for dialect in extras:
            if dialect != NAME:
                self.lost(path, f"An extension of {dialect}")
        return dict(extras.get(NAME, {}))

    def cache(self, mark: CacheMark | None) -> Fields:
        if mark is None:
            return {}
        self.marks.add("cache_control")
        return {"cache_control": {"type": "ephemeral"} | ({"ttl": mark.ttl} if mark.ttl != "5m" else {})}

    def message(self, message: Message, path: str) -> list[Fields]:
        if message.role is Role.TOOL:
            return [self._result(part, message, path) for part in message.parts if isinstance(part, ToolResult)]
        if message.role is Role.DEVELOPER:
            self.marks.add("developer")
        out: Fields = {"role": message.role.value}
        results = [self._result(part, message, path) for part in message.parts if isinstance(part, ToolResult)]
        content = [part for part in message.parts if isinstance(part, Text | Media | Opaque)]
        refusals = [part.text for part in message.parts if isinstance(part, Refusal)]
        if content or not results:
            out.update(self._content(content, path))
        if message.name:
            self.marks.add("name")
            out["name"] = message.name
        if message.role is Role.ASSISTANT:
            self.marks.add("assistant")
            out.update(self._answer(message, path))
        if refusals:
            out["refusal"] = "".join(refusals)
        out.update(self.extras(message.extras, path))
        return results + ([out] if len(out) > 1 or not results else [])

    def _answer(self, message: Message, path: str) -> Fields:
        out: Fields = {}
        thoughts = [part for part in message.parts if isinstance(part, Reasoning)]
        if thoughts:
            self.marks.add("reasoning")
            details = [detail_of(part, index) | self.extras(part.extras, path) for index, part in enumerate(thoughts)]
            text = "".join(part.text or part.summary for part in thoughts)
            out = {"reasoning": text} if text else {}
            if any(part.origin is not None or part.seal is not None or part.summary for part in thoughts):
                out["reasoning_details"] = details
        calls = [part for part in message.parts if isinstance(part, ToolCall)]
        if calls:
            self.marks.add("tool_calls")
            out["tool_calls"] = [self._call(call, path) for call in calls]
        return out

    def _call(self, call: ToolCall, path: str) -> Fields:
        rest = self.extras(call.extras, path)
        inner = {"name": call.name, ("arguments" if call.form == "function" else "input"): call.arguments}
        return (
            ({"id": call.call_id} if call.call_id else {})
            | {"type": call.form, call.form: inner | _pop(rest, call.form)}
            | rest
        )

    def _result(self, result: ToolResult, message: Message, path: str) -> Fields:
        self.marks.add("tool")
        out: Fields = {"role": "tool"} | ({"tool_call_id": result.call_id} if result.call_id else {})
        out |= self._content(list(result.parts), path)
        out.setdefault("content", "")
        if result.name:
            out["name"] = result.name
        if message.role is Role.TOOL:
            out.update(self.extras(message.extras, path))
        return out

    def _content(self, parts: list[Any], path: str) -> Fields:
        if not parts:
            return {}
        if len(parts) == 1 and type(parts[0]) is Text and parts[0].cache is None and not parts[0].extras:
            return {"content": parts[0].text}
        self.marks.add("parts")
        written = [self._part(part, path) for part in parts]
        return {"content": [part for part in written if part is not None]}

    def _part(self, part: AnyPart, path: str) -> Fields | Raw | None:
        if isinstance(part, Text):
            return {"type": "text", "text": part.text} | self.cache(part.cache) | self.extras(part.extras, path)
        if isinstance(part, Media):
            return self._media(part, path)
        if isinstance(part, Opaque) and part.origin is not None and part.origin.dialect == NAME:
            return part.payload
        self.lost(path, "A part")
        return None

    def _media(self, part: Media, path: str) -> Fields | None:
        rest = self.extras(part.extras, path)
        address = _address(part)
        if part.family in ("image", "video"):
            kind = f"{part.family}_url"
            inner: Fields = {"url": address} | ({"detail": part.detail} if part.detail else {})
        elif part.family == "audio":
            kind = "input_audio"
            inner = {
                "data": part.source.data if isinstance(part.source, Inline) else address,
                "format": part.media_type.rpartition("/")[2],
            }
        else:
            kind = "file"
            inner = {"file_id": part.source.file_id} if isinstance(part.source, FileId) else {"file_data": address}
            if part.filename:
                inner["filename"] = part.filename
        return {"type": kind, kind: inner | _pop(rest, kind)} | self.cache(part.cache) | rest

    def tool(self, tool: Tool, path: str) -> Fields | Raw | None:
        if tool.form == "server":
            definition = tool.extras.get(NAME, {}).get("definition")
            if definition is None:
                self.lost(path, "A tool that the vendor runs")
            return definition
        rest = self.extras(tool.extras, path)
        inner: Fields = {"name": tool.name}
        if tool.description:
            inner["description"] = tool.description
        if tool.schema is not None:
            inner["parameters"] = tool.schema
        if tool.strict is not None:
            inner["strict"] = tool.strict
        mark = self.cache(tool.cache)
        if mark:
            self.marks.add("tool_cache_control")
        return {"type": tool.form, tool.form: inner | _pop(rest, tool.form)} | mark | rest


def _pop(rest: Fields, kind: str) -> Fields:
    raw = rest.pop(kind, None)
    return msgspec.json.decode(raw, type=dict[str, Raw]) if raw is not None else {}


def _address(part: Media) -> str:
    if isinstance(part.source, Inline):
        return f"data:{part.media_type};base64,{part.source.data}"
    return part.source.file_id if isinstance(part.source, FileId) else part.source.url


def _choice(choice: ToolChoice) -> Any:
    if choice.mode is ToolMode.NAMED:
        return {"type": "function", "function": {"name": choice.names[0]}}
    return choice.mode.value


def _output(output: OutputFormat, writer: Writer) -> Fields:
    rest = writer.extras(output.extras, "$.response_format")
    out: Fields = {"type": output.form}
    if output.form == "json_schema":
        inner: Fields = {"name": output.name} if output.name else {}
        for name, value in (
            ("description", output.description or None),
            ("schema", output.schema),
            ("strict", output.strict),
        ):
            if value is not None:
                inner[name] = value
        out["json_schema"] = inner | _pop(rest, "json_schema")
    return out | rest


def wish_fields(wish: ReasoningWish) -> Fields:
    """The `reasoning` object of a wish."""
    out: Fields = {}
    for name in ("effort", "max_tokens", "enabled", "summary"):
        value = getattr(wish, name)
        if value is not None:
            out[name] = value
    if wish.exclude:
        out["exclude"] = True
    return out | dict(wish.extras.get(NAME, {}))


def chat_fields(request: Request) -> tuple[Fields, Writer]:
    """The request in the common form of this dialect."""
    writer = Writer()
    sampling, limits = request.sampling, request.limits
    out: Fields = {}
    out["messages"] = [
        fields
        for index, message in enumerate(request.messages)
        for fields in writer.message(message, f"$.messages[{index}]")
    ]
    if request.tools:
        written = [writer.tool(tool, f"$.tools[{index}]") for index, tool in enumerate(request.tools)]
        out["tools"] = [tool for tool in written if tool is not None]
    members: Fields = {
        "tool_choice": _choice(request.tool_choice) if request.tool_choice is not None else None,
        "parallel_tool_calls": request.parallel_tools,
        "response_format": _output(request.output, writer) if request.output is not None else None,
        "reasoning": wish_fields(request.reasoning) if request.reasoning is not None else None,
        "max_tokens": limits.max_tokens,
        "stop": (limits.stop[0] if len(limits.stop) == 1 else list(limits.stop)) if limits.stop else None,
        "verbosity": limits.verbosity,
        "n": sampling.choices if sampling.choices != 1 else None,
        "modalities": list(request.modalities) or None,
        "prompt_cache_key": request.cache_key,
        "service_tier": request.service_tier,
        "user": request.user,
        "metadata": request.metadata,
    }
    for name in sampling.__struct_fields__:
        if name != "choices":
            members[name] = getattr(sampling, name)
    out.update({name: value for name, value in members.items() if value is not None})
    if request.cache is not None:
        out["cache_control"] = {"type": "ephemeral", "ttl": request.cache.ttl}
    out.update(writer.extras(request.extras, "$"))
    return out, writer


def encode_chat(request: Request, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    fields, writer = chat_fields(request)
    raw = {name: Raw(_encode(value)) for name, value in fields.items()}
    opened = Opened(
        body=b"",
        fields=raw,
        models=request.models,
        stream=request.stream,
        choices=request.sampling.choices,
        max_tokens=request.limits.max_tokens,
        parameters=frozenset(("reasoning",)) if request.reasoning is not None else frozenset(),
        marks=frozenset(writer.marks),
    )
    body, warnings = relay_request(opened, target)
    return body, writer.warnings + warnings
