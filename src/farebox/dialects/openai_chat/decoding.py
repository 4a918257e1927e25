"""A chat request made canonical. Refuses nothing that `opening` let through: what it does not know is kept as extras."""

import re
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.openai_chat.wish import read_wish
from farebox.dialects.ports import Opened
from farebox.dialects.shared.reader import Reader, objects
from farebox.dialects.shared.reasoning_details import part_of
from farebox.ir.errors import InvalidRequest
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    FileId,
    Inline,
    Media,
    Message,
    Opaque,
    Origin,
    OutputFormat,
    OutputLimits,
    Reasoning,
    Refusal,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
    Url,
)

NAME = "openai_chat"
_encode = msgspec.json.encode
_value = msgspec.json.Decoder().decode
_DATA_URL = re.compile(r"data:([\w.+/-]*);base64,")
_NUMBERS = (
    "temperature", "top_p", "top_k", "top_a", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty",
    "seed", "logprobs", "top_logprobs",
)  # fmt: skip


def decode_chat(opened: Opened) -> Request:
    """The canonical request."""
    wish = read_wish(opened.fields)
    reader = Reader(opened.fields)
    for name in (
        "model",
        "models",
        "stream",
        "reasoning",
        "reasoning_effort",
        "include_reasoning",
        "n",
        "provider",
        "max_tokens",
        "max_completion_tokens",
    ):
        reader.raw(name)
    messages = reader.items("messages") or []
    tools, choice, output = reader.items("tools") or [], reader.value("tool_choice"), reader.inner("response_format")
    stop, cache = reader.value("stop"), reader.value("cache_control")
    sampling = Sampling(
        logit_bias=reader.raw("logit_bias"), choices=opened.choices, **{name: reader.value(name) for name in _NUMBERS}
    )
    return Request(
        models=opened.models,
        messages=tuple(_message(fields, f"$.messages[{index}]") for index, fields in enumerate(messages)),
        tools=tuple(_tool(fields, f"$.tools[{index}]") for index, fields in enumerate(tools)),
        tool_choice=_choice(choice),
        parallel_tools=reader.value("parallel_tool_calls"),
        output=_output(output) if output is not None else None,
        reasoning=wish,
        sampling=sampling,
        limits=OutputLimits(
            max_tokens=opened.max_tokens,
            stop=(stop,) if isinstance(stop, str) else tuple(stop or ()),
            verbosity=reader.value("verbosity"),
        ),
        modalities=tuple(reader.value("modalities") or ()),
        cache=_cache(cache),
        cache_key=reader.value("prompt_cache_key"),
        service_tier=reader.value("service_tier"),
        user=reader.value("user"),
        metadata=reader.value("metadata"),
        stream=opened.stream,
        extras=reader.extras(NAME),
    )


def _cache(value: Any) -> CacheMark | None:
    if not isinstance(value, dict):
        return None
    ttl = value.get("ttl")
    return CacheMark(ttl if isinstance(ttl, str) else "5m")


def _message(fields: dict[str, Raw], path: str) -> Message:
    reader = Reader(fields, path)
    role = Role(reader.text("role") or "user") if bytes(fields.get("role", b"")) != b'"function"' else Role.TOOL
    name = reader.text("name") or ""
    if role is Role.TOOL:
        call_id = reader.text("tool_call_id") or ""
        result = ToolResult(call_id=call_id, parts=tuple(_content(reader)), name=name)
        if bytes(fields["role"]) == b'"function"':
            reader.rest()["role"] = fields["role"]
        return Message(role=role, parts=(result,), extras=reader.extras(NAME))
    parts: list[AnyPart] = []
    if role is Role.ASSISTANT:
        parts += _reasoning(reader)
    parts += _content(reader)
    if role is Role.ASSISTANT:
        refusal = reader.text("refusal")
        if refusal is not None:
            parts.append(Refusal(text=refusal))
        parts += [
            _call(call, f"{path}.tool_calls[{index}]") for index, call in enumerate(reader.items("tool_calls") or [])
        ]
    return Message(role=role, parts=tuple(parts), name=name, extras=reader.extras(NAME))


def _reasoning(reader: Reader) -> list[AnyPart]:
    details = reader.items("reasoning_details")
    text = reader.value("reasoning")
    content = reader.value("reasoning_content")
    if details:
        known = ("type", "text", "summary", "data", "signature", "id", "format")
        return [
            part_of(
                {name: _value(raw) for name, raw in entry.items()},
                {name: raw for name, raw in entry.items() if name not in known},
            )
            for entry in details
        ]
    text = text if isinstance(text, str) else content
    return [Reasoning(text=text)] if isinstance(text, str) and text else []


def _content(reader: Reader) -> list[AnyPart]:
    raw = reader.raw("content")
    if raw is None:
        return []
    if bytes(raw)[:1] == b'"':
        return [Text(text=_value(raw))]
    return [_part(entry, f"{reader.path}.content[{index}]") for index, entry in enumerate(objects(raw))]


