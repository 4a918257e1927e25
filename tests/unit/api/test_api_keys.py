"""Keys over HTTP: what a body may say, and a key's whole life."""

import asyncio

import pytest

from api_house import NOW_S, PULSE, Asked, record
from farebox.accounts import keys as key_format

# Bodies.


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"null", 400),
        (b"[]", 400),
        (b'{"name":"x"} {}', 400),
        (b'{"name":"x","name":"y"}', 400),
        (b'{"name":"x","limit":NaN}', 400),
        (b'{"name":"x","limit":1e999}', 400),
        (b'{"name":"x","limit":1e400}', 400),
        (b'{"name":"x","limit":-1}', 400),
        (b'{"name":"x","limit":"5"}', 400),
        (b'{"name":"x","limit":' + b"9" * 5000 + b"}", 400),
        (b'{"name":"x","limit_reset":"hourly;DROP"}', 400),
        (b'{"name":"x","scopes":["admin"]}', 400),
        (b'{"name":"x","scopes":["inference","management"]}', 400),
        (b'{"name":"x","allowed_routes":["/*"]}', 400),
        (b'{"name":"x","org_id":"other","is_admin":true}', 400),
        (b'{"name":"a\\u0000b"}', 400),
        (b'{"name":"\\ud800"}', 400),
        (b'{"name":"\xff"}', 400),
        (b'\xef\xbb\xbf{"name":"x"}', 400),
        ('{"name":"x"}'.encode("utf-16"), 400),
        (b'{"name":"x","models":' + b"[" * 30_000 + b"]" * 30_000 + b"}", 400),
        (b'{"name":"x","expires_at":"yesterday"}', 400),
        (b'{"name":"x","expires_at":"2001-01-01T00:00:00Z"}', 400),
        (b'{"name":"' + b"x" * 70_000 + b'"}', 413),
    ],
)
def test_odd_bodies_are_refused_and_make_no_key(house: Asked, body: bytes, status: int) -> None:
    answer = house.ask("POST", "/v1/keys", house.owner, json=body)
    assert answer.status == status, answer.body
    assert len(house.ask("GET", "/v1/keys", house.owner).json()["data"]) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "multipart/form-data; boundary=x"},
        {"Content-Type": "application/json; charset=utf-7"},
        {"Content-Type": ""},
        {"Content-Encoding": "gzip"},
    ],
)
def test_only_plain_json_is_read(house: Asked, headers: dict[str, str]) -> None:
    assert house.ask("POST", "/v1/keys", house.owner, json={"name": "x"}, headers=headers).status == 415


# Keys.


def test_a_key_lives_from_creation_to_revocation(house: Asked) -> None:
    wanted = {"name": "CI", "limit": 1.5, "limit_reset": "daily", "models": ["acme/*"]}
    made = house.ask("POST", "/api/v1/keys", house.owner, json=wanted)
    assert made.status == 201
    assert made.headers["cache-control"] == "no-store"
    key, shown = made.json()["key"], made.json()["data"]
    assert (shown["limit"], shown["limit_remaining"], shown["scopes"]) == (1.5, 1.5, ["inference"])
    path = f"/api/v1/keys/{shown['hash']}"
    assert house.ask("GET", path, house.owner).json()["data"] == shown
    assert key not in house.ask("GET", "/api/v1/keys", house.owner).text
    epoch = _epoch(house)
    changed = house.ask("PATCH", path, house.owner, json={"limit": None, "name": "CI 2"}).json()["data"]
    assert (changed["limit"], changed["name"], changed["limit_reset"]) == (None, "CI 2", "daily")
    assert _epoch(house) == epoch + 1
    assert house.ask("GET", "/v1/key", key).json()["data"]["label"] == shown["label"]
    assert house.ask("DELETE", path, house.owner).json() == {"deleted": True}
    assert house.ask("GET", "/v1/key", key).status == 401
    assert house.ask("GET", path, house.owner).status == 404
    assert house.ask("DELETE", path, house.owner).status == 404


def test_spending_counts_against_the_limit(house: Asked) -> None:
    made = house.ask("POST", "/v1/keys", house.owner, json={"name": "x", "limit": 5, "limit_reset": "daily"}).json()
    day_ago = int(NOW_S * 1000) - 86_400_000
    lines = [record("1", key_id=made["data"]["hash"]), record("2", key_id=made["data"]["hash"], created_ms=day_ago)]
    asyncio.run(house.control.deliver(lines, PULSE))
    found = house.ask("GET", "/v1/key", made["key"]).json()["data"]
    assert (found["usage"], found["usage_daily"], found["limit_remaining"]) == (4, 2, 3)


def test_a_repeated_creation_is_a_conflict(house: Asked) -> None:
    headers = {"Idempotency-Key": "abc"}
    first = house.ask("POST", "/v1/keys", house.owner, json={"name": "x"}, headers=headers)
    again = house.ask("POST", "/v1/keys", house.owner, json={"name": "x"}, headers=headers)
    assert (first.status, again.status) == (201, 409)
    assert again.json()["error"]["metadata"]["hash"] == first.json()["data"]["hash"]
    for odd in ("", "x" * 256, "a\x01b"):
        answer = house.ask("POST", "/v1/keys", house.owner, json={"name": "x"}, headers={"Idempotency-Key": odd})
        assert answer.status == 400


def test_another_organisations_key_is_not_there(house: Asked) -> None:
    foreign = key_format.parse(house.key("other"))
    assert foreign is not None
    for method, body in (("GET", None), ("PATCH", {"name": "mine"}), ("DELETE", None)):
        there = house.ask(method, f"/v1/keys/{foreign.key_id}", house.owner, json=body)
        random = house.ask(method, "/v1/keys/AAAAAAAAAA", house.owner, json=body)
        assert there.status == random.status == 404
        assert there.json()["error"]["message"] == random.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", ["offset=-1", "offset=x", "offset=99999999999", "include_disabled=yes", "offset=1&offset=2"]
)
def test_odd_list_queries_are_refused(house: Asked, query: str) -> None:
    assert house.ask("GET", f"/v1/keys?{query}", house.owner).status == 400


def _epoch(house: Asked) -> int:
    return asyncio.run(house.control.deliver([], PULSE)).keys_epoch
