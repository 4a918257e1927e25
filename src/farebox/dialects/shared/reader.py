"""Takes members out of a JSON object one by one; what nobody took is the rest, so nothing is dropped by forgetting.
Refuses to know names.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.ir.errors import InvalidRequest

_value = msgspec.json.Decoder().decode
members = msgspec.json.Decoder(dict[str, Raw]).decode
objects = msgspec.json.Decoder(list[dict[str, Raw]]).decode


def is_null(raw: Raw | bytes) -> bool:
    return bytes(raw) == b"null"


class Reader:
    """Pops; a member that is null counts as absent."""

    __slots__ = ("_fields", "path")

    def __init__(self, fields: dict[str, Raw], path: str = "$") -> None:
        self._fields = dict(fields)
        self.path = path

    def raw(self, name: str) -> Raw | None:
        raw = self._fields.pop(name, None)
        return None if raw is None or is_null(raw) else raw

    def value(self, name: str) -> Any:
        raw = self.raw(name)
        return None if raw is None else _value(raw)

    def text(self, name: str) -> str | None:
        value = self.value(name)
        if value is not None and not isinstance(value, str):
            raise InvalidRequest(f"'{name}' must be a string.", path=f"{self.path}.{name}", reason="invalid_value")
        return value

    def items(self, name: str) -> list[dict[str, Raw]] | None:
        raw = self.raw(name)
        if raw is None:
            return None
        try:
            return objects(raw)
        except msgspec.ValidationError:
            raise InvalidRequest(
                f"'{name}' must be a list of objects.", path=f"{self.path}.{name}", reason="invalid_value"
            ) from None

    def inner(self, name: str) -> "Reader | None":
        raw = self.raw(name)
        if raw is None:
            return None
        try:
            return Reader(members(raw), f"{self.path}.{name}")
        except msgspec.ValidationError:
            raise InvalidRequest(
                f"'{name}' must be an object.", path=f"{self.path}.{name}", reason="invalid_value"
            ) from None

    def rest(self) -> dict[str, Raw]:
        """What nobody took; nulls included, so that they come back."""
        return self._fields

    def extras(self, dialect: str) -> dict[str, dict[str, Raw]]:
        return {dialect: self._fields} if self._fields else {}
