"""A canonical request written for version 2 of this API. What another dialect said and this one cannot say becomes a warning.

Own members (see `_OWN`) come as extensions of this dialect, or beside the members of another.
"""

from typing import Any

from msgspec import Raw

from farebox.dialects.bedrock_converse.sending import CHANGED, UNSUPPORTED, Losses, body, leave, members, wishes
from farebox.dialects.cohere_chat.messages import Writer
from farebox.dialects.cohere_chat.words import NAME
from farebox.dialects.ports import Target
from farebox.dialects.shared import effort as efforts
from farebox.ir.events import Warning
from farebox.ir.request import OutputFormat, ReasoningWish, Request, Tool, ToolChoice, ToolMode

_OWN = frozenset(("documents", "citation_options", "safety_mode", "strict_tools", "priority", "raw_prompting"))
_EMPTY = Raw(b'{"type":"object","properties":{}}')
_CUSTOM = Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
_MEMBERS = (
    ("max_tokens", "max_tokens"),
    ("stop", "stop_sequences"),
    ("temperature", "temperature"),
    ("top_p", "p"),
    ("top_k", "k"),
    ("seed", "seed"),
    ("frequency_penalty", "frequency_penalty"),
    ("presence_penalty", "presence_penalty"),
    ("logprobs", "logprobs"),
)


def encode_cohere(request: Request, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    losses = Losses()
    given = wishes(request, target, losses)
    own = members(request, NAME, _OWN, losses)
    writer = Writer(target, losses)
    fields: dict[str, Any] = {"model": target.model}
    fields["messages"] = [
        written
        for index, message in enumerate(request.messages)
        for written in writer.messages(message, f"$.messages[{index}]")
    ]
    fields["stream"] = request.stream
    fields.update({name: given.pop(word) for word, name in _MEMBERS if word in given})
    fields.update(_tools(request, losses))
    if request.output is not None:
        fields.update(_output(request.output, losses))
    if request.reasoning is not None:
        fields.update(_thinking(request.reasoning, request.limits.max_tokens, target, losses))
    if request.cache is not None:
        losses.say(UNSUPPORTED, "$.cache_control", "This provider takes no cache marks.")
    leave(given, losses)
    fields.update(own)
    return body(fields, target, losses), losses.warnings


def _tools(request: Request, losses: Losses) -> dict[str, Any]:
    choice = request.tool_choice
    tools = [
        spec
        for index, tool in enumerate(request.tools)
        if (spec := _tool(tool, losses, f"$.tools[{index}]")) is not None
    ]
    if choice is not None and choice.mode is ToolMode.NAMED:
        named = [spec for spec in tools if spec["function"]["name"] in choice.names]
        if named and len(named) < len(tools):
            losses.say(CHANGED, "$.tools", "Only the tools of the choice were offered, since one cannot be named.")
            tools = named
    if not tools:
        return {}
    out: dict[str, Any] = {"tools": tools}
    if any(tool.strict for tool in request.tools):
        out["strict_tools"] = True
    word = _choice(choice)
    if word:
        out["tool_choice"] = word
    return out


def _tool(tool: Tool, losses: Losses, path: str) -> dict[str, Any] | None:
    rest = losses.extras(tool.extras, path, NAME)
    if tool.form == "server":
        losses.part(path, "A tool that the vendor runs")
        return None
    if tool.form == "custom":
        losses.say(CHANGED, path, "A custom tool was sent as a function with one text argument.")
    if tool.cache is not None:
        losses.say(UNSUPPORTED, f"{path}.cache_control", "This provider takes no cache marks.")
    inner: dict[str, Any] = {"name": tool.name}
    if tool.description:
        inner["description"] = tool.description
    inner["parameters"] = _CUSTOM if tool.form == "custom" else tool.schema if tool.schema is not None else _EMPTY
    return {"type": "function", "function": inner} | rest


def _choice(choice: ToolChoice | None) -> str:
    """`REQUIRED` or `NONE`; left to the model without the member."""
    if choice is None or choice.mode is ToolMode.AUTO:
        return ""
    return "NONE" if choice.mode is ToolMode.NONE else "REQUIRED"


def _output(output: OutputFormat, losses: Losses) -> dict[str, Any]:
    rest = losses.extras(output.extras, "$.response_format", NAME)
    if output.form == "text":
        return {}
    if output.form not in ("json_object", "json_schema"):
        losses.dropped("response_format")
        return {}
    schema = {"json_schema": output.schema} if output.schema is not None else {}
    return {"response_format": {"type": "json_object"} | schema | rest}


def _thinking(wish: ReasoningWish, max_tokens: int | None, target: Target, losses: Losses) -> dict[str, Any]:
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
    if not on:
        return {"thinking": {"type": "disabled"}}
    budget = wish.max_tokens
    if budget is None and wish.effort not in (None, "none"):
        budget = efforts.budget(str(wish.effort), max_tokens)
    return {"thinking": {"type": "enabled"} | ({"token_budget": budget} if budget else {})}
