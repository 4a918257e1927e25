"""A route and what it demands: permission is a required argument. Refuses routes that say nothing about it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from farebox.accounts.types import Caller
from farebox.api.access import Access, Authenticator, admit
from farebox.ir.errors import InvariantBroken

PREFIXES = ("/api/v1", "/v1")

T = TypeVar("T")


class Call:
    """One request at a route, with who is behind it."""

    __slots__ = ("_caller", "request")

    def __init__(self, request: Request, caller: Caller | None) -> None:
        self.request = request
        self._caller = caller

    @property
    def caller(self) -> Caller:
        if self._caller is None:
            raise InvariantBroken("A public route asked for its caller.")
        return self._caller


Handler = Callable[[Call], Awaitable[Response]]


class Page(Struct, frozen=True, kw_only=True):
    """`versioned`: served under every API prefix; else at the path as it is. `body` and `query` are for the document."""

    method: str
    path: str
    access: Access
    handler: Handler
    summary: str
    versioned: bool = True
    body: type | None = None
    query: tuple[str, ...] = ()
    documented: bool = True

    def paths(self) -> list[str]:
        return [prefix + self.path for prefix in PREFIXES] if self.versioned else [self.path]


def routes(pages: list[Page], accounts: Authenticator) -> list[Route]:
    """Routes of these pages. One path with several methods is one route, so that 405 names them all."""
    by_path: dict[str, dict[str, Page]] = {}
    for page in pages:
        if not isinstance(page.access, Access):
            raise InvariantBroken(f"{page.method} {page.path} declares no permission.")
        for path in page.paths():
            methods = by_path.setdefault(path, {})
            if page.method in methods:
                raise InvariantBroken(f"{page.method} {path} is declared twice.")
            methods[page.method] = page
    return [Route(path, _Endpoint(methods, accounts), methods=list(methods)) for path, methods in by_path.items()]


class _Endpoint:
    """The ASGI application of one path. Starlette has matched path and method before."""

    def __init__(self, methods: dict[str, Page], accounts: Authenticator) -> None:
        self._methods = methods
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = self._methods["GET" if scope["method"] == "HEAD" else scope["method"]]
        scope["farebox.route"] = page.path
        caller = await admit(page.access, Headers(scope=scope), self._accounts)
        response = await page.handler(Call(Request(scope, receive), caller))
        if page.access is not Access.PUBLIC:
            response.headers["Cache-Control"] = "no-store"
        await response(scope, receive, send)
