"""Canonical messages as this API's: system, user, assistant, tool. Text before calls is the plan; tool results are text or
documents. Refuses to lose a part silently.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.bedrock_converse.sending import CHANGED, REASONING_DROPPED, SEAL_DROPPED, UNSUPPORTED, Losses
from farebox.dialects.cohere_chat.words import NAME, PLAN
from farebox.dialects.ports import Target
from farebox.ir.errors import VendorUnsupported
from farebox.ir.request import (
    AnyPart,
    FileId,
    Inline,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)

Fields = dict[str, Any]


class Writer:
    """Messages one by one; what was lost is said to `losses`."""

    __slots__ = ("_losses", "_target")

    def __init__(self, target: Target, losses: Losses) -> None:
        self._target = target
        self._losses = losses

    def messages(self, message: Message, path: str) -> list[Fields]:
        """A message of ours as one or more of theirs: each tool result is its own."""
        rest = self._losses.extras(message.extras, path, NAME)
        results = [self._result(part, path) for part in message.parts if isinstance(part, ToolResult)]
        others = [part for part in message.parts if not isinstance(part, ToolResult)]
        if message.role is Role.TOOL:
            if len(results) == 1:
                results[0].update(rest)
            return results
        if message.name:
            self._losses.say(UNSUPPORTED, f"{path}.name", "This provider takes no names of speakers.")
        if message.role is Role.ASSISTANT:
            return [*results, self._assistant(others, path) | rest]
        role = "user" if message.role is Role.USER else "system"
        if results and not others:
            return results
        return [*results, {"role": role, "content": self._content(others, path)} | rest]

    def _assistant(self, parts: Sequence[AnyPart], path: str) -> Fields:
        out: Fields = {"role": "assistant"}
        calls = [self._call(part, path) for part in parts if isinstance(part, ToolCall)]
        texts = [part for part in parts if isinstance(part, Text | Refusal)]
        others = [part for part in parts if not isinstance(part, ToolCall)]
        if calls and texts:
            plan = "".join(part.text for part in texts)
            others = [part for part in others if not isinstance(part, Text | Refusal)]
            if plan:
                out[PLAN] = plan
        content = self._content(others, path) if others else []
        if content or not calls:
            out["content"] = content
        if calls:
            out["tool_calls"] = calls
        return out

    def _call(self, part: ToolCall, path: str) -> Fields:
        rest = self._losses.extras(part.extras, path, NAME)
        arguments = part.arguments or "{}"
        if part.form == "custom":
            self._losses.say(CHANGED, path, "A custom call was sent as a function call.")
            arguments = msgspec.json.encode({"input": part.arguments}).decode()
        return {"id": part.call_id, "type": "function", "function": {"name": part.name, "arguments": arguments}} | rest

    def _result(self, part: ToolResult, path: str) -> Fields:
        rest = self._losses.extras(part.extras, path, NAME)
        content: list[Any] = []
        for inner in part.parts:
            if isinstance(inner, Text):
                content.append({"type": "text", "text": inner.text})
            elif isinstance(inner, Opaque) and _ours(inner):
                content.append(inner.payload)
            elif isinstance(inner, Media):
                raise VendorUnsupported("This provider takes only text as a tool's result.", path=path)
            else:
                self._losses.part(path, "A part of a tool result")
        if part.failed:
            self._losses.say(UNSUPPORTED, path, "That a tool failed is only told by its text.")
        plain = content[0]["text"] if len(content) == 1 and isinstance(content[0], dict) else content or ""
        return {"role": "tool", "tool_call_id": part.call_id, "content": plain} | rest

    def _content(self, parts: Sequence[AnyPart], path: str) -> str | list[Any]:
        if len(parts) == 1 and isinstance(parts[0], Text) and not parts[0].extras and parts[0].cache is None:
            return parts[0].text
        return [block for part in parts if (block := self._block(part, path)) is not None]

    def _block(self, part: AnyPart, path: str) -> Fields | Raw | None:
        if isinstance(part, Opaque):
            if _ours(part):
                return part.payload
            self._losses.part(path, "A part")
            return None
        if part.cache is not None:
            self._losses.say(UNSUPPORTED, f"{path}.cache_control", "This provider takes no cache marks.")
        rest = self._losses.extras(part.extras, path, NAME)
        rest.pop(PLAN, None)
        if isinstance(part, Text | Refusal):
            return {"type": "text", "text": part.text} | rest
        if isinstance(part, Reasoning):
            return self._thought(part, path)
        if isinstance(part, Media):
            return _image(part, path) | rest
        self._losses.part(path, "A part")
        return None

    def _thought(self, part: Reasoning, path: str) -> Fields | None:
        if part.seal is not None:
            self._losses.say(SEAL_DROPPED, path, "Sealed reasoning goes back only to where it was made.")
        text = part.text or part.summary
        if self._target.reasoning_replay == "never" or not text:
            self._losses.say(REASONING_DROPPED, path, "Earlier reasoning was left out.")
            return None
        return {"type": "thinking", "thinking": text}


def _ours(part: Opaque) -> bool:
    return part.origin is not None and part.origin.dialect == NAME


def _image(part: Media, path: str) -> Fields:
    source = part.source
    if part.family != "image" or isinstance(source, FileId):
        raise VendorUnsupported("This provider takes text and images only.", path=path)
    url = f"data:{part.media_type or 'image/png'};base64,{source.data}" if isinstance(source, Inline) else source.url
    return {"type": "image_url", "image_url": {"url": url} | ({"detail": part.detail} if part.detail else {})}
