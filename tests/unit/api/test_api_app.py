"""The API from outside: permissions, envelopes, generations, catalogue, health."""

import asyncio
import json
import re
import stat
from pathlib import Path
from typing import Any

import pytest

from api_house import NOW_S, PULSE, SNAPSHOT, Asked, record
from asks import asked
from farebox.accounts import keys as key_format
from farebox.api.access import Access
from farebox.api.opening import House, read_owner_key
from farebox.api.pages import Page, routes
from farebox.ir.errors import InvariantBroken, Unavailable

PREFIXES = ("/api/v1", "/v1")


# Permissions.


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("path", ["/key", "/keys", "/keys/x", "/generation?id=x", "/models/user"])
def test_protected_addresses_refuse_strangers_alike(house: Asked, prefix: str, path: str) -> None:
    known = key_format.parse(house.owner)
    assert known is not None
    body = f"sk-farebox-v1-{known.key_id}-{'a' * 43}"
    wrong = [
        {},
        {"Authorization": "Bearer "},
        {"Authorization": "Bearer ' OR (SELECT pg_sleep(8)) IS NOT NULL --"},
        {"Authorization": "Bearer " + "x" * 100_000},
        {"Authorization": "Bearer é"},
        {"Authorization": f"Bearer  {house.owner}"},
        {"Authorization": f"Bearer {house.owner}\t"},
        {"Authorization": f"Basic {house.owner}"},
        {"Authorization": house.owner},
        {"Authorization": f"Bearer {key_format.generate()}"},
        {"Authorization": f"Bearer {body}-{key_format.check(body)}"},
    ]
    answers = [asked(house.app, "GET", prefix + path, headers=headers) for headers in wrong]
    assert {answer.status for answer in answers} == {401}
    messages = {answer.json()["error"]["message"] for answer in answers}
    assert len(messages) == 1
    assert asked(house.app, "GET", f"{prefix}{path}{'&' if '?' in path else '?'}api_key={house.owner}").status == 401


@pytest.mark.parametrize("header", ["Authorization", "x-api-key", "api-key", "x-goog-api-key"])
def test_a_key_is_taken_from_every_usual_header(house: Asked, header: str) -> None:
    value = f"bearer {house.owner}" if header == "Authorization" else house.owner
    assert house.ask("GET", "/v1/key", headers={header: value}).status == 200


def test_two_different_keys_are_refused(house: Asked) -> None:
    other = house.key()
    answer = house.ask("GET", "/v1/key", house.owner, headers={"x-api-key": other})
    assert (answer.status, answer.json()["error"]["metadata"]["path"]) == (400, "header.x-api-key")
    twice = [("authorization", f"Bearer {house.owner}")] * 2
    assert asked(house.app, "GET", "/v1/key", headers=twice).status == 400


def test_a_key_for_inference_does_not_manage(house: Asked) -> None:
    key = house.key()
    answer = house.ask("POST", "/v1/keys", key, json={"name": "x"})
    assert (answer.status, answer.json()["error"]["type"]) == (403, "permission_denied")
    assert house.ask("GET", "/v1/key", key).json()["data"]["is_management_key"] is False


def test_disabled_and_expired_keys_say_why(house: Asked) -> None:
    made = house.ask("POST", "/v1/keys", house.owner, json={"name": "x"}).json()
    house.ask("PATCH", f"/v1/keys/{made['data']['hash']}", house.owner, json={"disabled": True})
    answer = house.ask("GET", "/v1/key", made["key"])
    assert (answer.status, answer.json()["error"]["metadata"]["reason"]) == (401, "key_disabled")
    expiring = house.key(expires_ms=int(NOW_S * 1000) + 5000)
    assert house.ask("GET", "/v1/key", expiring).status == 200
    house.clock[0] += 5
    answer = house.ask("GET", "/v1/key", expiring)
    assert (answer.status, answer.json()["error"]["metadata"]["reason"]) == (401, "key_expired")


def test_a_store_that_is_away_is_503_never_401(house: Asked) -> None:
    house.house.store.close()
    answer = house.ask("GET", "/v1/key", house.owner)
    assert (answer.status, answer.json()["error"]["type"]) == (503, "temporarily_unavailable")
    # A mistyped key is known as such without the store.
    assert house.ask("GET", "/v1/key", house.owner[:-1] + ("0" if house.owner[-1] != "0" else "1")).status == 401
    for path, status in (("/health/liveliness", 200), ("/health/readiness", 503), ("/health", 503)):
        assert house.ask("GET", path).status == status


