"""Text of vendors, made fit for callers: no secrets, no hosts, no markup, no walls of text. Refuses to guess the meaning."""

import re
from collections.abc import Iterable

TEXT_CHARS_MAX = 1000
_HIDDEN = "[redacted]"
_PATTERNS = (
    re.compile(r"(?i)\bbearer\s+[\w.~+/=-]{8,}"),
    re.compile(r"\b(?:sk|pk|rk|gsk|xai|nvapi|hf|r8|csk|fw|pplx|tgp_v1|ya29)[-_][\w*.-]{6,}"),
    re.compile(r"\b(?:org|proj|user|team|acct|req)[-_](?=[\w*.-]*[\dA-Z])[\w*.-]{6,}"),
    re.compile(r"\bAIza[\w-]{20,}|\bAKIA[A-Z0-9]{12,}"),
    re.compile(r"(?i)\b(?:https?|wss?)://[^\s\"'<>)\]]+"),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?\b"),
    re.compile(
        r"(?i)\b(?:[a-z0-9-]+\.)+(?:com|net|org|io|ai|dev|app|cloud|local|internal|svc|cn|co|eu|us)\b(?::\d{1,5})?(?:/\S*)?"
    ),
    re.compile(r"\b[\w-]{10,}\.[\w-]{10,}\.[\w-]{10,}\b"),
)
_MARKUP = re.compile(r"(?s)<(?:script|style)\b.*?</(?:script|style)>|<[^<>]{1,500}>")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without known secrets (whole, or any half of one), key-like words, addresses, markup and control characters."""
    text = text[: 8 * TEXT_CHARS_MAX]
    for secret in secrets:
        for piece in (secret, secret[: len(secret) // 2], secret[len(secret) // 2 :]):
            if len(piece) >= 6:
                text = text.replace(piece, _HIDDEN)
    text = _MARKUP.sub(" ", text)
    for pattern in _PATTERNS:
        text = pattern.sub(_HIDDEN, text)
    text = " ".join(_CONTROL.sub(" ", text).split())
    return text if len(text) <= TEXT_CHARS_MAX else text[: TEXT_CHARS_MAX - 1] + "…"
