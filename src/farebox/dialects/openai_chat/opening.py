"""Reads a chat request as far as admission and routing need, and refuses what is out of range, each with its JSON path.
Leaves the meaning of messages, tools and schemas to the vendor or to `decoding`.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from farebox.dialects.framing.json_front import front, plain, refuse
from farebox.dialects.ports import Opened
from farebox.dialects.shared.checks import FORBIDDEN, check_forbidden, check_references, typed, wanted_models

PARTS_MAX = 5_000
STOP_MAX = 4

Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Short = Annotated[str, Meta(max_length=256)]
Name = Annotated[str, Meta(min_length=1, max_length=256)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Stop = str | Annotated[list[str], Meta(max_length=STOP_MAX)]


class PartHead(Struct, gc=False):
    type: Short
    cache_control: Any = None
    prompt_cache_breakpoint: Any = None


class CallHead(Struct, gc=False):
    id: str | None = None


class MessageHead(Struct, gc=False):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[PartHead] | UnsetType | None = UNSET
    name: Short | None = None
    tool_call_id: Short | None = None
    tool_calls: list[CallHead] | None = None
    reasoning: Any = None
    reasoning_content: Any = None
    reasoning_details: list[dict[str, Any]] | None = None
    images: Any = None
    cache_control: Any = None


class FunctionHead(Struct, gc=False):
    name: Name
    parameters: dict[str, Any] | None = None


class ToolHead(Struct, gc=False):
    type: Short = "function"
    function: FunctionHead | None = None
    cache_control: Any = None


class SchemaHead(Struct, gc=False):
    name: Short | None = None
    schema: dict[str, Any] | None = None


class FormatHead(Struct, gc=False):
    type: Literal["text", "json_object", "json_schema", "grammar", "python"]
    json_schema: SchemaHead | None = None


class ReasoningHead(Struct, gc=False):
    effort: Effort | None = None
    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    exclude: bool | None = None
    enabled: bool | None = None
    summary: Short | None = None


class ChatHead(Struct, gc=False):
    """Every parameter with its range; what is not named here passes unread."""

    messages: Annotated[list[MessageHead], Meta(min_length=1, max_length=10_000)]
    model: str | None = None
    models: Annotated[list[str], Meta(max_length=32)] | None = None
    provider: dict[str, Any] | None = None
    stream: bool | None = None
    stream_options: dict[str, Any] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    top_a: Share | None = None
    min_p: Share | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    seed: int | None = None
    stop: Stop | None = None
    logit_bias: dict[str, float] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: Annotated[list[ToolHead], Meta(max_length=1024)] | None = None
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Annotated[int, Meta(ge=1, le=1000)] | None = None
    response_format: FormatHead | None = None
    structured_outputs: bool | None = None
    reasoning: ReasoningHead | None = None
    reasoning_effort: Effort | None = None
    include_reasoning: bool | None = None
    modalities: Annotated[list[Short], Meta(max_length=8)] | None = None
    verbosity: Short | None = None
    service_tier: Short | None = None
    session_id: Short | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    metadata: Annotated[dict[Short, Annotated[str, Meta(max_length=4096)]], Meta(max_length=16)] | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=1024)] | None = None


_head = msgspec.json.Decoder(ChatHead).decode
_PART_MODALITIES = {
    "image_url": "image",
    "image": "image",
    "input_image": "image",
    "input_audio": "audio",
    "audio_url": "audio",
    "video_url": "video",
    "input_video": "video",
    "file": "file",
    "input_file": "file",
    "document_url": "file",
}
NOT_PARAMETERS = frozenset(
    (
        "messages", "model", "models", "provider", "route", "plugins", "transforms", "preset", "stream", "stream_options",
        "session_id", "user", "metadata", "trace", "debug", "usage", "n", "service_tier", "structured_outputs",
        "prompt_cache_key", "prompt_cache_options", "cache_control", "safety_identifier", "store",
        "max_tool_calls", "stop_server_tools_when", "deferred_tools",
    )
)  # fmt: skip
_SAME_PARAMETER = {
    "max_completion_tokens": "max_tokens",
    "reasoning_effort": "reasoning",
    "include_reasoning": "reasoning",
    "functions": "tools",
    "function_call": "tool_choice",
}


class Seen:
    """What one look over the messages gathers."""

    __slots__ = ("marks", "modalities", "origins", "parts")

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self.modalities: set[str] = set()
        self.origins: set[str] = set()
        self.parts = 0

    def look(self, messages: list[MessageHead]) -> None:
        marks = self.marks
        for index, message in enumerate(messages):
            content = message.content
            if type(content) is list:
                self._look_at_parts(content)
            elif content.__class__ is not str and message.role != "assistant":
                refuse("A message needs content.", "invalid_value", f"$.messages[{index}].content")
            if message.role == "assistant":
                self._look_at_answer(message)
            elif message.role == "developer":
                marks.add("developer")
            elif message.role == "tool":
                marks.add("tool")
            if message.name is not None:
                marks.add("name")
            if message.cache_control is not None:
                marks.add("cache_control")

    def _look_at_parts(self, parts: list[PartHead]) -> None:
        self.parts += len(parts)
        if self.parts > PARTS_MAX:
            refuse(f"More than {PARTS_MAX} content parts.", "too_many", "$.messages")
        self.marks.add("parts")
        for part in parts:
            modality = _PART_MODALITIES.get(part.type)
            if modality:
                self.modalities.add(modality)
            if part.cache_control is not None or part.prompt_cache_breakpoint is not None:
                self.marks.add("cache_control")

    def _look_at_answer(self, message: MessageHead) -> None:
        self.marks.add("assistant")
        if (
            message.reasoning is not None
            or message.reasoning_content is not None
            or message.reasoning_details is not None
        ):
            self.marks.add("reasoning")
        if message.tool_calls:
            self.marks.add("tool_calls")
        if message.images is not None:
            self.marks.add("images")
        for detail in message.reasoning_details or ():
            if detail.get("signature") or detail.get("data"):
                origin = detail.get("format")
                self.origins.add(origin if isinstance(origin, str) and origin else "unknown")


def _check_schemas(head: ChatHead) -> None:
    for index, tool in enumerate(head.tools or ()):
        if tool.function is not None and tool.function.parameters:
            check_references(tool.function.parameters, f"$.tools[{index}].function.parameters")
    if head.response_format is not None and head.response_format.json_schema is not None:
        check_references(head.response_format.json_schema.schema, "$.response_format.json_schema.schema")


def _wants_reasoning_shown(head: ChatHead) -> bool:
    if head.reasoning is not None and head.reasoning.exclude is not None:
        return not head.reasoning.exclude
    return head.include_reasoning is not False


def _read(body: bytes) -> tuple[dict[str, Raw], ChatHead]:
    """Members and checked head; the quick way where it says yes, the thorough way for every doubt and every refusal."""
    fields = plain(body)
    if fields is not None and "messages" in fields and FORBIDDEN.isdisjoint(fields):
        try:
            return fields, _head(body)
        except msgspec.MsgspecError:
            pass
    fields, everything = front(body)
    check_forbidden(fields)
    if "messages" not in everything:
        refuse("'messages' is missing.", "missing_field", "$.messages")
    return fields, typed(everything, ChatHead)


def open_chat(body: bytes) -> Opened:
    """The opened request. Raises `InvalidRequest`."""
    fields, head = _read(body)
    seen = Seen()
    seen.look(head.messages)
    if b'"$ref"' in body:
        _check_schemas(head)
    if any(tool.cache_control is not None for tool in head.tools or ()):
        seen.marks.add("tool_cache_control")
    return Opened(
        body=body,
        fields=fields,
        models=wanted_models(head.model, head.models),
        stream=head.stream or False,
        choices=head.n or 1,
        max_tokens=head.max_completion_tokens or head.max_tokens,
        provider=fields["provider"] if head.provider is not None else None,
        parameters=frozenset(
            [
                _SAME_PARAMETER.get(name, name)
                for name, raw in fields.items()
                if name not in NOT_PARAMETERS and bytes(raw) != b"null"
            ]
        ),
        modalities=frozenset(seen.modalities),
        origins=frozenset(seen.origins),
        marks=frozenset(seen.marks),
        service_tier=head.service_tier or "",
        session=head.session_id or "",
        user=head.user or "",
        include_reasoning=_wants_reasoning_shown(head),
    )
