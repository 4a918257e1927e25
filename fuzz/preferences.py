"""Owns the fuzz target of routing preferences; refuses nothing but exceptions that are not the caller's."""

from farebox.ir.errors import CallerError
from farebox.routing.preferences import parse


def one(data: bytes) -> None:
    try:
        preferences, warnings = parse(data)
    except CallerError as error:
        assert error.status == 400
        return
    assert preferences == parse(data)[0]
    assert all(warning for warning in warnings)
