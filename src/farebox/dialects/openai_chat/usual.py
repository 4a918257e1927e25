"""The usual whole answer and the usual stream chunk, read by types: one choice with text, plain counters. Everything else is
left to `answer`, which reads every answer; the two must give the same bytes (a law holds them together). Owns speed, refuses
surprises.
"""

from msgspec import UNSET, Raw, Struct, UnsetType
from msgspec.json import Decoder

from farebox.dialects.openai_chat.words import finish_word
from farebox.ir.usage import Unit, Usage

COUNT_MAX = 10**12
_FRESH, _READ = Unit.INPUT_FRESH.value, Unit.INPUT_CACHE_READ.value
_TEXT, _REASONING = Unit.OUTPUT_TEXT.value, Unit.OUTPUT_REASONING.value


class _PromptDetails(Struct, forbid_unknown_fields=True, gc=False):
    cached_tokens: int | None = 0
    audio_tokens: int | None = 0


class _CompletionDetails(Struct, forbid_unknown_fields=True, gc=False):
    reasoning_tokens: int | None = 0
    audio_tokens: int | None = 0
    accepted_prediction_tokens: int | None = 0
    rejected_prediction_tokens: int | None = 0


_NO_PROMPT = _PromptDetails()
_NO_COMPLETION = _CompletionDetails()


class _Counts(Struct, forbid_unknown_fields=True, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int = -1
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class Message(Struct, forbid_unknown_fields=True, gc=False):
    """A message that holds text and nothing else."""

    role: str
    content: str
    refusal: UnsetType | None = UNSET
    annotations: Raw | UnsetType = UNSET


class Choice(Struct, forbid_unknown_fields=True, gc=False):
    """A finished choice."""

    message: Raw
    finish_reason: str
    index: int = 0
    logprobs: Raw | UnsetType = UNSET


class Whole(Struct, forbid_unknown_fields=True, gc=False):
    """A whole answer of the documented members."""

    id: str
    model: str
    choices: tuple[Choice]
    usage: Raw
    created: int = 0
    object: str = ""
    system_fingerprint: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET


class Delta(Struct, forbid_unknown_fields=True, gc=False):
    """A piece of text, or the opening of a message."""

    role: str | UnsetType = UNSET
    content: Raw | UnsetType = UNSET
    refusal: UnsetType | None = UNSET


class ChunkChoice(Struct, forbid_unknown_fields=True, gc=False):
    """The one choice of a chunk."""

    delta: Delta
    index: int = 0
    finish_reason: str | None = None
    logprobs: UnsetType | None = UNSET


class Chunk(Struct, forbid_unknown_fields=True, gc=False):
    """A stream chunk of the documented members."""

    choices: tuple[ChunkChoice, ...]
    id: str = ""
    model: str = ""
    created: int = 0
    object: str = ""
    usage: Raw | UnsetType = UNSET
    system_fingerprint: Raw | UnsetType = UNSET
    service_tier: Raw | UnsetType = UNSET


whole = Decoder(Whole).decode
chunk = Decoder(Chunk).decode
text = Decoder(str).decode
message = Decoder(Message).decode
_counts = Decoder(_Counts).decode


def usage(raw: Raw) -> Usage | None:
    """Plain counters as leaves; None where `usage.read_usage` must look. Raises what the decoder raises."""
    counts = _counts(raw)
    prompt, completion = counts.prompt_tokens, counts.completion_tokens
    given, made = counts.prompt_tokens_details or _NO_PROMPT, counts.completion_tokens_details or _NO_COMPLETION
    if given.audio_tokens or made.audio_tokens:
        return None
    cached, reasoning = given.cached_tokens or 0, made.reasoning_tokens or 0
    if not (0 <= cached <= prompt <= COUNT_MAX and 0 <= reasoning <= completion <= COUNT_MAX):
        return None
    if reasoning and counts.total_tokens == prompt + completion + reasoning:
        return None
    leaves = {}
    if cached:
        leaves[_READ] = cached
    if prompt > cached:
        leaves[_FRESH] = prompt - cached
    if reasoning:
        leaves[_REASONING] = reasoning
    if completion > reasoning:
        leaves[_TEXT] = completion - reasoning
    return Usage(leaves, raw)


def finish(word: str) -> str:
    """The common word of a finish reason of an answer without tool calls."""
    return finish_word(word, False)


def member(name: bytes, raw: Raw | UnsetType) -> bytes:
    """A member passed on as it came; nothing if it did not."""
    return b"" if raw is UNSET else b',"%b":%b' % (name, bytes(raw))
