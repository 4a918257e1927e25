"""The protocol's words: its name and done reasons. Refuses everything else (API documentation and recordings, 2025 to 2026)."""

from farebox.ir.events import FinishReason

NAME = "ollama_chat"

DONE = {
    "stop": FinishReason.STOP,
    "length": FinishReason.LENGTH,
    "load": FinishReason.STOP,
    "unload": FinishReason.STOP,
}
