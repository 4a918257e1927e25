"""Reads a Responses request as far as admission and routing need, and refuses what is out of range, each with its JSON path.
State is refused: `store: true`, `previous_response_id`, `conversation` and `background: true` ask for what nobody keeps here.
Leaves the meaning of items, tools and schemas to the vendor or to `decoding`.

Marks: `reasoning` (earlier reasoning), `tool_calls`, `foreign_reasoning` (sealed in a format that is told), `bare_reasoning`
(nothing but an id and summaries), `cache_control`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, ValidationError, convert

from farebox.dialects.framing.json_front import front, refuse
from farebox.dialects.openai_responses.words import CALLS, FORMAT, OWN, RESULTS
from farebox.dialects.ports import Opened
from farebox.dialects.shared.checks import check_forbidden, check_references, typed, wanted_models

PARTS_MAX = 5_000

Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]
Tokens = Annotated[int, Meta(ge=1, le=2**31 - 1)]
Short = Annotated[str, Meta(max_length=256)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class PartHead(Struct, gc=False):
    type: Short
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    cache_control: Any = None


class ItemHead(Struct, gc=False):
    type: Short | None = None
    role: Any = None
    content: Any = None
    output: Any = None
    call_id: Any = None
    name: Any = None
    arguments: Any = None
    input: Any = None
    encrypted_content: str | None = None
    signature: str | None = None
    format: Any = None


class ToolHead(Struct, gc=False):
    type: Short = "function"
    cache_control: Any = None
    parameters: Any = None


class FormatHead(Struct, gc=False):
    type: Literal["text", "json_object", "json_schema", "grammar", "python"]
    schema: dict[str, Any] | None = None


class TextHead(Struct, gc=False):
    format: FormatHead | None = None
    verbosity: Short | None = None


class ReasoningHead(Struct, gc=False):
    effort: Effort | None = None
    max_tokens: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    exclude: bool | None = None
    enabled: bool | None = None
    summary: Short | None = None


class ResponsesHead(Struct, gc=False):
    """Every parameter with its range; what is not named here passes unread."""

    input: str | Annotated[list[ItemHead], Meta(min_length=1, max_length=10_000)] | None = None
    prompt: dict[str, Any] | None = None
    instructions: str | list[ItemHead] | None = None
    model: str | None = None
    models: Annotated[list[str], Meta(max_length=32)] | None = None
    provider: dict[str, Any] | None = None
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    include: Annotated[list[Short], Meta(max_length=32)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    top_k: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    max_output_tokens: Tokens | None = None
    max_tool_calls: Annotated[int, Meta(ge=1, le=1000)] | None = None
    tools: Annotated[list[ToolHead], Meta(max_length=1024)] | None = None
    tool_choice: Literal["none", "auto", "required"] | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    text: TextHead | None = None
    reasoning: ReasoningHead | None = None
    modalities: Annotated[list[Short], Meta(max_length=8)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None
    service_tier: Short | None = None
    session_id: Short | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    safety_identifier: Annotated[str, Meta(max_length=512)] | None = None
    metadata: Annotated[dict[Short, Annotated[str, Meta(max_length=4096)]], Meta(max_length=16)] | None = None
    prompt_cache_key: Annotated[str, Meta(max_length=1024)] | None = None


_PART_MODALITIES = {"input_image": "image", "input_audio": "audio", "input_video": "video", "input_file": "file"}
_NOT_PARAMETERS = OWN | {
    "input", "instructions", "prompt", "include", "user", "safety_identifier", "metadata", "service_tier", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "cache_control", "stream_options", "truncation", "max_tool_calls", "text",
}  # fmt: skip
_SAME_PARAMETER = {"max_output_tokens": "max_tokens"}
_ROLES = ("system", "developer", "user", "assistant")
_STATE = "Nothing is stored here between calls; send the whole conversation as 'input'."


class Seen:
    """What one look over the items gathers."""

    __slots__ = ("marks", "modalities", "origins", "parts")

    def __init__(self) -> None:
        self.marks: set[str] = set()
        self.modalities: set[str] = set()
        self.origins: set[str] = set()
        self.parts = 0

    def look(self, items: list[ItemHead]) -> None:
        for index, item in enumerate(items):
            kind = item.type
            if kind is None and item.role is None:
                refuse("An item says its type, or as a message its role.", "missing_field", f"$.input[{index}].type")
            if kind is None or kind == "message":
                self._look_at_message(item, f"$.input[{index}]")
            elif kind == "reasoning":
                self._look_at_reasoning(item)
            elif kind == "item_reference":
                refuse(_STATE, "stateless", f"$.input[{index}]")
            elif kind in CALLS:
                self._look_at_call(item, CALLS[kind][1], f"$.input[{index}]")
            elif kind in RESULTS:
                self._look_at_result(item, f"$.input[{index}]")

    def _look_at_message(self, item: ItemHead, path: str) -> None:
        if item.role not in _ROLES:
            refuse("A message's role is system, developer, user or assistant.", "invalid_value", f"{path}.role")
        if type(item.content) is list:
            self._look_at(item.content, f"{path}.content")
        elif type(item.content) is not str:
            refuse("A message needs content.", "invalid_value", f"{path}.content")

    def _look_at_call(self, item: ItemHead, written: str, path: str) -> None:
        self.marks.add("tool_calls")
        for name in ("call_id", "name", written):
            if type(getattr(item, name)) is not str:
                refuse(f"'{name}' must be a string.", "invalid_value", f"{path}.{name}")

    def _look_at_result(self, item: ItemHead, path: str) -> None:
        if type(item.call_id) is not str:
            refuse("'call_id' must be a string.", "invalid_value", f"{path}.call_id")
        if type(item.output) is list:
            self._look_at(item.output, f"{path}.output")
        elif type(item.output) is not str:
            refuse("An output is text or a list of parts.", "invalid_value", f"{path}.output")

    def _look_at(self, found: list[Any], path: str) -> None:
        try:
            parts = convert(found, list[PartHead])
        except ValidationError:
            refuse("Every content part is an object with a type.", "invalid_value", path)
        self.parts += len(parts)
        if self.parts > PARTS_MAX:
            refuse(f"More than {PARTS_MAX} content parts.", "too_many", "$.input")
        for part in parts:
            modality = _PART_MODALITIES.get(part.type)
            if modality:
                self.modalities.add(modality)
            if part.cache_control is not None:
                self.marks.add("cache_control")

    def _look_at_reasoning(self, item: ItemHead) -> None:
        self.marks.add("reasoning")
        word = item.format if isinstance(item.format, str) and item.format else FORMAT
        if item.encrypted_content or item.signature:
            self.origins.add(word)
        if item.format is not None or item.signature is not None:
            self.marks.add("foreign_reasoning")
        elif not item.encrypted_content and not item.content:
            self.marks.add("bare_reasoning")


def _check_state(head: ResponsesHead) -> None:
    for name, asked in (
        ("store", head.store is True),
        ("previous_response_id", head.previous_response_id is not None),
        ("conversation", head.conversation is not None),
        ("background", head.background is True),
    ):
        if asked:
            refuse(_STATE, "stateless", f"$.{name}")


def _check_schemas(head: ResponsesHead) -> None:
    for index, tool in enumerate(head.tools or ()):
        if isinstance(tool.parameters, dict):
            check_references(tool.parameters, f"$.tools[{index}].parameters")
    if head.text is not None and head.text.format is not None:
        check_references(head.text.format.schema, "$.text.format.schema")


def _parameters(everything: dict[str, Any], head: ResponsesHead) -> frozenset[str]:
    names = {
        _SAME_PARAMETER.get(name, name)
        for name, value in everything.items()
        if value is not None and name not in _NOT_PARAMETERS
    }
    if head.text is not None and head.text.format is not None and head.text.format.type != "text":
        names.add("response_format")
    if head.text is not None and head.text.verbosity is not None:
        names.add("verbosity")
    return frozenset(names)


def open_responses(body: bytes) -> Opened:
    """The opened request. Raises `InvalidRequest`."""
    fields, everything = front(body)
    check_forbidden(fields)
    head = typed(everything, ResponsesHead)
    if head.input is None and head.prompt is None:
        refuse("'input' is missing.", "missing_field", "$.input")
    _check_state(head)
    seen = Seen()
    for items in (head.instructions, head.input):
        if isinstance(items, list):
            seen.look(items)
    if b'"$ref"' in body:
        _check_schemas(head)
    if any(tool.cache_control is not None for tool in head.tools or ()):
        seen.marks.add("cache_control")
    shown = head.reasoning is None or not head.reasoning.exclude
    return Opened(
        body=body,
        fields=fields,
        models=wanted_models(head.model, head.models),
        stream=head.stream or False,
        max_tokens=head.max_output_tokens,
        provider=fields["provider"] if head.provider is not None else None,
        parameters=_parameters(everything, head),
        modalities=frozenset(seen.modalities),
        origins=frozenset(seen.origins),
        marks=frozenset(seen.marks),
        service_tier=head.service_tier or "",
        session=head.session_id or "",
        user=head.safety_identifier or head.user or "",
        include_reasoning=shown,
        relayable=shown,
    )
