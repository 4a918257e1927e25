"""From a vendor's description and the environment to a connection: where to, and with which head. Owns the binding of a
secret to one origin; refuses every scheme it can't sign, and IO but for reading a credential's file once.
"""

import base64
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from farebox.dialects.ports import Target
from farebox.http.origin import Origin
from farebox.ir.errors import CredentialRejected
from farebox.vendors.google_token import GoogleTokens
from farebox.vendors.leaks import Leaks
from farebox.vendors.secrets import BadSecret, Secret, from_environ
from farebox.vendors.sigv4 import AwsSigner
from farebox.vendors.types import Auth, Vendor

USER_AGENT = "Farebox/0.1"
SCHEMES = frozenset(("bearer", "header", "basic", "none", "google_service_account", "sigv4"))
CREDENTIAL_BYTES_MAX = 65536
PORTS = {"https": 443, "http": 80, "unix": 0}
# Heads kept per connection: a dialect has a handful of paths, only one that names the model in it has more.
HEADS_MAX = 4096


# The service's name in a signature, where it is not the host's first label.
_AWS_SERVICES = {"bedrock-runtime": "bedrock", "runtime": "sagemaker"}
_AWS_HOST = re.compile(r"([a-z0-9-]+)\..*?\b([a-z]{2}(?:-[a-z]+)+-\d)\.(?:amazonaws\.com(?:\.cn)?|api\.aws)\Z")


# Where an inference profile named by a group of regions may be called from (AWS's naming, as of 2026-11).
_REGION_GROUPS = {
    "us": ("us-",),
    "eu": ("eu-", "europe-"),
    "apac": ("ap-",),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4"),
    "ca": ("ca-",),
}
_EVERYWHERE = frozenset((None, "global", "in-region"))


class NotLive(Exception):
    """Why a vendor can't be reached from here; one sentence for the operator, without secrets."""


class Connection:
    """A vendor that can be called. The secret is inside the heads, and the heads go to `origin` only.

    `changing` says that a head depends on the request or the time: then `signed_head` makes it, and `tokens`, if there are
    any, must be kept fresh by whoever does the IO.
    """

    __slots__ = (
        "_base_path",
        "_common",
        "_heads",
        "_targets",
        "leaks",
        "location",
        "origin",
        "signer",
        "tokens",
        "vendor",
    )

    def __init__(
        self,
        vendor: Vendor,
        base_url: str,
        secret: Secret | None,
        *,
        signer: AwsSigner | None = None,
        tokens: GoogleTokens | None = None,
    ) -> None:
        self.signer = signer
        self.tokens = tokens
        self.vendor = vendor
        self.location = ""
        self.leaks = Leaks(secret)
        self.origin, self._base_path = origin_of(base_url)
        self._common = _common_lines(vendor, self.origin, secret)
        self._heads: dict[tuple[str, str], bytes] = {}
        self._targets: dict[str, Target] = {}

    def head(self, path: str, method: str = "POST") -> bytes:
        """Request line and header lines for a path below the base URL, without Content-Length and the blank line."""
        found = self._heads.get((method, path))
        if found is None:
            target = f"{self._base_path}{path}"
            if not path.startswith("/") or not target.isascii() or not target.isprintable() or " " in target:
                raise ValueError(f"not a path below the base URL: {path!r}")
            found = f"{method} {target} HTTP/1.1\r\n".encode("ascii") + self._common
            if len(self._heads) < HEADS_MAX:
                self._heads[(method, path)] = found
        return found

    def serves(self, region: str | None) -> bool:
        """Whether an endpoint of this region can be called at the address that is configured."""
        if region in _EVERYWHERE or not self.location:
            return True
        return self.location.startswith(_REGION_GROUPS.get(region or "", (region or "",)))

    @property
    def changing(self) -> bool:
        return self.signer is not None or self.tokens is not None

    def signed_head(self, path: str, body: bytes, *, at_s: float, method: str = "POST") -> bytes:
        """`head`, with what depends on the body or the time. Raises `CredentialRejected` while there is no token."""
        head = self.head(path, method)
        if self.tokens is not None:
            token = self.tokens.bearer(at_s)
            if not token:
                raise CredentialRejected(detail="no access token yet")
            return head + f"Authorization: Bearer {token}\r\n".encode("ascii")
        if self.signer is None:
            return head
        headers = {"Host": _host(self.origin), "Content-Type": "application/json"}
        target = head.split(b" ", 2)[1].decode("ascii")
        lines = self.signer.sign(method, target, headers=headers, body=body, at_s=at_s)
        return head + "".join(f"{name}: {value}\r\n" for name, value in lines).encode("ascii")

    def target(self, vendor_model: str) -> Target:
        """How a request for this model must look."""
        found = self._targets.get(vendor_model)
        if found is None:
            vendor = self.vendor
            found = Target(
                model=vendor_model,
                vendor=vendor.slug,
                rename=vendor.rename,
                drop=frozenset(vendor.drop),
                force=vendor.force,
                options=frozenset((*vendor.options, *vendor.quirks)),
                reasoning_field=vendor.reasoning.field,
                reasoning_wish=vendor.reasoning.wish,
                reasoning_replay=vendor.reasoning.replay,
                usage=vendor.usage,
                settings={f"error:{status}": leaf for status, leaf in vendor.errors.items()},
            )
            if len(self._targets) < HEADS_MAX:
                self._targets[vendor_model] = found
        return found

    def __repr__(self) -> str:
        return f"Connection({self.vendor.slug}, {self.origin.scheme}://{self.origin.host})"


