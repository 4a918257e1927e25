"""Counting: prompt tokens by text, and the prefix cache by identity. Refuses prices."""

import hashlib
from collections import OrderedDict
from typing import Any

from farebox.sims.answers.text import count
from farebox.sims.http1 import Json, dump

MESSAGE_TOKENS = 4
IMAGE_TOKENS = 85
BLOCK_TOKENS = 128
BLOCK_BYTES = BLOCK_TOKENS * 4
CACHE_BLOCKS_MAX = 50_000


def prompt_text(asked: Json) -> str:
    """All that the model reads, in order, as one text."""
    parts = [dump(asked["tools"]).decode("utf-8", "replace")] if asked.get("tools") else []
    for message in asked.get("messages") or ():
        if isinstance(message, dict):
            parts.append(f"<{message.get('role')}>")
            parts.append(content_text(message.get("content")))
            if message.get("tool_calls"):
                parts.append(dump(message["tool_calls"]).decode("utf-8", "replace"))
    return "".join(parts)


def content_text(content: Any) -> str:
    """The text of a message's content, whatever its shape."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def prompt_tokens(asked: Json) -> int:
    """How many tokens the prompt counts."""
    messages = [message for message in asked.get("messages") or () if isinstance(message, dict)]
    images = sum(
        1
        for message in messages
        if isinstance(message.get("content"), list)
        for part in message["content"]
        if isinstance(part, dict) and part.get("type") == "image_url"
    )
    return count(prompt_text(asked)) + MESSAGE_TOKENS * len(messages) + IMAGE_TOKENS * images


class PrefixCache:
    """Remembers prompts in blocks of 128 tokens; a repeated beginning counts as cached, per identity and model."""

    def __init__(self) -> None:
        self._blocks: OrderedDict[bytes, None] = OrderedDict()

    def touch(self, identity: str, text: str) -> int:
        """How many leading tokens were seen before; then remember this prompt."""
        data = text.encode("utf-8", "replace")
        running = hashlib.blake2b(identity.encode("utf-8", "replace"), digest_size=16)
        cached, warm = 0, True
        for at in range(0, len(data) - BLOCK_BYTES + 1, BLOCK_BYTES):
            running.update(data[at : at + BLOCK_BYTES])
            block = running.digest()
            warm = warm and block in self._blocks
            cached += BLOCK_TOKENS if warm else 0
            self._blocks[block] = None
            self._blocks.move_to_end(block)
        while len(self._blocks) > CACHE_BLOCKS_MAX:
            self._blocks.popitem(last=False)
        return cached

    def clear(self) -> None:
        self._blocks.clear()
