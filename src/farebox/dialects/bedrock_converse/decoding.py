"""A Converse request made canonical. Refuses nothing that `opening` let through: what it does not know is kept as extras, and
blocks that others can only read as text keep themselves beside it.
"""

from typing import Any

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from farebox.dialects.bedrock_converse import media
from farebox.dialects.bedrock_converse.seals import read_seal
from farebox.dialects.bedrock_converse.wishing import read_more
from farebox.dialects.bedrock_converse.words import NAME
from farebox.dialects.ports import Opened
from farebox.dialects.shared.reader import Reader
from farebox.ir.errors import InvalidRequest
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    Message,
    Opaque,
    Origin,
    OutputFormat,
    OutputLimits,
    Request,
    Role,
    Sampling,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolMode,
    ToolResult,
)

_value = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.encode
_MODES = {"auto": ToolMode.AUTO, "any": ToolMode.REQUIRED, "tool": ToolMode.NAMED}
Block = dict[str, Raw]


def decode_converse(opened: Opened) -> Request:
    """The canonical request. Raises `InvalidRequest` for blocks whose members are of another kind than their names say."""
    try:
        return _request(opened)
    except (msgspec.MsgspecError, TypeError, AttributeError, ValueError):
        raise InvalidRequest("A block of the request is not of the kind that its name says.") from None


def _request(opened: Opened) -> Request:
    reader = Reader(opened.fields)
    for name in ("model", "models", "provider", "serviceTier"):
        reader.raw(name)
    system = _marked(reader.items("system") or [], _part)
    messages = [Message(role=Role.SYSTEM, parts=tuple(system))] if system else []
    messages += [_message(fields) for fields in reader.items("messages") or []]
    config = reader.inner("toolConfig") or Reader({})
    inference = reader.inner("inferenceConfig") or Reader({})
    more = reader.value("additionalModelRequestFields") or {}
    wish, top_k = read_more(more)
    extras = reader.rest()
    if more:
        extras["additionalModelRequestFields"] = Raw(_encode(more))
    output = _output(extras)
    metadata = reader.value("requestMetadata")
    return Request(
        models=opened.models,
        messages=tuple(messages),
        tools=tuple(_marked(config.items("tools") or [], _tool)),
        tool_choice=_choice(config.value("toolChoice")),
        output=output,
        reasoning=wish,
        sampling=Sampling(temperature=inference.value("temperature"), top_p=inference.value("topP"), top_k=top_k),
        limits=OutputLimits(
            max_tokens=inference.value("maxTokens"), stop=tuple(inference.value("stopSequences") or ())
        ),
        service_tier=opened.service_tier or None,
        metadata=metadata,
        stream=opened.stream,
        extras={NAME: extras} if extras else {},
    )


def _marked(blocks: list[Block], read: Any) -> list[Any]:
    """The values of blocks; a cache point marks the value before it."""
    values: list[Any] = []
    for block in blocks:
        if "cachePoint" in block and values:
            ttl = _value(block["cachePoint"]).get("ttl")
            values[-1] = replace(values[-1], cache=CacheMark(ttl if isinstance(ttl, str) else "5m"))
        else:
            values.append(read(block))
    return values


def _message(fields: dict[str, Raw]) -> Message:
    reader = Reader(fields)
    role = Role(reader.text("role") or "user")
    blocks = reader.items("content") or []
    seals = {}
    kept: list[Block] = []
    for block in blocks:
        if len(block) == 1 and "reasoningContent" in block:
            part, call_id = read_seal(_value(block["reasoningContent"]))
            if call_id:
                seals[call_id] = part
                continue
        kept.append(block)
    parts = _marked(kept, _part)
    if seals:
        parts = [
            replace(part, seal=seals[part.call_id].seal, origin=seals[part.call_id].origin)
            if isinstance(part, ToolCall) and part.call_id in seals
            else part
            for part in parts
        ]
    return Message(role=role, parts=tuple(parts), extras=reader.extras(NAME))


def _opaque(block: Block) -> Opaque:
    return Opaque(payload=Raw(_encode(block)), origin=Origin(NAME))


def _readable(block: Block, text: str) -> Text:
    """A block that is text to others, and itself to us."""
    return Text(text=text, extras={NAME: {"block": Raw(_encode(block))}})


