"""Owns the meaning of vendors' refusals; refuses recorded ones (see `test_chat_laws`)."""

import json
from typing import Any

import pytest

from farebox.dialects.registry import CLIENTS, SERVERS
from farebox.dialects.scrub import scrub
from farebox.dialects.shared.vendor_errors import retry_after, said
from farebox.ir import errors as e

CLIENT = CLIENTS["openai_chat"]

CASES: list[tuple[int, Any, type[e.AttemptError]]] = [
    (400, {"error": {"message": "bad value"}}, e.VendorRefused),
    (422, {"detail": [{"msg": "field required"}]}, e.VendorRefused),
    (400, {"error": {"message": "This model's maximum context length is 8192 tokens"}}, e.VendorContextTooLong),
    (400, {"error": {"code": "context_length_exceeded", "message": "x"}}, e.VendorContextTooLong),
    (400, {"error": {"message": "Input is too long for requested model"}}, e.VendorContextTooLong),
    (400, {"error": {"message": "Unsupported parameter: 'temperature'"}}, e.VendorUnsupported),
    (400, {"message": "Unrecognized request argument supplied: foo"}, e.VendorUnsupported),
    (400, {"code": "x", "error": "Incorrect API key provided"}, e.CredentialRejected),
    (400, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, e.VendorModelMissing),
    (400, {"error": {"message": "flagged", "code": "content_filter"}}, e.Filtered),
    (400, {"error": {"message": "x", "code": "tool_use_failed"}}, e.VendorFailed),
    (401, {"error": {"message": "x"}}, e.CredentialRejected),
    (403, {"error": "please check the api-key you provided"}, e.CredentialRejected),
    (403, {"error": {"message": "Your input was flagged by moderation"}}, e.Filtered),
    (403, {"error": {"message": "not available in your region"}}, e.RegionRefused),
    (402, {"error": {"message": "x"}}, e.CredentialExhausted),
    (404, {"error": {"message": "x"}}, e.VendorModelMissing),
    (404, {"error": {"message": "No endpoints found that support image input"}}, e.VendorUnsupported),
    (408, "", e.VendorTimedOut),
    (413, "", e.VendorTooLarge),
    (429, {"error": {"message": "slow down"}}, e.VendorRateLimited),
    (
        429,
        {"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}},
        e.CredentialExhausted,
    ),
    (500, "<html>nginx</html>", e.VendorFailed),
    (500, {"error": {"message": "engine is overloaded"}}, e.Overloaded),
    (502, "", e.VendorFailed),
    (504, "", e.VendorFailed),
    (503, "", e.Overloaded),
    (529, {"error": {"type": "overloaded_error", "message": "x"}}, e.Overloaded),
    (524, "", e.VendorTimedOut),
    (418, "", e.VendorFailed),
]


@pytest.mark.parametrize(("status", "body", "kind"), CASES)
def test_a_refusal_becomes_its_leaf(status: int, body: Any, kind: type[e.AttemptError]) -> None:
    raw = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    error = CLIENT.error(status, {}, raw)
    assert type(error) is kind
    assert error.vendor_status == status


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": {"message": "a"}}, "a"),
        ({"error": "a"}, "a"),
        ({"message": "a", "type": "t", "param": None, "code": "c"}, "a"),
        ({"code": "c", "error": "a"}, "a"),
        ({"detail": "a"}, "a"),
        ({"detail": [{"loc": ["x"], "msg": "a"}]}, "a"),
        ({"errors": [{"code": 1, "message": "a"}], "success": False}, "a"),
        ({"title": "a", "status": 400}, "a"),
        ({"base_resp": {"status_code": 1004, "status_msg": "a"}}, "a"),
        ([{"error": {"message": "a"}}], "a"),
        ({"error": {"message": "a", "metadata": {"raw": "b"}}}, "a: b"),
    ],
)
def test_the_message_is_found_in_every_recorded_shape(body: Any, text: str) -> None:
    assert said(body).text == text


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({b"retry-after": b"5"}, 5.0),
        ({b"retry-after": b"0"}, 0.0),
        ({b"retry-after": b"-3"}, 0.0),
        ({b"retry-after": b"1000000000"}, 1e9),
        ({b"retry-after": b"1.5"}, 1.5),
        ({b"retry-after": b"soon"}, None),
        ({b"retry-after": b"1e9"}, None),
        ({b"retry-after": b"9" * 4000}, None),
        ({}, None),
        ({b"retry-after": b"Tue, 24 Nov 2026 10:00:30 GMT", b"date": b"Tue, 24 Nov 2026 10:00:00 GMT"}, 30.0),
        ({b"retry-after": b"Tue, 24 Nov 2026 09:00:30 GMT", b"date": b"Tue, 24 Nov 2026 10:00:00 GMT"}, 0.0),
        ({b"retry-after": b"Tue, 24 Nov 2026 10:00:30 GMT"}, None),
        ({b"retry-after": b"Tue, 99 Foo 2026"}, None),
        ({b"retry-after-ms": b"250", b"retry-after": b"1"}, 0.25),
        ({b"retry-after-ms": b"0", b"retry-after": b"1"}, 1.0),
    ],
)
def test_how_long_to_wait(headers: dict[bytes, bytes], seconds: float | None) -> None:
    assert retry_after(headers) == seconds
    assert CLIENT.error(429, headers, b"").retry_after_s == seconds


