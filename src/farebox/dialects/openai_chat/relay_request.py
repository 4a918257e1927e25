"""A chat request forwarded to a vendor of the same dialect: top-level members as the bytes they were, but for what must
change. Refuses allow-lists: what nobody names passes.

Option words: `no_stream_options` (usage comes unasked), `obfuscation_off` (asks the vendor not to pad chunks),
`usage_include` (asks for cost), `required_as_any` (`tool_choice`), `tool_choice_auto_only`, `cache_control`,
`image_config`, `no_metadata`, `no_response_format_in_streams`, `top_level_cache_control`.
"""

import msgspec
from msgspec import Raw

from farebox.dialects.openai_chat.message_rewrite import needs, rewrite
from farebox.dialects.openai_chat.wish import DROPPED, read_wish, write_wish
from farebox.dialects.ports import Opened, Target
from farebox.ir.errors import InvalidRequest
from farebox.ir.events import Warning

OWN = frozenset(
    (
        "models", "provider", "route", "plugins", "transforms", "preset", "session_id", "trace", "debug", "usage",
        "include_reasoning", "reasoning", "reasoning_effort", "max_tool_calls", "stop_server_tools_when", "deferred_tools",
        "structured_outputs", "model", "stream", "stream_options",
    )
)  # fmt: skip
_encode = msgspec.json.encode
_NULL = b"null"
_tools = msgspec.json.Decoder(list[dict[str, Raw]]).decode


def relay_request(opened: Opened, target: Target) -> tuple[bytes, list[Warning]]:
    """The vendor's body and what was dropped."""
    warnings: list[Warning] = []
    fields = opened.fields
    out: dict[str, bytes | Raw] = {"model": _encode(target.model)}
    drop, rename = target.drop, target.rename
    for name, raw in fields.items():
        if name in OWN:
            continue
        if name in drop:
            warnings.append(Warning(DROPPED, f"$.{name}", f"This provider does not take '{name}'."))
            continue
        out.setdefault(rename.get(name, name), raw)
    if opened.marks or target.reasoning_replay == "required":
        todo = needs(opened.marks, target)
        if todo:
            out["messages"] = _rewritten(fields["messages"], todo, target)
        if "tool_cache_control" in opened.marks and "cache_control" not in target.options:
            out["tools"] = _plain_tools(fields["tools"])
    _wish(opened, target, out, warnings)
    _options(opened, target, out, warnings)
    if opened.stream:
        _stream(target, out)
    out.update(target.force)
    return _join(out), warnings


def _rewritten(messages: Raw, todo: frozenset[str], target: Target) -> bytes:
    try:
        return rewrite(messages, todo, target)
    except (msgspec.ValidationError, TypeError, AttributeError):
        raise InvalidRequest(
            "A message has a member of the wrong type.", path="$.messages", reason="invalid_value"
        ) from None


def _join(out: dict[str, bytes | Raw]) -> bytes:
    pieces: list[bytes | Raw] = []
    mark = b'{"'
    for name, raw in out.items():
        pieces += (mark, _name(name), b'":', raw)
        mark = b',"'
    pieces.append(b"}")
    return b"".join(pieces)


def _name(name: str) -> bytes:
    return name.encode() if name.isidentifier() and name.isascii() else _encode(name)[1:-1]


def _plain_tools(raw: Raw) -> bytes:
    tools = _tools(raw)
    for tool in tools:
        tool.pop("cache_control", None)
    return _encode(tools)


def _wish(opened: Opened, target: Target, out: dict[str, bytes | Raw], warnings: list[Warning]) -> None:
    if "reasoning" not in opened.parameters:
        return
    wish = read_wish(opened.fields)
    if wish is None:
        return
    members, problems = write_wish(wish, target, opened.max_tokens)
    for name, value in members.items():
        if name in target.drop:
            problems.append(Warning(DROPPED, "$.reasoning", f"This provider does not take '{name}'."))
        else:
            out[target.rename.get(name, name)] = value
    warnings += problems


def _options(opened: Opened, target: Target, out: dict[str, bytes | Raw], warnings: list[Warning]) -> None:
    options = target.options
    if "cache_control" in out and "top_level_cache_control" not in options:
        del out["cache_control"]
    if "image_config" in out and "image_config" not in options:
        del out["image_config"]
    if "metadata" in out and "no_metadata" in options:
        del out["metadata"]
    choice = out.get("tool_choice")
    if choice is not None:
        _tool_choice(bytes(choice), options, out, warnings)
    if opened.stream and "response_format" in out and "no_response_format_in_streams" in options:
        del out["response_format"]
        warnings.append(Warning(DROPPED, "$.response_format", "This provider does not take it in streams."))
    if "usage_include" in options:
        out["usage"] = b'{"include":true}'


def _tool_choice(choice: bytes, options: frozenset[str], out: dict[str, bytes | Raw], warnings: list[Warning]) -> None:
    if "tool_choice_auto_only" in options and choice not in (b'"auto"', b'"none"', _NULL):
        out["tool_choice"] = b'"auto"'
        warnings.append(Warning("parameter_changed", "$.tool_choice", "This provider chooses tools by itself only."))
    elif "required_as_any" in options and (choice == b'"required"' or choice[:1] == b"{"):
        out["tool_choice"] = b'"any"'
        if choice[:1] == b"{":
            warnings.append(Warning("parameter_changed", "$.tool_choice", "This provider cannot be told which tool."))


def _stream(target: Target, out: dict[str, bytes | Raw]) -> None:
    out["stream"] = b"true"
    if "no_stream_options" not in target.options and "stream_options" not in target.drop:
        padding = b',"include_obfuscation":false' if "obfuscation_off" in target.options else b""
        out["stream_options"] = b'{"include_usage":true' + padding + b"}"
