"""Owns the fuzz target of API keys as text; its law: a key that is taken is exactly as long as a key is. Refuses files."""

from farebox.accounts.keys import LENGTH, PREFIX, parse


def one(data: bytes) -> None:
    text = data.decode("latin-1")
    for candidate in (text, PREFIX + text):
        found = parse(candidate)
        if found is not None:
            assert len(candidate) == LENGTH
            assert candidate.startswith(PREFIX)
            assert candidate.isascii()
