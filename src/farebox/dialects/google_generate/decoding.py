"""A generateContent request made canonical. Refuses nothing that `opening` let through: what it does not know is kept.

Both spellings of a name are read (`file_uri`, `fileUri`). A wish whose form the canonical request cannot hold exactly is
kept beside it, raw, for the same dialect.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.contents import Contents, system
from farebox.dialects.google_generate.schema import is_openapi, to_json_schema
from farebox.dialects.google_generate.words import NAME, camel
from farebox.dialects.ports import Opened
from farebox.dialects.shared.reader import Reader, is_null, members, objects
from farebox.ir.request import (
    Extras,
    OutputFormat,
    OutputLimits,
    ReasoningWish,
    Request,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)

_encode = msgspec.json.encode
_OURS = ("model", "models", "provider", "stream", "route", "plugins", "sessionId", "user")
_MODES = {"AUTO": ToolMode.AUTO, "NONE": ToolMode.NONE, "ANY": ToolMode.REQUIRED, "VALIDATED": ToolMode.AUTO}


def reader_of(fields: dict[str, Raw], path: str) -> Reader:
    """A reader of an object of the protocol, whichever way its names are spelled."""
    return Reader({camel(name): raw for name, raw in fields.items()}, path)


def decode_generate(opened: Opened) -> Request:
    """The canonical request."""
    reader = Reader(opened.fields)
    user = reader.value("user")
    for name in _OURS:
        reader.raw(name)
    contents = Contents()
    first = system(reader.raw("systemInstruction"))
    raw = reader.raw("contents") or Raw(b"[]")
    messages = contents.messages(objects(raw) if bytes(raw)[:1] == b"[" else [members(raw)])
    raw_tools = reader.raw("tools")
    tools = _tools(raw_tools) if raw_tools is not None else ()
    choice, kept = _tool_config(reader.raw("toolConfig"))
    config = reader.inner("generationConfig")
    config = reader_of(config.rest(), config.path) if config is not None else Reader({})
    sampling = Sampling(
        temperature=config.value("temperature"),
        top_p=config.value("topP"),
        top_k=_whole(config.value("topK")),
        presence_penalty=config.value("presencePenalty"),
        frequency_penalty=config.value("frequencyPenalty"),
        seed=config.value("seed"),
        logprobs=config.value("responseLogprobs"),
        top_logprobs=config.value("logprobs"),
        choices=config.value("candidateCount") or 1,
    )
    limits = OutputLimits(max_tokens=config.value("maxOutputTokens"), stop=tuple(config.value("stopSequences") or ()))
    output, wish = _output(config), _wish(config.raw("thinkingConfig"))
    modalities = tuple(str(word).lower() for word in config.value("responseModalities") or ())
    tier = reader.value("serviceTier")
    rest = {name: raw for name, raw in reader.rest().items() if not is_null(raw)}
    if kept is not None:
        rest["toolConfig"] = kept
    left = {name: raw for name, raw in config.rest().items() if not is_null(raw)}
    if left:
        rest["generationConfig"] = Raw(_encode(left))
    return Request(
        models=opened.models,
        messages=(*first, *messages),
        tools=tools,
        tool_choice=choice,
        output=output,
        reasoning=wish,
        sampling=sampling,
        limits=limits,
        modalities=modalities,
        service_tier=tier if isinstance(tier, str) else None,
        user=user if isinstance(user, str) else None,
        stream=opened.stream,
        extras={NAME: rest} if rest else {},
    )


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _tools(raw: Raw) -> tuple[Tool, ...]:
    out: list[Tool] = []
    for index, entry in enumerate(objects(raw) if bytes(raw)[:1] == b"[" else [members(raw)]):
        for spelled, inner in entry.items():
            name = camel(spelled)
            if is_null(inner):
                continue
            if name == "functionDeclarations":
                path = f"$.tools[{index}].functionDeclarations"
                out += [_function(reader_of(fields, f"{path}[{at}]")) for at, fields in enumerate(objects(inner))]
            else:
                definition = Raw(_encode({name: inner}))
                out.append(Tool(name=name, form="server", extras={NAME: {"definition": definition}}))
    return tuple(out)


def _function(reader: Reader) -> Tool:
    name, description = reader.text("name") or "", reader.text("description") or ""
    schema, own = reader.raw("parametersJsonSchema"), reader.raw("parameters")
    extras = dict(reader.rest())
    extras = {key: raw for key, raw in extras.items() if not is_null(raw)}
    if schema is None and own is not None:
        schema = to_json_schema(own)
        extras["parameters"] = own
    kept: Extras = {NAME: extras} if extras else {}
    return Tool(name=name, description=description, schema=schema, extras=kept)


def _tool_config(raw: Raw | None) -> tuple[ToolChoice | None, Raw | None]:
    """The choice, and the whole configuration if the choice does not say all of it."""
    if raw is None:
        return None, None
    config = reader_of(members(raw), "$.toolConfig")
    inner = config.inner("functionCallingConfig")
    if inner is None:
        return None, raw if config.rest() else None
    inner = reader_of(inner.rest(), inner.path)
    mode = str(inner.value("mode") or "AUTO").upper()
    names = tuple(str(name) for name in inner.value("allowedFunctionNames") or ())
    exact = mode in ("AUTO", "NONE", "ANY") and not config.rest() and not inner.rest()
    form = _MODES.get(mode, ToolMode.AUTO)
    if names and form is ToolMode.REQUIRED:
        return ToolChoice(ToolMode.NAMED, names), None if exact else raw
    return ToolChoice(form, ()), None if exact and not names else raw


def _output(config: Reader) -> OutputFormat | None:
    kind, own, schema = config.raw("responseMimeType"), config.raw("responseSchema"), config.raw("responseJsonSchema")
    if kind is None and own is None and schema is None:
        return None
    word = str(msgspec.json.decode(kind)) if kind is not None else ""
    extras: dict[str, Raw] = {}
    if own is not None and schema is None:
        schema = to_json_schema(own) if is_openapi(own) else own
        extras["responseSchema"] = own
    if kind is not None and word != "application/json":
        extras["responseMimeType"] = kind
    form = "json_schema" if schema is not None else "json_object" if word == "application/json" else "text"
    return OutputFormat(form=form, schema=schema, extras={NAME: extras} if extras else {})


def _wish(raw: Raw | None) -> ReasoningWish | None:
    if raw is None:
        return None
    value = {camel(name): inner for name, inner in msgspec.json.decode(raw).items()}
    budget, level = value.get("thinkingBudget"), value.get("thinkingLevel")
    effort = level.lower() if isinstance(level, str) and level.upper() != "THINKING_LEVEL_UNSPECIFIED" else None
    enabled: bool | None = None
    if isinstance(budget, int):
        effort = "none" if budget == 0 else effort
        enabled = True if budget < 0 else None
    return ReasoningWish(
        effort=effort,
        max_tokens=budget if isinstance(budget, int) and budget > 0 else None,
        enabled=enabled,
        exclude=value.get("includeThoughts") is not True,
        extras={NAME: {"thinkingConfig": raw}},
    )
