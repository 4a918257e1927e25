"""Reads a Converse request as far as admission and routing need. Refuses what is out of range, with its JSON path.

The model and the wish for a stream stand in the path of the request, not in its body: see `with_path`. A body may name
Farebox's own `models` and `provider`.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from farebox.dialects.bedrock_converse.seals import format_of
from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.ports import Opened
from farebox.dialects.shared.checks import check_forbidden, check_references, typed, wanted_models

PARTS_MAX = 5_000
_MODALITIES = {"image": "image", "document": "file", "video": "video", "audio": "audio"}


class _Inference(Struct, rename="camel"):
    max_tokens: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=2500)] | None = None


class _Message(Struct):
    role: str
    content: list[dict[str, Any]]


class _ToolConfig(Struct, rename="camel"):
    tools: list[dict[str, Any]]
    tool_choice: dict[str, Any] | None = None


class _Tier(Struct):
    type: str


class _Body(Struct, rename="camel"):
    """The members that are read; what is not named here passes unread."""

    messages: Annotated[list[_Message], Meta(min_length=1)]
    system: list[dict[str, Any]] | None = None
    inference_config: _Inference | None = None
    tool_config: _ToolConfig | None = None
    additional_model_request_fields: dict[str, Any] | None = None
    output_config: dict[str, Any] | None = None
    service_tier: _Tier | None = None
    request_metadata: dict[str, str] | None = None
    models: list[str] | None = None
    provider: dict[str, Any] | None = None


def open_converse(body: bytes) -> Opened:
    """The opened request; its model is missing until `with_path`. Raises `InvalidRequest`."""
    fields, everything = front(body)
    check_forbidden(fields)
    read = typed(everything, _Body)
    if b'"$ref"' in body:
        for index, tool in enumerate(read.tool_config.tools if read.tool_config else ()):
            check_references(tool, f"$.toolConfig.tools[{index}]")
    modalities, origins = _look(read.messages)
    inference = read.inference_config or _Inference()
    return Opened(
        body=body,
        fields=fields,
        models=wanted_models(None, read.models) if read.models else (),
        max_tokens=inference.max_tokens,
        provider=fields["provider"] if read.provider is not None else None,
        parameters=frozenset(_parameters(read, inference)),
        modalities=frozenset(modalities),
        origins=frozenset(origins),
        service_tier=read.service_tier.type if read.service_tier else "",
        relayable=False,
    )


def _look(messages: list[_Message]) -> tuple[set[str], set[str]]:
    modalities: set[str] = set()
    origins: set[str] = set()
    count = 0
    for index, message in enumerate(messages):
        if message.role not in ("user", "assistant"):
            refuse("The role is 'user' or 'assistant'.", "invalid_value", f"$.messages[{index}].role")
        for block in message.content:
            count += 1
            for name, inner in block.items():
                kinds = [name, *_nested(inner)] if name == "toolResult" else [name]
                modalities.update(_MODALITIES[kind] for kind in kinds if kind in _MODALITIES)
                if name == "reasoningContent" and isinstance(inner, dict) and (word := format_of(inner)):
                    origins.add(word)
    if count > PARTS_MAX:
        refuse(f"More than {PARTS_MAX} blocks.", "too_many", "$.messages")
    return modalities, origins


def _nested(result: Any) -> list[str]:
    content = result.get("content") if isinstance(result, dict) else None
    return [kind for one in content if isinstance(one, dict) for kind in one] if isinstance(content, list) else []


def _parameters(read: _Body, inference: _Inference) -> set[str]:
    found = {
        name
        for name, value in (
            ("max_tokens", inference.max_tokens),
            ("temperature", inference.temperature),
            ("top_p", inference.top_p),
            ("stop", inference.stop_sequences),
            ("tools", read.tool_config and read.tool_config.tools),
            ("tool_choice", read.tool_config and read.tool_config.tool_choice),
            ("response_format", read.output_config),
        )
        if value
    }
    more = read.additional_model_request_fields or {}
    if any(name in more for name in ("thinking", "reasoningConfig", "reasoning_config", "reasoning_effort")):
        found.add("reasoning")
    if "top_k" in more:
        found.add("top_k")
    return found


def with_path(opened: Opened, model: str, *, stream: bool) -> Opened:
    """The opened request with what its path says; the path's model comes first."""
    return msgspec.structs.replace(opened, models=wanted_models(model or None, list(opened.models)), stream=stream)
