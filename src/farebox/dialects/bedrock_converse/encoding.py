"""A canonical request written as Converse. The model stands in the path, streaming too; what another dialect said and this one
cannot say becomes a warning, never silence.

Option words: `no_cache_points`, `tool_choice_auto_only`, `no_tool_choice`, `no_output_config`.
"""

import re
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.schema import restricted
from farebox.dialects.anthropic_messages.seals import escape
from farebox.dialects.bedrock_converse.messages import Conversation, cache_point, limit_cache_points, thoughtless
from farebox.dialects.bedrock_converse.reasoning import wanted, wish_fields
from farebox.dialects.bedrock_converse.sending import (
    CHANGED,
    UNSUPPORTED,
    Losses,
    body,
    leave,
    members,
    object_of,
    wishes,
)
from farebox.dialects.bedrock_converse.words import NAME, Family, family
from farebox.dialects.ports import Target
from farebox.ir.events import Warning
from farebox.ir.request import OutputFormat, Request, Tool, ToolChoice, ToolMode

_OWN = frozenset(
    (
        "additionalModelRequestFields",
        "additionalModelResponseFieldPaths",
        "guardrailConfig",
        "performanceConfig",
        "promptVariables",
    )
)
_EMPTY = Raw(b'{"type":"object","properties":{}}')
_CUSTOM = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_METADATA = re.compile(r"[A-Za-z0-9\s:_@$#=/+,.-]{0,256}")
_TIERS = frozenset(("default", "flex", "priority", "reserved"))
_value = msgspec.json.Decoder().decode
_INFERENCE = (("max_tokens", "maxTokens"), ("temperature", "temperature"), ("top_p", "topP"), ("stop", "stopSequences"))


