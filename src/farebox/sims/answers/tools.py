"""Deciding which of the offered tools to call, with arguments that their schemas allow. Refuses to run one."""

import random
import re
from dataclasses import dataclass
from typing import Any

from farebox.sims.answers import text
from farebox.sims.answers.schema import Writer
from farebox.sims.http1 import Json, dump
from farebox.sims.orders import Orders

PIECE_LETTERS = 8
_SEVERAL = re.compile(r"\b(?:both|each|parallel|every|two)\b", re.IGNORECASE)
_ASKED = re.compile(r"\b(?:use|call|invoke)\b.{0,40}\btools?\b|\btools?\b.{0,20}\b(?:please|now)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool; `arguments` is the JSON text."""

    call_id: str
    name: str
    arguments: str

    @property
    def pieces(self) -> tuple[str, ...]:
        """The arguments as they are streamed."""
        return tuple(self.arguments[at : at + PIECE_LETTERS] for at in range(0, len(self.arguments), PIECE_LETTERS))


def calls(asked: Json, orders: Orders, *, prompt: str, rng: random.Random) -> tuple[Call, ...]:
    """The calls that this request gets; none if it gets words."""
    offered = [tool["function"] for tool in asked.get("tools") or () if _is_function(tool)]
    choice: Any = asked.get("tool_choice")
    if not offered or choice == "none" or orders.text("tools") == "never":
        return ()
    if isinstance(choice, dict):
        wanted = (choice.get("function") or {}).get("name")
        chosen = [tool for tool in offered if tool["name"] == wanted][:1]
    else:
        if choice != "required" and _answered(asked):
            return ()
        chosen = [tool for tool in offered if _mentioned(tool, prompt)]
        if not chosen and (choice == "required" or orders.text("tools") == "always" or _ASKED.search(prompt)):
            chosen = offered[:1]
        if len(chosen) == 1 and _SEVERAL.search(prompt):
            chosen *= 2
    if asked.get("parallel_tool_calls") is False:
        chosen = chosen[:1]
    return tuple(_call(tool, prompt, rng, turn) for turn, tool in enumerate(chosen))


def _is_function(tool: Any) -> bool:
    function = tool.get("function") if isinstance(tool, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _answered(asked: Json) -> bool:
    messages = asked.get("messages") or [{}]
    return isinstance(messages[-1], dict) and messages[-1].get("role") == "tool"


def _mentioned(tool: Json, prompt: str) -> bool:
    words = {word.lower() for word in re.findall(r"[^\W_]{4,}", prompt)}
    named = {word.lower() for word in re.split(r"[\W_]+", tool["name"]) if len(word) >= 4}
    return tool["name"] in prompt or bool(words & named)


def _call(tool: Json, prompt: str, rng: random.Random, turn: int) -> Call:
    names: list[str] = re.findall(r"(?<!^)(?<![.!?]\s)\b[A-Z]\w+", prompt) or text.topics(prompt)
    names = names[turn % len(names) :] + names[: turn % len(names)]
    schema = tool.get("parameters") or {"type": "object", "properties": {}}
    arguments = dump(Writer(schema, names, rng).value()).decode("utf-8", "replace")
    return Call(f"call_{rng.getrandbits(96):024x}", tool["name"], arguments)
