"""Owns the fuzz target of routing preferences, read from a body as workers do; refuses errors that are not the caller's."""

from farebox.dialects.framing.json_front import front
from farebox.ir.errors import CallerError
from farebox.routing.preferences import parse


def one(data: bytes) -> None:
    try:
        fields, _ = front(b'{"provider":' + data + b"}")
        preferences, warnings = parse(fields["provider"])
    except CallerError as error:
        assert error.status == 400
        return
    assert preferences == parse(fields["provider"])[0]
    assert all(warning for warning in warnings)