def encode_converse(request: Request, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    losses = Losses()
    kind = family(target.model)
    given = wishes(request, target, losses)
    talk = Conversation(target, losses)
    talk.write(request)
    own = members(request, NAME, _OWN, losses)
    more: dict[str, Any] = {}
    thinking = _think(request, target, talk, losses)
    more.update(thinking)
    _settle_thinking(given, thinking, kind, losses)
    top_k = given.pop("top_k", None)
    if top_k is not None:
        _put_top_k(more, top_k, target, losses)
    fields: dict[str, Any] = {"messages": talk.messages}
    if talk.system:
        fields["system"] = talk.system
    inference = {name: given.pop(word) for word, name in _INFERENCE if word in given}
    if inference:
        fields["inferenceConfig"] = inference
    tools = _tools(request, target, talk, losses, forced=bool(thinking) and kind.signed)
    if tools:
        fields["toolConfig"] = tools
    if request.output is not None:
        fields.update(_output(request.output, target, losses))
    fields.update(_rest(given, losses))
    if "additionalModelRequestFields" in own:
        more |= object_of(own.pop("additionalModelRequestFields"), "additionalModelRequestFields")
    if more:
        fields["additionalModelRequestFields"] = more
    fields.update(own)
    limit_cache_points(losses, tools.get("tools", []), talk.system, *(message["content"] for message in talk.messages))
    return body(fields, target, losses), losses.warnings


def _think(request: Request, target: Target, talk: Conversation, losses: Losses) -> dict[str, Any]:
    wish = request.reasoning
    if wish is None:
        return {}
    said = losses.extras(wish.extras, "$.reasoning", NAME)
    spelling = target.reasoning_wish or family(target.model).wish
    if said and ("thinking" if spelling == "adaptive" else spelling) in (*said, "none"):
        return {name: _value(raw) for name, raw in said.items()}
    if wanted(wish) and spelling in ("thinking", "adaptive") and thoughtless(talk.messages):
        losses.say(CHANGED, "$.reasoning", "Thinking is off for this turn, since its beginning is given without it.")
        return {}
    return wish_fields(wish, spelling, request.limits.max_tokens, losses)


def _settle_thinking(given: dict[str, Any], thinking: dict[str, Any], kind: Family, losses: Losses) -> None:
    """Signed thinking takes no other temperature than 1, no top_k, and a top_p of at least 0.95."""
    if not kind.signed or thinking.get("thinking", {}).get("type") in (None, "disabled"):
        return
    if given.get("temperature", 1) != 1:
        del given["temperature"]
        losses.dropped("temperature")
    if given.get("top_p", 1) < 0.95:
        del given["top_p"]
        losses.dropped("top_p")
    if given.pop("top_k", None) is not None:
        losses.dropped("top_k")


def _put_top_k(more: dict[str, Any], top_k: int, target: Target, losses: Losses) -> None:
    setting = target.settings.get("top_k", "")
    steps = tuple(setting.split(".")) if setting else family(target.model).top_k
    if not steps:
        losses.dropped("top_k")
        return
    inner = more
    for step in steps[:-1]:
        inner = inner.setdefault(step, {})
    inner[steps[-1]] = top_k


def _tools(
    request: Request, target: Target, talk: Conversation, losses: Losses, *, forced: bool = False
) -> dict[str, Any]:
    """The tool configuration. It must be there if the history has calls; `forced` says that calls cannot be forced."""
    choice = request.tool_choice
    if choice is not None and choice.mode is ToolMode.NONE:
        if not talk.tools_used:
            return {}
        losses.say(CHANGED, "$.tool_choice", "Tools stay on offer, since the conversation used them before.")
        choice = None
    tools: list[Any] = []
    for index, tool in enumerate(request.tools):
        path = f"$.tools[{index}]"
        spec = _tool(tool, target, losses, path)
        if spec is None:
            continue
        tools.append(spec)
        if tool.cache is not None:
            if "no_cache_points" in target.options:
                losses.say(UNSUPPORTED, f"{path}.cache_control", "This provider takes no cache marks.")
            else:
                tools.append(cache_point(tool.cache))
    known = {tool.name for tool in request.tools}
    if not known and talk.tools_used:
        losses.say(CHANGED, "$.tools", "Tools that the conversation used were declared again, without their schemas.")
        tools = [{"toolSpec": {"name": escape(name), "inputSchema": {"json": _EMPTY}}} for name in talk.tools_used]
    if not tools:
        return {}
    config: dict[str, Any] = {"tools": tools}
    picked = _choice(choice, target, losses, forced=forced) if choice is not None else None
    if picked is not None:
        config["toolChoice"] = picked
    return config


def _tool(tool: Tool, target: Target, losses: Losses, path: str) -> Any:
    rest = losses.extras(tool.extras, path, NAME)
    definition = rest.pop("definition", None)
    if tool.form == "server":
        if definition is None:
            losses.part(path, "A tool that the vendor runs")
        return definition
    if tool.form == "custom":
        losses.say(CHANGED, path, "A custom tool was sent as a function with one text argument.")
    spec: dict[str, Any] = {"name": escape(tool.name)}
    if tool.description:
        spec["description"] = tool.description
    schema = _CUSTOM if tool.form == "custom" else tool.schema
    if tool.strict and schema is not None and "strict" not in target.drop:
        schema, warnings = restricted(schema, path)
        losses.warnings += warnings
    spec["inputSchema"] = {"json": schema if schema is not None and bytes(schema) != b"{}" else _EMPTY}
    if tool.strict:
        if "strict" in target.drop:
            losses.say(CHANGED, f"{path}.strict", "This provider does not take 'strict'.")
        else:
            spec["strict"] = True
    return {"toolSpec": spec | rest}


def _choice(choice: ToolChoice, target: Target, losses: Losses, *, forced: bool) -> dict[str, Any] | None:
    if "no_tool_choice" in target.options:
        if choice.mode is not ToolMode.AUTO:
            losses.dropped("tool_choice")
        return None
    if choice.mode is ToolMode.AUTO:
        return {"auto": {}}
    if forced or "tool_choice_auto_only" in target.options:
        losses.say(CHANGED, "$.tool_choice", "Here the model chooses tools by itself only.")
        return {"auto": {}}
    if choice.mode is ToolMode.NAMED and len(choice.names) == 1:
        return {"tool": {"name": escape(choice.names[0])}}
    if choice.mode is ToolMode.NAMED:
        losses.say(CHANGED, "$.tool_choice", "A choice among some tools became a choice among all.")
    return {"any": {}}


def _output(output: OutputFormat, target: Target, losses: Losses) -> dict[str, Any]:
    if output.form == "text":
        return {}
    losses.extras(output.extras, "$.response_format", NAME)
    if output.form != "json_schema" or output.schema is None or "no_output_config" in target.options:
        losses.dropped("response_format")
        return {}
    schema: dict[str, Any] = {"name": output.name} if output.name else {}
    strict, warnings = restricted(output.schema, "$.response_format")
    losses.warnings += warnings
    schema["schema"] = bytes(strict).decode()
    if output.description:
        schema["description"] = output.description
    return {"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}}


def _rest(given: dict[str, Any], losses: Losses) -> dict[str, Any]:
    """Members with a place of their own; whatever is left is dropped, with a warning each."""
    fields: dict[str, Any] = {}
    tier = given.pop("service_tier", None)
    if tier in _TIERS:
        fields["serviceTier"] = {"type": tier}
    elif tier not in (None, "auto"):
        losses.dropped("service_tier")
    metadata = given.pop("metadata", None)
    if metadata:
        if len(metadata) <= 16 and all(_METADATA.fullmatch(word) for pair in metadata.items() for word in pair):
            fields["requestMetadata"] = metadata
        else:
            losses.dropped("metadata")
    leave(given, losses)
    return fields
