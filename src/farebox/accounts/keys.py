"""API keys as text: making them, taking them apart, and what is stored instead of them. Pure; no database.

`sk-farebox-v1-<10 id>-<43 secret>-<6 check>`: letters and digits only, so that a double click selects the whole key and
scanners for leaked secrets recognise it; the check tells a mistyped key from an unknown one without a look-up.
"""

import hashlib
import hmac
import re
import secrets
import string
import zlib

from msgspec import Struct

PREFIX = "sk-farebox-v1-"
ID_CHARS = 10
SECRET_CHARS = 43
CHECK_CHARS = 6
LENGTH = len(PREFIX) + ID_CHARS + 1 + SECRET_CHARS + 1 + CHECK_CHARS
ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase

_SHAPE = re.compile(
    rf"{PREFIX}([0-9A-Za-z]{{{ID_CHARS}}})-([0-9A-Za-z]{{{SECRET_CHARS}}})-([0-9A-Za-z]{{{CHECK_CHARS}}})"
)


class ParsedKey(Struct, frozen=True, gc=False):
    """A well-formed key. `digest` is the hex SHA-256 of the whole key; the secret itself is not kept."""

    key_id: str
    digest: str
    ending: str

    @property
    def label(self) -> str:
        return label(self.key_id, self.ending)


def parse(key: str) -> ParsedKey | None:
    """The parts of a well-formed key with a right check, else None."""
    if len(key) != LENGTH:
        return None
    found = _SHAPE.fullmatch(key)
    if found is None or found[3] != check(key[: -CHECK_CHARS - 1]):
        return None
    return ParsedKey(found[1], digest(key), found[2][-4:])


def generate() -> str:
    """A new key: 43 characters of 62 are 256 random bits."""
    body = f"{PREFIX}{_random(ID_CHARS)}-{_random(SECRET_CHARS)}"
    return f"{body}-{check(body)}"


def digest(key: str) -> str:
    """What travels between the planes: the hex SHA-256 of the whole key."""
    return hashlib.sha256(key.encode()).hexdigest()


def seal(pepper: bytes, key_digest: str) -> bytes:
    """What is stored: HMAC-SHA-256 of the digest, useless to a thief of the database who has not the pepper as well."""
    return hmac.new(pepper, bytes.fromhex(key_digest), hashlib.sha256).digest()


def label(key_id: str, ending: str) -> str:
    """How a key is shown after its first showing."""
    return f"{PREFIX}{key_id[:4]}…{ending}"


def check(body: str) -> str:
    """CRC-32 of everything before it, as six digits of base 62."""
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(CHECK_CHARS):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


def _random(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))
