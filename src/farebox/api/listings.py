"""The addresses of the catalogue: models, endpoints, providers. Refuses to shape or filter; `catalogue` does."""

from collections.abc import Callable, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from farebox.api.access import Access
from farebox.api.bodies import query_text
from farebox.api.control import Control
from farebox.api.pages import Call, Page
from farebox.catalogue import listing, show
from farebox.catalogue.show import Performance, Statistics
from farebox.insights.statistics import Figures

MINUTE_S = 60
KEPT = 16
FILTERS = (
    "q",
    "category",
    "supported_parameters",
    "input_modalities",
    "output_modalities",
    "sort",
    "context",
    "min_price",
    "max_price",
    "min_output_price",
    "max_output_price",
    "arch",
    "model_authors",
    "providers",
    "distillable",
    "zdr",
    "region",
    "min_age_days",
    "max_age_days",
    "use_rss",
    "offset",
    "limit",
)

Key = tuple[str, str, str, int]


class Kept:
    """The last few whole answers, by catalogue version, address, query and minute: the full list is large and much asked for."""

    def __init__(self) -> None:
        self._answers: dict[Key, bytes] = {}

    def get(self, key: Key, make: Callable[[], object]) -> bytes:
        found = self._answers.get(key)
        if found is None:
            found = msgspec.json.encode(make())
            if len(self._answers) >= KEPT:
                del self._answers[next(iter(self._answers))]
            self._answers[key] = found
        return found


def pages(control: Control) -> list[Page]:
    kept, clock = Kept(), control.now_s

    async def models(call: Call) -> Response:
        query = _query(call.request)
        statistics, at_s = await _statistics(control), int(clock())
        snapshot, path = control.catalogue, call.request.url.path
        if query.get("use_rss") in ("true", "1"):
            feed = listing.feed(snapshot, query, at_s=at_s, site="/models")
            return Response(feed, media_type="application/rss+xml")

        def make() -> object:
            return listing.models(snapshot, query, at_s=at_s, statistics=statistics, path=path)

        key = (snapshot.version, path, call.request.url.query, at_s // MINUTE_S)
        return Response(kept.get(key, make), media_type="application/json")

    async def embedding_models(call: Call) -> Response:
        return _json(listing.embedding_models(control.catalogue, _query(call.request), at_s=int(clock())))

    async def count(call: Call) -> Response:
        statistics = await _statistics(control)
        query = _query(call.request)
        return _json(listing.count(control.catalogue, query, at_s=int(clock()), statistics=statistics))

    async def endpoints(call: Call) -> Response:
        statistics = await _statistics(control)
        found = show.endpoints(control.catalogue, _name(call.request), at_s=int(clock()), statistics=statistics)
        return _json(found)

    async def model(call: Call) -> Response:
        return _json(show.model(control.catalogue, _name(call.request), at_s=int(clock())))

    async def retrieved(call: Call) -> Response:
        return _json(show.bare_model(control.catalogue, _name(call.request), at_s=int(clock())))

    async def providers(_: Call) -> Response:
        return _json(show.providers(control.catalogue))

    open_ = Access.PUBLIC
    bare = "/models/{author}/{slug:path}"
    ends, one = "/models/{author}/{slug:path}/endpoints", "/model/{author}/{slug:path}"
    return [
        Page(method="GET", path="/models", access=open_, handler=models, summary="The models.", query=FILTERS),
        Page(method="GET", path="/models/count", access=open_, handler=count, summary="How many.", query=FILTERS),
        Page(method="GET", path="/models/user", access=Access.KEY, handler=models, summary="The caller's models."),
        Page(method="GET", path="/embeddings/models", access=open_, handler=embedding_models, summary="Embeddings."),
        Page(method="GET", path=ends, access=open_, handler=endpoints, summary="Every endpoint of a model."),
        Page(method="GET", path=one, access=open_, handler=model, summary="One model."),
        Page(method="GET", path=bare, access=open_, handler=retrieved, summary="One model, as OpenAI's libraries ask."),
        Page(method="GET", path="/providers", access=open_, handler=providers, summary="The providers."),
    ]


async def _statistics(control: Control) -> Statistics:
    totals = await control.model_totals()
    return Statistics(
        performance={name: _performance(figures) for name, figures in control.all_figures().items()},
        popularity={slug: total.prompt_tokens + total.completion_tokens for slug, total in totals.items()},
    )


def _performance(figures: Figures) -> Performance:
    return Performance(
        uptime_5m=figures.uptime_last_5m,
        uptime_30m=figures.uptime_last_30m,
        uptime_1d=figures.uptime_last_1d,
        latency_ms=figures.latency_last_30m,
        throughput=figures.throughput_last_30m,
    )


def _query(request: Request) -> Mapping[str, str]:
    """The query with each name once; a name that is given twice is refused."""
    return {name: query_text(request, name) or "" for name in request.query_params}


def _name(request: Request) -> str:
    return f"{request.path_params['author']}/{request.path_params['slug']}"


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
