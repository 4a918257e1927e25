"""A canonical request written as Messages. What another dialect said and this one cannot say becomes a warning, never silence.

Option words: `one_sampler` (`temperature` or `top_p`, not both).
"""

import re
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.decoding import HOUSE
from farebox.dialects.anthropic_messages.host import close
from farebox.dialects.anthropic_messages.schema import restricted
from farebox.dialects.anthropic_messages.turns import write_messages
from farebox.dialects.anthropic_messages.wish import Thinking, family, write_wish
from farebox.dialects.anthropic_messages.words import CHANGED, DROPPED, NAME, UNSUPPORTED
from farebox.dialects.anthropic_messages.writing import Fields, Writer, dropped, mark_fields
from farebox.dialects.ports import Target
from farebox.ir.events import Warning
from farebox.ir.request import OutputFormat, Request, Tool, ToolChoice, ToolMode

_encode = msgspec.json.encode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_EMPTY_SCHEMA = Raw(b'{"type":"object","properties":{}}')
_MODES = {ToolMode.AUTO: "auto", ToolMode.REQUIRED: "any", ToolMode.NAMED: "tool", ToolMode.NONE: "none"}
_TIERS = {"auto": "auto", "standard_only": "standard_only", "default": "standard_only", "standard": "standard_only"}
_PERSONAL = re.compile(r"@|^\+?[\d\s().-]{7,}$")
# How another dialect wants its answer, or whether it is kept: this one answers in its own way.
_ABOUT_ANSWERS = frozenset(("stream_options", "usage", "include", "store", "structured_outputs"))
_UNSAID = (
    "top_a", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "seed", "logit_bias", "logprobs",
    "top_logprobs",
)  # fmt: skip


