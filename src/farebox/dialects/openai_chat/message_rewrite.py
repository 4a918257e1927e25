"""Rewrites messages in relay where a vendor cannot take them as they are. Refuses to touch what need not change:
untouched members stay the bytes they were.

Option words (`Target.options`): `developer_role_as_system`, `flatten_content` (lists of texts become one text),
`flatten_tool_content`, `tool_ids_9` (ids of nine characters), `names_on_tools_only`, `cache_control` (the vendor
understands cache marks; else they go), `reasoning_details` (the vendor takes them back unmodified).
"""

import hashlib

import msgspec
from msgspec import Raw

from farebox.dialects.ports import Target

_list = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_encode = msgspec.json.encode
_text = msgspec.json.Decoder(str).decode
_value = msgspec.json.Decoder().decode
_DEVELOPER = b'"developer"'
_ASSISTANT = b'"assistant"'
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def needs(marks: frozenset[str], target: Target) -> frozenset[str]:
    """What has to be done to messages with these marks for this vendor; usually nothing."""
    options, todo = target.options, set()
    if "developer" in marks and "developer_role_as_system" in options:
        todo.add("developer")
    if "parts" in marks and ("flatten_content" in options or "flatten_tool_content" in options):
        todo.add("parts")
    if "cache_control" in marks and "cache_control" not in options:
        todo.add("cache_control")
    if "tool_ids_9" in options and not marks.isdisjoint(("tool", "tool_calls")):
        todo.add("ids")
    if "name" in marks and "names_on_tools_only" in options:
        todo.add("name")
    if "images" in marks:
        todo.add("images")
    replays = target.reasoning_replay == "required" and "assistant" in marks
    if replays or ("reasoning" in marks and "reasoning_details" not in options):
        todo.add("reasoning")
    return frozenset(todo)


def nine(call_id: str) -> str:
    """A stable id of nine letters and digits; one that is so already stays."""
    if len(call_id) == 9 and call_id.isascii() and call_id.isalnum():
        return call_id
    number = int.from_bytes(hashlib.blake2b(call_id.encode(), digest_size=8).digest(), "big")
    digits = []
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits.append(_ALPHABET[digit])
    return "".join(digits)


def rewrite(messages: Raw, todo: frozenset[str], target: Target) -> bytes:
    """The messages as this vendor takes them."""
    return _encode([_message(message, todo, target) for message in _list(messages)])


def _message(message: dict[str, Raw], todo: frozenset[str], target: Target) -> dict[str, Raw]:
    role = bytes(message.get("role", b""))
    if "developer" in todo and role == _DEVELOPER:
        message["role"] = Raw(b'"system"')
    if "images" in todo:
        message.pop("images", None)
    if "name" in todo and role != b'"tool"':
        message.pop("name", None)
    if "reasoning" in todo and role == _ASSISTANT:
        _replay(message, target)
    if "ids" in todo:
        _short_ids(message)
    content = message.get("content")
    if content is not None and not todo.isdisjoint(("parts", "cache_control")) and bytes(content)[:1] == b"[":
        flat = "flatten_content" in target.options or role == b'"tool"'
        message["content"] = _content(content, flat="parts" in todo and flat, strip="cache_control" in todo)
    if "cache_control" in todo:
        message.pop("cache_control", None)
    return message


def _replay(message: dict[str, Raw], target: Target) -> None:
    """Earlier reasoning goes back under the vendor's own name, or not at all."""
    found = [message.pop(name, None) for name in ("reasoning_content", "reasoning")]
    text = next((raw for raw in found if raw is not None and bytes(raw)[:1] == b'"'), None)
    details = message.get("reasoning_details")
    if text is None and details is not None:
        pieces = _value(details)
        joined = "".join(piece.get("text") or "" for piece in pieces if isinstance(piece, dict)) if pieces else ""
        text = Raw(_encode(joined)) if joined else None
    if "reasoning_details" not in target.options:
        message.pop("reasoning_details", None)
    field = target.reasoning_field
    if target.reasoning_replay == "never" or field in ("", "think"):
        return
    if text is not None:
        message[field] = text
    elif target.reasoning_replay == "required":
        message[field] = Raw(b'""')


def _short_ids(message: dict[str, Raw]) -> None:
    given = message.get("tool_call_id")
    if given is not None and bytes(given)[:1] == b'"':
        message["tool_call_id"] = Raw(_encode(nine(_text(given))))
    calls = message.get("tool_calls")
    if calls is not None and bytes(calls)[:1] == b"[":
        entries = _list(calls)
        for entry in entries:
            if "id" in entry and bytes(entry["id"])[:1] == b'"':
                entry["id"] = Raw(_encode(nine(_text(entry["id"]))))
        message["tool_calls"] = Raw(_encode(entries))


def _content(content: Raw, *, flat: bool, strip: bool) -> Raw:
    parts = _list(content)
    if flat and all(bytes(part.get("type", b"")) == b'"text"' and "text" in part for part in parts):
        return Raw(_encode("\n".join(_text(part["text"]) for part in parts)))
    if strip:
        for part in parts:
            part.pop("cache_control", None)
            part.pop("prompt_cache_breakpoint", None)
    return Raw(_encode(parts))
