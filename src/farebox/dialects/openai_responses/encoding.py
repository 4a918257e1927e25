"""A canonical request written for a vendor of this protocol. What another dialect said and this one cannot say becomes a
warning, never silence. Always stateless: `store` is false, and seals of reasoning are asked for where the model may think.

Option words (`Target.options`): `encrypted_reasoning` (always ask for seals), `no_encrypted_reasoning` (never),
`mixed_seals` (a house of many: it takes back every format that it gave), `cache_control` (understands cache marks),
`extended_sampling` (takes `stop`, `top_k`, `seed` and their like), `obfuscation_off` (asked not to pad deltas), `no_store`
(does not know `store`), `recode` (its streams break the protocol's rules: the relay goes through the canonical form).
Settings: `path`, `reasoning_format` (format word of its seals), `reasoning_summary` (asked for when a wish names none).
"""

from typing import Any

from msgspec import Raw, structs

from farebox.dialects.openai_responses.items_out import ItemWriter
from farebox.dialects.openai_responses.words import (
    DROPPED,
    ENCRYPTED,
    LOGPROBS,
    NAME,
    OWN,
    encode,
    format_of,
    join,
    members_of,
    value_of,
)
from farebox.dialects.ports import Target
from farebox.dialects.shared import effort as efforts
from farebox.ir.events import Warning
from farebox.ir.request import Message, OutputFormat, ReasoningWish, Request, Role, Text, Tool, ToolChoice, ToolMode

Fields = dict[str, Any]
_EXTENDED = ("top_k", "top_a", "min_p", "repetition_penalty", "seed", "logit_bias")


