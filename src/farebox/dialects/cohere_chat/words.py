"""The protocol's words: its name and finish reasons. Refuses everything else (API reference v2 and recordings, 2024 to 2026)."""

from farebox.ir.events import FinishReason

NAME = "cohere_chat"

FINISH = {
    "COMPLETE": FinishReason.STOP,
    "STOP_SEQUENCE": FinishReason.STOP,
    "TOOL_CALL": FinishReason.TOOL_CALLS,
    "MAX_TOKENS": FinishReason.LENGTH,
    "ERROR_LIMIT": FinishReason.LENGTH,
    "ERROR_TOXIC": FinishReason.CONTENT_FILTER,
    "ERROR": FinishReason.ERROR,
    "TIMEOUT": FinishReason.ERROR,
}

# Where the text before tool calls stands.
PLAN = "tool_plan"
