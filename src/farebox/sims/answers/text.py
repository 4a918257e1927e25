"""Words: splitting text into tokens, and writing deterministic text about a prompt. Refuses to know about requests."""

import random
import re

_PIECE = re.compile(r"\s*\S{1,7}|\s+")
_WORD = re.compile(r"[^\W\d_]{4,}")
_SAY = re.compile(
    r"^\s*(?:please\s+)?(?:say|repeat|echo|reply with|answer with)(?:\s+(?:exactly|only|just|this|the words?))*\s*:?\s*(.+?)\s*$",
    re.IGNORECASE | re.DOTALL,
)
_CODE = re.compile(r"\b(?:code|function|python|script|program|implement|snippet)\b", re.IGNORECASE)
_DULL = frozenset(
    re.findall(
        r"\w+",
        """
        about after also and answer because been could does explain from give have here into just like make
        more please should tell than that their them then there these they this those what when where which
        while will with would write your
        """,
    )
)
_SENTENCES = (
    "You asked about {a}.",
    "The part about {a} and {b} deserves a closer look.",
    "In short, {a} comes first and {b} follows from it.",
    "A careful reader would ask how {a} changes {b}.",
    "Take {a}, leave {b} as it is, and compare the two.",
    "Most accounts of {a} forget {b}.",
    "That leaves {a}, which is simpler than it seems.",
    "Nothing said so far rules out {a}.",
    "Where {a} ends, {b} begins.",
)
OPENING = "This is a simulated answer."


def tokens(text: str) -> tuple[str, ...]:
    """Pieces of at most seven letters with the space before them; joined they are the text again."""
    return tuple(_PIECE.findall(text))


def count(text: str) -> int:
    """How many tokens a prompt's text counts: four bytes make one."""
    return (len(text.encode("utf-8", "replace")) + 3) // 4


def topics(prompt: str) -> list[str]:
    """The prompt's telling words, in order, each once."""
    words = dict.fromkeys(word for word in _WORD.findall(prompt[:20_000]) if word.lower() not in _DULL)
    return list(words)[:24] or ["the question"]


def asked_to_say(prompt: str) -> str | None:
    """The words that the prompt asks to be repeated, if that is all it asks."""
    match = _SAY.match(prompt) if len(prompt) < 2_000 else None
    return match[1].strip("\"'“”") if match else None


def write(prompt: str, rng: random.Random, *, length: int | None = None) -> str:
    """An answer to the prompt; with `length`, of exactly so many tokens."""
    said = asked_to_say(prompt)
    if said is not None and length is None:
        return said
    if _CODE.search(prompt[:20_000]) and length is None:
        return _code(topics(prompt), rng)
    return prose(topics(prompt), rng, length=length)


def prose(subjects: list[str], rng: random.Random, *, length: int | None = None, opening: str = OPENING) -> str:
    """Some sentences about the subjects."""
    sentences = [opening]
    wanted = rng.randint(4, 7)
    pieces = len(tokens(opening))
    while len(sentences) < wanted if length is None else pieces < length:
        sentence = rng.choice(_SENTENCES).format(a=rng.choice(subjects), b=rng.choice(subjects))
        sentence = sentence[0].upper() + sentence[1:]
        sentences.append(sentence)
        pieces += len(tokens(" " + sentence))
    text = " ".join(sentences)
    return text if length is None else "".join(tokens(text)[:length])


def _code(subjects: list[str], rng: random.Random) -> str:
    name = "_".join(word.lower() for word in subjects[:2] if word.isascii()).replace(" ", "_") or "answer"
    bound = rng.randint(2, 9)
    return (
        f"{OPENING} Here is a function about {subjects[0]}:\n\n```python\n"
        f"def {name}(values: list[int]) -> int:\n"
        f'    """Add up what is at least {bound}."""\n'
        f"    return sum(value for value in values if value >= {bound})\n```\n"
    )
