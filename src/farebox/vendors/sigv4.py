"""AWS signature version 4, a pure function of the request, the credentials and the time. Refuses to read credentials or clocks.

The algorithm is published: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
(checked 2026-11-24). Every service but S3 encodes the path once more than it was sent.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NoReturn
from urllib.parse import quote, unquote

ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


class AwsSigner:
    """Signs for one region and service with one pair of keys; shows neither."""

    __slots__ = ("_access_key", "_region", "_secret_key", "_service", "_token")

    def __init__(self, access_key: str, secret_key: str, *, region: str, service: str, token: str = "") -> None:
        self._access_key = access_key
        self._secret_key = secret_key
        self._token = token
        self._region = region
        self._service = service

    def sign(
        self, method: str, path: str, *, headers: Mapping[str, str], body: bytes, at_s: float
    ) -> list[tuple[str, str]]:
        """The header lines to add. `path` is as sent, with its query; `headers` are those that are signed, `Host` among them."""
        moment = datetime.fromtimestamp(at_s, UTC)
        stamp, day = moment.strftime("%Y%m%dT%H%M%SZ"), moment.strftime("%Y%m%d")
        added = [("X-Amz-Date", stamp)] + ([("X-Amz-Security-Token", self._token)] if self._token else [])
        signed = {name.lower(): " ".join(value.split()) for name, value in (*headers.items(), *added)}
        names = ";".join(sorted(signed))
        canonical = canonical_request(method, path, signed=signed, body=body)
        scope = f"{day}/{self._region}/{self._service}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(self._key(day), text.encode(), hashlib.sha256).hexdigest()
        line = f"{ALGORITHM} Credential={self._access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
        return [*added, ("Authorization", line)]

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self._secret_key}".encode()
        for piece in (day, self._region, self._service, "aws4_request"):
            key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
        return key

    def __repr__(self) -> str:
        return f"AwsSigner({self._region}, {self._service})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written anywhere")


def canonical_request(method: str, path: str, *, signed: Mapping[str, str], body: bytes) -> str:
    """The text whose hash is signed; `signed` has lower-case names and trimmed values."""
    bare, _, query = path.partition("?")
    pairs = sorted(
        (quote(unquote(name), safe=_UNRESERVED), quote(unquote(value), safe=_UNRESERVED))
        for name, _, value in (piece.partition("=") for piece in query.split("&") if piece)
    )
    lines = [
        method,
        quote(bare or "/", safe="/" + _UNRESERVED),
        "&".join(f"{name}={value}" for name, value in pairs),
        *(f"{name}:{signed[name]}" for name in sorted(signed)),
        "",
        ";".join(sorted(signed)),
        hashlib.sha256(body).hexdigest(),
    ]
    return "\n".join(lines)
