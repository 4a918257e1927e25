"""The words of generateContent: names, enums, invented call ids, finish reasons. Refuses everything that has structure.

Checked 2026-11-24: https://ai.google.dev/api/generate-content, recordings of 2024 to 2026.
"""

import re
from functools import lru_cache
from hashlib import blake2b

from farebox.ir.events import FinishReason

NAME = "google_generate"
FORMAT = "google-gemini-v1"

_INVENTED = re.compile(r"call_gen_[0-9a-f]{12}_\d+\Z")
_FAMILY = re.compile(r"gemini-(?:[a-z]+-)?(\d+)")
_SAFETY = (
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "MODEL_ARMOR", "LANGUAGE", "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "JAILBREAK",
)  # fmt: skip
_BROKEN = (
    "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE",
    "MALFORMED_RESPONSE", "IMAGE_OTHER", "NO_IMAGE",
)  # fmt: skip
_FINISH: dict[str, FinishReason] = {
    "STOP": FinishReason.STOP,
    "MAX_TOKENS": FinishReason.LENGTH,
    **dict.fromkeys(_SAFETY, FinishReason.CONTENT_FILTER),
    **dict.fromkeys(_BROKEN, FinishReason.ERROR),
}
# Some libraries were recorded with enums as their numbers (protobuf).
FINISH_NUMBERS = {
    1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER", 6: "LANGUAGE", 7: "BLOCKLIST",
    8: "PROHIBITED_CONTENT", 9: "SPII", 10: "MALFORMED_FUNCTION_CALL",
}  # fmt: skip
MODALITY_NUMBERS = {1: "TEXT", 2: "IMAGE", 3: "VIDEO", 4: "AUDIO", 5: "DOCUMENT"}
_SAID: dict[FinishReason, str] = {
    FinishReason.STOP: "STOP",
    FinishReason.TOOL_CALLS: "STOP",
    FinishReason.LENGTH: "MAX_TOKENS",
    FinishReason.CONTENT_FILTER: "SAFETY",
    FinishReason.ERROR: "OTHER",
}
FINISH_WORDS = frozenset((*_FINISH, "OTHER", "FINISH_REASON_UNSPECIFIED"))


def finish_of(native: str, *, has_calls: bool) -> FinishReason:
    """The common reason for a vendor's. Calls end with STOP here; words nobody knows are a stop."""
    reason = _FINISH.get(native, FinishReason.STOP)
    return FinishReason.TOOL_CALLS if has_calls and reason is FinishReason.STOP else reason


def finish_word(reason: FinishReason, native: str) -> str:
    """This dialect's word: the vendor's own if it is one of this dialect's."""
    return native if native in FINISH_WORDS else _SAID[reason]


@lru_cache(4096)
def family(model: str) -> int:
    """The generation in a model's name (`gemini-2.5-flash`: 2); 0 if it names none."""
    found = _FAMILY.search(model)
    return int(found.group(1)) if found else 3 if "gemini-" in model and "latest" in model else 0


def invented_id(seed: str, number: int) -> str:
    """An id for a call that has none: the same for the same place, so that it need not be remembered."""
    return f"call_gen_{blake2b(seed.encode(), digest_size=6).hexdigest()}_{number}"


def is_invented(call_id: str) -> bool:
    return _INVENTED.match(call_id) is not None


@lru_cache(4096)
def camel(name: str) -> str:
    """`file_uri` as `fileUri`: both spellings are accepted by Google."""
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)
