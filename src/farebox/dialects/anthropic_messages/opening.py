"""Reads a Messages request as far as admission and routing need, and refuses what is out of range, each with its JSON path.
Leaves the meaning of blocks, tools and schemas to the vendor or to `decoding`.

Marks: `cache_control`, `thinking`, `tool_result`, `server_tools`, `system_in_messages`.
"""

import re
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from farebox.dialects.anthropic_messages.seals import MARK, unwrap
from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.ports import Opened
from farebox.dialects.shared.checks import check_forbidden, check_references, typed, wanted_models

BLOCKS_MAX = 5_000
_SESSION = re.compile(r"session(?:_id)?[_\":\s]{1,8}([0-9a-f]{8}-[0-9a-f-]{20,40})")

Short = Annotated[str, Meta(max_length=256)]
Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Share = Annotated[float, Meta(ge=0, le=1)]


class MessageHead(Struct, gc=False):
    role: Literal["user", "assistant", "system"]
    content: str | list[dict[str, Any]]


class ToolHead(Struct, gc=False):
    name: Short | None = None
    type: Short | None = None
    input_schema: dict[str, Any] | None = None
    cache_control: Any = None


class ChoiceHead(Struct, gc=False):
    type: Literal["auto", "any", "tool", "none"]
    name: Short | None = None
    disable_parallel_tool_use: bool | None = None


class ThinkingHead(Struct, gc=False):
    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    display: Short | None = None


class FormatHead(Struct, gc=False):
    type: Short
    schema: dict[str, Any] | None = None


class OutputHead(Struct, gc=False):
    format: FormatHead | None = None
    effort: Short | None = None


class FallbackHead(Struct, gc=False):
    model: str


class MessagesHead(Struct, gc=False):
    """Every parameter with its range; what is not named here passes unread."""

    messages: Annotated[list[MessageHead], Meta(min_length=1, max_length=100_000)]
    max_tokens: Tokens
    model: str | None = None
    models: Annotated[list[str], Meta(max_length=32)] | None = None
    fallbacks: Annotated[list[FallbackHead], Meta(max_length=8)] | None = None
    provider: dict[str, Any] | None = None
    system: str | list[dict[str, Any]] | None = None
    stream: bool | None = None
    temperature: Share | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    stop_sequences: Annotated[list[str], Meta(max_length=8192)] | None = None
    tools: Annotated[list[ToolHead], Meta(max_length=1024)] | None = None
    tool_choice: ChoiceHead | None = None
    thinking: ThinkingHead | None = None
    output_config: OutputHead | None = None
    output_format: FormatHead | None = None
    cache_control: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    service_tier: Short | None = None
    session_id: Short | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None


class CountHead(MessagesHead, gc=False):
    max_tokens: Tokens | None = None  # type: ignore[assignment]


_PARAMETERS = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "stop_sequences": "stop",
    "tools": "tools",
    "tool_choice": "tool_choice",
    "thinking": "reasoning",
    "output_format": "response_format",
}
_MODALITIES = {"image": "image", "document": "file", "container_upload": "file"}


class Seen:
    """What one look over the blocks gathers."""

    __slots__ = ("blocks", "marks", "modalities", "origins", "relayable")

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self.modalities: set[str] = set()
        self.origins: set[str] = set()
        self.blocks = 0
        self.relayable = True

    def look(self, blocks: list[dict[str, Any]], path: str) -> None:
        self.blocks += len(blocks)
        if self.blocks > BLOCKS_MAX:
            refuse(f"More than {BLOCKS_MAX} content blocks.", "too_many", "$.messages")
        for index, block in enumerate(blocks):
            kind = block.get("type")
            if not isinstance(kind, str) or len(kind) > 256:
                refuse("A block has a type.", "invalid_value", f"{path}[{index}].type")
            if block.get("cache_control") is not None:
                self.marks.add("cache_control")
            if kind in _MODALITIES:
                self.modalities.add(_MODALITIES[kind])
            elif kind == "tool_result":
                self.marks.add("tool_result")
                inner = block.get("content")
                if isinstance(inner, list):
                    if not all(isinstance(one, dict) for one in inner):
                        refuse("Content is a list of blocks.", "invalid_value", f"{path}[{index}].content")
                    self.look(inner, f"{path}[{index}].content")
            elif kind in ("thinking", "redacted_thinking"):
                self._seal(block.get("signature" if kind == "thinking" else "data"))

    def _seal(self, seal: Any) -> None:
        """A seal of another origin, or none at all, can only be taken apart by the codec."""
        self.marks.add("thinking")
        if isinstance(seal, str) and seal:
            self.origins.add(unwrap(seal, "signature")[0])
            self.relayable = self.relayable and not seal.startswith(MARK)
        else:
            self.relayable = False


