"""Writes of organisations and keys. Each takes a transaction and the time; each change of a key raises the keys' epoch."""

import hashlib
from typing import Any

import msgspec
from msgspec import UNSET, structs
from sqlalchemy import Connection, select, update

from farebox.accounts import keys, queries, rules
from farebox.accounts.tables import api_keys, house, organisations, repeated_calls
from farebox.accounts.types import INFERENCE, MANAGEMENT, Key, KeyChange, KeyWish
from farebox.ir.errors import Conflict, InvalidRequest, NotFound
from farebox.storage import sql

OWNER = "owner"


class NewKey(msgspec.Struct, frozen=True):
    """The only sight of the raw key. Its representation hides it."""

    key: Key
    secret: str

    def __repr__(self) -> str:
        return f"NewKey({self.key.id})"


def found_house(tx: Connection, pepper: bytes, now_ms: int) -> NewKey | None:
    """Make the owner's organisation and its first key, which may do everything. None if the house already stands."""
    if queries.owner(tx) is not None:
        return None
    tx.execute(organisations.insert().values(id=OWNER, name="Owner", owner=True, created_ms=now_ms))
    wish = KeyWish(name="Owner", scopes=frozenset({INFERENCE, MANAGEMENT}), toll_bps=0)
    return create_key(tx, pepper, OWNER, wish, now_ms=now_ms)


def create_organisation(tx: Connection, organisation: str, name: str, now_ms: int) -> None:
    tx.execute(organisations.insert().values(id=organisation, name=rules.clean_name(name), created_ms=now_ms))


def create_key(tx: Connection, pepper: bytes, organisation: str, wish: KeyWish, *, now_ms: int) -> NewKey:
    """A new key; the answer holds it for the only time."""
    rules.check_limit(wish.limit_nano, wish.limit_reset)
    if wish.expires_ms is not None and wish.expires_ms <= now_ms:
        raise InvalidRequest("The key would be expired from the start.", path="$.expires_at")
    secret = keys.generate()
    parsed = keys.parse(secret)
    assert parsed is not None
    key = Key(
        id=parsed.key_id,
        organisation=organisation,
        name=rules.clean_name(wish.name),
        ending=parsed.ending,
        scopes=rules.clean_scopes(wish.scopes),
        models=wish.models,
        providers=wish.providers,
        limit_nano=wish.limit_nano,
        limit_reset=wish.limit_reset,
        toll_bps=wish.toll_bps,
        expires_ms=wish.expires_ms,
        created_ms=now_ms,
    )
    tx.execute(api_keys.insert().values(digest=keys.seal(pepper, parsed.digest), **_row(key)))
    raise_epoch(tx)
    return NewKey(key, secret)


def create_key_once(
    tx: Connection, pepper: bytes, organisation: str, wish: KeyWish, *, name: str, now_ms: int
) -> NewKey:
    """`create_key` that a repetition with the same `name` does not do again. The key cannot be shown twice: a conflict."""
    request = hashlib.sha256(msgspec.json.encode(wish, order="sorted")).digest()
    where = (repeated_calls.c.organisation == organisation) & (repeated_calls.c.name == name)
    sql.serialise(tx, sql.REPEATED_CALLS)
    found = tx.execute(select(repeated_calls.c.request, repeated_calls.c.result).where(where)).first()
    if found is not None:
        if found.request != request:
            raise Conflict("This Idempotency-Key was used for another request.", metadata={"reason": "key_reuse"})
        raise Conflict(
            "This key was created before and cannot be shown again.",
            metadata={"reason": "already_created", "hash": found.result},
        )
    new = create_key(tx, pepper, organisation, wish, now_ms=now_ms)
    values = {"organisation": organisation, "name": name, "request": request, "result": new.key.id}
    tx.execute(repeated_calls.insert().values(created_ms=now_ms, **values))
    return new


def change_key(tx: Connection, organisation: str, key_id: str, change: KeyChange, *, now_ms: int) -> Key:
    key = _required(tx, organisation, key_id)
    changes: dict[str, Any] = {
        name: value for name in change.__struct_fields__ if (value := getattr(change, name)) is not UNSET
    }
    if "name" in changes:
        changes["name"] = rules.clean_name(changes["name"])
    changed = structs.replace(key, **changes, updated_ms=now_ms)
    rules.check_limit(changed.limit_nano, changed.limit_reset)
    tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(**changes, updated_ms=now_ms))
    raise_epoch(tx)
    return changed


def revoke_key(tx: Connection, organisation: str, key_id: str, *, now_ms: int) -> None:
    """The row stays, so that its generations keep a name and its id is never given again."""
    _required(tx, organisation, key_id)
    tx.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_ms=now_ms, disabled=True))
    raise_epoch(tx)


def raise_epoch(tx: Connection) -> None:
    tx.execute(sql.add_up(tx, house, ("value",)), {"name": "keys_epoch", "value": 1})


def _required(tx: Connection, organisation: str, key_id: str) -> Key:
    key = queries.get_key(tx, organisation, key_id)
    if key is None:
        raise NotFound("No such key.")
    return key


def _row(key: Key) -> dict[str, Any]:
    values = structs.asdict(key)
    values["scopes"] = msgspec.json.encode(sorted(key.scopes)).decode()
    values["models"] = msgspec.json.encode(key.models).decode()
    values["providers"] = msgspec.json.encode(key.providers).decode()
    return values
