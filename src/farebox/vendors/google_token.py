"""Access tokens of Google from a service account or a person's own credentials: the request that asks for one, the answer
that brings it, and when the next one is due. Refuses IO and clocks: whoever drives it sends the request and tells the time.
"""

import base64
from typing import Any, NoReturn
from urllib.parse import urlencode, urlsplit

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from farebox.http.origin import Origin
from farebox.vendors.secrets import BadSecret

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_S = 3600
# A token is renewed this long before its end, so that none ends under way.
AHEAD_S = 300
# After a refusal the next try waits, so that a bad credential does not hammer the token service.
AGAIN_S = 5
ANSWER_BYTES_MAX = 65536
_PORTS = {"https": 443, "http": 80}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class TokenRequest(Struct, frozen=True):
    """What to send to get a token; `head` as the connection pool takes it."""

    origin: Origin
    head: bytes
    body: bytes

    def __repr__(self) -> str:
        return f"TokenRequest({self.origin.host})"


class TokenRefused(Exception):
    """The token service gave no token; one sentence for the operator, without secrets."""


class GoogleTokens:
    """The tokens of one credential. `due` says whether to ask now; `accept` takes the answer; `bearer` is the token."""

    __slots__ = ("_account", "_asked_s", "_ends_s", "_key", "_target", "_token", "origin")

    def __init__(self, text: str, source: str) -> None:
        self._account = _account(text, source)
        self._key = _key(self._account, source)
        self.origin, self._target = _address(self._account.get("token_uri") or TOKEN_URI, source)
        self._token = ""
        self._ends_s = 0.0
        self._asked_s = -1e18

    @property
    def project(self) -> str:
        """The project that the credential belongs to, empty if it names none."""
        return str(self._account.get("project_id") or self._account.get("quota_project_id") or "")

    def bearer(self, at_s: float) -> str:
        """The token, empty if there is none that holds."""
        return self._token if at_s < self._ends_s else ""

    def due(self, at_s: float) -> TokenRequest | None:
        """The request to send now; `None` while the token holds or an answer is awaited."""
        if at_s < self._ends_s - AHEAD_S or at_s < self._asked_s + AGAIN_S:
            return None
        self._asked_s = at_s
        if self._key is None:
            names = ("client_id", "client_secret", "refresh_token")
            form = {"grant_type": "refresh_token"} | {name: str(self._account[name]) for name in names}
        else:
            form = {"grant_type": GRANT, "assertion": self.assertion(at_s)}
        host = (
            self.origin.host
            if self.origin.port == _PORTS[self.origin.scheme]
            else f"{self.origin.host}:{self.origin.port}"
        )
        head = (
            f"POST {self._target} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Accept: application/json\r\nAccept-Encoding: identity\r\n"
        )
        return TokenRequest(self.origin, head.encode("ascii"), urlencode(form).encode("ascii"))

    def assertion(self, at_s: float) -> str:
        """The signed claim (JWT, RS256) that a service account exchanges for a token."""
        assert self._key is not None
        header = {"alg": "RS256", "typ": "JWT", "kid": str(self._account.get("private_key_id") or "")}
        claims = {
            "iss": str(self._account["client_email"]),
            "scope": SCOPE,
            "aud": self._account.get("token_uri") or TOKEN_URI,
            "iat": int(at_s),
            "exp": int(at_s) + ASSERTION_S,
        }
        text = f"{_base64url(msgspec.json.encode(header))}.{_base64url(msgspec.json.encode(claims))}"
        return f"{text}.{_base64url(self._key.sign(text.encode(), PKCS1v15(), SHA256()))}"

    def accept(self, status: int, body: bytes, at_s: float) -> None:
        """Take the answer. Raises `TokenRefused`; the token before it holds until its end."""
        try:
            answer: Any = msgspec.json.decode(body[:ANSWER_BYTES_MAX])
        except (msgspec.DecodeError, UnicodeDecodeError):
            answer = None
        if status != 200 or not isinstance(answer, dict):
            word = answer.get("error") if isinstance(answer, dict) else None
            raise TokenRefused(f"the token service answered {status} {word if isinstance(word, str) else ''}".strip())
        token, seconds = answer.get("access_token"), answer.get("expires_in", ASSERTION_S)
        if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not token:
            raise TokenRefused("the token service answered without a token")
        self._token = token
        self._ends_s = at_s + (float(seconds) if isinstance(seconds, int | float) and seconds > 0 else ASSERTION_S)

    def __repr__(self) -> str:
        return f"GoogleTokens({self.origin.host})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("credentials are not written anywhere")


def _account(text: str, source: str) -> dict[str, Any]:
    try:
        account = msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise BadSecret(f"{source} is not a JSON credential") from None
    needed = {
        "service_account": ("client_email", "private_key"),
        "authorized_user": ("client_id", "client_secret", "refresh_token"),
    }.get(str(account.get("type")) if isinstance(account, dict) else "")
    if needed is None:
        raise BadSecret(f"{source} is neither a service account nor a user's credential")
    for name in needed:
        if not isinstance(account.get(name), str) or not account[name]:
            raise BadSecret(f"{source} has no {name}")
    found: dict[str, Any] = account
    return found


def _key(account: dict[str, Any], source: str) -> RSAPrivateKey | None:
    if account["type"] != "service_account":
        return None
    try:
        key = load_pem_private_key(account["private_key"].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadSecret(f"the private key in {source} cannot be read") from None
    if not isinstance(key, RSAPrivateKey):
        raise BadSecret(f"the private key in {source} is not an RSA key")
    return key


def _address(uri: Any, source: str) -> tuple[Origin, str]:
    """Where tokens come from: over TLS, or on this machine."""
    parts = urlsplit(str(uri))
    plain = parts.scheme == "http" and parts.hostname in _LOOPBACK
    if (parts.scheme != "https" and not plain) or not parts.hostname or parts.username or not str(uri).isascii():
        raise BadSecret(f"{source} names an address of the token service that is none")
    return Origin(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]), parts.path or "/"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
