"""Stream events: noun, then what happened. Exactly one terminal event (`Finished` or `Failed`) ends a stream.

Laws: a delta belongs to an open part; part indexes of a choice are never reused; usage is cumulative, the last wins.
"""

from enum import StrEnum

from msgspec import Raw, Struct, field

from farebox.ir.errors import FareboxError
from farebox.ir.request import AnyPart, Citation, Extras, Seal
from farebox.ir.usage import Usage


class FinishReason(StrEnum):
    STOP = "stop"
    LENGTH = "length"
    TOOL_CALLS = "tool_calls"
    CONTENT_FILTER = "content_filter"
    ERROR = "error"


class Warning(Struct, frozen=True):
    """Something the caller asked for that was changed or dropped. `code` is stable, `path` the JSON path."""

    code: str
    path: str
    message: str = ""


class Started(Struct, frozen=True, kw_only=True):
    """The answer began. Ids and names are the vendor's own."""

    response_id: str = ""
    model: str = ""
    created_s: int = 0
    service_tier: str | None = None
    system_fingerprint: str | None = None
    extras: Extras = field(default_factory=dict)


class PartStarted(Struct, frozen=True):
    """A part opens, with what is known of it so far (empty text, a tool call's name and id, …)."""

    index: int
    part: AnyPart
    choice: int = 0


class TextDelta(Struct, frozen=True):
    index: int
    text: str
    choice: int = 0


class ReasoningDelta(Struct, frozen=True):
    """More reasoning text; `summary` says that it is a summary, not the thought itself."""

    index: int
    text: str
    summary: bool = False
    choice: int = 0


class SealDelta(Struct, frozen=True):
    """The seal of the open reasoning or tool-call part; a later one replaces an earlier one."""

    index: int
    seal: Seal
    choice: int = 0


class ArgumentsDelta(Struct, frozen=True):
    index: int
    text: str
    choice: int = 0


class MediaDelta(Struct, frozen=True):
    """More base64 text of an open media part; `transcript` is text spoken in it."""

    index: int
    data: str = ""
    transcript: str = ""
    choice: int = 0


class CitationAdded(Struct, frozen=True):
    index: int
    citation: Citation
    choice: int = 0


class LogprobsAdded(Struct, frozen=True):
    """Log probabilities in the OpenAI chat shape (`content` or `refusal` entries), raw."""

    entries: Raw
    choice: int = 0
    refusal: bool = False


class PartEnded(Struct, frozen=True):
    index: int
    choice: int = 0


class ChoiceEnded(Struct, frozen=True, kw_only=True):
    """One choice is complete. `raw_reason` is the vendor's own word."""

    reason: FinishReason
    raw_reason: str = ""
    choice: int = 0
    stop_sequence: str | None = None
    extras: Extras = field(default_factory=dict)


class UsageReported(Struct, frozen=True):
    usage: Usage


class Warned(Struct, frozen=True):
    warning: Warning


class Finished(Struct, frozen=True, kw_only=True):
    """The stream ended well: every choice had its `ChoiceEnded`. `complete` is false when the vendor's end mark is missing."""

    complete: bool = True


class Failed(Struct, frozen=True):
    error: FareboxError


Event = (
    Started
    | PartStarted
    | TextDelta
    | ReasoningDelta
    | SealDelta
    | ArgumentsDelta
    | MediaDelta
    | CitationAdded
    | LogprobsAdded
    | PartEnded
    | ChoiceEnded
    | UsageReported
    | Warned
    | Finished
    | Failed
)

Terminal = Finished | Failed


class Choice(Struct, frozen=True, kw_only=True):
    """One answer of a folded stream."""

    parts: tuple[AnyPart, ...] = ()
    reason: FinishReason | None = None
    raw_reason: str = ""
    stop_sequence: str | None = None
    logprobs: tuple[Raw, ...] = ()
    refusal_logprobs: tuple[Raw, ...] = ()
    extras: Extras = field(default_factory=dict)


class Response(Struct, frozen=True, kw_only=True):
    """The fold of a stream; `error` is set if it failed, and what had come until then is kept."""

    started: Started = Started()
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    warnings: tuple[Warning, ...] = ()
    error: FareboxError | None = None
    complete: bool = False