def encode_messages(request: Request, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    writer = Writer(target)
    out: Fields = {}
    thinking = write_wish(request.reasoning, target, request.limits.max_tokens)
    writer.warnings += thinking.warnings
    tools = _tools(request.tools, writer)
    if tools:
        out["tools"] = tools
    system, messages = write_messages(request.messages, target, writer)
    if system is not None:
        out["system"] = system
    out["messages"] = messages
    writer.limit_marks(4 if request.cache is None else 3)
    choice = _choice(request, writer) if tools else None
    thinking = _possible(thinking, request, messages, choice, writer)
    if choice is not None:
        out["tool_choice"] = choice
    out["max_tokens"] = thinking.max_tokens
    if thinking.thinking is not None:
        out["thinking"] = thinking.thinking
    _sampling(request, target, out, writer, thinking)
    _output(request, thinking, out, writer)
    _rest(request, out, writer)
    fields = {name: Raw(_encode(value)) for name, value in out.items()}
    body, warnings = close(fields, target, stream=request.stream)
    return body, writer.warnings + warnings


def _tools(tools: tuple[Tool, ...], writer: Writer) -> list[Fields | Raw]:
    out: list[Fields | Raw] = []
    for index, tool in enumerate(tools):
        path = f"$.tools[{index}]"
        if tool.form == "server":
            definition = tool.extras.get(NAME, {}).get("definition")
            if definition is None:
                writer.warn(UNSUPPORTED, path, "A tool that another vendor runs cannot be asked for here.")
            else:
                out.append(definition)
            continue
        if tool.form != "function":
            writer.warn(UNSUPPORTED, path, f"A tool of form '{tool.form}' cannot be said in this dialect.")
            continue
        fields: Fields = {"name": writer.name(tool.name, path)}
        if tool.description:
            fields["description"] = tool.description
        fields["input_schema"] = _schema(tool, path, writer)
        if tool.strict is not None:
            fields["strict"] = tool.strict
        out.append(writer.marked(fields | writer.extras(tool.extras, path), tool.cache))
    return out


def _schema(tool: Tool, path: str, writer: Writer) -> Raw:
    if tool.schema is None:
        return _EMPTY_SCHEMA
    if tool.strict:
        schema, warnings = restricted(tool.schema, path)
        writer.warnings += warnings
        return schema
    members = _members(tool.schema)
    return tool.schema if "type" in members else Raw(_encode({"type": "object"} | members))


def _choice(request: Request, writer: Writer) -> Fields | None:
    choice, parallel = request.tool_choice, request.parallel_tools
    if choice is None:
        if parallel is None:
            return None
        choice = ToolChoice(ToolMode.AUTO)
    out: Fields = {"type": _MODES[choice.mode]}
    if choice.mode is ToolMode.NAMED and choice.names:
        out["name"] = writer.name(choice.names[0], "$.tool_choice")
    if parallel is not None and choice.mode is not ToolMode.NONE:
        out["disable_parallel_tool_use"] = not parallel
    return out


def _possible(
    thinking: Thinking, request: Request, messages: list[Fields], choice: Fields | None, writer: Writer
) -> Thinking:
    """Thinking that was asked for in another dialect, where the rest of the request allows it."""
    if not thinking.on or request.reasoning is None or NAME in request.reasoning.extras:
        return thinking
    why = ""
    if choice is not None and choice["type"] in ("any", "tool"):
        why = "Models of this provider do not think when a tool is forced."
    elif messages and messages[-1]["role"] == "assistant":
        why = "Models of this provider do not think when the answer's beginning is given."
    elif thinking.thinking is not None and thinking.thinking["type"] == "enabled" and _unthought(messages):
        why = "The tool calls in the history come without the thinking that led to them."
    if not why:
        return thinking
    writer.warn(DROPPED, "$.reasoning", why)
    return Thinking(max_tokens=thinking.max_tokens)


def _unthought(messages: list[Fields]) -> bool:
    """Whether the turn that is going on called tools without a thinking block: refused if thinking is on."""
    for message in reversed(messages):
        content = message["content"]
        kinds = [block["type"] for block in content if isinstance(block, dict)] if isinstance(content, list) else []
        if message["role"] == "assistant":
            return "tool_use" in kinds and kinds[0] not in ("thinking", "redacted_thinking")
        if "tool_result" not in kinds:
            return False
    return False


def _sampling(request: Request, target: Target, out: Fields, writer: Writer, thinking: Thinking) -> None:
    sampling, own = request.sampling, NAME in request.extras
    given: dict[str, Any] = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
    given = {name: value for name, value in given.items() if value is not None}
    if (given.get("temperature") or 0) > 1:
        given["temperature"] = 1
        writer.warn(CHANGED, "$.temperature", "The temperature goes up to 1 at this provider.")
    wish = request.reasoning
    foreign_thinking = thinking.on and wish is not None and NAME not in wish.extras
    unwanted: set[str] = set()
    if not family(target).sampling and not own:
        unwanted = set(given) - ({"temperature"} if given.get("temperature") == 1 else set())
    elif foreign_thinking:
        unwanted = {name for name in given if name == "top_k" or (name == "temperature" and given[name] != 1)}
        unwanted |= {"top_p"} if given.get("top_p", 1) < 0.95 else set()
    elif "one_sampler" in target.options and "temperature" in given:
        unwanted = set(given) & {"top_p"}
    for name, value in given.items():
        if name in unwanted:
            writer.warnings.append(dropped(name))
        else:
            out[name] = value
    writer.warnings += [dropped(name) for name in _UNSAID if getattr(sampling, name) is not None]
    if sampling.choices != 1:
        writer.warn(UNSUPPORTED, "$.n", "This provider gives one answer at a time.")


def _output(request: Request, thinking: Thinking, out: Fields, writer: Writer) -> None:
    config: Fields = {}
    form = _format(request.output, writer) if request.output is not None else None
    if form is not None:
        config["format"] = form
    if thinking.effort is not None:
        config["effort"] = thinking.effort
    kept = request.extras.get(NAME, {}).get("output_config")
    if kept is not None:
        config |= _members(kept)
    if config:
        out["output_config"] = config


def _format(output: OutputFormat, writer: Writer) -> Fields | None:
    if output.form == "text":
        return None
    if output.form != "json_schema" or output.schema is None:
        writer.warn(DROPPED, "$.response_format", f"This provider has no output of form '{output.form}'.")
        return None
    schema, warnings = restricted(output.schema, "$.response_format")
    writer.warnings += warnings
    return {"type": "json_schema", "schema": schema} | writer.extras(output.extras, "$.response_format")


def _rest(request: Request, out: Fields, writer: Writer) -> None:
    stop = [word for word in request.limits.stop if word.strip()]
    if len(stop) != len(request.limits.stop):
        writer.warn(CHANGED, "$.stop", "Stop sequences of white space only are refused by this provider.")
    if stop:
        out["stop_sequences"] = stop
    extras: Fields = dict(request.extras.get(NAME, {}))
    extras.pop("output_config", None)
    _told_as_lost(request, writer)
    metadata = _metadata(request, extras, writer)
    if metadata:
        out["metadata"] = metadata
    if request.service_tier is not None:
        tier = _TIERS.get(request.service_tier)
        if tier is None:
            writer.warnings.append(dropped("service_tier"))
        else:
            out["service_tier"] = tier
    if request.cache is not None and "cache_control" not in extras:
        out["cache_control"] = mark_fields(request.cache)
    unsaid = {
        "metadata": request.metadata,
        "prompt_cache_key": request.cache_key,
        "verbosity": request.limits.verbosity,
        "modalities": [word for word in request.modalities if word != "text"] or None,
    }
    writer.warnings += [dropped(name) for name, value in unsaid.items() if value is not None]
    out.update(extras)


def _told_as_lost(request: Request, writer: Writer) -> None:
    """Members that only another dialect knows, but for those that are not for a vendor anyway."""
    for dialect, members in request.extras.items():
        for name, raw in members.items() if dialect != NAME else ():
            if name not in HOUSE and name not in _ABOUT_ANSWERS and bytes(raw) != b"null":
                writer.warn(UNSUPPORTED, f"$.{name}", f"'{name}' of {dialect} cannot be said in this dialect.")


def _metadata(request: Request, extras: Fields, writer: Writer) -> Fields:
    metadata: Fields = dict(_members(extras.pop("metadata"))) if "metadata" in extras else {}
    if request.user is not None and _PERSONAL.search(request.user):
        writer.warn(DROPPED, "$.user", "This provider takes no addresses or numbers of people.")
    elif request.user is not None:
        metadata["user_id"] = request.user
    return metadata
