"""Checks of decoded request values against a typed description, with the JSON path of what is wrong.
Refuses to know any request's fields.
"""

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec

from farebox.dialects.framing.json_front import refuse

T = TypeVar("T")

_WHERE = re.compile(r"(?s)^(.*?)(?: - at `(.*)`)?$")
FORBIDDEN = frozenset(("api_base", "base_url", "custom_llm_provider", "user_config", "extra_headers"))
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def typed(value: Any, kind: type[T]) -> T:
    """The value as that type, or `InvalidRequest` with the path."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as problem:
        found = _WHERE.match(str(problem))
        message, path = (found.group(1), found.group(2)) if found else (str(problem), None)
        refuse(f"{message[:200]}.", "invalid_value", (path or "$")[:200])


def check_forbidden(names: Iterable[str]) -> None:
    """Members that would steer where a request goes are refused, not ignored."""
    for name in FORBIDDEN.intersection(names):
        refuse(f"'{name}' is not accepted.", "forbidden_field", f"$.{name}")


def wanted_models(model: str | None, models: list[str] | None) -> tuple[str, ...]:
    """`model` first, then `models`, each once."""
    names = list(dict.fromkeys([*([model] if model is not None else ()), *(models or ())]))
    if not names:
        refuse("Say which model.", "missing_field", "$.model")
    for name in names:
        if not name or len(name) > 256 or _CONTROL.search(name) or name != name.strip():
            refuse("A model's name has 1 to 256 characters, without spaces around it.", "invalid_value", "$.model")
    return tuple(names)


def check_references(schema: Any, path: str) -> None:
    """A JSON schema may point into itself only; nothing is ever fetched."""
    stack = [schema]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            target = value.get("$ref")
            if isinstance(target, str) and not target.startswith("#"):
                refuse("A schema may only refer into itself.", "remote_reference", path)
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
    if isinstance(schema, dict) and schema.get("$ref") == "#":
        refuse("A schema must not be nothing but a reference to itself.", "reference_loop", path)
