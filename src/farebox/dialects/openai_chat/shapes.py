"""The shape of what a vendor says in a chat message or a piece of one, as far as it is read. Refuses other members' types:
what has the wrong type here is a malformed answer on every path.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct


class Function(Struct):
    name: str | None = None
    arguments: str | None = None


class Custom(Struct):
    name: str | None = None
    input: str | None = None


class Call(Struct):
    index: int = 0
    id: str | None = None
    type: str | None = None
    function: Function | None = None
    custom: Custom | None = None


class Delta(Struct):
    content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] | None = None
    tool_calls: list[Call] | None = None
    refusal: str | None = None
    audio: dict[str, Any] | None = None
    images: list[dict[str, Any]] | None = None
    annotations: list[Raw] | None = None


check_delta = msgspec.json.Decoder(Delta).decode