def test_a_route_without_permission_cannot_be_built() -> None:
    async def nothing(_: Any) -> Any: ...

    page = Page(method="GET", path="/x", access=None, handler=nothing, summary="")  # type: ignore[arg-type]
    with pytest.raises(InvariantBroken, match="declares no permission"):
        routes([page], None)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="access"):
        Page(method="GET", path="/x", handler=nothing, summary="")  # type: ignore[call-arg]
    twice = [Page(method="GET", path="/x", access=Access.PUBLIC, handler=nothing, summary="")] * 2
    with pytest.raises(InvariantBroken, match="twice"):
        routes(twice, None)  # type: ignore[arg-type]


# Envelopes.


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/v1/models/", 404),
        ("GET", "/V1/MODELS", 404),
        ("GET", "/v1/models;x", 404),
        ("GET", "//v1/models", 404),
        ("GET", "/v1/models/none/none/endpoints", 404),
        ("GET", "/v1/models?sort=odd", 400),
        ("GET", "/v1/models?q=a&q=b", 400),
        ("DELETE", "/v1/models", 405),
        ("TRACE", "/", 405),
        ("POST", "/", 405),
        ("GET", "/static/../../etc/passwd", 404),
        ("GET", "/static/..%5c..%5cetc", 404),
        ("GET", "/static/site.css/x", 404),
        ("POST", "/v1/keys", 401),
    ],
)
def test_every_refusal_has_the_one_shape(house: Asked, method: str, path: str, status: int) -> None:
    answer = house.ask(method, path)
    assert answer.status == status
    error = answer.json()["error"]
    assert set(error) == {"code", "message", "type", "metadata"}
    assert error["code"] == status
    assert error["metadata"]["request_id"] == answer.headers["x-request-id"]
    assert re.fullmatch(r"req-[0-9a-f]{24}", answer.headers["x-request-id"])
    assert answer.headers["content-type"] == "application/json"


