"""What is learnt of an answer while it passes: ids, model, usage, how it ended. Used by the codec and the relay alike.
Refuses to change a byte.
"""

from msgspec import Raw

from farebox.dialects.openai_responses.errors import vendor_failure
from farebox.dialects.openai_responses.usage import read_usage, searches_of
from farebox.dialects.openai_responses.words import (
    CALLS,
    SEARCH_ITEM,
    given,
    reason_of,
    text_of,
    value_of,
)
from farebox.dialects.ports import Outcome, Target
from farebox.ir.errors import AttemptError, EmptyAnswer
from farebox.ir.events import FinishReason
from farebox.ir.usage import Usage

ENDS = frozenset(("completed", "incomplete"))


def note_started(response: dict[str, Raw], outcome: Outcome, target: Target) -> None:
    """The vendor's id and model."""
    if not outcome.upstream_id:
        outcome.upstream_id = text_of(response.get("id"))[:256]
    model = text_of(response.get("model"))
    if model and not outcome.upstream_model:
        outcome.upstream_model = model[:256]
        if _differs(model, target.model):
            outcome.flags.append("model_mismatch")


def _differs(answered: str, asked: str) -> bool:
    """Whether the vendor names another model than asked; a dated or shortened name of the same is none."""
    first, second = (name.rsplit("/", 1)[-1].lower() for name in (answered, asked))
    return first not in second and second not in first


def usage_of(response: dict[str, Raw], target: Target, outcome: Outcome, searches: int) -> Usage | None:
    """The usage of a response that ended."""
    return read_usage(response.get("usage"), target.usage, outcome.flags, searches_of(response, searches))


def failure_of(response: dict[str, Raw]) -> AttemptError | None:
    """What broke a response, if its status or `error` says so."""
    status = text_of(response.get("status"))
    if given(response.get("error")) or status in ("failed", "cancelled"):
        return vendor_failure(response.get("error"))
    return None


def note_end(response: dict[str, Raw], outcome: Outcome, calls: int) -> FinishReason:
    """How a response ended, noted; an answer with nothing in it has `EmptyAnswer` as its error."""
    status = text_of(response.get("status")) or "completed"
    detail = value_of(given(response.get("incomplete_details")) or b"{}")
    word = str(detail.get("reason") or "") if isinstance(detail, dict) else ""
    reason = reason_of(status, word, calls)
    outcome.finish, outcome.native_finish = reason.value, (word or status)[:64]
    outcome.ended = outcome.complete = True
    tokens = outcome.usage.completion_tokens() if outcome.usage is not None else 0
    said = outcome.content_chars + outcome.reasoning_chars + outcome.tool_calls
    if not outcome.committed and not said and not tokens and reason is FinishReason.STOP:
        outcome.error = EmptyAnswer()
    return reason


def count_items(items: list[dict[str, Raw]]) -> tuple[int, int, int, int]:
    """Characters of answer and of reasoning, calls, and searches in whole items."""
    content = reasoning = calls = searches = 0
    for fields in items:
        kind = text_of(fields.get("type"))
        if kind in CALLS:
            calls += 1
        elif kind == SEARCH_ITEM:
            searches += 1
        elif kind == "reasoning":
            reasoning += sum(_lengths(fields.get("summary"))) + sum(_lengths(fields.get("content")))
        elif kind == "message":
            content += sum(_lengths(fields.get("content")))
    return content, reasoning, calls, searches


def has_tool_items(items: list[dict[str, Raw]]) -> bool:
    """Whether an answer holds items of vendor-side tools: content, too."""
    return any(text_of(fields.get("type")) not in ("message", "reasoning") for fields in items)


def _lengths(raw: Raw | None) -> list[int]:
    data = given(raw)
    entries = value_of(data) if data[:1] == b"[" else []
    texts = [entry.get("text") or entry.get("refusal") for entry in entries if isinstance(entry, dict)]
    return [len(text) for text in texts if isinstance(text, str)]