def _parameters(head: MessagesHead, everything: dict[str, Any]) -> frozenset[str]:
    names = {word for name, word in _PARAMETERS.items() if everything.get(name) is not None}
    if head.thinking is not None and head.thinking.type == "disabled":
        names.discard("reasoning")  # every endpoint can go without
    if head.output_config is not None:
        if head.output_config.format is not None:
            names.add("response_format")
        if head.output_config.effort is not None:
            names.add("reasoning")
    if head.tool_choice is not None and head.tool_choice.disable_parallel_tool_use is not None:
        names.add("parallel_tool_calls")
    return frozenset(names)


def _check_schemas(head: MessagesHead) -> None:
    for index, tool in enumerate(head.tools or ()):
        check_references(tool.input_schema, f"$.tools[{index}].input_schema")
    for form, path in (
        (head.output_format, "$.output_format.schema"),
        (head.output_config.format if head.output_config is not None else None, "$.output_config.format.schema"),
    ):
        if form is not None:
            check_references(form.schema, path)


def _look(head: MessagesHead, seen: Seen) -> None:
    for index, message in enumerate(head.messages):
        if message.role == "system":
            seen.marks.add("system_in_messages")
        if type(message.content) is list:
            seen.look(message.content, f"$.messages[{index}].content")
    if isinstance(head.system, list):
        seen.look(head.system, "$.system")
    for index, tool in enumerate(head.tools or ()):
        if tool.type is None or tool.type == "custom":
            if not tool.name:
                refuse("A tool has a name.", "missing_field", f"$.tools[{index}].name")
        else:
            seen.marks.add("server_tools")
        if tool.cache_control is not None:
            seen.marks.add("cache_control")


def open_messages(body: bytes, kind: type[MessagesHead] = MessagesHead) -> Opened:
    """The opened request. Raises `InvalidRequest`."""
    fields, everything = front(body)
    check_forbidden(fields)
    for name in ("messages", "max_tokens"):
        if name not in everything and (name == "messages" or kind is MessagesHead):
            refuse(f"'{name}' is missing.", "missing_field", f"$.{name}")
    head = typed(everything, kind)
    seen = Seen()
    _look(head, seen)
    if b'"$ref"' in body:
        _check_schemas(head)
    others = [*(head.models or ()), *(fallback.model for fallback in head.fallbacks or ())]
    user = (head.metadata or {}).get("user_id")
    return Opened(
        body=body,
        fields=fields,
        models=wanted_models(head.model, others),
        stream=head.stream or False,
        max_tokens=head.max_tokens,
        provider=fields["provider"] if head.provider is not None else None,
        parameters=_parameters(head, everything),
        modalities=frozenset(seen.modalities),
        origins=frozenset(seen.origins),
        marks=frozenset(seen.marks),
        service_tier=head.service_tier or "",
        session=head.session_id or _session(user),
        user=head.user or (user if isinstance(user, str) else ""),
        relayable=seen.relayable,
    )


def _session(user: Any) -> str:
    """Coding agents put their session into `metadata.user_id`; it keeps a conversation at the provider that has it cached."""
    found = _SESSION.search(user[:1024]) if isinstance(user, str) else None
    return found.group(1) if found else ""
