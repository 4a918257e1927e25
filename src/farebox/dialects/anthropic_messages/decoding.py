"""A Messages request made canonical. Refuses nothing that `opening` let through: what it does not know is kept as extras."""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.blocks import cache_of, extras_of, parts_of
from farebox.dialects.anthropic_messages.wish import read_wish
from farebox.dialects.anthropic_messages.words import NAME
from farebox.dialects.ports import Opened
from farebox.dialects.shared.reader import Reader
from farebox.ir.request import (
    Message,
    OutputFormat,
    OutputLimits,
    Request,
    Role,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)

_encode = msgspec.json.encode
# What is meant for the house, not for a vendor.
HOUSE = frozenset(
    (
        "model", "models", "fallbacks", "provider", "plugins", "route", "transforms", "preset", "session_id", "user", "trace",
        "debug", "deferred_tools", "stop_server_tools_when", "stream",
    )
)  # fmt: skip
_MODES = {"auto": ToolMode.AUTO, "any": ToolMode.REQUIRED, "tool": ToolMode.NAMED, "none": ToolMode.NONE}


def decode_messages(opened: Opened) -> Request:
    """The canonical request."""
    reader = Reader(opened.fields)
    for name in HOUSE:
        reader.raw(name)
    messages = [
        *_system(reader.raw("system")),
        *(_message(fields, f"$.messages[{i}]") for i, fields in enumerate(reader.items("messages") or [])),
    ]
    tools = [_tool(fields, f"$.tools[{index}]") for index, fields in enumerate(reader.items("tools") or [])]
    choice, parallel = _choice(reader.inner("tool_choice"))
    config, plain = reader.inner("output_config"), reader.inner("output_format")
    wish = read_wish(reader.raw("thinking"), config)
    output = _output(config, plain)
    wish_rest = {"output_config": Raw(_encode(config.rest()))} if config is not None and config.rest() else {}
    cache, more = cache_of(reader)
    metadata = reader.inner("metadata")
    user = metadata.text("user_id") if metadata is not None else None
    if metadata is not None and metadata.rest():
        more = more | {"metadata": Raw(_encode(metadata.rest()))}
    reader.raw("max_tokens")
    sampling = Sampling(
        temperature=reader.value("temperature"), top_p=reader.value("top_p"), top_k=reader.value("top_k")
    )
    limits = OutputLimits(max_tokens=opened.max_tokens, stop=tuple(reader.value("stop_sequences") or ()))
    tier = reader.value("service_tier")
    return Request(
        models=opened.models,
        messages=tuple(messages),
        tools=tuple(tools),
        tool_choice=choice,
        parallel_tools=parallel,
        output=output,
        reasoning=wish,
        sampling=sampling,
        limits=limits,
        cache=cache,
        service_tier=tier,
        user=user or opened.user or None,
        stream=opened.stream,
        extras=extras_of(reader, more | wish_rest),
    )


def _system(raw: Raw | None) -> list[Message]:
    parts = parts_of(raw, "$.system")
    return [Message(role=Role.SYSTEM, parts=parts)] if parts else []


def _message(fields: dict[str, Raw], path: str) -> Message:
    reader = Reader(fields, path)
    role = Role(reader.text("role") or "user")
    return Message(role=role, parts=parts_of(reader.raw("content"), f"{path}.content"), extras=extras_of(reader, {}))


def _tool(fields: dict[str, Raw], path: str) -> Tool:
    reader = Reader(fields, path)
    kind = reader.text("type")
    name = reader.text("name") or ""
    mark, more = cache_of(reader)
    if kind is not None and kind != "custom":
        return Tool(name=name or kind, form="server", extras={NAME: {"definition": Raw(_encode(fields))}})
    return Tool(
        name=name,
        description=reader.text("description") or "",
        schema=reader.raw("input_schema"),
        strict=reader.value("strict"),
        cache=mark,
        extras=extras_of(reader, more),
    )


def _choice(reader: Reader | None) -> tuple[ToolChoice | None, bool | None]:
    if reader is None:
        return None, None
    mode = _MODES[reader.text("type") or "auto"]
    name: Any = reader.text("name")
    lone = reader.value("disable_parallel_tool_use")
    names = (name,) if mode is ToolMode.NAMED and name else ()
    return ToolChoice(mode, names), None if lone is None else not lone


def _output(config: Reader | None, plain: Reader | None) -> OutputFormat | None:
    inner = config.inner("format") if config is not None else None
    inner = inner if inner is not None else plain
    if inner is None:
        return None
    form = inner.text("type") or "json_schema"
    schema, name = inner.raw("schema"), inner.text("name") or ""
    return OutputFormat(form=form, name=name, schema=schema, strict=True, extras=extras_of(inner, {}))