def _part(block: Block) -> AnyPart:
    if len(block) != 1:
        return _opaque(block)
    ((kind, raw),) = block.items()
    if kind == "text":
        return Text(text=str(_value(raw)))
    if bytes(raw)[:1] != b"{":
        return _opaque(block)
    if kind in ("image", "document", "video", "audio"):
        return media.part_of(kind, raw) or _opaque(block)
    if kind == "reasoningContent":
        return read_seal(_value(raw))[0]
    inner = _members(raw)
    if kind == "toolUse":
        return _call(inner) if "type" not in inner else _opaque(block)
    if kind == "toolResult":
        return _result(inner) if "type" not in inner else _opaque(block)
    if kind == "citationsContent":
        pieces = _value(inner.get("content", b"[]"))
        return _readable(block, "".join(str(piece.get("text") or "") for piece in pieces if isinstance(piece, dict)))
    if kind == "guardContent":
        text = _value(raw).get("text")
        return _readable(block, str(text.get("text") or "")) if isinstance(text, dict) else _opaque(block)
    return _opaque(block)


def _call(inner: dict[str, Raw]) -> ToolCall:
    reader = Reader(inner)
    call_id, name = reader.text("toolUseId") or "", reader.text("name") or ""
    arguments = reader.raw("input")
    return ToolCall(
        call_id=call_id,
        name=name,
        arguments=bytes(arguments).decode() if arguments is not None else "{}",
        extras=reader.extras(NAME),
    )


def _result(inner: dict[str, Raw]) -> ToolResult:
    reader = Reader(inner)
    call_id, status = reader.text("toolUseId") or "", reader.raw("status")
    content = tuple(_result_part(block) for block in reader.items("content") or [])
    failed = status is not None and _value(status) == "error"
    extras = dict(reader.rest())
    if status is not None and not failed:
        extras["status"] = status
    return ToolResult(call_id=call_id, parts=content, failed=failed, extras={NAME: extras} if extras else {})


def _result_part(block: Block) -> AnyPart:
    if len(block) == 1 and "json" in block:
        return _readable(block, bytes(block["json"]).decode())
    if len(block) == 1 and "searchResult" in block:
        found = _value(block["searchResult"])
        pieces = found.get("content") if isinstance(found, dict) else None
        texts = [str(piece.get("text") or "") for piece in pieces or () if isinstance(piece, dict)]
        return _readable(block, "\n".join([str(found.get("title") or ""), str(found.get("source") or ""), *texts]))
    return _part(block)


def _tool(block: Block) -> Tool:
    inner = _members(block["toolSpec"]) if len(block) == 1 and "toolSpec" in block else None
    if inner is None:
        name = next(iter(block), "tool")
        return Tool(name=name, form="server", extras={NAME: {"definition": Raw(_encode(block))}})
    reader = Reader(inner)
    schema = reader.inner("inputSchema")
    name, description, strict = reader.text("name") or "", reader.text("description") or "", reader.value("strict")
    return Tool(
        name=name,
        description=description,
        schema=schema.raw("json") if schema is not None else None,
        strict=strict if isinstance(strict, bool) else None,
        extras=reader.extras(NAME),
    )


def _choice(value: Any) -> ToolChoice | None:
    if not isinstance(value, dict) or not value:
        return None
    kind, inner = next(iter(value.items()))
    mode = _MODES.get(kind, ToolMode.AUTO)
    name = inner.get("name") if isinstance(inner, dict) else None
    return ToolChoice(mode, (str(name or ""),) if mode is ToolMode.NAMED else ())


def _output(extras: dict[str, Raw]) -> OutputFormat | None:
    """A schema for the answer, taken out of the extras; any other format stays there."""
    raw = extras.get("outputConfig")
    config = _value(raw) if raw is not None else None
    text = config.get("textFormat") if isinstance(config, dict) and len(config) == 1 else None
    structure = text.get("structure") if isinstance(text, dict) and text.get("type") == "json_schema" else None
    schema = structure.get("jsonSchema") if isinstance(structure, dict) else None
    if not isinstance(schema, dict) or not isinstance(schema.get("schema"), str):
        return None
    try:
        _value(schema["schema"])
    except msgspec.DecodeError:
        return None
    del extras["outputConfig"]
    return OutputFormat(
        form="json_schema",
        name=str(schema.get("name") or ""),
        schema=Raw(schema["schema"].encode()),
        description=str(schema.get("description") or ""),
    )
