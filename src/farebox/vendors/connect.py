"""From a vendor's description and the environment to a connection: where to, and with which head. Owns the binding of a
secret to one origin; refuses IO and every scheme it can't sign.
"""

import base64
from collections.abc import Mapping
from urllib.parse import urlsplit

from farebox.dialects.ports import Target
from farebox.http.origin import Origin
from farebox.vendors.secrets import BadSecret, Secret, from_environ
from farebox.vendors.types import Vendor

USER_AGENT = "Farebox/0.1"
SCHEMES = frozenset(("bearer", "header", "basic", "none"))
PORTS = {"https": 443, "http": 80, "unix": 0}
# Heads kept per connection: a dialect has a handful of paths, only one that names the model in it has more.
HEADS_MAX = 4096


class NotLive(Exception):
    """Why a vendor can't be reached from here; one sentence for the operator, without secrets."""


class Connection:
    """A vendor that can be called. The secret is inside the heads, and the heads go to `origin` only."""

    __slots__ = ("_base_path", "_common", "_heads", "_targets", "origin", "vendor")

    def __init__(self, vendor: Vendor, base_url: str, secret: Secret | None) -> None:
        self.vendor = vendor
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
    auth = vendor.auth
    if auth.scheme not in SCHEMES:
        raise NotLive(f"this version does not sign requests with {auth.scheme}")
    secret = None
    if auth.scheme != "none":
        names = (auth.secret or "", *auth.also)
        try:
            secret = from_environ(environ, names)
        except BadSecret as problem:
            raise NotLive(str(problem)) from None
        if secret is None and not auth.optional:
            raise NotLive(f"set {' or '.join(names)}")
    return Connection(vendor, resolved_url(vendor, environ), secret)


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


def _common_lines(vendor: Vendor, origin: Origin, secret: Secret | None) -> bytes:
    host = f"[{origin.host}]" if ":" in origin.host else origin.host
    if origin.port != PORTS[origin.scheme]:
        host = f"{host}:{origin.port}"
    lines = [
        ("Host", host),
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
        case "bearer":
            return "Authorization", f"Bearer {secret.reveal()}"
        case "basic":
            return "Authorization", f"Basic {base64.b64encode(secret.reveal().encode('ascii')).decode('ascii')}"
        case _:
            return vendor.auth.header, f"{vendor.auth.prefix}{secret.reveal()}"
