"""Owns the fuzz target of the reader of a document's top; its law: what it takes apart is valid JSON. Refuses nothing else."""

import json

from farebox.dialects.framing.json_front import front
from farebox.ir.errors import CallerError


def one(data: bytes) -> None:
    try:
        fields, everything = front(data)
    except CallerError as error:
        assert 400 <= error.status < 500
        return
    plain = json.loads(data)
    assert list(fields) == list(plain) == list(everything)
    for raw in fields.values():
        json.loads(bytes(raw))
