"""The strict JSON front: a request body to its top-level members, each a raw slice. Refuses whatever two JSON readers could
understand differently: duplicate members, bad UTF-8, lone surrogates, NaN, absurd numbers, absurd depth.

Hot path: two passes of msgspec (raw slices, then everything), a walk over the containers and a sum of lengths.
"""

import re
from typing import Any, NoReturn

import msgspec
from msgspec import Raw

from farebox.ir.errors import InvalidRequest

DEPTH_MAX = 64


_members = msgspec.json.Decoder(dict[str, Raw]).decode
_everything = msgspec.json.Decoder().decode
# Longer bodies are mostly text; the thorough way costs little for each of their bytes.
PLAIN_BYTES_MAX = 65_536
_surrogate = re.compile(rb"\\u[dD][89a-fA-F]").search
_CONTAINERS = frozenset((dict, list))
_SPACE = b" \t\r\n"
_spaces = re.compile(rb"[ \t\r\n]*").match


def refuse(message: str, reason: str, path: str = "$") -> NoReturn:
    """Refuses the body for a stable reason."""
    raise InvalidRequest(message, path=path, reason=reason)


def front(body: bytes) -> tuple[dict[str, Raw], Any]:
    """The top-level members of a JSON object, in order: raw, and as plain values."""
    try:
        fields = _members(body)
    except msgspec.ValidationError:
        refuse("The body must be a JSON object.", "not_an_object")
    except (msgspec.DecodeError, UnicodeDecodeError):
        refuse("The body is not valid JSON.", "invalid_json")
    except RecursionError:
        refuse(f"The body is nested deeper than {DEPTH_MAX} levels.", "too_deep")
    try:
        everything = _everything(body)
    except msgspec.ValidationError:
        refuse("The body holds a number that is out of range.", "invalid_json")
    except (msgspec.DecodeError, UnicodeDecodeError):
        refuse("The body is not valid JSON in UTF-8.", "invalid_json")
    except RecursionError:
        refuse(f"The body is nested deeper than {DEPTH_MAX} levels.", "too_deep")
    if _deep(everything):
        refuse(f"The body is nested deeper than {DEPTH_MAX} levels.", "too_deep")
    _check_duplicates(body, fields)
    return fields, everything


def plain(body: bytes) -> dict[str, Raw] | None:
    """The top-level members of a body that is beyond doubt without a second look: ASCII, without escaped surrogates, with too
    few brackets to nest too deep. None for every other body, and for every body with a fault: `front` says which.
    """
    if len(body) > PLAIN_BYTES_MAX or not body.isascii() or _surrogate(body) is not None:
        return None
    if body.count(b"{") + body.count(b"[") > DEPTH_MAX:
        return None
    try:
        fields = _members(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    count = len(fields)
    size = sum(map(len, fields)) + sum(map(len, fields.values())) + 4 * count + 1
    length = len(body)
    return fields if length in (size, size + 2 * count - 1) else None


def _deep(everything: Any) -> bool:
    """Whether containers nest too deep; level by level, so that depth costs no recursion."""
    level: list[Any] = [everything]
    for _ in range(DEPTH_MAX):
        inner: list[Any] = []
        for container in level:
            inner += container.values() if type(container) is dict else container
        level = [value for value in inner if type(value) in _CONTAINERS]
        if not level:
            return False
    return True


def _check_duplicates(body: bytes, fields: dict[str, Raw]) -> None:
    """Lengths settle it for the two usual ways of writing; other ways are walked once.

    Keys with escapes or characters beyond ASCII make the sum too small, never too large: they end in the walk as well.
    """
    count = len(fields)
    size = sum(map(len, fields)) + sum(map(len, fields.values())) + 4 * count + 1
    length = len(body)
    if count and (length == size or length == size + 2 * count - 1):
        return
    if not _walk(body, fields):
        refuse("The body names one member twice.", "duplicate_field")


def _walk(body: bytes, fields: dict[str, Raw]) -> bool:
    """Whether the members, one after the other, are the whole body."""
    at = body.index(b"{") + 1
    first = True
    for key, raw in fields.items():
        if not first:
            at = _after(body, at, b",")
        first = False
        at = _after_key(body, at, key)
        at = _after(body, at, b":") if at >= 0 else -1
        if at < 0:
            return False
        at = _skip(body, at)
        value = bytes(raw)
        if not body.startswith(value, at):
            return False
        at += len(value)
    at = _after(body, at, b"}")
    return at >= 0 and not body[at:].strip(_SPACE)


def _skip(body: bytes, at: int) -> int:
    found = _spaces(body, at)
    return found.end() if found else at


def _after(body: bytes, at: int, mark: bytes) -> int:
    if at < 0:
        return -1
    at = _skip(body, at)
    return at + 1 if body.startswith(mark, at) else -1


def _after_key(body: bytes, at: int, key: str) -> int:
    """Where the key ends, if this key stands here; it may be written with escapes."""
    if at < 0:
        return -1
    at = _skip(body, at)
    plain = b'"' + key.encode() + b'"'
    if body.startswith(plain, at):
        return at + len(plain)
    end = at + 1
    while (end := body.find(b'"', end)) >= 0 and _odd_backslashes(body, end):
        end += 1
    if end < 0 or msgspec.json.decode(body[at : end + 1]) != key:
        return -1
    return end + 1


def _odd_backslashes(body: bytes, at: int) -> bool:
    before = at
    while before and body[before - 1] == 0x5C:
        before -= 1
    return (at - before) % 2 == 1
