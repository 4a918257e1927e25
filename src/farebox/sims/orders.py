"""Orders: which fault, which pace, which length. Read from a header, a model name, a path or a rule. Refuses unknown words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

HEADER = "x-sim"

# name -> what it means; the one list of words that an order may contain, printed by `farebox sims --list`.
OPTIONS: Mapping[str, str] = {
    "fault": "the fault to play, `F13` or `F13-garbage`; `none` cancels one ordered elsewhere",
    "after": "content events sent before a mid-stream fault (default 3; 0 = before the first)",
    "retry_after": "value of the Retry-After header, written as it is",
    "status": "status of the answer, for faults that come with several",
    "message": "message of an error",
    "size": "size in bytes, for faults about size",
    "times": "how often, for faults about repetition",
    "hold_s": "seconds that a stall or late answer lasts (default: until the client leaves)",
    "delay_ms": "wait before the first byte of the answer",
    "pace_ms": "wait between stream events",
    "jitter_ms": "up to this much more, at random (seeded), on `delay_ms`",
    "tokens": "number of output tokens, exactly",
    "reasoning": "reasoning on, spelt `reasoning_content`, `reasoning` or `think`; `none` = off",
    "usage": "usage in a stream: `asked` (default), `always`, `finish` (in the last choice), `never`",
    "cached": "cached prompt tokens to report, instead of the prefix cache's own count",
    "tools": "`always`: call a tool whenever some are offered; `never`",
    "say": "answer exactly this",
    "model": "model name to report, instead of the one asked for",
    "deaf": "1: go on after the client left, like a vendor that cannot cancel",
}

_FAULT = re.compile(r"^f(\d{1,2})(?:[-.:_]([a-z0-9_-]+))?$", re.IGNORECASE)
_HOSTILE = re.compile(r"^k(\d{3})(?:[-.:_]([a-z0-9_-]+))?$", re.IGNORECASE)
_TEMPO = re.compile(r"^(?=.)(?:w(?P<delay_ms>\d+))?(?:d(?P<pace_ms>\d+))?(?:n(?P<tokens>\d+))?$")


class BadOrder(ValueError):
    """An order with a word that nobody here knows."""


@dataclass(frozen=True, slots=True)
class Orders:
    """What one answer shall be like. `options` holds texts, as they were ordered."""

    options: Mapping[str, str] = field(default_factory=dict)

    def over(self, lower: "Orders") -> "Orders":
        """These orders, and those of `lower` that they leave open."""
        return Orders({**lower.options, **self.options})

    @property
    def fault(self) -> str:
        value = self.options.get("fault", "")
        return "" if value == "none" else value

    def text(self, name: str, default: str = "") -> str:
        return self.options.get(name, default)

    def integer(self, name: str, default: int) -> int:
        value = self.options.get(name)
        if value is None:
            return default
        try:
            return int(value)
        except ValueError:
            raise BadOrder(f"{name}={value!r} is not an integer") from None

    def seconds(self, name: str, default: float = 0.0) -> float:
        """An option in its own unit (`_ms` or `_s`), as seconds."""
        value = self.options.get(name)
        if value is None:
            return default
        try:
            number = float(value)
        except ValueError:
            raise BadOrder(f"{name}={value!r} is not a number") from None
        return number / 1000 if name.endswith("_ms") else number


def fault_name(word: str) -> str | None:
    """`F13`, `f13-garbage`, `f13.garbage` → the written form `f13-garbage`; None if it is not a fault's name."""
    for letter, pattern in (("f", _FAULT), ("k", _HOSTILE)):
        match = pattern.match(word)
        if match:
            variant = (match[2] or "").lower().replace("_", "-")
            return f"{letter}{int(match[1])}" + (f"-{variant}" if variant else "")
    return None


def from_options(options: Mapping[str, str]) -> Orders:
    """Check names, and write the fault's name in its one form."""
    checked: dict[str, str] = {}
    for name, value in options.items():
        if name not in OPTIONS:
            raise BadOrder(f"unknown option {name!r}; known are {', '.join(OPTIONS)}")
        checked[name] = value
    if "fault" in checked and checked["fault"] != "none":
        fault = fault_name(checked["fault"])
        if fault is None:
            raise BadOrder(f"{checked['fault']!r} is not a fault's name")
        checked["fault"] = fault
    return Orders(checked)


def from_text(text: str) -> Orders:
    """`fault=F13;retry_after=7`. A bare fault name is allowed: `F13`."""
    options: dict[str, str] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        name, equals, value = entry.partition("=")
        if equals:
            options[name.strip()] = value.strip()
        else:
            options["fault"] = name
    return from_options(options)


def from_model(model: str) -> Orders:
    """`sim/f23-stall`, or any name with `@f13`, `@d10n100` or `@fault=F13;retry_after=7` behind it."""
    name, at, words = model.rpartition("@")
    if at and name:
        return from_word(words) or Orders()
    maker, slash, fault = model.rpartition("/")
    if slash and maker in ("sim", "simulated"):
        named = fault_name(fault)
        return Orders({"fault": named}) if named else Orders()
    return Orders()


def from_word(word: str) -> Orders | None:
    """One word of a path or model name: a fault, a tempo (`w50d10n100`), or options. None: not an order."""
    fault = fault_name(word)
    if fault is not None:
        return Orders({"fault": fault})
    tempo = _TEMPO.match(word)
    if tempo:
        return Orders({name: value for name, value in tempo.groupdict().items() if value is not None})
    if "=" in word:
        return from_text(word)
    return None


def from_path(path: str) -> tuple[Orders, str, str]:
    """`/alpha/f13/v1/models` → (orders, scope `alpha`, path `/v1/models`). What is no order names the scope."""
    before, mark, after = path.partition("/v1/")
    if not mark:
        return Orders(), "", path
    orders, scope = Orders(), []
    for word in filter(None, before.split("/")):
        ordered = from_word(unquote(word))
        if ordered is None:
            scope.append(word)
        else:
            orders = ordered.over(orders)
    return orders, "/".join(scope), "/v1/" + after
