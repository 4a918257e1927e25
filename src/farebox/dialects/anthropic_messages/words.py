"""The protocol's own words: names, stop reasons, kinds of blocks. Refuses everything else."""

from types import MappingProxyType

from farebox.ir.events import FinishReason

NAME = "anthropic_messages"
FORMAT = "anthropic-claude-v1"
DROPPED = "parameter_dropped"
CHANGED = "parameter_changed"
UNSUPPORTED = "unsupported"
SEAL_DROPPED = "seal_dropped"

REASONS = MappingProxyType(
    {
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "pause_turn": FinishReason.STOP,
        "compaction": FinishReason.STOP,
        "max_tokens": FinishReason.LENGTH,
        "model_context_window_exceeded": FinishReason.LENGTH,
        "tool_use": FinishReason.TOOL_CALLS,
        "refusal": FinishReason.CONTENT_FILTER,
    }
)
_WORDS = MappingProxyType(
    {
        FinishReason.STOP: "end_turn",
        FinishReason.LENGTH: "max_tokens",
        FinishReason.TOOL_CALLS: "tool_use",
        FinishReason.CONTENT_FILTER: "refusal",
        FinishReason.ERROR: "end_turn",
    }
)


def stop_word(reason: FinishReason | None, raw: str, stop_sequence: str | None) -> str:
    """The stop reason a client reads: the vendor's own word if it is one of this protocol."""
    if reason is None:
        return "end_turn"
    if raw in REASONS and REASONS[raw] is reason:
        return raw
    return "stop_sequence" if stop_sequence is not None and reason is FinishReason.STOP else _WORDS[reason]
