"""Keys through their life, on every engine."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import structs
from sqlalchemy import select

import stores
from farebox.accounts import commands, keys, queries
from farebox.accounts.tables import api_keys
from farebox.accounts.types import INFERENCE, MANAGEMENT, Caller, KeyChange, KeyWish
from farebox.ir.errors import Conflict, InvalidRequest, NotFound
from farebox.storage.port import Store

PEPPER = b"p" * 32
NOW = 1_800_000_000_000


@pytest.fixture(params=stores.KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with stores.store(request.param, tmp_path) as opened:
        opened.write_now(commands.found_house, PEPPER, NOW)
        opened.write_now(commands.create_organisation, "other", "Other", NOW)
        yield opened


def create(store: Store, organisation: str = "owner", **wish: object) -> commands.NewKey:
    wanted = KeyWish(name=str(wish.pop("name", "a key")), **wish)  # type: ignore[arg-type]
    return store.write_now(commands.create_key, PEPPER, organisation, wanted, now_ms=NOW)


def find(store: Store, secret: str, pepper: bytes = PEPPER) -> Caller | None:
    parsed = keys.parse(secret)
    assert parsed is not None
    return store.read_now(queries.find_caller, pepper, parsed.key_id, parsed.digest)


def epoch(store: Store) -> int:
    return store.read_now(queries.keys_epoch)


def test_the_house_is_founded_once(store: Store) -> None:
    assert store.write_now(commands.found_house, PEPPER, NOW) is None
    owner = store.read_now(queries.list_keys, "owner")
    assert [(key.name, key.scopes, key.toll_bps) for key in owner] == [("Owner", frozenset({INFERENCE, MANAGEMENT}), 0)]


def test_a_key_leads_to_its_caller(store: Store) -> None:
    new = create(store, models=("a/b", "c/*"), providers=("x",), expires_ms=NOW + 1999)
    assert find(store, new.secret) == Caller(
        key_id=new.key.id,
        key_name="a key",
        organisation="owner",
        models=("a/b", "c/*"),
        providers=("x",),
        expires_s=(NOW + 1000) // 1000,
    )


def test_nothing_of_the_key_is_stored(store: Store) -> None:
    new = create(store)
    stored = store.read_now(lambda tx: repr(tx.execute(select(api_keys)).all()))
    secret = new.secret[25:68]
    assert len(secret) == 43
    assert secret not in stored
    assert keys.digest(new.secret) not in stored
    assert new.secret not in repr(new)


def test_a_wrong_secret_an_unknown_id_and_a_wrong_pepper_find_nobody(store: Store) -> None:
    new = create(store)
    assert store.read_now(queries.find_caller, PEPPER, new.key.id, "0" * 64) is None
    assert store.read_now(queries.find_caller, PEPPER, "nobody0000", keys.digest(new.secret)) is None
    assert find(store, new.secret, b"x" * 32) is None


def test_every_change_raises_the_epoch(store: Store) -> None:
    seen = [epoch(store)]
    new = create(store)
    seen.append(epoch(store))
    store.write_now(commands.change_key, "owner", new.key.id, KeyChange(disabled=True), now_ms=NOW)
    seen.append(epoch(store))
    store.write_now(commands.revoke_key, "owner", new.key.id, now_ms=NOW)
    seen.append(epoch(store))
    assert seen == sorted(set(seen))


def test_a_disabled_key_still_tells_who_it_is_a_revoked_one_does_not(store: Store) -> None:
    new = create(store)
    store.write_now(commands.change_key, "owner", new.key.id, KeyChange(disabled=True), now_ms=NOW)
    found = find(store, new.secret)
    assert found is not None
    assert found.disabled
    store.write_now(commands.revoke_key, "owner", new.key.id, now_ms=NOW)
    assert find(store, new.secret) is None
    assert store.read_now(queries.get_key, "owner", new.key.id) is None


def test_a_change_changes_only_what_it_names(store: Store) -> None:
    new = create(store, limit_nano=5, limit_reset="daily")
    change = KeyChange(name="  renamed ", limit_nano=None)
    changed = store.write_now(commands.change_key, "owner", new.key.id, change, now_ms=NOW + 1)
    assert changed == structs.replace(new.key, name="renamed", limit_nano=None, updated_ms=NOW + 1)
    assert store.read_now(queries.get_key, "owner", new.key.id) == changed


def test_another_organisations_key_is_as_good_as_none(store: Store) -> None:
    new = create(store, "other")
    assert store.read_now(queries.get_key, "owner", new.key.id) is None
    for attempt in (
        lambda: store.write_now(commands.change_key, "owner", new.key.id, KeyChange(disabled=True), now_ms=NOW),
        lambda: store.write_now(commands.revoke_key, "owner", new.key.id, now_ms=NOW),
    ):
        with pytest.raises(NotFound) as foreign:
            attempt()
        assert foreign.value.message == "No such key."
    assert find(store, new.secret) is not None


@pytest.mark.parametrize(
    ("wish", "path"),
    [
        ({"name": ""}, "$.name"),
        ({"name": "x" * 101}, "$.name"),
        ({"name": "a\0b"}, "$.name"),
        ({"name": "a\u202eb"}, "$.name"),
        ({"name": "line\nbreak"}, "$.name"),
        ({"scopes": frozenset({"admin"})}, "$.scopes"),
        ({"scopes": frozenset()}, "$.scopes"),
        ({"limit_nano": -1}, "$.limit"),
        ({"limit_nano": 10**19}, "$.limit"),
        ({"limit_reset": "hourly;DROP"}, "$.limit_reset"),
        ({"expires_ms": NOW}, "$.expires_at"),
    ],
)
def test_odd_wishes_are_refused_and_leave_nothing(store: Store, wish: dict[str, object], path: str) -> None:
    before = epoch(store)
    with pytest.raises(InvalidRequest) as caught:
        create(store, **wish)
    assert caught.value.path == path
    assert epoch(store) == before
    assert len(store.read_now(queries.list_keys, "owner")) == 1


def test_a_repeated_creation_happens_once(store: Store) -> None:
    wish = KeyWish(name="once")
    first = store.write_now(commands.create_key_once, PEPPER, "owner", wish, name="n", now_ms=NOW)
    with pytest.raises(Conflict) as again:
        store.write_now(commands.create_key_once, PEPPER, "owner", wish, name="n", now_ms=NOW)
    assert again.value.metadata == {"reason": "already_created", "hash": first.key.id}
    with pytest.raises(Conflict) as other:
        store.write_now(commands.create_key_once, PEPPER, "owner", KeyWish(name="two"), name="n", now_ms=NOW)
    assert other.value.metadata == {"reason": "key_reuse"}
    store.write_now(commands.create_key_once, PEPPER, "other", wish, name="n", now_ms=NOW)
    assert len(store.read_now(queries.list_keys, "owner")) == 2


def test_lists_page_newest_first(store: Store) -> None:
    for place in range(5):
        wish = KeyWish(name=f"k{place}")
        store.write_now(commands.create_key, PEPPER, "other", wish, now_ms=NOW + place)
    assert [key.name for key in store.read_now(queries.list_keys, "other", offset=1, limit=3)] == ["k3", "k2", "k1"]
    assert store.read_now(queries.list_keys, "other", offset=9) == []
