"""The public application of control: site, catalogue, keys, health, metrics. Refuses inference; the gateway answers that."""

import re
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.typing import FilteringBoundLogger

from farebox import __version__
from farebox.api import document, errors, house, keys, listings
from farebox.api.access import Access
from farebox.api.control import Control
from farebox.api.pages import Call, Page, routes
from farebox.ir.errors import FareboxError, InvariantBroken, NotFound
from farebox.settings.schema import Settings
from farebox.telemetry.counters import sample
from farebox.web.site import Site

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")


def build(control: Control, settings: Settings, log: FilteringBoundLogger | None = None) -> ASGIApp:
    """Everything behind the front socket."""
    site = Site(control, _base_url(settings), control.now_s)
    api = [*house.pages(control), *keys.pages(control), *listings.pages(control)]
    written = document.build(api, __version__)

    async def openapi(_: Call) -> Response:
        return Response(written, media_type="application/json")

    pages = [
        *api,
        Page(
            method="GET", path="/openapi.json", access=Access.PUBLIC, handler=openapi, summary="This.", versioned=False
        ),
        *_site_pages(site),
    ]
    app = Starlette(routes=routes(pages, control))
    # A redirect to another spelling of a path would quote the Host header.
    app.router.redirect_slashes = False
    return Guard(app, control, site, log)


def _site_pages(site: Site) -> list[Page]:
    def page(path: str, render: Callable[[Request], Awaitable[Response]], summary: str) -> Page:
        async def handler(call: Call) -> Response:
            return await render(call.request)

        return Page(
            method="GET",
            path=path,
            access=Access.PUBLIC,
            handler=handler,
            summary=summary,
            versioned=False,
            documented=False,
        )

    return [
        page("/", site.front, "The first page."),
        page("/models/{author}/{slug:path}", site.model, "A model's page."),
        page("/static/{name}", site.static, "A file of the site."),
    ]


def _base_url(settings: Settings) -> Callable[[Request], str]:
    server = settings.server
    scheme = "https" if server.tls_certificate is not None else "http"
    own = f"{'127.0.0.1' if server.host in ('0.0.0.0', '::') else server.host}:{server.port}"  # noqa: S104

    def base_url(request: Request) -> str:
        host = request.headers.get("host", "")
        return f"{scheme}://{host if _HOST.fullmatch(host) else own}"

    return base_url


class Guard:
    """Around every route: request id, the error envelope, the count, one log line. The one place that catches everything."""

    def __init__(self, app: Starlette, control: Control, site: Site, log: FilteringBoundLogger | None) -> None:
        self._app = app
        self._counters = control.counters
        self._site = site
        self._log = log
        # The router's own refusals come through here as exceptions, not as its plain-text answers.
        app.exception_handlers = {}
        self._router = app.router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        request_id = f"req-{secrets.token_hex(12)}"
        began = time.perf_counter()
        status = 0

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.setdefault("X-Content-Type-Options", "nosniff")
            await send(message)

        try:
            await self._router(scope, receive, tagged)
        except Exception as error:  # the boundary: whatever a handler did not foresee is ours, and said so
            if status:
                raise
            await self._refuse(error, scope, receive, tagged, request_id)
        self._counters.inc(sample("farebox_api_requests_total", status=str(status)))
        if self._log is not None:
            duration_ms = round((time.perf_counter() - began) * 1000, 2)
            route = scope.get("farebox.route", "none")
            self._log.debug(
                "request",
                request_id=request_id,
                method=scope["method"],
                route=route,
                status=status,
                duration_ms=duration_ms,
            )

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        known = self._known(error, request_id)
        request = Request(scope, receive)
        if isinstance(known, NotFound) and scope["method"] == "GET" and _wants_page(request.headers):
            response = self._site.missing(request)
        else:
            response = errors.envelope(known, request_id)
        if isinstance(error, HTTPException) and error.headers:
            response.headers.update(error.headers)
        await response(scope, receive, send)

    def _known(self, error: Exception, request_id: str) -> FareboxError:
        if isinstance(error, FareboxError):
            return error
        if isinstance(error, HTTPException):
            return errors.of_framework(error)
        if self._log is not None:
            self._log.error("unforeseen", request_id=request_id, error=type(error).__name__, where=_where(error))
        return InvariantBroken()


def _wants_page(headers: Headers) -> bool:
    return headers.get("accept", "").startswith("text/html")


def _where(error: BaseException) -> str:
    """The innermost place, without values: messages of foreign exceptions may quote what must not be logged."""
    trace = error.__traceback__
    place = "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        place = f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}"
        trace = trace.tb_next
    return place
