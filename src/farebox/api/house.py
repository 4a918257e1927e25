"""The addresses of the house itself: health, metrics, generations, the document. Refuses anything about one account."""

import msgspec
from starlette.responses import Response

from farebox.api.access import Access
from farebox.api.bodies import query_text
from farebox.api.control import Control
from farebox.api.pages import Call, Page
from farebox.insights.show import generation as show_generation
from farebox.ir.errors import InvalidRequest, NotFound, Unavailable
from farebox.telemetry.exposition import CONTENT_TYPE

ID_CHARS = 200


def pages(control: Control) -> list[Page]:
    async def health(_: Call) -> Response:
        state = control.state()
        try_again = await _readiness(control)
        body = {"status": try_again or "ok", **msgspec.to_builtins(state)}
        return _json(body, status=503 if try_again else 200)

    async def alive(_: Call) -> Response:
        return _json({"status": "alive"})

    async def ready(_: Call) -> Response:
        problem = await _readiness(control)
        return _json({"status": problem or "ready"}, status=503 if problem else 200)

    async def metrics(_: Call) -> Response:
        return Response(control.metrics(), headers={"Content-Type": CONTENT_TYPE, "Cache-Control": "no-store"})

    async def generation(call: Call) -> Response:
        wanted = query_text(call.request, "id")
        if not wanted or len(wanted) > ID_CHARS:
            raise InvalidRequest("Name the generation: /generation?id=gen-…", path="query.id")
        record = await control.generation(call.caller.organisation, wanted)
        if record is None:
            raise NotFound("No such generation.")
        return _json({"data": show_generation(record)})

    open_, method = Access.PUBLIC, "GET"
    return [
        Page(method=method, path="/health", access=open_, handler=health, summary="How it is.", versioned=False),
        Page(method=method, path="/health/liveliness", access=open_, handler=alive, summary="Alive.", versioned=False),
        Page(method=method, path="/health/liveness", access=open_, handler=alive, summary="Alive.", versioned=False),
        Page(method=method, path="/health/readiness", access=open_, handler=ready, summary="Ready.", versioned=False),
        Page(method=method, path="/metrics", access=open_, handler=metrics, summary="Prometheus.", versioned=False),
        Page(
            method=method,
            path="/generation",
            access=Access.KEY,
            handler=generation,
            summary="One generation of the caller's organisation, with all its attempts.",
            query=("id",),
        ),
    ]


async def _readiness(control: Control) -> str | None:
    """None, or why the house is not ready."""
    try:
        await control.check()
    except Unavailable:
        return "storage"
    return None


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, {"Cache-Control": "no-store"}, media_type="application/json")
