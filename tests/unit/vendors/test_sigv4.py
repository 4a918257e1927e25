"""Owns the proof of AWS signatures: the published example, and what a signature must depend on."""

import pickle

import pytest

from farebox.vendors.connect import NotLive, must_connect
from farebox.vendors.registry import parse
from farebox.vendors.sigv4 import AwsSigner, canonical_request
from farebox.vendors.types import Vendor

# The published example: 2015-08-30T12:36:00Z, its keys, request and signature.
EXAMPLE_S = 1440938160.0
ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
HEADERS = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "Host": "iam.amazonaws.com"}
SIGNATURE = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"


def signer(**changes: str) -> AwsSigner:
    given = {"region": "us-east-1", "service": "iam"} | changes
    return AwsSigner(ACCESS, given.pop("secret", SECRET), **given)  # type: ignore[arg-type]


def signature(lines: list[tuple[str, str]]) -> str:
    return dict(lines)["Authorization"].rpartition("Signature=")[2]


def test_the_published_example() -> None:
    path = "/?Action=ListUsers&Version=2010-05-08"
    lines = signer().sign("GET", path, headers=HEADERS, body=b"", at_s=EXAMPLE_S)
    assert lines == [
        ("X-Amz-Date", "20150830T123600Z"),
        (
            "Authorization",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            f"SignedHeaders=content-type;host;x-amz-date, Signature={SIGNATURE}",
        ),
    ]


def test_the_order_of_the_query_does_not_matter() -> None:
    path = "/?Version=2010-05-08&Action=ListUsers"
    assert signature(signer().sign("GET", path, headers=HEADERS, body=b"", at_s=EXAMPLE_S)) == SIGNATURE


def test_everything_else_matters() -> None:
    def of(
        mine: AwsSigner, method: str = "POST", path: str = "/a", body: bytes = b"{}", at_s: float = EXAMPLE_S
    ) -> str:
        return signature(mine.sign(method, path, headers=HEADERS, body=body, at_s=at_s))

    found = [
        of(signer()), of(signer(), method="GET"), of(signer(), path="/b"), of(signer(), body=b"[]"),
        of(signer(), at_s=EXAMPLE_S + 1), of(signer(region="eu-west-1")), of(signer(service="bedrock")),
        of(signer(secret="other")), of(signer(token="session")),
    ]  # fmt: skip
    assert len(set(found)) == len(found)
    assert of(signer()) == found[0]


def test_a_path_is_encoded_once_more_than_it_was_sent() -> None:
    text = canonical_request("POST", "/model/a.b%3A0/converse", signed={"host": "h"}, body=b"")
    assert text.split("\n")[1] == "/model/a.b%253A0/converse"


def test_a_session_token_is_signed() -> None:
    lines = dict(signer(token="tok").sign("POST", "/", headers=HEADERS, body=b"", at_s=EXAMPLE_S))
    assert lines["X-Amz-Security-Token"] == "tok"
    assert "x-amz-security-token" in lines["Authorization"]


def test_the_keys_show_nowhere() -> None:
    assert SECRET not in repr(signer())
    with pytest.raises(TypeError):
        pickle.dumps(signer())


def bedrock() -> Vendor:
    return parse(
        "aws",
        'name = "A"\nprovider = "a"\ndialect = "bedrock_converse"\n'
        'base_url = "https://bedrock-runtime.{region}.amazonaws.com"\n'
        'auth = { scheme = "sigv4", secret = "AWS_ACCESS_KEY_ID", also = ["AWS_BEARER_TOKEN_BEDROCK"] }\n'
        'variables.region = { env = "AWS_REGION", default = "us-east-1" }\n',
    )


def test_a_connection_signs_for_the_region_of_its_host() -> None:
    keys = {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "eu-central-1"}
    connection = must_connect(bedrock(), keys)
    assert connection.changing
    head = connection.signed_head("/model/m%3A0/converse", b"{}", at_s=EXAMPLE_S).decode()
    assert head.startswith(
        "POST /model/m%3A0/converse HTTP/1.1\r\nHost: bedrock-runtime.eu-central-1.amazonaws.com\r\n"
    )
    assert "Credential=AKIDEXAMPLE/20150830/eu-central-1/bedrock/aws4_request" in head
    assert "SignedHeaders=content-type;host;x-amz-date," in head
    assert "Authorization" not in connection.head("/model/m%3A0/converse").decode()
    assert SECRET not in head


def test_a_bearer_token_comes_first_and_missing_keys_are_named() -> None:
    connection = must_connect(bedrock(), {"AWS_BEARER_TOKEN_BEDROCK": "bedrock-token"})
    assert not connection.changing
    assert b"Authorization: Bearer bedrock-token\r\n" in connection.head("/x")
    with pytest.raises(NotLive, match="AWS_SECRET_ACCESS_KEY or AWS_BEARER_TOKEN_BEDROCK"):
        must_connect(bedrock(), {"AWS_ACCESS_KEY_ID": ACCESS})
