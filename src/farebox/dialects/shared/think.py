"""`<think>` tags inside answer text, told apart from the answer while it streams. Refuses tags anywhere but at the start."""

OPEN = "<think>"
CLOSE = "</think>"


class ThinkSplitter:
    """Text deltas in, (reasoning, answer) deltas out; a tag may be cut anywhere."""

    __slots__ = ("_held", "_state")

    def __init__(self) -> None:
        self._held = ""
        self._state = "start"

    @property
    def settled(self) -> bool:
        """Whether all further text is answer, unchanged."""
        return self._state == "answer"

    def feed(self, text: str) -> tuple[str, str]:
        """The reasoning and the answer text that became certain."""
        if self._state == "answer":
            return "", text
        self._held += text
        if self._state == "start":
            begun = self._held.lstrip()
            if len(begun) < len(OPEN) and OPEN.startswith(begun):
                return "", ""
            if not begun.startswith(OPEN):
                self._state, held, self._held = "answer", self._held, ""
                return "", held
            self._state, self._held = "opened", begun[len(OPEN) :]
        if self._state == "opened" and self._held:
            self._state, self._held = "thinking", self._held.removeprefix("\n")
        if self._state == "opened":
            return "", ""
        if self._state == "thinking":
            return self._thinking()
        return self._gap()

    def _thinking(self) -> tuple[str, str]:
        at = self._held.find(CLOSE)
        if at >= 0:
            reasoning, self._held = self._held[:at], self._held[at + len(CLOSE) :]
            self._state = "gap"
            return reasoning, self._gap()[1]
        keep = next((n for n in range(len(CLOSE) - 1, 0, -1) if self._held.endswith(CLOSE[:n])), 0)
        cut = len(self._held) - keep
        reasoning, self._held = self._held[:cut], self._held[cut:]
        return reasoning, ""

    def _gap(self) -> tuple[str, str]:
        """Blank lines between the tag and the answer go."""
        answer = self._held.lstrip("\n")
        self._held = ""
        if answer:
            self._state = "answer"
        return "", answer

    def close(self) -> tuple[str, str]:
        """What was held back when the text ended."""
        held, self._held = self._held, ""
        return (held, "") if self._state == "thinking" else ("", held)


def split(text: str) -> tuple[str, str]:
    """A whole text: (reasoning, answer)."""
    splitter = ThinkSplitter()
    first, second = splitter.feed(text), splitter.close()
    return first[0] + second[0], first[1] + second[1]
