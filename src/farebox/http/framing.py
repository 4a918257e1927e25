"""Owns the rules a request's head must keep beyond the parser's own; pure functions, and refuses to repair anything."""

import re
from urllib.parse import unquote_to_bytes

from farebox.ir.errors import CallerError, InvalidRequest, MethodNotAllowed, TooLarge, UnsupportedMediaType

METHODS: dict[bytes, str] = {
    name.encode(): name for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
}

ONCE = frozenset(
    (
        b"authorization",
        b"api-key",
        b"content-encoding",
        b"content-length",
        b"content-type",
        b"expect",
        b"host",
        b"idempotency-key",
        b"transfer-encoding",
        b"x-api-key",
        b"x-goog-api-key",
    )
)
"""Headers whose repetition could be read in two ways by two readers, so it is refused."""

_HOST = re.compile(rb"(?:([A-Za-z0-9](?:[A-Za-z0-9_.-]{0,253}))|(\[[0-9A-Fa-f:.]{2,45}\]))(?::([0-9]{1,5}))?")
_TARGET = re.compile(rb"((?:/(?!\.{0,2}(?:/|\?|$))[A-Za-z0-9._~!$&'()*+,=:@%-]*)+/?|/)(?:\?([\x21\x22\x24-\x7e]*))?")
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_NEVER_ESCAPED = re.compile(rb"[A-Za-z0-9._~/\\%;\x00-\x1f\x7f-]")
# A model's name as the one argument of an address: client libraries escape its slash. Written out, it means one thing only.
_MODEL_NAME = re.compile(
    rb"(/(?:(?:(?:api|openai|anthropic|genai)/)?v1(?:beta)?/models|(?:bedrock/)?model)/[A-Za-z0-9._~-]+)"
    rb"%2[Ff]([^/?]+(?:/converse(?:-stream)?)?)"
)
_ESCAPES = re.compile(rb"%([0-9A-Fa-f]{2})")


class Refused(Exception):
    """The request cannot be accepted; after the answer with `status` the connection is closed."""

    def __init__(self, status: int, error: CallerError) -> None:
        self.status = status
        self.error = error
        super().__init__(error.message)


def refused(status: int, message: str, reason: str) -> Refused:
    """A refusal whose HTTP status may be finer than the status of its error class."""
    if status == 405:
        return Refused(status, MethodNotAllowed(message))
    if status in {413, 414, 431}:
        return Refused(status, TooLarge(message))
    if status == 415:
        return Refused(status, UnsupportedMediaType(message))
    return Refused(status, InvalidRequest(message, path=None, reason=reason))


def host_name(value: bytes | None) -> str:
    """The lower-case host of a Host header without its port."""
    match = _HOST.fullmatch(value) if value else None
    if match is None or (match[3] and int(match[3]) > 65_535):
        raise refused(400, "Send exactly one valid Host header.", "bad_host")
    return (match[1] or match[2]).decode("ascii").lower().rstrip(".")


def split_target(target: bytes) -> tuple[bytes, str, bytes]:
    """Origin form, canonical decoded path, query. Anything that two readers could resolve differently is refused."""
    if target[:1] != b"/":
        absolute = _ABSOLUTE.match(target)
        if absolute is None:
            raise refused(400, "The request target is not a path.", "bad_target")
        target = target[absolute.end() :]
        if target[:1] != b"/":
            target = b"/" + target
    if b"%2" in target:
        target = _MODEL_NAME.sub(rb"\1/\2", target) if _MODEL_NAME.fullmatch(target.partition(b"?")[0]) else target
    match = _TARGET.fullmatch(target)
    if match is None:
        raise refused(400, "The path is not in canonical form.", "bad_path")
    path = match[1]
    if b"%" in path:
        path = _decoded(path)
    return target, path.decode("utf-8"), match[2] or b""


def _decoded(path: bytes) -> bytes:
    """Undo percent escapes, but only those that cannot change the meaning of the path."""
    if _BAD_ESCAPE.search(path) or any(
        _NEVER_ESCAPED.fullmatch(unquote_to_bytes(escape[0])) for escape in _ESCAPES.finditer(path)
    ):
        raise refused(400, "The path is not in canonical form.", "bad_path")
    plain = unquote_to_bytes(path)
    try:
        plain.decode("utf-8")
    except UnicodeDecodeError:
        raise refused(400, "The path is not valid UTF-8.", "bad_path") from None
    return plain


def check_body(headers: dict[bytes, bytes], version: str, limit_bytes: int) -> int:
    """Length of the body to come: a number, 0 for none, -1 for chunked."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise refused(415, "Send the body without Content-Encoding.", "content_encoding")
    coding = headers.get(b"transfer-encoding")
    length = headers.get(b"content-length")
    if coding is not None:
        if coding.lower() != b"chunked" or length is not None or version == "1.0":
            raise refused(400, "The only transfer coding taken is 'chunked', without Content-Length.", "bad_framing")
        return -1
    if length is None:
        return 0
    if not length.isdigit() or len(length) > 18:
        raise refused(400, "Content-Length is not a number.", "bad_framing")
    if int(length) > limit_bytes:
        raise refused(413, "The body is larger than allowed.", "body_too_large")
    return int(length)


def wants_continue(headers: dict[bytes, bytes]) -> bool:
    expect = headers.get(b"expect")
    if expect is None:
        return False
    if expect.lower() != b"100-continue":
        raise refused(417, "The only expectation known is '100-continue'.", "bad_expectation")
    return True
