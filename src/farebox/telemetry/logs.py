"""Logs: one JSON object a line, known fields only, secrets struck out. Refuses bodies, headers and unknown fields."""

import json
import re
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

Event = MutableMapping[str, Any]
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
TEXT_CHARS = 2000

FIELDS = frozenset(
    {
        "at",
        "level",
        "event",
        "request_id",
        "generation",
        "worker",
        "pid",
        "method",
        "route",
        "status",
        "code",
        "duration_ms",
        "address",
        "home",
        "key_id",
        "organisation",
        "model",
        "endpoint",
        "provider",
        "version",
        "catalogue",
        "count",
        "bytes",
        "error",
        "cause",
        "where",
        "reason",
        "advice",
        "setting",
        "path",
        "retry_after_s",
    }
)

# Shapes of secrets: our own keys, the usual vendors' keys, bearer tokens, credentials in URLs, long hex and base64 runs.
_SECRETS = re.compile(
    r"sk-[A-Za-z0-9_-]{8,}|\b(?:gsk|xai|hf|r8|pplx|nvapi|key|AIza)[-_]?[A-Za-z0-9_-]{16,}"
    r"|\bAKIA[0-9A-Z]{12,}|\beyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9._-]+|(?i:bearer)\s+\S+|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|\b[0-9a-fA-F]{40,}\b|\b[A-Za-z0-9+/_-]{43,}={0,2}"
)
STRUCK = "[redacted]"


def redact(text: str) -> str:
    """The text without anything that looks like a secret, cut to a bounded length."""
    return _SECRETS.sub(STRUCK, text[: TEXT_CHARS * 2])[:TEXT_CHARS]


def build(
    stream: TextIO, level: str = "info", now: Callable[[], datetime] | None = None
) -> structlog.typing.FilteringBoundLogger:
    """A logger of its own: nothing global is configured. `log.info("event", field=value)`."""

    def stamp(_: Any, __: str, event: Event) -> Event:
        moment = (now or _utc_now)()
        event["at"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return event

    logger: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[structlog.processors.add_log_level, stamp, _known_fields, _line],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        cache_logger_on_first_use=False,
    )
    return logger


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _known_fields(_: Any, __: str, event: Event) -> Event:
    """Unknown fields are left out and named, so that a forgotten entry of the list is seen."""
    unknown = [name for name in event if name not in FIELDS]
    kept = {name: _plain(value) for name, value in event.items() if name in FIELDS}
    if unknown:
        kept["reason"] = redact("fields left out: " + ", ".join(sorted(unknown)))
    return kept


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))


def _line(_: Any, __: str, event: Event) -> str:
    # ASCII only: no control, bidirectional or line-separating character reaches a terminal or a log reader unescaped.
    return json.dumps(event, ensure_ascii=True, separators=(",", ":"))
