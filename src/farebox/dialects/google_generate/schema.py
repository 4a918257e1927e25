"""JSON schema and Google's OpenAPI-flavoured schema, one into the other. Refuses to validate.

The OpenAPI flavour has upper-case types, `nullable`, no `$ref`, no `additionalProperties`, enums on strings only and a
compulsory `items` (https://ai.google.dev/api/caching#Schema, 2026-11-24). Keyword names inside `properties` are the caller's.
"""

from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.google_generate.words import camel

DEPTH_MAX = 32
NODES_MAX = 5_000
_value = msgspec.json.Decoder().decode
_encode = msgspec.json.encode
_KEPT = (
    "title", "description", "format", "minimum", "maximum", "minItems", "maxItems", "minLength", "maxLength",
    "minProperties", "maxProperties", "pattern", "required", "default", "example", "propertyOrdering",
)  # fmt: skip
_NUMBERS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def to_json_schema(raw: Raw) -> Raw:
    """The OpenAPI flavour as JSON schema."""
    return Raw(_encode(_json_schema(_value(raw))))


def _json_schema(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    out: dict[str, Any] = {}
    for spelled, value in node.items():
        name = camel(spelled) if not spelled.startswith("_") else spelled
        if name in ("nullable", "propertyOrdering") or (name == "format" and value == "enum"):
            continue
        out[name] = _keyword(name, value)
    if out.get("type") in ("type_unspecified", ""):
        del out["type"]
    if node.get("nullable") is not True:
        return out
    if isinstance(out.get("type"), str):
        return out | {"type": [out["type"], "null"]}
    return {"anyOf": [out, {"type": "null"}]}


def _keyword(name: str, value: Any) -> Any:
    if name == "type" and isinstance(value, str):
        return value.lower()
    if name == "properties" and isinstance(value, dict):
        return {key: _json_schema(inner) for key, inner in value.items()}
    if name in ("items", "additionalProperties"):
        return _json_schema(value)
    if name in ("anyOf", "prefixItems", "oneOf", "allOf") and isinstance(value, list):
        return [_json_schema(inner) for inner in value]
    if name in _NUMBERS and isinstance(value, str) and value.isdigit():
        return int(value)
    return value


def to_openapi(raw: Raw) -> Raw:
    """JSON schema in the OpenAPI flavour; what it cannot say is left out."""
    root = _value(raw)
    definitions: dict[str, Any] = {}
    if isinstance(root, dict):
        for name in ("$defs", "definitions"):
            if isinstance(root.get(name), dict):
                definitions |= {f"#/{name}/{key}": inner for key, inner in root[name].items()}
    return Raw(_encode(_Inliner(definitions).node(root, 0)))


class _Inliner:
    """Writes nodes in the other flavour, references replaced by what they name; both depth and size have an end."""

    def __init__(self, definitions: dict[str, Any]) -> None:
        self._definitions = definitions
        self._left = NODES_MAX

    def node(self, node: Any, depth: int) -> dict[str, Any]:
        self._left -= 1
        if not isinstance(node, dict):
            return {}
        if depth > DEPTH_MAX or self._left < 0:
            return {"type": "OBJECT"}
        if isinstance(node.get("$ref"), str):
            named = self._definitions.get(node["$ref"])
            rest = {name: value for name, value in node.items() if name != "$ref"}
            return self.node((named if isinstance(named, dict) else {}) | rest, depth + 1)
        out = {name: node[name] for name in _KEPT if name in node}
        kinds = node.get("type")
        names = [kinds] if isinstance(kinds, str) else [kind for kind in kinds or () if isinstance(kind, str)]
        if "null" in names:
            out["nullable"] = True
            names.remove("null")
        if len(names) == 1:
            out["type"] = names[0].upper()
        out = self._branches(node, names, out, depth)
        _enum(node, out)
        properties = node.get("properties")
        if isinstance(properties, dict) and properties:
            out["properties"] = {key: self.node(inner, depth + 1) for key, inner in properties.items()}
            out.setdefault("type", "OBJECT")
        if "items" in node or out.get("type") == "ARRAY":
            items = node.get("items")
            out["items"] = self.node(items, depth + 1) if isinstance(items, dict) else {"type": "STRING"}
        return out

    def _branches(self, node: dict[str, Any], names: list[str], out: dict[str, Any], depth: int) -> dict[str, Any]:
        """Alternatives, and types in a list, as `anyOf`; one alternative beside null is that one, nullable."""
        branches = [branch for name in ("anyOf", "oneOf") for branch in node.get(name) or ()]
        if len(names) > 1:
            branches += [{**node, "type": name, "anyOf": [], "oneOf": []} for name in names]
        plain = [branch for branch in branches if not (isinstance(branch, dict) and branch.get("type") == "null")]
        if len(plain) < len(branches):
            out["nullable"] = True
        if len(plain) == 1:
            out = self.node(plain[0], depth + 1) | out
        elif plain:
            out["anyOf"] = [self.node(branch, depth + 1) for branch in plain]
        for branch in node.get("allOf") or ():
            out = self.node(branch, depth + 1) | out
        return out


def _enum(node: dict[str, Any], out: dict[str, Any]) -> None:
    values = [node["const"]] if "const" in node else node.get("enum")
    if not isinstance(values, list):
        return
    if None in values:
        out["nullable"] = True
    words = [str(value) for value in values if value is not None and str(value)]
    if words and all(isinstance(value, str) or value is None for value in values):
        out["type"], out["enum"] = "STRING", words
        out["format"] = "enum"


def is_openapi(raw: Raw) -> bool:
    """Whether a schema is of that flavour (its types are upper case)."""
    root = _value(raw)
    kind = root.get("type") if isinstance(root, dict) else None
    return isinstance(kind, str) and kind.isupper()
