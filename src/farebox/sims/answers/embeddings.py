"""Embeddings: unit vectors that depend on the text alone, as lists or base64. Refuses meaning."""

import base64
import hashlib
import math
import struct
from typing import Any

from farebox.sims.answers.text import count
from farebox.sims.http1 import Json

DIMENSIONS = 256
DIMENSIONS_MAX = 4_096
INPUTS_MAX = 2_048


class BadInput(ValueError):
    """The request's input cannot be embedded."""


def embed(asked: Json, model: str) -> Json:
    """The document that answers an embeddings request."""
    inputs = _inputs(asked.get("input"))
    wanted = asked.get("dimensions")
    size = wanted if isinstance(wanted, int) and 0 < wanted <= DIMENSIONS_MAX else DIMENSIONS
    coded = asked.get("encoding_format") == "base64"
    data: list[Json] = []
    for index, entry in enumerate(inputs):
        numbers = vector(str(entry), size)
        packed = base64.b64encode(struct.pack(f"<{size}f", *numbers)).decode() if coded else numbers
        data.append({"object": "embedding", "index": index, "embedding": packed})
    tokens = sum(len(entry) if isinstance(entry, list) else count(entry) for entry in inputs)
    return {"object": "list", "data": data, "model": model, "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}


def vector(text: str, size: int) -> list[float]:
    """A unit vector from the text's digest."""
    raw = hashlib.shake_128(text.encode("utf-8", "replace")).digest(size * 2)
    numbers = [value / 32768 for (value,) in struct.iter_unpack("<h", raw)]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [round(number / length, 7) for number in numbers]


def _inputs(given: Any) -> list[str | list[int]]:
    if isinstance(given, str) and given:
        return [given]
    if not isinstance(given, list) or not given or len(given) > INPUTS_MAX:
        raise BadInput("'input' must be a text, a list of texts, or lists of tokens")
    if all(isinstance(entry, int) for entry in given):
        return [given]
    if all(isinstance(entry, str | list) and entry for entry in given):
        return list(given)
    raise BadInput("'input' mixes kinds")
