"""The canonical request: messages of ordered parts, tools, output format, reasoning wish, sampling, limits.

Frozen values. Tool arguments and JSON schemas stay raw text: re-serialising them breaks prompt caches and signatures.
Refuses routing preferences' meaning (it only carries them) and everything vendor-specific outside `extras`.
"""

from enum import StrEnum

from msgspec import Raw, Struct, field

Extras = dict[str, dict[str, Raw]]


class Role(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Origin(Struct, frozen=True):
    """Where an opaque or sealed thing was made; it may go back only to a compatible origin."""

    dialect: str
    vendor: str = ""
    format: str = ""


class CacheMark(Struct, frozen=True):
    """A cache breakpoint asked for by the author of the request."""

    ttl: str = "5m"


class Part(Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One ordered piece of a message. `extras` are read back by the same dialect only."""

    cache: CacheMark | None = None
    origin: Origin | None = None
    extras: Extras = field(default_factory=dict)


class Citation(Struct, frozen=True, kw_only=True):
    """A source that a text rests on. Offsets count characters of the cited text."""

    url: str = ""
    title: str = ""
    quote: str = ""
    start: int | None = None
    end: int | None = None
    extras: Extras = field(default_factory=dict)


class Text(Part, frozen=True, kw_only=True, tag="text"):
    text: str
    citations: tuple[Citation, ...] = ()


class Seal(Struct, frozen=True):
    """A vendor's signature over, or encryption of, reasoning: bytes that must come back unchanged.

    `form` is `signature` (the text is readable and signed), `encrypted` (no readable text) or `redacted`.
    """

    form: str
    data: str
    item_id: str = ""


class Reasoning(Part, frozen=True, kw_only=True, tag="reasoning"):
    text: str = ""
    summary: str = ""
    seal: Seal | None = None


class ToolCall(Part, frozen=True, kw_only=True, tag="tool_call"):
    """`arguments` is the JSON text as it was written; `executor` is `client` or the name of a vendor-side executor."""

    call_id: str
    name: str
    arguments: str
    executor: str = "client"
    seal: Seal | None = None
    form: str = "function"


class ToolResult(Part, frozen=True, kw_only=True, tag="tool_result"):
    call_id: str
    parts: tuple["AnyPart", ...] = ()
    failed: bool = False
    name: str = ""


class Inline(Struct, frozen=True, tag="inline", tag_field="kind"):
    """Base64 text, never decoded by us."""

    data: str


class Url(Struct, frozen=True, tag="url", tag_field="kind"):
    url: str


class FileId(Struct, frozen=True, tag="file_id", tag_field="kind"):
    file_id: str


class Media(Part, frozen=True, kw_only=True, tag="media"):
    """An image, audio, video or document. `family` is image, audio, video or file; `media_type` may be empty."""

    family: str
    media_type: str = ""
    source: Inline | Url | FileId
    detail: str = ""
    filename: str = ""
    transcript: str = ""


class Refusal(Part, frozen=True, kw_only=True, tag="refusal"):
    text: str


class Opaque(Part, frozen=True, kw_only=True, tag="opaque"):
    """A block nobody here understands: kept byte for byte, valid only for its origin."""

    payload: Raw


AnyPart = Text | Reasoning | ToolCall | ToolResult | Media | Refusal | Opaque


class Message(Struct, frozen=True, kw_only=True):
    role: Role
    parts: tuple[AnyPart, ...]
    name: str = ""
    extras: Extras = field(default_factory=dict)


class Tool(Struct, frozen=True, kw_only=True):
    """A function the model may call. `form` is `function`, `custom`, or `server` (vendor-side; definition in extras)."""

    name: str
    description: str = ""
    schema: Raw | None = None
    strict: bool | None = None
    form: str = "function"
    cache: CacheMark | None = None
    extras: Extras = field(default_factory=dict)


class ToolMode(StrEnum):
    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"
    NAMED = "named"


class ToolChoice(Struct, frozen=True):
    mode: ToolMode
    names: tuple[str, ...] = ()


class OutputFormat(Struct, frozen=True, kw_only=True):
    """`form` is text, json_object, json_schema, grammar or python."""

    form: str
    name: str = ""
    schema: Raw | None = None
    strict: bool | None = None
    description: str = ""
    extras: Extras = field(default_factory=dict)


class ReasoningWish(Struct, frozen=True, kw_only=True):
    """How much the model shall think: an effort word, a token budget, or on/off. `None` means not said."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool = False
    summary: str | None = None
    extras: Extras = field(default_factory=dict)


class Sampling(Struct, frozen=True, kw_only=True):
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    top_a: float | None = None
    min_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    logit_bias: Raw | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    choices: int = 1


class OutputLimits(Struct, frozen=True, kw_only=True):
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    verbosity: str | None = None


class Request(Struct, frozen=True, kw_only=True):
    """One asked-for generation. `models` is the caller's list in order of wish; `extras` what only one dialect knows."""

    models: tuple[str, ...]
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tools: bool | None = None
    output: OutputFormat | None = None
    reasoning: ReasoningWish | None = None
    sampling: Sampling = Sampling()
    limits: OutputLimits = OutputLimits()
    modalities: tuple[str, ...] = ()
    cache: CacheMark | None = None
    cache_key: str | None = None
    service_tier: str | None = None
    user: str | None = None
    metadata: dict[str, str] | None = None
    stream: bool = False
    extras: Extras = field(default_factory=dict)


class EmbeddingRequest(Struct, frozen=True, kw_only=True):
    """Texts (or token lists) to embed. `inputs` keeps each item raw."""

    models: tuple[str, ...]
    inputs: tuple[Raw, ...]
    single: bool = False
    dimensions: int | None = None
    encoding: str = "float"
    input_type: str | None = None
    user: str | None = None
    extras: Extras = field(default_factory=dict)
