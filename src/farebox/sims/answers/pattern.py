"""A text that a regular expression matches, for the common part of the syntax. Refuses look-around and back-references."""

import random
import re
import string

_CLASSES = {"d": string.digits, "w": string.ascii_lowercase + string.digits, "s": " "}
_ANY = string.ascii_lowercase
_REPEAT_MAX = 64


class _Reader:
    """Recursive descent over the expression; writes while it reads."""

    def __init__(self, source: str, rng: random.Random) -> None:
        self.source, self.at, self.rng = source, 0, rng

    def peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def take(self) -> str:
        letter = self.peek()
        self.at += 1
        return letter

    def alternatives(self) -> str:
        written = [self.sequence()]
        while self.peek() == "|":
            self.at += 1
            written.append(self.sequence())
        return written[0]

    def sequence(self) -> str:
        parts: list[str] = []
        while self.peek() not in ("", "|", ")"):
            start = self.at
            self.atom()
            end = self.at
            low = self.quantifier()
            parts.extend(_Reader(self.source[start:end], self.rng).atom() for _ in range(low))
        return "".join(parts)

    def atom(self) -> str:
        letter = self.take()
        if letter in "^$":
            return ""
        if letter == ".":
            return self.rng.choice(_ANY)
        if letter == "(":
            if self.source.startswith("?:", self.at):
                self.at += 2
            inner = self.alternatives()
            self.at += 1
            return inner
        if letter == "[":
            return self.letters()
        if letter == "\\":
            code = self.take()
            return (
                self.rng.choice(_CLASSES[code]) if code in _CLASSES else {"b": "", "t": "\t", "n": "\n"}.get(code, code)
            )
        return letter

    def letters(self) -> str:
        negated = self.peek() == "^"
        if negated:
            self.at += 1
        allowed: list[str] = []
        while self.peek() not in ("", "]"):
            letter = self.take()
            if letter == "\\":
                code = self.take()
                allowed.extend(_CLASSES.get(code, code))
            elif self.peek() == "-" and self.source[self.at + 1 : self.at + 2] not in ("", "]"):
                self.at += 1
                allowed.extend(map(chr, range(ord(letter), ord(self.take()) + 1)))
            else:
                allowed.append(letter)
        self.at += 1
        if negated:
            allowed = [letter for letter in _ANY + string.digits if letter not in allowed]
        return self.rng.choice(allowed) if allowed else ""

    def quantifier(self) -> int:
        letter = self.peek()
        if letter in ("?", "*", "+"):
            self.at += 1
            low = 1 if letter == "+" else 0
        else:
            match = re.compile(r"\{(\d+)(?:,\d*)?\}").match(self.source, self.at)
            if not match:
                return 1
            self.at = match.end()
            low = min(int(match[1]), _REPEAT_MAX)
        if self.peek() == "?":
            self.at += 1
        return low


def matching(pattern: str, rng: random.Random) -> str:
    """The shortest text that the pattern asks for."""
    return _Reader(pattern[:1_000], rng).alternatives()
