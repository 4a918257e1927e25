"""Logs: one line an event, known fields, no secrets."""

import io
import json
from datetime import UTC, datetime

import pytest

from farebox.accounts import keys
from farebox.telemetry import logs


def lines(level: str = "info", **fields: object) -> list[dict[str, object]]:
    stream = io.StringIO()
    log = logs.build(stream, level, lambda: datetime(2026, 11, 24, 7, tzinfo=UTC))
    log.info("something happened", **fields)
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_time_and_level() -> None:
    assert lines(status=200, model=None) == [
        {
            "status": 200,
            "model": None,
            "event": "something happened",
            "level": "info",
            "at": "2026-11-24T07:00:00.000Z",
        }
    ]


def test_unknown_fields_are_left_out_and_named() -> None:
    (line,) = lines(body="hello", authorization="Bearer abc", status=1)
    assert "hello" not in str(line)
    assert line["reason"] == "fields left out: authorization, body"


@pytest.mark.parametrize(
    "forged", ['\n{"level":"info","event":"forged"}', "\x1b]0;x\x07", "\u2028x", "\u202e", "\r\nx", "\x00"]
)
def test_nothing_breaks_a_line_or_reaches_a_terminal(forged: str) -> None:
    stream = io.StringIO()
    logs.build(stream).info("e", error=f"before{forged}after")
    text = stream.getvalue()
    assert text.count("\n") == 1
    assert all(char == "\n" or " " <= char <= "~" for char in text)
    assert json.loads(text)["error"] == f"before{forged}after"


@pytest.mark.parametrize(
    "secret",
    [
        keys.generate(),
        "sk-" + "ant-api03-" + "abcdefghijklmnopqrstuv",
        "sk-proj-abcdefghijklmnop1234567890",
        "gsk_abcdefghijklmnopqrstuvwxyz",
        "AKIAIOSFODNN7EXAMPLE",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def_ghi",
        "0123456789abcdef" * 4,
        "hunter2:correct-horse",
    ],
)
def test_secrets_are_struck_out(secret: str) -> None:
    (line,) = lines(
        error=f"https://{secret}@vendor.example failed with Bearer {secret} and {secret if ':' not in secret else ''}"
    )
    assert secret not in str(line)
    assert logs.STRUCK in str(line)


def test_ordinary_text_stays() -> None:
    text = "openai/gpt-4o@openai timed out after 120 s at gen-1795503600-0123456789abcdef01234567"
    assert logs.redact(text) == text


def test_long_text_is_cut() -> None:
    (line,) = lines(error="x y " * 100_000)
    assert len(str(line["error"])) == logs.TEXT_CHARS


def test_levels_below_are_silent() -> None:
    assert lines("warning", status=1) == []
