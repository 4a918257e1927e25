"""Accounts as values: the caller behind a key. Refuses storage and money."""

from msgspec import UNSET, Struct, UnsetType


class Caller(Struct, frozen=True, kw_only=True):
    """Who is behind a key, and what it may do. `expires_s` is epoch seconds; `scopes` holds `inference`, `management`."""

    key_id: str
    key_name: str
    organisation: str
    scopes: frozenset[str] = frozenset({"inference"})
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    expires_s: int | None = None
    toll_bps: int | None = None
    disabled: bool = False


class Key(Struct, frozen=True, kw_only=True):
    """A key as its organisation sees it: everything but the key. Times in epoch milliseconds, money in nano-USD."""

    id: str
    organisation: str
    name: str
    ending: str
    scopes: frozenset[str]
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    limit_nano: int | None = None
    limit_reset: str | None = None
    toll_bps: int | None = None
    disabled: bool = False
    expires_ms: int | None = None
    created_ms: int = 0
    updated_ms: int | None = None


class KeyWish(Struct, frozen=True, kw_only=True):
    """What a new key shall be."""

    name: str
    scopes: frozenset[str] = frozenset({"inference"})
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    limit_nano: int | None = None
    limit_reset: str | None = None
    toll_bps: int | None = None
    expires_ms: int | None = None


class KeyChange(Struct, frozen=True, kw_only=True):
    """What shall change on a key; UNSET leaves a field as it is, None takes a limit away."""

    name: str | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    limit_nano: int | UnsetType | None = UNSET
    limit_reset: str | UnsetType | None = UNSET
    expires_ms: int | UnsetType | None = UNSET


INFERENCE = "inference"
MANAGEMENT = "management"
SCOPES = frozenset({INFERENCE, MANAGEMENT})
