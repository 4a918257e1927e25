"""Deciding what a simulated model answers to a chat or completion request. Refuses to write it down (see `documents`)."""

import random
import zlib
from dataclasses import dataclass, replace
from typing import Any

from farebox.sims.answers import media, text, tools, usage
from farebox.sims.answers.schema import Writer
from farebox.sims.answers.tools import Call
from farebox.sims.http1 import Json, dump
from farebox.sims.orders import Orders

CHOICES_MAX = 128


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer of several: thoughts, words and calls, as tokens."""

    index: int
    reasoning: tuple[str, ...]
    words: tuple[str, ...]
    calls: tuple[Call, ...]
    finish: str


@dataclass(frozen=True, slots=True)
class Answer:
    """All that is said in reply to one request."""

    id: str
    created_s: int
    model: str
    choices: tuple[Choice, ...]
    prompt_tokens: int
    cached_tokens: int

    @property
    def reasoning_tokens(self) -> int:
        return sum(len(choice.reasoning) for choice in self.choices)

    @property
    def completion_tokens(self) -> int:
        said = sum(len(choice.words) + sum(len(call.pieces) for call in choice.calls) for choice in self.choices)
        return said + self.reasoning_tokens


@dataclass(frozen=True, slots=True)
class Occasion:
    """What an answer depends on beside the request: its number, the time, the orders, what is cached."""

    number: int
    created_s: int
    orders: Orders
    cached_tokens: int
    legacy: bool = False


def plan(asked: Json, occasion: Occasion) -> Answer:
    """The same request and the same orders get the same words; only id and time differ."""
    orders = occasion.orders
    prompt = str(asked.get("prompt")) if occasion.legacy else _last_words(asked)
    seed = zlib.crc32(dump([prompt, asked.get("seed"), asked.get("model")]))
    wanted = asked.get("n") or 1
    choices = tuple(
        _choice(asked, occasion, prompt=prompt, rng=random.Random(seed + index), index=index)  # noqa: S311  not secret
        for index in range(min(int(wanted), CHOICES_MAX))
    )
    prompt_tokens = text.count(prompt) if occasion.legacy else usage.prompt_tokens(asked)
    return Answer(
        id=f"{'cmpl' if occasion.legacy else 'chatcmpl'}-sim{seed:08x}{occasion.number:06d}",
        created_s=occasion.created_s,
        model=orders.text("model") or str(asked.get("model") or "sim"),
        choices=choices,
        prompt_tokens=prompt_tokens,
        cached_tokens=orders.integer("cached", min(occasion.cached_tokens, prompt_tokens)),
    )


def _choice(asked: Json, occasion: Occasion, *, prompt: str, rng: random.Random, index: int) -> Choice:
    orders = occasion.orders
    reasoning = _reasoning(asked, orders, prompt, rng) if not occasion.legacy else ()
    calls = () if occasion.legacy else tools.calls(asked, orders, prompt=prompt, rng=rng)
    if calls:
        return _limited(Choice(index, reasoning, (), calls, "tool_calls"), asked)
    words = _words(asked, orders, prompt, rng, legacy=occasion.legacy)
    finish = "stop"
    stops = asked.get("stop") or ()
    for stop in (stops,) if isinstance(stops, str) else stops:
        words = words.partition(str(stop))[0] if stop else words
    return _limited(Choice(index, reasoning, text.tokens(words), (), finish), asked)


def _words(asked: Json, orders: Orders, prompt: str, rng: random.Random, *, legacy: bool) -> str:
    if "say" in orders.options:
        return orders.text("say")
    length = orders.integer("tokens", 0) or None
    shape = asked.get("response_format") if not legacy else None
    if isinstance(shape, dict) and shape.get("type") in ("json_schema", "json_object"):
        described = shape.get("json_schema") if isinstance(shape.get("json_schema"), dict) else {}
        schema = (described or {}).get("schema") or _FREE_OBJECT
        return dump(Writer(schema, text.topics(prompt), rng).value()).decode()
    if not legacy:
        result = _tool_results(asked)
        if result is not None and length is None:
            return result
        prefill = _prefill(asked)
        if prefill is not None:
            return _continued(prefill, prompt, rng, length)
        seen = media.seen(asked)
        if seen and length is None:
            return f"{text.OPENING} {seen} " + text.prose(text.topics(prompt), rng, opening="As for the words:")
    return text.write(prompt, rng, length=length)


_FREE_OBJECT: Json = {
    "type": "object",
    "properties": {
        "answer": {"type": "string", "minLength": 8},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["answer", "confidence"],
}


def _limited(choice: Choice, asked: Json) -> Choice:
    """Cut at the request's token limit; thinking counts."""
    limit = asked.get("max_completion_tokens") or asked.get("max_tokens")
    if not isinstance(limit, int) or isinstance(limit, bool):
        return choice
    said = choice.words or tuple(piece for call in choice.calls for piece in call.pieces)
    if len(choice.reasoning) + len(said) <= limit:
        return choice
    room = max(0, limit - len(choice.reasoning))
    calls = []
    for call in choice.calls:
        if room > 0:
            calls.append(replace(call, arguments="".join(call.pieces[:room])))
        room -= len(call.pieces)
    left = max(0, limit - len(choice.reasoning))
    return replace(
        choice, reasoning=choice.reasoning[:limit], words=choice.words[:left], calls=tuple(calls), finish="length"
    )


def _reasoning(asked: Json, orders: Orders, prompt: str, rng: random.Random) -> tuple[str, ...]:
    ordered = orders.text("reasoning")
    if ordered == "none" or not (ordered or wants_reasoning(asked)):
        return ()
    return text.tokens(text.prose(text.topics(prompt), rng, opening="Let me think this through."))


def wants_reasoning(asked: Json) -> bool:
    """Does the request itself ask for reasoning, in one of the ways vendors know?"""
    effort = asked.get("reasoning_effort")
    if isinstance(effort, str):
        return effort != "none"
    wish = asked.get("reasoning")
    if isinstance(wish, dict):
        return wish.get("enabled") is not False and wish.get("effort") != "none"
    thinking = asked.get("thinking")
    if isinstance(thinking, dict):
        return thinking.get("type") == "enabled"
    return asked.get("enable_thinking") is True


def _messages(asked: Json) -> list[Json]:
    return [message for message in asked.get("messages") or () if isinstance(message, dict)]


def _last_words(asked: Json) -> str:
    """The last user message; a system message if there is none."""
    messages = _messages(asked)
    for role in ("user", "system", "developer"):
        for message in reversed(messages):
            if message.get("role") == role:
                return usage.content_text(message.get("content"))
    return ""


def _tool_results(asked: Json) -> str | None:
    results: list[str] = []
    for message in reversed(_messages(asked)):
        if message.get("role") != "tool":
            break
        results.append(usage.content_text(message.get("content"))[:400])
    if not results:
        return None
    return f"{text.OPENING} The tool returned: " + "; ".join(reversed(results))


def _prefill(asked: Json) -> str | None:
    messages = _messages(asked)
    last: Any = messages[-1] if messages else {}
    if last.get("role") == "assistant" and not last.get("tool_calls"):
        return usage.content_text(last.get("content"))
    return None


def _continued(prefill: str, prompt: str, rng: random.Random, length: int | None) -> str:
    said = text.asked_to_say(prompt)
    if said is not None and said.startswith(prefill) and length is None:
        return said[len(prefill) :]
    space = "" if not prefill or prefill[-1].isspace() else " "
    return space + text.prose(text.topics(prompt), rng, length=length, opening="continues here.")
