"""The pages themselves: from the house's state to HTML. Refuses to change anything; every page is a GET."""

from collections.abc import Callable
from urllib.parse import urlencode

from msgspec import structs
from starlette.requests import Request
from starlette.responses import Response

from farebox.catalogue.lookup import resolve, suggestions
from farebox.catalogue.types import Endpoint
from farebox.ir.errors import NotFound
from farebox.ir.usage import Unit
from farebox.web import catalogue
from farebox.web.ports import Source
from farebox.web.render import build_environment, load_static

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
PAGE_HEADERS = {
    "Content-Security-Policy": CSP,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "accelerometer=(), camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    # The page quotes the address it was asked at, so no shared cache may keep it.
    "Cache-Control": "private, no-cache",
}
STATIC_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "public, max-age=31536000, immutable",
}
FIRST_CHOICE = "openai/gpt-4o-mini"


class Site:
    """`base_url` tells a request's own address, `https://host[:port]`, already checked."""

    def __init__(self, source: Source, base_url: Callable[[Request], str], clock: Callable[[], float]) -> None:
        self._source = source
        self._base_url = base_url
        self._clock = clock
        self._static = load_static()
        self._templates = build_environment(self._static)

    async def front(self, request: Request) -> Response:
        """The first page: what this is, how it is, a first call, the catalogue."""
        wanted = catalogue.wish(lambda name: request.query_params.get(name, ""))
        totals = await self._source.model_totals()
        requests = {slug: total.requests for slug, total in totals.items()}
        snapshot = self._source.catalogue
        rows = catalogue.rows(snapshot, self._source.live, requests, int(self._clock()))
        found = catalogue.listing(rows, wanted)
        live_rows = [row for row in rows if row.live]
        context = {
            "state": self._source.state(),
            "wish": wanted,
            "listing": found,
            "link": lambda page: "/?" + urlencode(_parameters(structs.replace(wanted, page=page))) + "#catalogue",
            "model_count": len(rows),
            "live_count": len(live_rows),
            "provider_count": len(snapshot.providers),
            "endpoint_count": sum(map(len, snapshot.endpoints.values())),
            "requests_count": sum(requests.values()),
            "tokens_count": sum(total.prompt_tokens + total.completion_tokens for total in totals.values()),
            "toll_percent": f"{snapshot.toll_bps / 100:g}",
            "example": _example(live_rows),
            "kinds": catalogue.KINDS,
            "inputs": catalogue.INPUTS,
            "sorts": catalogue.SORTS,
        }
        return self._page("front.html", request, context)

    async def model(self, request: Request) -> Response:
        """One model with every endpoint that serves it."""
        name = f"{request.path_params['author']}/{request.path_params['slug']}"
        found = resolve(self._source.catalogue, name)
        if found is None:
            return self.missing(request, suggestions(self._source.catalogue, name))
        now_s = int(self._clock())
        live = self._source.live
        ends = catalogue.ordered(found.endpoints, live, now_s)
        context = {
            "state": self._source.state(),
            "model": found.model,
            "asked": name,
            "alias": found.alias,
            "live": any(end.vendor in live for end in ends),
            "endpoints": [self._endpoint(end, now_s) for end in ends],
            "base_url": self._base_url(request),
        }
        return self._page("model.html", request, context)

    def missing(self, request: Request, similar: tuple[str, ...] = ()) -> Response:
        context = {"state": self._source.state(), "similar": similar, "message": NotFound.public}
        return self._page("missing.html", request, context, status=404)

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        file = self._static.get(name)
        if file is None:
            raise NotFound
        tag = f'"{file.tag}"'
        headers = {**STATIC_HEADERS, "ETag": tag, "Content-Type": file.kind}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(file.body, headers=headers)

    def _endpoint(self, endpoint: Endpoint, now_s: int) -> dict[str, object]:
        return {
            "end": endpoint,
            "live": endpoint.vendor in self._source.live,
            "input": catalogue.price(endpoint, Unit.INPUT_FRESH, now_s),
            "output": catalogue.price(endpoint, Unit.OUTPUT_TEXT, now_s),
            "cached": catalogue.price(endpoint, Unit.INPUT_CACHE_READ, now_s),
            "figures": self._source.figures(endpoint.id),
        }

    def _page(self, template: str, request: Request, context: dict[str, object], status: int = 200) -> Response:
        common = {"base_url": self._base_url(request)}
        text = self._templates.get_template(template).render(common | context)
        return Response(text, status, PAGE_HEADERS, media_type="text/html")


def _example(live: list[catalogue.Row]) -> str:
    """The model that the first call names: one that answers here, cheapest first, so that a copy costs next to nothing."""
    chats = [row for row in live if row.model.kind == "chat"]
    if not chats:
        return FIRST_CHOICE
    cheapest = min(chats, key=lambda row: (row.output_pico is None, row.output_pico or 0, row.model.slug))
    return cheapest.model.slug


def _parameters(wanted: catalogue.Wish) -> dict[str, str]:
    given = {"q": wanted.text, "kind": wanted.kind, "input": wanted.input, "live": "1" if wanted.live else ""}
    if wanted.sort != "popular":
        given["sort"] = wanted.sort
    if wanted.page > 1:
        given["page"] = str(wanted.page)
    return {name: value for name, value in given.items() if value}