def connect(vendor: Vendor, environ: Mapping[str, str]) -> Connection | None:
    """The connection to a vendor, None if the environment holds no (usable) credential for it."""
    try:
        return must_connect(vendor, environ)
    except NotLive:
        return None


def must_connect(vendor: Vendor, environ: Mapping[str, str]) -> Connection:
    """The connection to a vendor. Raises `NotLive` with the reason."""
    connection = _connected(vendor, environ)
    variable = vendor.variables.get("region") or vendor.variables.get("location")
    if variable is not None:
        connection.location = environ.get(variable.env, "").strip() or variable.default
    return connection


def _connected(vendor: Vendor, environ: Mapping[str, str]) -> Connection:
    auth = vendor.auth
    if auth.scheme not in SCHEMES:
        raise NotLive(f"this version does not sign requests with {auth.scheme}")
    secret = None
    url = resolved_url(vendor, environ)
    if auth.scheme == "google_service_account":
        return Connection(vendor, url, None, tokens=_google_tokens(auth, environ))
    if auth.scheme == "sigv4":
        return _aws_connection(vendor, url, environ)
    if auth.scheme != "none":
        names = (auth.secret or "", *auth.also)
        try:
            secret = from_environ(environ, names)
        except BadSecret as problem:
            raise NotLive(str(problem)) from None
        if secret is None and not auth.optional:
            raise NotLive(f"set {' or '.join(names)}")
    return Connection(vendor, url, secret)


def _google_tokens(auth: Auth, environ: Mapping[str, str]) -> GoogleTokens:
    """The credential itself, or the file that holds it."""
    names = (auth.secret or "", *auth.also)
    for name in names:
        text = environ.get(name, "").strip()
        if not text:
            continue
        try:
            if not text.startswith("{"):
                with Path(text).open("rb") as file:
                    text = file.read(CREDENTIAL_BYTES_MAX).decode()
            return GoogleTokens(text, name)
        except (OSError, UnicodeDecodeError):
            raise NotLive(f"the file that {name} names can't be read") from None
        except BadSecret as problem:
            raise NotLive(str(problem)) from None
    raise NotLive(f"set {' or '.join(names)}")


def _aws_connection(vendor: Vendor, url: str, environ: Mapping[str, str]) -> Connection:
    """With a bearer token where one is set (`also`), else with the pair of keys."""
    auth = vendor.auth
    try:
        bearer = from_environ(environ, auth.also)
        keys = [from_environ(environ, (name,)) for name in (auth.secret or "", "AWS_SECRET_ACCESS_KEY")]
        session = from_environ(environ, ("AWS_SESSION_TOKEN",))
    except BadSecret as problem:
        raise NotLive(str(problem)) from None
    if bearer is not None:
        return Connection(vendor, url, bearer)
    access, secret = keys
    if access is None or secret is None:
        raise NotLive(f"set {auth.secret} and AWS_SECRET_ACCESS_KEY" + "".join(f" or {name}" for name in auth.also))
    found = _AWS_HOST.match(origin_of(url)[0].host)
    if found is None:
        raise NotLive("the base URL names no region of AWS")
    service = _AWS_SERVICES.get(found.group(1), found.group(1))
    token = session.reveal() if session is not None else ""
    signer = AwsSigner(access.reveal(), secret.reveal(), region=found.group(2), service=service, token=token)
    return Connection(vendor, url, None, signer=signer)


def resolved_url(vendor: Vendor, environ: Mapping[str, str]) -> str:
    """The base URL with its placeholders filled from the environment. Raises `NotLive` for one that nothing fills."""
    url = vendor.base_url
    for name, variable in vendor.variables.items():
        value = environ.get(variable.env, "").strip() or variable.default
        if not value:
            raise NotLive(f"set {variable.env}")
        value = value.removeprefix("https://").rstrip("/")
        if not all(char.isascii() and (char.isalnum() or char in "-._:") for char in value):
            raise NotLive(f"{variable.env} can't be part of an address")
        url = url.replace("{" + name + "}", value)
    return url


def origin_of(base_url: str) -> tuple[Origin, str]:
    """Scheme, host and port of a base URL, and the path that every request begins with. Raises ValueError."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"not a base URL: {base_url!r}")
    path = parts.path.rstrip("/")
    if not base_url.isascii() or not base_url.isprintable() or " " in base_url or "{" in base_url:
        raise ValueError(f"not a base URL: {base_url!r}")
    return Origin(parts.scheme, parts.hostname, parts.port or PORTS[parts.scheme]), path


def _host(origin: Origin) -> str:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    return host if origin.port == PORTS[origin.scheme] else f"{host}:{origin.port}"


def _common_lines(vendor: Vendor, origin: Origin, secret: Secret | None) -> bytes:
    lines = [
        ("Host", _host(origin)),
        ("User-Agent", USER_AGENT),
        ("Content-Type", "application/json"),
        ("Accept", "application/json, text/event-stream"),
        ("Accept-Encoding", "identity"),
        *vendor.headers.items(),
    ]
    if secret is not None:
        lines.append(_credential(vendor, secret))
    return "".join(f"{name}: {value}\r\n" for name, value in lines).encode("ascii")


def _credential(vendor: Vendor, secret: Secret) -> tuple[str, str]:
    match vendor.auth.scheme:
        case "bearer" | "sigv4":
            return "Authorization", f"Bearer {secret.reveal()}"
        case "basic":
            return "Authorization", f"Basic {base64.b64encode(secret.reveal().encode('ascii')).decode('ascii')}"
        case _:
            return vendor.auth.header, f"{vendor.auth.prefix}{secret.reveal()}"
