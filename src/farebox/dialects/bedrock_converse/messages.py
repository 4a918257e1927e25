"""Canonical messages as Converse messages: system apart, user and assistant in turns, tool results with the user, cache marks
as cache points. Refuses to lose a part silently.
"""

import re
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw

from farebox.dialects.anthropic_messages.seals import escape
from farebox.dialects.bedrock_converse import media, reasoning
from farebox.dialects.bedrock_converse.sending import CHANGED, UNSUPPORTED, Losses, arguments
from farebox.dialects.bedrock_converse.words import NAME, family
from farebox.dialects.ports import Target
from farebox.ir.request import (
    AnyPart,
    CacheMark,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
    Request,
    Role,
    Text,
    ToolCall,
    ToolResult,
)

CACHE_POINTS_MAX = 4
Block = dict[str, Any] | Raw
_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_members = msgspec.json.Decoder(dict[str, Raw]).decode


def cache_point(mark: CacheMark) -> dict[str, Any]:
    """A cache mark as a block; five minutes are the default and go unsaid, and an hour is the most there is."""
    return {"cachePoint": {"type": "default"} | ({"ttl": "1h"} if mark.ttl != "5m" else {})}


def allowed_id(call_id: str) -> str:
    """A call's id as the protocol takes it: up to 64 letters, digits, `_` and `-`. The same id always becomes the same."""
    if _ID.fullmatch(call_id):
        return call_id
    return f"call_{blake2b(call_id.encode(), digest_size=12).hexdigest()}"


class Conversation:
    """Builds `system` and `messages`, and remembers the tools that the history used."""

    __slots__ = ("_caches", "_kind", "_names", "_target", "losses", "messages", "system", "tools_used")

    def __init__(self, target: Target, losses: Losses) -> None:
        self.losses = losses
        self.system: list[Block] = []
        self.messages: list[dict[str, Any]] = []
        self.tools_used: dict[str, None] = {}
        self._target = target
        self._kind = family(target.model)
        self._names = media.DocumentNames()
        self._caches = "no_cache_points" not in target.options

    def write(self, request: Request) -> None:
        leading = True
        for index, message in enumerate(request.messages):
            path = f"$.messages[{index}]"
            self.losses.extras(message.extras, path, NAME)
            leading = leading and message.role in _SYSTEM
            if leading:
                self.system += self._system(message, path)
            else:
                self._turn(message, path)
        if not self.messages or self.messages[0]["role"] != "user":
            self.losses.say(CHANGED, "$.messages", "A conversation must begin with the user: a turn was put before it.")
            self.messages.insert(0, {"role": "user", "content": [{"text": "."}]})
        if request.cache is not None and self._caches:
            self.messages[-1]["content"].append(cache_point(request.cache))

    def _system(self, message: Message, path: str) -> list[Block]:
        blocks: list[Block] = []
        for part in message.parts:
            if isinstance(part, Text):
                self.losses.extras(part.extras, path, NAME)
                if part.text:
                    blocks.append({"text": part.text})
                    blocks += self._cache(part, path)
            elif isinstance(part, Opaque) and _ours(part):
                blocks.append(part.payload)
            else:
                self.losses.part(path, "A part of the system prompt that is not text")
        return blocks

    def _turn(self, message: Message, path: str) -> None:
        if message.role in _SYSTEM:
            self.losses.say(CHANGED, path, "A later system message was sent as the user's.")
        role = "assistant" if message.role is Role.ASSISTANT else "user"
        content: list[Block] = []
        for index, part in enumerate(message.parts):
            where = f"{path}.content[{index}]"
            block = self._block(part, where)
            if block is not None:
                content.append(block)
                content += self._cache(part, where)
        if role == "user":
            self._mind_documents(content, path)
        if not content:
            if any(not isinstance(part, Reasoning) for part in message.parts) or role == "user":
                self.losses.say(CHANGED, path, "An empty message was left out.")
            return
        if self.messages and self.messages[-1]["role"] == role:
            self.messages[-1]["content"] += content
        else:
            self.messages.append({"role": role, "content": content})

    def _mind_documents(self, content: list[Block], path: str) -> None:
        """A document must not come without text beside it."""
        kinds = {name for block in content if isinstance(block, dict) for name in block}
        if "document" in kinds and "text" not in kinds:
            self.losses.say(CHANGED, path, "A document needs text beside it: a full stop was added.")
            content.append({"text": "."})

    def _cache(self, part: AnyPart, path: str) -> list[Block]:
        if part.cache is None:
            return []
        if not self._caches:
            self.losses.say(UNSUPPORTED, f"{path}.cache_control", "This provider takes no cache marks.")
            return []
        return [cache_point(part.cache)]

    def _block(self, part: AnyPart, path: str) -> Block | None:
        if isinstance(part, Opaque):
            if _ours(part):
                return part.payload
            self.losses.part(path, "A part")
            return None
        rest = self.losses.extras(part.extras, path, NAME)
        if isinstance(part, Text) and "block" in rest:
            return rest["block"]  # type: ignore[no-any-return]
        if isinstance(part, Text | Refusal):
            return {"text": part.text} if part.text else None
        if isinstance(part, Media):
            return media.block(part, rest, self._names, path)
        if isinstance(part, Reasoning):
            return reasoning.block(part, self._kind, self._target, self.losses, path=path)
        if isinstance(part, ToolCall):
            return self._call(part, rest, path)
        return self._result(part, rest, path)

    def _call(self, part: ToolCall, rest: dict[str, Any], path: str) -> Block | None:
        if part.executor != "client":
            self.losses.part(path, "A call that a vendor ran")
            return None
        self.tools_used[part.name] = None
        if part.form == "custom":
            given = Raw(msgspec.json.encode({"input": part.arguments}))
        else:
            given = arguments(part.arguments, self.losses, path)
        return {"toolUse": {"toolUseId": allowed_id(part.call_id), "name": escape(part.name), "input": given} | rest}

    def _result(self, part: ToolResult, rest: dict[str, Any], path: str) -> Block:
        content: list[Block] = []
        for inner in part.parts:
            own = inner.extras.get(NAME, {})
            if isinstance(inner, Text):
                if inner.text:
                    content.append(own.get("block", {"text": inner.text}))
            elif isinstance(inner, Media):
                content.append(media.block(inner, dict(own), self._names, path))
            elif isinstance(inner, Opaque) and _ours(inner):
                content.append(inner.payload)
            else:
                self.losses.part(path, "A part of a tool result")
        failed = {"status": "error"} if part.failed else {}
        return {"toolResult": {"toolUseId": allowed_id(part.call_id), "content": content} | failed | rest}


