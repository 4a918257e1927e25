"""A value that is valid against a JSON schema, written from the words of the prompt. Refuses remote references."""

import random
from typing import Any

from farebox.sims.answers.pattern import matching
from farebox.sims.http1 import Json

DEPTH_MAX = 12
_FORMATS = {
    "date": "2026-03-14",
    "date-time": "2026-03-14T09:26:53Z",
    "time": "09:26:53Z",
    "email": "someone@example.com",
    "uuid": "3f2b8c1e-5d4a-4e6f-9a7b-1c2d3e4f5a6b",
    "uri": "https://example.com/answer",
    "ipv4": "192.0.2.7",
    "ipv6": "2001:db8::7",
    "hostname": "example.com",
    "duration": "PT7S",
}


class Writer:
    """Writes values for one root schema; `words` are used, in turn, where a text is free."""

    def __init__(self, root: Json, words: list[str], rng: random.Random) -> None:
        self._root = root
        self._words = words
        self._rng = rng
        self._used = 0

    def value(self, schema: Any = None, *, depth: int = 0) -> Any:
        """A valid value of `schema` (default: the root)."""
        plain = self._plain(self._root if schema is None else schema)
        if "const" in plain:
            return plain["const"]
        if plain.get("enum"):
            return self._rng.choice(plain["enum"])
        if plain.get("type") is None and not {"properties", "items"} & plain.keys() and schema is not None:
            return self._text(plain)
        kind = self._kind(plain, depth)
        match kind:
            case "object":
                return self._object(plain, depth)
            case "array":
                return self._array(plain, depth)
            case "integer" | "number":
                return self._number(plain, whole=kind == "integer")
            case "boolean":
                return self._rng.random() < 0.5
            case "null":
                return None
            case _:
                return self._text(plain)

    def _plain(self, schema: Any) -> Json:
        """The schema with references, alternatives and conjunctions resolved."""
        plain = dict(schema) if isinstance(schema, dict) else {}
        for _ in range(DEPTH_MAX):
            if "$ref" in plain:
                target = self._target(str(plain.pop("$ref")))
                plain = {**target, **plain}
            elif plain.get("anyOf") or plain.get("oneOf"):
                options = plain.pop("anyOf", None) or plain.pop("oneOf")
                option = next((o for o in options if isinstance(o, dict) and o.get("type") != "null"), options[0])
                plain = {**plain, **(option if isinstance(option, dict) else {})}
            elif plain.get("allOf"):
                for part in plain.pop("allOf"):
                    plain = _merged(plain, self._plain(part))
            else:
                break
        return plain

    def _target(self, ref: str) -> Json:
        node: Any = self._root
        for word in ref.removeprefix("#").split("/"):
            if word and isinstance(node, dict):
                node = node.get(word.replace("~1", "/").replace("~0", "~"), {})
        return node if isinstance(node, dict) and ref.startswith("#") else {}

    @staticmethod
    def _kind(plain: Json, depth: int) -> str:
        kind = plain.get("type")
        if isinstance(kind, list):
            concrete = [k for k in kind if k != "null"]
            return "null" if "null" in kind and (depth > DEPTH_MAX or not concrete) else str(concrete[0])
        if kind is not None:
            return str(kind)
        return "array" if "items" in plain else "object"

    def _object(self, plain: Json, depth: int) -> Json:
        required = plain.get("required") or []
        properties: Json = plain.get("properties") or {}
        value = {}
        for name, schema in properties.items():
            # Optional members are written too, until the nesting says that the schema refers to itself.
            if name in required or depth < DEPTH_MAX // 3:
                value[name] = self.value(schema, depth=depth + 1) if depth < DEPTH_MAX * 4 else None
        for name in required:
            if name not in value:
                extra = plain.get("additionalProperties")
                value[name] = self.value(extra if isinstance(extra, dict) else {}, depth=depth + 1)
        return value

    def _array(self, plain: Json, depth: int) -> list[Any]:
        low = int(plain.get("minItems") or 0)
        prefix = plain.get("prefixItems") or []
        size = max(low, len(prefix), 0 if depth >= DEPTH_MAX // 2 else 2)
        size = min(size, int(plain.get("maxItems", size)))
        items = plain.get("items")
        return [self.value(prefix[i] if i < len(prefix) else (items or {}), depth=depth + 1) for i in range(size)]

    def _number(self, plain: Json, *, whole: bool) -> float | int:
        low = plain.get("minimum", plain.get("exclusiveMinimum"))
        high = plain.get("maximum", plain.get("exclusiveMaximum"))
        if low is None:
            low = 0 if high is None else high - 100
        if high is None:
            high = low + 100
        if not whole and "multipleOf" not in plain:
            return round(low + (high - low) * (0.25 + self._rng.random() / 2), 6)
        step = plain.get("multipleOf", 1)
        first = -(-low // step) + ("exclusiveMinimum" in plain and low % step == 0)
        last = high // step - ("exclusiveMaximum" in plain and high % step == 0)
        number = self._rng.randint(int(first), int(max(first, last))) * step
        return int(number) if whole else number

    def _text(self, plain: Json) -> str:
        if plain.get("format") in _FORMATS:
            return _FORMATS[plain["format"]]
        if isinstance(plain.get("pattern"), str):
            return matching(plain["pattern"], self._rng)
        word = self._words[self._used % len(self._words)]
        self._used += 1
        low, high = int(plain.get("minLength") or 0), plain.get("maxLength")
        while len(word) < low:
            word += " " + self._words[self._used % len(self._words)]
            self._used += 1
        return word[:high] if isinstance(high, int) else word


def _merged(one: Json, two: Json) -> Json:
    merged = {**one, **two}
    if "properties" in one and "properties" in two:
        merged["properties"] = {**one["properties"], **two["properties"]}
    if "required" in one and "required" in two:
        merged["required"] = [*one["required"], *two["required"]]
    return merged
