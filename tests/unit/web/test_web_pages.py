"""The site: what it shows, what it refuses to let through, and how it looks in a real browser."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from api_house import PULSE, Asked, opened, record
from farebox.web import catalogue, show
from farebox.web.site import CSP


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Asked]:
    with opened(tmp_path) as found:
        yield found


def test_the_first_page_says_what_and_how(house: Asked) -> None:
    asyncio.run(house.control.deliver([record()], PULSE))
    page = house.ask("GET", "/", headers={"Host": "fare.example:8443"})
    assert page.status == 200
    for text in (
        "In service",
        "http://fare.example:8443/api/v1/chat/completions",
        "acme/small",
        "$0.10",
        "4K",
        "3 models",
    ):
        assert text in page.text
    # The example calls a model that answers here.
    assert '"model": "acme/small"' in page.text.replace("&#34;", '"')


def test_security_headers_are_on_every_page(house: Asked) -> None:
    for path in ("/", "/models/acme/small"):
        headers = house.ask("GET", path).headers
        assert headers["content-security-policy"] == CSP
        assert "unsafe" not in CSP
        assert (headers["x-frame-options"], headers["x-content-type-options"]) == ("DENY", "nosniff")
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "private, no-cache"
        assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "path", ["/", "/models/acme/small", "/?q=%3Cscript%3Ealert(1)", '/?q="><img src=x onerror=alert(1)>']
)
def test_nothing_foreign_becomes_markup(house: Asked, path: str) -> None:
    text = house.ask("GET", path).text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert path != "/models/acme/small" or "{{7*7}}" in text
    assert text.count("<script") == 1
    assert " style=" not in text
    assert "onerror=alert" not in text.replace("onerror=alert(1)&gt;", "")


@pytest.mark.parametrize("host", ["evil/?", "a b", "<b>", "x:99999999", "user@x", ""])
def test_an_odd_host_is_not_quoted(house: Asked, host: str) -> None:
    headers = {"Host": host, "X-Forwarded-Host": "evil.example"}
    text = house.ask("GET", "/", headers=headers).text
    assert "http://127.0.0.1:8080/api/v1" in text
    assert "evil" not in text


def test_a_models_page_lists_its_endpoints_live_ones_first(house: Asked) -> None:
    asyncio.run(house.control.deliver([record(f"{place}") for place in range(6)], PULSE))
    text = house.ask("GET", "/models/acme/small").text
    assert text.index("Provider p1") < text.index("Provider p2")
    for shown in ("$0.10", "$0.05", "100 %", "no key here"):
        assert shown in text
    assert "is another name" in house.ask("GET", "/models/acme/small-2026").text
    assert house.ask("GET", "/models/local/org/deep").status == 200


def test_a_missing_page_is_a_page_for_people(house: Asked) -> None:
    found = house.ask("GET", "/models/acme/smal", headers={"Accept": "text/html"})
    assert (found.status, "acme/small" in found.text) == (404, True)
    lost = house.ask("GET", "/lost", headers={"Accept": "text/html,*/*"})
    assert (lost.status, lost.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert lost.headers["content-security-policy"] == CSP


def test_static_files_are_kept_for_good_under_their_own_digest(house: Asked) -> None:
    css = house.ask("GET", "/static/site.css")
    assert (css.status, css.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in css.headers["cache-control"]
    tag = css.headers["etag"]
    assert f"/static/site.css?v={tag.strip(chr(34))}" in house.ask("GET", "/").text
    again = house.ask("GET", "/static/site.css", headers={"If-None-Match": tag})
    assert (again.status, again.body) == (304, b"")
    assert house.ask("GET", "/static/site.css", headers={"If-None-Match": "x" * 65536}).status == 200


@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("", ["acme/small", "acme/large", "local/org/deep"]),
        ("live=1", ["acme/small"]),
        ("q=ACME+large", ["acme/large"]),
        ("sort=price", ["acme/small", "local/org/deep", "acme/large"]),
        ("sort=newest", ["acme/small", "acme/large", "local/org/deep"]),
        ("kind=embedding", []),
        ("sort=odd&page=99&kind=odd&live=2", ["acme/small", "acme/large", "local/org/deep"]),
        ("page=%C2%B2", ["acme/small", "acme/large", "local/org/deep"]),
    ],
)
def test_the_list_filters_and_orders(house: Asked, query: str, slugs: list[str]) -> None:
    text = house.ask("GET", f"/?{query}").text
    found = [part.split('"')[0] for part in text.split('<a href="/models/')[1:]]
    assert found == slugs


def test_long_lists_have_pages() -> None:
    from msgspec import structs

    from api_house import SNAPSHOT

    models = {
        f"a/m{place:03}": structs.replace(SNAPSHOT.models["acme/large"], slug=f"a/m{place:03}") for place in range(120)
    }
    rows = catalogue.rows(structs.replace(SNAPSHOT, models=models, endpoints={}), frozenset(), {}, 0)
    last = catalogue.listing(rows, catalogue.Wish(page=9))
    assert (last.page, last.pages, last.total, len(last.rows)) == (3, 3, 120, 20)


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (None, "–"),
        (0, "free"),
        (2_500_000, "$2.50"),
        (1_375_000, "$1.375"),
        (100_000, "$0.10"),
        (50_000, "$0.05"),
        (20, "$0.00002"),
        (1_500_000_000, "$1,500.00"),
    ],
)
def test_prices_are_shown_whole(pico: int | None, text: str) -> None:
    assert show.per_million(pico) == text


@pytest.mark.parametrize(
    ("count", "text"), [(None, "–"), (5, "5"), (4096, "4K"), (128_000, "128K"), (1_048_576, "1.05M"), (1_000_000, "1M")]
)
def test_contexts_are_short(count: int | None, text: str) -> None:
    assert show.tokens(count) == text