def _ours(part: Opaque) -> bool:
    return part.origin is not None and part.origin.dialect == NAME


def limit_cache_points(losses: Losses, *lists: list[Any]) -> None:
    """Keeps four cache points, the first (what all conversations share) and the last three; an hour never after five minutes."""
    places = [(blocks, index) for blocks in lists for index, block in enumerate(blocks) if _is_cache(block)]
    gone = places[1 : 1 + max(0, len(places) - CACHE_POINTS_MAX)]
    short = False
    for blocks, index in places:
        point = blocks[index]["cachePoint"]
        if short and "ttl" in point:
            blocks[index] = cache_point(CacheMark())
            losses.say(
                CHANGED, "$.messages", "A cache mark of an hour after one of five minutes became one of five minutes."
            )
        short = short or "ttl" not in point
    for blocks, index in reversed(gone):
        del blocks[index]
    if gone:
        losses.say(CHANGED, "$.messages", f"Only {CACHE_POINTS_MAX} cache marks are taken: {len(gone)} were left out.")


def _is_cache(block: Any) -> bool:
    return isinstance(block, dict) and "cachePoint" in block


def thoughtless(messages: list[dict[str, Any]]) -> bool:
    """Whether thinking cannot be on: the turn began with a call and without its reasoning, or its beginning is given."""
    if messages[-1]["role"] == "assistant":
        return True
    for message in reversed(messages):
        content = message["content"]
        if message["role"] == "assistant":
            kinds = [next(iter(_members(block) if isinstance(block, Raw) else block)) for block in content]
            return "toolUse" in kinds and kinds[0] != "reasoningContent"
        if not any(isinstance(block, dict) and "toolResult" in block for block in content):
            return False
    return False
