"""A credential that doesn't show itself. Refuses to be printed, compared in logs, pickled, or sent as part of anything but a
header that can hold it."""

from collections.abc import Mapping
from typing import NoReturn

SECRET_BYTES_MAX = 8192


class BadSecret(ValueError):
    """The credential can't be a header value. The message names the variable, never the value."""


class Secret:
    """A credential and where it came from."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str) -> None:
        if len(value) > SECRET_BYTES_MAX or not value.isascii() or not value.isprintable():
            raise BadSecret(f"{source} holds line breaks or characters that no HTTP header can carry")
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The credential itself, for the one header it belongs into."""
        return self._value

    def __repr__(self) -> str:
        return f"Secret({self.source})"

    __str__ = __repr__

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not written anywhere")


def from_environ(environ: Mapping[str, str], names: tuple[str, ...]) -> Secret | None:
    """The first of the named variables that is not empty."""
    for name in names:
        value = environ.get(name, "").strip()
        if value:
            return Secret(value, name)
    return None
