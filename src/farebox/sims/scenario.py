"""Scenarios: ordered rules that say which requests get which orders. Refuses unknown fields; counts and chance are seeded."""

import json
import random
import tomllib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from farebox.sims.http1 import Json, Request
from farebox.sims.orders import BadOrder, Orders, from_options, from_text


class BadScenario(ValueError):
    """A scenario that cannot be read; the message names the rule."""


@dataclass(slots=True)
class Rule:
    """`do` applies to requests that match everything given. `nth`, `every`, `first` and `chance` count only those."""

    do: Orders
    model: str | None = None
    scope: str | None = None
    path: str | None = None
    key: str | None = None
    prompt_has: str | None = None
    stream: bool | None = None
    nth: frozenset[int] = frozenset()
    every: int | None = None
    first: int | None = None
    chance: float | None = None
    seen: int = 0
    rng: random.Random = field(default_factory=random.Random)

    def takes(self, request: Request, *, scope: str, path: str) -> bool:
        """Does this rule apply to the request? Counts it if everything but the count matches."""
        document = request.document() or {}
        wanted = (
            (self.model, document.get("model")),
            (self.scope, scope),
            (self.path, path),
            (self.key, request.key),
            (self.stream, bool(document.get("stream"))),
        )
        if any(want is not None and want != have for want, have in wanted):
            return False
        if self.prompt_has is not None and self.prompt_has.encode() not in request.body:
            return False
        self.seen += 1
        if self.nth and self.seen not in self.nth:
            return False
        if self.every is not None and self.seen % self.every:
            return False
        if self.first is not None and self.seen > self.first:
            return False
        return self.chance is None or self.rng.random() < self.chance


@dataclass(slots=True)
class Scenario:
    """The rules in order; of several that apply, an earlier one's words win over a later one's."""

    rules: list[Rule] = field(default_factory=list)
    always: Orders = field(default_factory=Orders)

    def orders(self, request: Request, *, scope: str, path: str) -> tuple[Orders, int | None]:
        """What to do with this request, and the number of the first rule that spoke."""
        orders, spoke = Orders(), None
        for number, rule in enumerate(self.rules):
            if rule.takes(request, scope=scope, path=path):
                orders = orders.over(rule.do)
                spoke = number if spoke is None else spoke
        return orders.over(self.always), spoke

    def fresh(self) -> "Scenario":
        """The same rules with their counts and chances as they are now, counting on their own."""
        return deepcopy(self)


_MATCH: Mapping[str, type | tuple[type, ...]] = {
    "model": str,
    "scope": str,
    "path": str,
    "key": str,
    "prompt_has": str,
    "stream": bool,
    "every": int,
    "first": int,
    "chance": (int, float),
}


def _orders(value: Any) -> Orders:
    if isinstance(value, str):
        return from_text(value)
    if isinstance(value, dict):
        return from_options({str(name): str(word) for name, word in value.items()})
    raise BadScenario("'do' must be a text or a table")


def from_document(document: Json) -> Scenario:
    """`{"seed": 7, "always": "delay_ms=20", "rule": [{"match": {"model": "m", "nth": 2}, "do": "fault=F13"}]}`."""
    unknown = document.keys() - {"seed", "always", "rule"}
    if unknown:
        raise BadScenario(f"unknown fields: {', '.join(sorted(unknown))}")
    seed = document.get("seed", 0)
    rules: list[Rule] = []
    entries = document.get("rule", [])
    if not isinstance(entries, list):
        raise BadScenario("'rule' must be a list")
    try:
        always = _orders(document.get("always", ""))
        for number, entry in enumerate(entries):
            rules.append(_rule(entry, number, seed))
    except BadOrder as problem:
        raise BadScenario(f"rule {len(rules)}: {problem}") from problem
    return Scenario(rules, always)


def _rule(entry: Any, number: int, seed: Any) -> Rule:
    if not isinstance(entry, dict) or entry.keys() - {"match", "do"} or "do" not in entry:
        raise BadScenario(f"rule {number}: give 'do', and 'match' if it is not for every request")
    given = entry.get("match", {})
    rng = random.Random(f"{seed}/{number}")  # noqa: S311  chance in a rehearsal, not a secret
    rule = Rule(_orders(entry["do"]), rng=rng)
    for name, value in given.items():
        if name == "nth":
            numbers = value if isinstance(value, list) else [value]
            if not all(isinstance(one, int) and one > 0 for one in numbers):
                raise BadScenario(f"rule {number}: 'nth' counts from 1")
            rule.nth = frozenset(numbers)
        elif name in _MATCH and isinstance(value, _MATCH[name]):
            setattr(rule, name, value)
        else:
            raise BadScenario(f"rule {number}: cannot match {name!r} with {value!r}")
    return rule


def load(path: Path) -> Scenario:
    """Read a scenario file, TOML or JSON by its ending."""
    try:
        text = path.read_text("utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as problem:
        raise BadScenario(f"{path}: {problem}") from problem
    if not isinstance(document, dict):
        raise BadScenario(f"{path}: not a table")
    return from_document(document)
