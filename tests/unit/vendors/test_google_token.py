"""Owns the proof of Google's tokens: the signed claim, when a token is due, what an answer may be, where the token goes."""

import base64
import json
import pickle
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as make_curve_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from farebox.ir.errors import CredentialRejected
from farebox.vendors.connect import NotLive, must_connect
from farebox.vendors.google_token import GoogleTokens, TokenRefused
from farebox.vendors.secrets import BadSecret
from farebox.vendors.types import Auth, Vendor

NOW_S = 1_700_000_000.0


@cache
def key() -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


def pem(private: Any) -> str:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def account(**changes: Any) -> str:
    fields = {
        "type": "service_account",
        "project_id": "p-1",
        "private_key_id": "kid-1",
        "private_key": pem(key()),
        "client_email": "bot@p-1.example",
        "token_uri": "https://oauth2.example/token",
    } | changes
    return json.dumps({name: value for name, value in fields.items() if value is not None})


def part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def answer(**fields: Any) -> bytes:
    return json.dumps({"access_token": "ya29.token", "expires_in": 3599, "token_type": "Bearer"} | fields).encode()


def test_the_claim_is_signed_and_says_who_for_what_and_how_long() -> None:
    tokens = GoogleTokens(account(), "X")
    request = tokens.due(NOW_S)
    assert request is not None
    assert (request.origin.scheme, request.origin.host, request.origin.port) == ("https", "oauth2.example", 443)
    assert request.head.startswith(b"POST /token HTTP/1.1\r\nHost: oauth2.example\r\n")
    form = parse_qs(request.body.decode())
    assert form["grant_type"] == ["urn:ietf:params:oauth:grant-type:jwt-bearer"]
    header, claims, signature = form["assertion"][0].split(".")
    assert json.loads(part(header)) == {"alg": "RS256", "typ": "JWT", "kid": "kid-1"}
    assert json.loads(part(claims)) == {
        "iss": "bot@p-1.example",
        "scope": "https://www.googleapis.com/auth/cloud-platform",
        "aud": "https://oauth2.example/token",
        "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    }
    key().public_key().verify(part(signature), f"{header}.{claims}".encode(), PKCS1v15(), SHA256())
    assert tokens.project == "p-1"


def test_a_token_is_renewed_before_its_end_and_asked_for_once() -> None:
    tokens = GoogleTokens(account(), "X")
    assert tokens.bearer(NOW_S) == ""
    assert tokens.due(NOW_S) is not None
    assert tokens.due(NOW_S + 1) is None
    tokens.accept(200, answer(), NOW_S + 1)
    assert tokens.bearer(NOW_S + 2) == "ya29.token"
    assert tokens.due(NOW_S + 3000) is None
    assert tokens.due(NOW_S + 3400) is not None
    with pytest.raises(TokenRefused):
        tokens.accept(503, b"busy", NOW_S + 3401)
    assert tokens.bearer(NOW_S + 3402) == "ya29.token"
    assert tokens.bearer(NOW_S + 3601) == ""
    assert tokens.due(NOW_S + 3406) is not None


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, b'{"error":"invalid_grant","error_description":"secret text"}'),
        (200, b"[]"),
        (200, b"<html>"),
        (200, b'{"expires_in":5}'),
        (200, b'{"access_token":"a\\r\\nX: y"}'),
    ],
)
def test_an_answer_without_a_usable_token_is_refused(status: int, body: bytes) -> None:
    tokens = GoogleTokens(account(), "X")
    with pytest.raises(TokenRefused) as caught:
        tokens.accept(status, body, NOW_S)
    assert "secret text" not in str(caught.value)
    assert tokens.bearer(NOW_S) == ""


def test_a_persons_own_credential_is_exchanged_by_its_refresh_token() -> None:
    text = json.dumps({"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "r"})
    request = GoogleTokens(text, "X").due(NOW_S)
    assert request is not None
    assert request.origin.host == "oauth2.googleapis.com"
    form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
    assert form == {"grant_type": "refresh_token", "client_id": "c", "client_secret": "s", "refresh_token": "r"}
    assert "refresh_token" not in repr(request)


@pytest.mark.parametrize(
    "text",
    [
        "no json",
        "[]",
        '{"type":"external_account"}',
        account(client_email=None),
        account(private_key="-----BEGIN nothing"),
        account(private_key=pem(make_curve_key(SECP256R1()))),
        account(token_uri="http://oauth2.example/token"),
    ],
)
def test_a_credential_that_is_none_is_told_without_its_content(text: str) -> None:
    with pytest.raises(BadSecret) as caught:
        GoogleTokens(text, "X_VARIABLE")
    assert "X_VARIABLE" in str(caught.value)
    assert "BEGIN" not in str(caught.value)


def vertex() -> Vendor:
    return Vendor(
        slug="v", name="V", provider="v", dialect="google_generate",
        base_url="https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1/publishers/google",
        auth=Auth(scheme="google_service_account", secret="X_CREDENTIALS"),
    )  # fmt: skip


@pytest.mark.parametrize("as_file", [False, True])
def test_the_token_goes_into_the_head_of_its_connection(as_file: bool, tmp_path: Path) -> None:
    value = account()
    if as_file:
        (tmp_path / "key.json").write_text(value)
        value = str(tmp_path / "key.json")
    connection = must_connect(vertex(), {"X_CREDENTIALS": value})
    assert connection.changing
    assert connection.tokens is not None
    with pytest.raises(CredentialRejected):
        connection.signed_head("/models/m:generateContent", b"{}", at_s=NOW_S)
    connection.tokens.accept(200, answer(), NOW_S)
    head = connection.signed_head("/models/m:generateContent", b"{}", at_s=NOW_S + 1)
    assert head.endswith(b"\r\nAuthorization: Bearer ya29.token\r\n")
    assert b"Authorization" not in connection.head("/models/m:generateContent")


@pytest.mark.parametrize("value", ["", "/no/such/file.json", "{}"])
def test_without_a_credential_the_vendor_is_not_live(value: str) -> None:
    with pytest.raises(NotLive, match="X_CREDENTIALS"):
        must_connect(vertex(), {"X_CREDENTIALS": value})


def test_a_credential_is_written_nowhere() -> None:
    tokens = GoogleTokens(account(), "X")
    assert "bot" not in repr(tokens)
    with pytest.raises(TypeError):
        pickle.dumps(tokens)
