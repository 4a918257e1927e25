"""Reads of organisations and keys. Every read of a key is bound to its organisation, or to the proof of the whole key."""

import hmac
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, func, select

from farebox.accounts import keys, rules
from farebox.accounts.tables import api_keys, house, organisations
from farebox.accounts.types import Caller, Key

PAGE = 100
_COLUMNS = [column for column in api_keys.c if column.name not in ("digest", "revoked_ms")]
_NAMES = tuple(column.name for column in _COLUMNS)
_NOBODY = bytes(32)

_by_id = select(api_keys.c.digest, *_COLUMNS).where(
    api_keys.c.id == bindparam("key_id"), api_keys.c.revoked_ms.is_(None)
)


def find_caller(tx: Connection, pepper: bytes, key_id: str, key_digest: str) -> Caller | None:
    """The caller whose key has this id and digest. An unknown id costs the same comparison as a wrong secret."""
    row = tx.execute(_by_id, {"key_id": key_id}).first()
    sealed = keys.seal(pepper, key_digest)
    if not hmac.compare_digest(sealed, row.digest if row is not None else _NOBODY) or row is None:
        return None
    return rules.caller(to_key(row))


def get_key(tx: Connection, organisation: str, key_id: str) -> Key | None:
    statement = select(*_COLUMNS).where(
        api_keys.c.id == key_id, api_keys.c.organisation == organisation, api_keys.c.revoked_ms.is_(None)
    )
    row = tx.execute(statement).first()
    return None if row is None else to_key(row)


def list_keys(
    tx: Connection, organisation: str, *, offset: int = 0, include_disabled: bool = True, limit: int = PAGE
) -> list[Key]:
    statement = (
        select(*_COLUMNS)
        .where(api_keys.c.organisation == organisation, api_keys.c.revoked_ms.is_(None))
        .order_by(api_keys.c.created_ms.desc(), api_keys.c.id)
        .offset(offset)
        .limit(limit)
    )
    if not include_disabled:
        statement = statement.where(api_keys.c.disabled.is_(False))
    return [to_key(row) for row in tx.execute(statement)]


def keys_epoch(tx: Connection) -> int:
    value: int | None = tx.execute(select(house.c.value).where(house.c.name == "keys_epoch")).scalar()
    return value or 0


def owner(tx: Connection) -> str | None:
    """The organisation that owns the house, if it was founded."""
    found: str | None = tx.execute(select(func.min(organisations.c.id)).where(organisations.c.owner.is_(True))).scalar()
    return found


def to_key(row: Any) -> Key:
    values = {name: getattr(row, name) for name in _NAMES}
    values["scopes"] = frozenset(msgspec.json.decode(values["scopes"], type=list[str]))
    for name in ("models", "providers"):
        values[name] = tuple(msgspec.json.decode(values[name], type=list[str]))
    return Key(**values)
