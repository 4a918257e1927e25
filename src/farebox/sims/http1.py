"""HTTP/1.1 as the scripted upstream reads and writes it. Refuses to judge what it writes: a fault may need anything."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

Json = dict[str, Any]
Headers = Iterable[tuple[str, str]]

HEAD_BYTES_MAX = 256 * 1024
BODY_BYTES_MAX = 128 * 1024 * 1024


class BadRequest(Exception):
    """The client's bytes are not a request; the connection is answered 400 and closed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it was received."""

    method: str
    target: str
    version: str
    headers: dict[str, str]
    head: bytes
    body: bytes
    _parsed: list[Json | None] = field(default_factory=list, repr=False, compare=False)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def key(self) -> str:
        """The credential without its scheme; empty if there is none."""
        value = self.headers.get("authorization", "")
        scheme, _, secret = value.partition(" ")
        if scheme.lower() == "bearer":
            return secret.strip()
        return self.headers.get("api-key") or self.headers.get("x-api-key") or ""

    def document(self) -> Json | None:
        """The body as a JSON object, or None if it is something else. Parsed once."""
        if not self._parsed:
            try:
                value = json.loads(self.body)
            except (ValueError, RecursionError):
                value = None
            self._parsed.append(value if isinstance(value, dict) else None)
        return self._parsed[0]


@dataclass(frozen=True, slots=True)
class Head:
    """A request's head, and how its body is framed."""

    method: str
    target: str
    version: str
    headers: dict[str, str]
    raw: bytes

    @property
    def chunked(self) -> bool:
        return self.headers.get("transfer-encoding", "").lower() == "chunked"

    @property
    def length(self) -> int:
        text = self.headers.get("content-length", "0")
        if not text.isascii() or not text.isdigit() or int(text) > BODY_BYTES_MAX:
            raise BadRequest(f"Content-Length {text[:40]!r}")
        return int(text)


def parse_head(raw: bytes) -> Head:
    """Read a head that ends in an empty line."""
    line, _, rest = raw.partition(b"\r\n")
    words = line.decode("latin-1").split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequest(f"request line {line[:80]!r}")
    headers: dict[str, str] = {}
    for entry in rest.split(b"\r\n"):
        if not entry:
            continue
        name, colon, value = entry.decode("latin-1").partition(":")
        if not colon:
            raise BadRequest(f"header line {entry[:80]!r}")
        headers[name.lower()] = value.strip()
    return Head(words[0], words[1], words[2], headers, raw)


def head(status: int, headers: Headers = (), *, reason: str | None = None, version: str = "HTTP/1.1") -> bytes:
    """A response head with its empty line. Names and values are written as given."""
    if reason is None:
        reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Simulated"
    lines = [f"{version} {status} {reason}\r\n", *(f"{name}: {value}\r\n" for name, value in headers), "\r\n"]
    return "".join(lines).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def dump(value: object) -> bytes:
    """Compact JSON; what JSON lacks (NaN, lone surrogates) is written all the same, since a fault may ask for it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")