def test_what_was_not_foreseen_is_500_and_shows_nothing(house: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(house.control, "metrics", broken)
    answer = house.ask("GET", "/metrics")
    assert answer.status == 500
    assert "secret" not in answer.text
    assert house.ask("GET", "/health").status == 200


# Generations.


def test_a_generation_is_told_to_its_organisation_alone(house: Asked) -> None:
    news = asyncio.run(house.control.deliver([record("gen-1"), record("gen-2", "other"), b"junk"], PULSE))
    assert (news.accepted, news.catalogue_version) == (3, SNAPSHOT.version)
    found = house.ask("GET", "/api/v1/generation?id=gen-1", house.owner)
    assert found.json()["data"]["provider_responses"][0]["endpoint_id"] == "acme/small@p1"
    assert house.ask("GET", "/v1/generation?id=gen-1", house.key()).status == 200
    foreign, none = (house.ask("GET", f"/v1/generation?id={name}", house.owner) for name in ("gen-2", "gen-9"))
    assert foreign.status == none.status == 404
    assert foreign.json()["error"]["message"] == none.json()["error"]["message"]
    for query in ("", "?id=", f"?id={'x' * 201}", "?id=a&id=b"):
        assert house.ask("GET", f"/v1/generation{query}", house.owner).status == 400


def test_a_generation_that_is_still_on_its_way_is_waited_for(house: Asked) -> None:
    fresh, old = f"gen-{int(NOW_S)}-aa", f"gen-{int(NOW_S) - 60}-bb"

    async def told_late() -> tuple[bool, bool]:
        control = house.control
        asked = asyncio.ensure_future(control.generation("owner", fresh))
        await asyncio.sleep(0)
        await control.deliver([record(fresh)], PULSE)
        return await asked is not None, await control.generation("owner", old) is None

    assert asyncio.run(told_late()) == (True, True)


# Catalogue.


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_catalogue_is_open_to_all(house: Asked, prefix: str) -> None:
    models = house.ask("GET", f"{prefix}/models").json()
    assert {each["id"] for each in models["data"]} == set(SNAPSHOT.models)
    assert house.ask("GET", f"{prefix}/models/count").json()["data"]["count"] == 3
    ends = house.ask("GET", f"{prefix}/models/acme/small/endpoints").json()["data"]["endpoints"]
    assert [each["tag"] for each in ends] == ["p1", "p2"]
    assert house.ask("GET", f"{prefix}/models/local/org/deep/endpoints").json()["data"]["id"] == "local/org/deep"
    assert house.ask("GET", f"{prefix}/model/acme/small-2026").json()["data"]["alias_target"]["slug"] == "acme/small"
    assert len(house.ask("GET", f"{prefix}/providers").json()["data"]) == 3


def test_endpoints_show_what_traffic_says(house: Asked) -> None:
    asyncio.run(house.control.deliver([record(f"{place}") for place in range(6)], PULSE))
    ends = house.ask("GET", "/v1/models/acme/small/endpoints").json()["data"]["endpoints"]
    assert (ends[0]["uptime_last_5m"], ends[1]["uptime_last_5m"]) == (100.0, None)
    assert 45 < ends[0]["latency_last_30m"]["p50"] < 55
    assert 45 < ends[0]["throughput_last_30m"]["p50"] < 55


def test_statistics_outlive_a_restart(house: Asked) -> None:
    from farebox.api.control import Control

    asyncio.run(house.control.deliver([record(f"{place}") for place in range(6)], PULSE))
    again = Control(house.house.store, SNAPSHOT, pepper=house.house.pepper, clock=lambda: NOW_S)
    asyncio.run(again.start())
    assert again.figures("acme/small@p1") == house.control.figures("acme/small@p1")
    assert again.figures("acme/small@p1").uptime_last_5m == 100.0


def test_another_catalogue_is_told_to_those_who_ask(house: Asked) -> None:
    assert asyncio.run(house.control.snapshot(SNAPSHOT.version)) is None
    from farebox.catalogue.snapshot import decode, with_toll

    changed = with_toll(SNAPSHOT, 100)
    house.control.swap(changed, frozenset())
    encoded = asyncio.run(house.control.snapshot(SNAPSHOT.version))
    assert encoded is not None
    assert decode(encoded) == changed
    assert asyncio.run(house.control.deliver([], PULSE)).catalogue_version == changed.version


# Health, metrics, document.


def test_health_says_how_it_is(house: Asked) -> None:
    asyncio.run(house.control.deliver([], PULSE))
    found = house.ask("GET", "/health").json()
    assert (found["status"], found["workers"], found["models"], found["live_models"]) == ("ok", 1, 3, 1)
    assert house.ask("GET", "/health/liveness").json() == {"status": "alive"}
    assert house.ask("HEAD", "/health/readiness").status == 200


def test_metrics_sum_workers_and_control(house: Asked) -> None:
    asyncio.run(house.control.deliver([record(), b"junk"], PULSE))
    lines = house.ask("GET", "/metrics").text.splitlines()
    for line in (
        'farebox_requests_total{operation="chat"} 4',
        "farebox_generations_stored_total 1",
        "farebox_records_refused_total 1",
        "farebox_workers 1",
    ):
        assert line in lines


def test_the_document_lists_what_exists(house: Asked) -> None:
    document = house.ask("GET", "/openapi.json").json()
    assert document["openapi"] == "3.1.0"
    operations = {(method, path) for path, each in document["paths"].items() for method in each}
    assert {("post", "/api/v1/keys"), ("patch", "/api/v1/keys/{hash}"), ("get", "/health")} <= operations
    assert ("get", "/api/v1/models/{author}/{slug}/endpoints") in operations
    assert document["paths"]["/api/v1/keys"]["post"]["security"] == [{"key": []}]
    assert len({each["operationId"] for path in document["paths"].values() for each in path.values()}) == len(
        operations
    )
    text = json.dumps(document)
    assert all(
        ref.split("/")[-1] in document["components"]["schemas"]
        for ref in re.findall(r'"#/components/schemas/(\w+)"', text)
    )


# The home.


def test_the_owners_key_is_kept_only_where_asked(tmp_path: Path) -> None:
    with House(tmp_path / "kept", keep_owner_key=True, now_ms=1) as first:
        key = first.owner_key
        assert first.founded
    assert key is not None
    assert read_owner_key(tmp_path / "kept") == key
    with House(tmp_path / "kept", keep_owner_key=True, now_ms=2) as again:
        assert (again.owner_key, again.founded) == (key, False)
        with pytest.raises(Unavailable, match="already running"):
            House(tmp_path / "kept", keep_owner_key=True, now_ms=3)
    with House(tmp_path / "bare", keep_owner_key=False, now_ms=1) as bare:
        assert bare.founded
    with House(tmp_path / "bare", keep_owner_key=False, now_ms=2) as bare:
        assert bare.owner_key is None
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "kept").iterdir()}
    assert set(modes.values()) == {0o600}
    assert {"farebox.db", "pepper", "link.token", "owner.key", "control.lock"} <= modes.keys()
    assert key.encode() not in (tmp_path / "kept" / "farebox.db").read_bytes()


def test_a_house_that_cannot_open_lets_go_of_its_lock(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "farebox.db").write_bytes(b"no database, but something somebody may want to keep" * 40)
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"store|database"):
            House(home, keep_owner_key=False, now_ms=1)
