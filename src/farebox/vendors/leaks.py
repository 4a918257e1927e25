"""Keeps a vendor's echo of our credential from going anywhere: whole, in pieces, or in base64. Owns what to look for, refuses to
keep the credential readable.
"""

import base64

from farebox.vendors.secrets import Secret

PIECE_CHARS = 8
HIDDEN = "[redacted]"


class Leaks:
    """Hides every run of eight or more characters that stands in the credential or in its base64."""

    __slots__ = ("_pieces",)

    def __init__(self, secret: Secret | None) -> None:
        self._pieces: frozenset[str] = frozenset()
        if secret is not None:
            plain = secret.reveal()
            coded = base64.b64encode(plain.encode()).decode().rstrip("=")
            self._pieces = _pieces(plain) | _pieces(coded)

    def hide(self, text: str) -> str:
        """The text without what gives the credential away."""
        pieces = self._pieces
        if not pieces or len(text) < PIECE_CHARS:
            return text
        out: list[str] = []
        at = shown = 0
        while at <= len(text) - PIECE_CHARS:
            if text[at : at + PIECE_CHARS] not in pieces:
                at += 1
                continue
            out += (text[shown:at], HIDDEN)
            while at <= len(text) - PIECE_CHARS and text[at : at + PIECE_CHARS] in pieces:
                at += 1
            at += PIECE_CHARS - 1
            shown = at
        return "".join(out) + text[shown:] if out else text

    def __repr__(self) -> str:
        return "Leaks()"


def _pieces(text: str) -> frozenset[str]:
    return frozenset(text[at : at + PIECE_CHARS] for at in range(len(text) - PIECE_CHARS + 1))