def encode_responses(request: Request, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body, and what was lost or changed."""
    writer = ItemWriter(format_of(target), target.options, target.reasoning_replay)
    out: dict[str, bytes | Raw] = {}
    messages, start = request.messages, 0
    if messages and _is_instructions(messages[0]):
        out["instructions"] = encode(messages[0].parts[0].text)  # type: ignore[union-attr]
        start = 1
    items = [
        item
        for index, message in enumerate(messages[start:], start)
        for item in writer.message(message, f"$.messages[{index}]")
    ]
    if items or "prompt" not in request.extras.get(NAME, {}):
        out["input"] = b"[" + b",".join(items) + b"]"
    for name, value in _members(request, target, writer).items():
        if value is not None:
            out[name] = encode(value)
    _extras(request, out, writer)
    ask_for_seals(
        out, target, wished=request.reasoning is not None and request.reasoning.effort != "none", sealed=writer.sealed
    )
    return finished(out, target, stream=request.stream, warnings=writer.warnings), writer.warnings


def _is_instructions(message: Message) -> bool:
    part = message.parts[0] if len(message.parts) == 1 else None
    return (
        message.role is Role.SYSTEM
        and isinstance(part, Text)
        and part.cache is None
        and not part.extras
        and not message.extras
        and not message.name
    )


def _members(request: Request, target: Target, writer: ItemWriter) -> Fields:
    sampling, limits, extended = request.sampling, request.limits, "extended_sampling" in target.options
    text: Fields = {}
    if request.output is not None:
        text["format"] = _output(request.output, writer)
    if limits.verbosity is not None:
        text["verbosity"] = limits.verbosity
    text |= members_of(request.extras.get(NAME, {}).get("text", Raw(b"{}")))
    out: Fields = {
        "tools": [
            tool
            for tool in (_tool(tool, f"$.tools[{index}]", writer) for index, tool in enumerate(request.tools))
            if tool is not None
        ]
        or None,
        "tool_choice": _choice(request.tool_choice, request.tools) if request.tool_choice is not None else None,
        "parallel_tool_calls": request.parallel_tools,
        "text": text or None,
        "reasoning": wish_object(request.reasoning, target, limits.max_tokens, writer.warnings),
        "max_output_tokens": limits.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_logprobs": sampling.top_logprobs,
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "modalities": list(request.modalities) if extended and request.modalities else None,
        "prompt_cache_key": request.cache_key,
        "service_tier": request.service_tier,
        "user": request.user,
        "metadata": request.metadata,
    }
    if sampling.choices != 1:
        writer.lost("$.n", "More than one choice")
    others: Fields = {"stop": list(limits.stop) or None} | {name: getattr(sampling, name) for name in _EXTENDED}
    for name, value in others.items():
        if value is not None and extended:
            out[name] = value
        elif value is not None:
            writer.warnings.append(Warning(DROPPED, f"$.{name}", f"This provider does not take '{name}'."))
    if request.cache is not None and "cache_control" in target.options:
        out["cache_control"] = {"type": "ephemeral", "ttl": request.cache.ttl}
    if sampling.logprobs:
        out["include"] = [LOGPROBS]
    return out


def _extras(request: Request, out: dict[str, bytes | Raw], writer: ItemWriter) -> None:
    """This protocol's own members go back; those of another are told as lost, but for the house's own."""
    for dialect, fields in request.extras.items():
        if dialect != NAME:
            for name in fields:
                if name not in OWN and name != "stream_options":
                    writer.lost(f"$.{name}", f"'{name}'")
            continue
        for name, raw in fields.items():
            if name == "include":
                have = value_of(out.get(name, b"[]"))
                out[name] = encode(have + [word for word in value_of(raw) if word not in have])
            elif name != "text" and name not in OWN:
                out[name] = raw


def ask_for_seals(out: dict[str, bytes | Raw], target: Target, *, wished: bool, sealed: bool) -> None:
    """Seals are asked for where the model is known to think: models that do not think refuse the question (2025-08)."""
    words: list[str] = value_of(out["include"]) if "include" in out else []
    asked = ENCRYPTED in words
    if "no_encrypted_reasoning" in target.options:
        words = [word for word in words if word != ENCRYPTED]
    elif not asked and (wished or sealed or "encrypted_reasoning" in target.options):
        words.append(ENCRYPTED)
    if words:
        out["include"] = encode(words)
    else:
        out.pop("include", None)


def finished(out: dict[str, bytes | Raw], target: Target, *, stream: bool, warnings: list[Warning]) -> bytes:
    """The body: the vendor's names, without what it does not take, with what it must have."""
    body: dict[str, bytes | Raw] = {"model": encode(target.model)}
    for name, raw in out.items():
        if name in target.drop:
            warnings.append(Warning(DROPPED, f"$.{name}", f"This provider does not take '{name}'."))
        else:
            body.setdefault(target.rename.get(name, name), raw)
    if "no_store" not in target.options:
        body["store"] = b"false"
    if stream:
        body["stream"] = b"true"
        if "obfuscation_off" in target.options:
            body["stream_options"] = b'{"include_obfuscation":false}'
    body.update(target.force)
    return join(body)


def _tool(tool: Tool, path: str, writer: ItemWriter) -> Fields | Raw | None:
    if tool.form == "server":
        definition = tool.extras.get(NAME, {}).get("definition")
        if definition is None:
            writer.lost(path, "A tool that another vendor runs")
        return definition
    rest = writer.own(tool.extras, path)
    out: Fields = {"type": tool.form, "name": tool.name}
    if tool.description:
        out["description"] = tool.description
    if tool.schema is not None:
        out["parameters"] = tool.schema
    elif tool.form == "function":
        out["parameters"] = {"type": "object", "properties": {}}
    if tool.strict is not None:
        out["strict"] = tool.strict
    elif tool.form == "function":
        out["strict"] = False
    return out | writer.cache(tool.cache, path) | rest


def _choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> Any:
    forms = {tool.name: tool.form for tool in tools}
    named = [{"type": forms.get(name, "function"), "name": name} for name in choice.names]
    if choice.mode is ToolMode.NAMED:
        return named[0]
    if named and choice.mode is not ToolMode.NONE:
        return {"type": "allowed_tools", "mode": choice.mode.value, "tools": named}
    return choice.mode.value


def _output(output: OutputFormat, writer: ItemWriter) -> Fields:
    rest = writer.own(output.extras, "$.text.format")
    out: Fields = {"type": output.form}
    if output.form != "json_schema":
        return out | rest
    out["name"] = output.name or "answer"
    for name, value in (
        ("description", output.description or None),
        ("schema", output.schema),
        ("strict", output.strict),
    ):
        if value is not None:
            out[name] = value
    return out | rest


def wish_object(
    wish: ReasoningWish | None, target: Target, max_tokens: int | None, warnings: list[Warning]
) -> Fields | None:
    """The `reasoning` member for a wish: an effort word, and a summary where the answer's reader may see it."""
    if wish is None:
        return None
    if target.reasoning_wish == "none":
        warnings.append(Warning(DROPPED, "$.reasoning", "This provider takes no reasoning parameters."))
        return None
    if target.reasoning_wish == "reasoning":
        plain = structs.asdict(wish)
        out: Fields = {
            name: plain[name] for name in ("effort", "max_tokens", "enabled", "summary") if plain[name] is not None
        }
    else:
        word = wish.effort
        if wish.enabled is False:
            word = "none"
        elif word is None and wish.max_tokens is not None:
            word = efforts.effort(wish.max_tokens, max_tokens)
        elif word is None and wish.enabled:
            word = "medium"
        out = {"effort": word} if word is not None else {}
        summary = wish.summary or (None if wish.exclude or word == "none" else target.settings.get("reasoning_summary"))
        if summary:
            out["summary"] = summary
    out |= wish.extras.get(NAME, {})
    return out or None
