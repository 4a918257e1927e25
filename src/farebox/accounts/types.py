"""Accounts as values: the caller behind a key. Refuses storage and money."""

from msgspec import Struct


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