def test_the_parameter_is_named() -> None:
    error = CLIENT.error(400, {}, b'{"error":{"message":"bad","param":"messages[0].role"}}')
    assert error.path == "$.messages[0].role"
    told = json.loads(SERVERS["openai_chat"].error(error, "gen-1"))["error"]
    assert (told["code"], told["param"], told["type"]) == (400, "messages[0].role", "invalid_request_error")
    assert told["metadata"] == {"error_type": "invalid_request", "request_id": "gen-1", "provider_code": "400"}


@pytest.mark.parametrize(
    ("text", "gone"),
    [
        ("Incorrect key sk-proj-abcdefgh1234", "sk-proj-abcdefgh1234"),
        ("Authorization: Bearer abcdefgh12345678", "abcdefgh12345678"),
        ("see https://internal.example.com/x?key=1", "internal.example.com"),
        ("dial tcp 10.0.0.12:8080 refused", "10.0.0.12"),
        ("no route to vllm-7.models.svc", "vllm-7.models.svc"),
        ("in organization org-AbCdEf123456", "org-AbCdEf123456"),
        ("<script>alert(1)</script>no", "script"),
        ("a\x1b[31mb", "\x1b"),
    ],
)
def test_what_must_not_leak_is_scrubbed(text: str, gone: str) -> None:
    assert gone not in scrub(text)


def test_known_secrets_go_whole_and_by_halves() -> None:
    secret = "plainsecretvalue42"
    for piece in (secret, secret[:9], secret[9:]):
        assert piece not in scrub(f"token {piece} refused", [secret])


def test_innocent_text_stays() -> None:
    text = "Temperature must be between 0 and 2, got 100 (model gpt-4.1-mini, team-building)"
    assert scrub(text) == text
    assert len(scrub("x " * 5000)) == 1000


@pytest.mark.parametrize("error", [kind() for kind in e.leaves()], ids=lambda error: type(error).__name__)
def test_every_leaf_has_an_envelope(error: e.FareboxError) -> None:
    for name in ("openai_chat", "openai_completions", "openai_embeddings"):
        told = json.loads(SERVERS[name].error(error, "gen-9"))["error"]
        assert told["code"] == error.status
        assert told["metadata"]["error_type"] == error.code
        assert told["metadata"]["request_id"] == "gen-9"
        assert told["message"]
        assert told["type"]


def test_waiting_is_told_in_whole_seconds() -> None:
    told = json.loads(SERVERS["openai_chat"].error(e.RateLimited(retry_after_s=0.2), "g"))["error"]
    assert told["metadata"]["retry_after"] == 1
    assert told["type"] == "rate_limit_error"
