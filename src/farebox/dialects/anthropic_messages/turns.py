"""Messages put into the order this protocol wants: the leading system run apart, tool results in the user turn right after
their calls, first in it. Refuses to hoist later system messages: that would rewrite a cached prefix.
"""

from typing import Any

from msgspec import Raw

from farebox.dialects.anthropic_messages.wish import family
from farebox.dialects.anthropic_messages.words import CHANGED
from farebox.dialects.anthropic_messages.writing import Fields, Writer, plain
from farebox.dialects.ports import Target
from farebox.ir.request import Message, Role

_SYSTEM = (Role.SYSTEM, Role.DEVELOPER)


class Turn:
    """One message as it grows."""

    __slots__ = ("blocks", "merged", "rest", "results", "role")

    def __init__(self, role: str, blocks: list[Fields | Raw], rest: Fields, *, results: bool) -> None:
        self.role = role
        self.blocks = blocks
        self.rest = rest
        self.results = results
        self.merged = False

    def fields(self) -> Fields:
        blocks = self.blocks
        if self.merged:
            blocks = [*(b for b in blocks if _is_result(b)), *(b for b in blocks if not _is_result(b))]
        return {"role": self.role, "content": plain(blocks)} | self.rest


def _is_result(block: Fields | Raw) -> bool:
    return isinstance(block, dict) and block["type"] == "tool_result"


def write_messages(messages: tuple[Message, ...], target: Target, writer: Writer) -> tuple[Any, list[Fields]]:
    """(`system` or `None`, `messages`)."""
    count = next((index for index, one in enumerate(messages) if one.role not in _SYSTEM), len(messages))
    system = [
        block
        for index, message in enumerate(messages[:count])
        for block in writer.blocks(message.parts, f"$.messages[{index}].content")
    ]
    turns: list[Turn] = []
    for index, message in enumerate(messages[count:], count):
        turn = _turn(message, f"$.messages[{index}]", target, writer)
        if turn is not None:
            _add(turns, turn)
    _trim_prefill(turns, writer)
    return plain(system) if system else None, [turn.fields() for turn in turns]


def _turn(message: Message, path: str, target: Target, writer: Writer) -> Turn | None:
    blocks = writer.blocks(message.parts, f"{path}.content")
    rest = writer.extras(message.extras, path)
    if message.name:
        writer.warn("parameter_dropped", f"{path}.name", "This provider takes no names of speakers.")
    if not blocks:
        writer.warn("empty_message_dropped", path, "A message without content is refused by this provider.")
        return None
    role = message.role
    if role in _SYSTEM:
        if "system_in_messages" in target.options or family(target).system_turns:
            return Turn("system", blocks, rest, results=False)
        writer.warn(CHANGED, path, "A system message between others is sent as the user's, marked as system text.")
        blocks = [{"type": "text", "text": "<system>"}, *blocks, {"type": "text", "text": "</system>"}]
        return Turn("user", _one_text(blocks), rest, results=False)
    return Turn("assistant" if role is Role.ASSISTANT else "user", blocks, rest, results=role is Role.TOOL)


def _one_text(blocks: list[Fields | Raw]) -> list[Fields | Raw]:
    texts = [block["text"] for block in blocks if isinstance(block, dict) and block.keys() == {"type", "text"}]
    return [{"type": "text", "text": "\n".join(texts)}] if len(texts) == len(blocks) else blocks


def _add(turns: list[Turn], turn: Turn) -> None:
    """Tool results and what the user says with them are one turn; other neighbours stay apart, as the author wrote them."""
    last = turns[-1] if turns else None
    if last is not None and last.role == "user" == turn.role and (last.results or turn.results):
        last.blocks += turn.blocks
        last.rest |= turn.rest
        last.results = last.merged = True
        return
    turns.append(turn)


def _trim_prefill(turns: list[Turn], writer: Writer) -> None:
    """The beginning of an answer must not end in white space."""
    if not turns or turns[-1].role != "assistant":
        return
    block = turns[-1].blocks[-1]
    if isinstance(block, dict) and block["type"] == "text" and block["text"] != block["text"].rstrip():
        block["text"] = block["text"].rstrip()
        writer.warn(CHANGED, "$.messages", "White space at the end of the answer's beginning was cut.")
