"""The protocol's words: its name, stop reasons, media formats, and what its families of models ask for differently.
Refuses everything else. Facts: the API reference of Converse and recorded traffic, 2024 to 2026.
"""

from msgspec import Struct

from farebox.ir.events import FinishReason

NAME = "bedrock_converse"

STOPS = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "guardrail_intervened": FinishReason.CONTENT_FILTER,
    "content_filtered": FinishReason.CONTENT_FILTER,
    "malformed_model_output": FinishReason.ERROR,
    "malformed_tool_use": FinishReason.ERROR,
}

IMAGES = {"image/png": "png", "image/jpeg": "jpeg", "image/jpg": "jpeg", "image/gif": "gif", "image/webp": "webp"}
VIDEOS = {
    "video/mp4": "mp4",
    "video/x-matroska": "mkv",
    "video/quicktime": "mov",
    "video/webm": "webm",
    "video/x-flv": "flv",
    "video/mpeg": "mpeg",
    "video/x-ms-wmv": "wmv",
    "video/3gpp": "three_gp",
}
DOCUMENTS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
AUDIO = {
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/wav": "wav",
    "audio/x-wav": "wav",
    "audio/aac": "aac",
    "audio/flac": "flac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/webm": "webm",
    "audio/mp4": "mp4",
    "audio/m4a": "m4a",
}
FORMATS = {"image": IMAGES, "video": VIDEOS, "file": DOCUMENTS, "audio": AUDIO}
KINDS = {"image": "image", "video": "video", "file": "document", "audio": "audio"}

CLAUDE_SEAL = "anthropic-claude-v1"
OTHER_SEAL = "bedrock-converse-v1"


class Family(Struct, frozen=True, kw_only=True):
    """What a family of models wants. `wish` is how it is asked to think (see `reasoning`); `top_k` where that goes.

    `signed`: reasoning goes back only with its signature; `choices`: it can be made to call a tool.
    """

    seal: str = OTHER_SEAL
    signed: bool = False
    wish: str = "none"
    top_k: tuple[str, ...] = ()


_CLAUDE = Family(seal=CLAUDE_SEAL, signed=True, wish="thinking", top_k=("top_k",))
_FAMILIES = (
    ("claude", _CLAUDE),
    ("nova-2", Family(wish="reasoningConfig", top_k=("inferenceConfig", "topK"))),
    ("nova", Family(top_k=("inferenceConfig", "topK"))),
    ("gpt-oss", Family(wish="reasoning_effort")),
)
_OTHER = Family()


def family(model: str) -> Family:
    """The family that a model id belongs to."""
    return next((kind for word, kind in _FAMILIES if word in model), _OTHER)
