"""Pure decisions about keys: what a name, a limit, a scope may be, and whether a key opens. Refuses storage."""

import unicodedata

from farebox.accounts.types import SCOPES, Caller, Key
from farebox.ir.errors import InvalidRequest

NAME_CHARS = 100
LIMIT_NANO_MAX = 10**18
RESETS = frozenset({"daily", "weekly", "monthly"})


def clean_name(name: str) -> str:
    """A key's name for people: no control, bidirectional or invisible characters, at most 100 characters."""
    name = unicodedata.normalize("NFC", name).strip()
    if not name:
        raise InvalidRequest("The name must not be empty.", path="$.name")
    if len(name) > NAME_CHARS:
        raise InvalidRequest(f"The name is longer than {NAME_CHARS} characters.", path="$.name")
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for char in name):
        raise InvalidRequest("The name holds characters that cannot be shown.", path="$.name")
    return name


def clean_scopes(scopes: frozenset[str]) -> frozenset[str]:
    """One kind of key does one kind of thing, except the owner's first key."""
    if not scopes or scopes - SCOPES:
        raise InvalidRequest(f"Scopes are {', '.join(sorted(SCOPES))}.", path="$.scopes")
    return scopes


def check_limit(limit_nano: int | None, limit_reset: str | None) -> None:
    if limit_nano is not None and not 0 <= limit_nano <= LIMIT_NANO_MAX:
        raise InvalidRequest("The limit is out of range.", path="$.limit")
    if limit_reset is not None and limit_reset not in RESETS:
        raise InvalidRequest("A limit resets daily, weekly or monthly.", path="$.limit_reset")


def caller(key: Key) -> Caller:
    return Caller(
        key_id=key.id,
        key_name=key.name,
        organisation=key.organisation,
        scopes=key.scopes,
        models=key.models,
        providers=key.providers,
        # Rounded down: a key is never open longer than it was meant to be.
        expires_s=None if key.expires_ms is None else key.expires_ms // 1000,
        toll_bps=key.toll_bps,
        disabled=key.disabled,
    )
