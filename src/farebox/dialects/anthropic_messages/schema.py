"""JSON schemas in the form that this protocol's vendors take for strict output. Refuses to change a schema that already is.

The rules are from refusals recorded 2025 to 2026: objects say `additionalProperties: false`; bounds, lengths and counts are
not taken and become words of the description; `oneOf` is `anyOf`.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.words import CHANGED
from farebox.ir.events import Warning

_BOUNDS = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
_SCHEMAS = ("items", "additionalItems", "not", "if", "then", "else", "contains", "propertyNames")
_LISTS = ("anyOf", "allOf", "prefixItems")
_MAPS = ("properties", "$defs", "definitions", "patternProperties")


def restricted(raw: Raw, path: str) -> tuple[Raw, list[Warning]]:
    """The schema, rewritten only if it must be, and then said so."""
    schema = msgspec.json.decode(raw)
    told: set[str] = set()
    changed = _walk(schema, told)
    if not told:
        return raw, []
    message = f"Rewritten for strict output: {', '.join(sorted(told))}."
    return Raw(msgspec.json.encode(changed)), [Warning(CHANGED, path, message)]


def _walk(schema: Any, told: set[str]) -> Any:
    if not isinstance(schema, dict):
        return schema
    out = dict(schema)
    if "oneOf" in out:
        told.add("oneOf")
        alternatives = out.pop("oneOf")
        out["anyOf"] = [*out.get("anyOf", []), *alternatives] if isinstance(alternatives, list) else alternatives
    if _is_object(out) and out.get("additionalProperties") is not False:
        told.add("additionalProperties")
        out["additionalProperties"] = False
    _words(out, told)
    for name in _SCHEMAS:
        if name in out:
            out[name] = _walk(out[name], told)
    for name in _LISTS:
        if isinstance(out.get(name), list):
            out[name] = [_walk(one, told) for one in out[name]]
    for name in _MAPS:
        if isinstance(out.get(name), dict):
            out[name] = {key: _walk(value, told) for key, value in out[name].items()}
    return out


def _is_object(schema: dict[str, Any]) -> bool:
    kind = schema.get("type")
    return (
        kind == "object" or (isinstance(kind, list) and "object" in kind) or (kind is None and "properties" in schema)
    )


def _words(out: dict[str, Any], told: set[str]) -> None:
    names = [name for name in _BOUNDS if name in out]
    # Lists of at least 0 or 1 are taken.
    if out.get("minItems") not in (None, 0, 1):
        names.append("minItems")
    if not names:
        return
    told.update(names)
    said = ", ".join(f"{name}: {msgspec.json.encode(out.pop(name)).decode()}" for name in names)
    before = out.get("description")
    out["description"] = f"{before} ({said})" if isinstance(before, str) and before else said