def _part(fields: dict[str, Raw], path: str) -> AnyPart:
    reader = Reader(fields, path)
    kind = reader.text("type") or ""
    if kind == "text":
        text, cache = reader.text("text"), _cache(reader.value("cache_control"))
        return Text(text=text or "", cache=cache, extras=reader.extras(NAME))
    if kind == "refusal":
        return Refusal(text=reader.text("refusal") or "", extras=reader.extras(NAME))
    decode = {"image_url": _image, "input_audio": _audio, "file": _file, "video_url": _video}.get(kind)
    inner = reader.inner(kind) if decode is not None and bytes(fields.get(kind, b""))[:1] == b"{" else None
    if decode is None or inner is None:
        return Opaque(payload=Raw(_encode(fields)), origin=Origin(NAME))
    cache = _cache(reader.value("cache_control"))
    return decode(inner, cache, reader)


def _extras(inner: Reader, outer: Reader, kind: str) -> dict[str, dict[str, Raw]]:
    rest = dict(outer.rest())
    if inner.rest():
        rest[kind] = Raw(_encode(inner.rest()))
    return {NAME: rest} if rest else {}


def _address(url: str) -> tuple[str, Inline | Url]:
    found = _DATA_URL.match(url)
    return (found.group(1), Inline(url[found.end() :])) if found else ("", Url(url))


def _image(inner: Reader, cache: CacheMark | None, outer: Reader) -> Media:
    media_type, source = _address(inner.text("url") or "")
    detail = inner.text("detail") or ""
    return Media(
        family="image",
        media_type=media_type,
        source=source,
        detail=detail,
        cache=cache,
        extras=_extras(inner, outer, "image_url"),
    )


def _video(inner: Reader, cache: CacheMark | None, outer: Reader) -> Media:
    media_type, source = _address(inner.text("url") or "")
    return Media(
        family="video", media_type=media_type, source=source, cache=cache, extras=_extras(inner, outer, "video_url")
    )


def _audio(inner: Reader, cache: CacheMark | None, outer: Reader) -> Media:
    source, form = Inline(inner.text("data") or ""), inner.text("format") or ""
    return Media(
        family="audio",
        media_type=f"audio/{form}",
        source=source,
        cache=cache,
        extras=_extras(inner, outer, "input_audio"),
    )


def _file(inner: Reader, cache: CacheMark | None, outer: Reader) -> Media:
    data, file_id, name = inner.text("file_data"), inner.text("file_id"), inner.text("filename") or ""
    media_type, source = _address(data) if data is not None else ("", FileId(file_id or ""))
    return Media(
        family="file",
        media_type=media_type,
        source=source,
        filename=name,
        cache=cache,
        extras=_extras(inner, outer, "file"),
    )


def _call(fields: dict[str, Raw], path: str) -> AnyPart:
    reader = Reader(fields, path)
    call_id, form = reader.text("id") or "", reader.text("type") or "function"
    inner = reader.inner(form)
    if inner is None:
        raise InvalidRequest("A tool call says what it calls.", path=f"{path}.{form}", reason="missing_field")
    name, arguments = inner.text("name") or "", inner.text("arguments" if form == "function" else "input") or ""
    return ToolCall(call_id=call_id, name=name, arguments=arguments, form=form, extras=_extras(inner, reader, form))


def _tool(fields: dict[str, Raw], path: str) -> Tool:
    reader = Reader(fields, path)
    form = reader.text("type") or "function"
    cache = _cache(reader.value("cache_control"))
    inner = reader.inner(form)
    if inner is None:
        return Tool(name=form, form="server", cache=cache, extras={NAME: {"definition": Raw(_encode(fields))}})
    name, description, strict = inner.text("name") or "", inner.text("description") or "", inner.value("strict")
    schema = inner.raw("parameters")
    return Tool(
        name=name,
        description=description,
        schema=schema,
        strict=strict,
        form=form,
        cache=cache,
        extras=_extras(inner, reader, form),
    )


def _choice(value: Any) -> ToolChoice | None:
    if value is None:
        return None
    if isinstance(value, str):
        return ToolChoice(ToolMode(value))
    function = value.get("function") or value.get("custom") or value
    name = function.get("name") if isinstance(function, dict) else None
    return ToolChoice(ToolMode.NAMED, (str(name or ""),))


def _output(reader: Reader) -> OutputFormat:
    form = reader.text("type") or "text"
    inner = reader.inner("json_schema") if form == "json_schema" else None
    if inner is None:
        return OutputFormat(form=form, extras=reader.extras(NAME))
    name, schema, strict = inner.text("name") or "", inner.raw("schema"), inner.value("strict")
    description = inner.text("description") or ""
    return OutputFormat(
        form=form,
        name=name,
        schema=schema,
        strict=strict,
        description=description,
        extras=_extras(inner, reader, "json_schema"),
    )
