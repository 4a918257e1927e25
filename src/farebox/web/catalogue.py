"""The catalogue as pages show it: rows, filters, order. Pure; refuses HTTP and HTML."""

from collections.abc import Callable

from msgspec import Struct

from farebox.catalogue.types import Endpoint, Model, Snapshot
from farebox.ir.usage import Unit
from farebox.money.rating import current_sheet, prices_now

PAGE = 50
QUERY_CHARS = 100
SORTS = ("popular", "newest", "price", "context")
INPUTS = ("image", "file", "audio", "video")
KINDS = ("chat", "embedding", "rerank", "image", "tts", "stt")


class Wish(Struct, frozen=True, kw_only=True):
    """What a visitor asked to see. Built from GET parameters by `wish`; anything unknown is as if it were not there."""

    text: str = ""
    input: str = ""
    kind: str = ""
    live: bool = False
    sort: str = "popular"
    page: int = 1


class Row(Struct, frozen=True, kw_only=True):
    """One model in the list. Prices in pico-USD a token at its cheapest endpoint, live ones first."""

    model: Model
    live: bool
    simulated: bool
    input_pico: int | None
    output_pico: int | None
    context: int | None
    providers: int
    requests: int


class Listing(Struct, frozen=True, kw_only=True):
    rows: list[Row]
    total: int
    page: int
    pages: int


def wish(given: Callable[[str], str]) -> Wish:
    page = given("page")
    kind, wanted, sort = given("kind"), given("input"), given("sort")
    return Wish(
        text=given("q").strip()[:QUERY_CHARS],
        input=wanted if wanted in INPUTS else "",
        kind=kind if kind in KINDS else "",
        live=given("live") == "1",
        sort=sort if sort in SORTS else "popular",
        page=int(page) if page.isascii() and page.isdigit() and 0 < len(page) <= 4 else 1,
    )


def rows(snapshot: Snapshot, live: frozenset[str], requests: dict[str, int], now_s: int) -> list[Row]:
    """Every model of the catalogue."""
    return [
        _row(model, snapshot.endpoints.get(slug, ()), live, requests.get(slug, 0), now_s)
        for slug, model in snapshot.models.items()
    ]


def listing(all_rows: list[Row], wanted: Wish) -> Listing:
    found = [row for row in all_rows if _matches(row, wanted)]
    found.sort(key=_ORDERS[wanted.sort])
    # What can be called here and now stands first in every order: `sort` is stable.
    found.sort(key=lambda row: not row.live)
    pages = max(1, -(-len(found) // PAGE))
    page = min(max(1, wanted.page), pages)
    return Listing(rows=found[(page - 1) * PAGE : page * PAGE], total=len(found), page=page, pages=pages)


def price(endpoint: Endpoint, unit: Unit, now_s: int) -> int | None:
    """The price of a unit right now, None if the endpoint does not tell it."""
    sheet = current_sheet(endpoint.sheets, now_s)
    return None if sheet is None else prices_now(sheet, at_s=now_s).get(unit)


def ordered(endpoints: tuple[Endpoint, ...], live: frozenset[str], now_s: int) -> list[Endpoint]:
    """Endpoints as a model's page lists them: live ones first, then by price."""
    return sorted(endpoints, key=lambda e: (e.vendor not in live, *_cheapness(e, now_s), e.provider_name, e.id))


def _row(model: Model, endpoints: tuple[Endpoint, ...], live: frozenset[str], requests: int, now_s: int) -> Row:
    reachable = [endpoint for endpoint in endpoints if endpoint.vendor in live]
    shown = min(reachable or endpoints, key=lambda e: _cheapness(e, now_s), default=None)
    return Row(
        model=model,
        live=bool(reachable),
        simulated=bool(endpoints) and all(endpoint.simulated for endpoint in endpoints),
        input_pico=None if shown is None else price(shown, Unit.INPUT_FRESH, now_s),
        output_pico=None if shown is None else price(shown, Unit.OUTPUT_TEXT, now_s),
        context=model.context_length,
        providers=len({endpoint.provider for endpoint in endpoints}),
        requests=requests,
    )


def _cheapness(endpoint: Endpoint, now_s: int) -> tuple[bool, int]:
    """Unpriced last. One part prompt to one part answer is the rough order people look for."""
    found = price(endpoint, Unit.INPUT_FRESH, now_s)
    return found is None, (found or 0) + (price(endpoint, Unit.OUTPUT_TEXT, now_s) or 0)


def _matches(row: Row, wanted: Wish) -> bool:
    model = row.model
    if wanted.live and not row.live:
        return False
    if wanted.kind and model.kind != wanted.kind:
        return False
    if wanted.input and wanted.input not in model.input_modalities:
        return False
    words = wanted.text.casefold().split()
    place = f"{model.slug} {model.name} {model.author_name}".casefold()
    return all(word in place for word in words)


def _by_price(row: Row) -> tuple[bool, int, str]:
    return row.input_pico is None, (row.input_pico or 0) + (row.output_pico or 0), row.model.slug


_ORDERS: dict[str, Callable[[Row], tuple[object, ...]]] = {
    "popular": lambda row: (-row.requests, -row.providers, row.model.slug),
    "newest": lambda row: (-(row.model.created_s or 0), row.model.slug),
    "price": _by_price,
    "context": lambda row: (-(row.context or 0), row.model.slug),
}
