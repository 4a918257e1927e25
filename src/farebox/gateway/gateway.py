"""The front of the data plane: one request in, one answer out. Finds the route, the caller and the plan, and hands over.

Everything that is not inference goes to the front door. This is the request boundary: whatever goes wrong below ends
here as an answer in the client's dialect, never as a broken connection.
"""

import random
import time
from collections.abc import Callable

import structlog

from farebox.accounts.types import Caller
from farebox.dialects.ports import Opened
from farebox.gateway import counting
from farebox.gateway.attempts import Runner
from farebox.gateway.counting import CountRoute
from farebox.gateway.front import FrontDoor
from farebox.gateway.generation import Generation
from farebox.gateway.ids import Ids
from farebox.gateway.keys import KeyCache, credential
from farebox.gateway.meter import prompt_estimate
from farebox.gateway.replies import PREFLIGHT, error_head, json_head
from farebox.gateway.routes import Route, Routes
from farebox.gateway.settle import Bookkeeper
from farebox.gateway.world import World
from farebox.http.messages import Request
from farebox.http.reply import Reply
from farebox.ir.errors import (
    FareboxError,
    Forbidden,
    InvariantBroken,
    MethodNotAllowed,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from farebox.routing.preferences import parse as parse_preferences
from farebox.routing.refusals import refusal
from farebox.routing.types import Plan, Preferences, Wish
from farebox.telemetry.counters import Counters, sample

NO_PREFERENCES = Preferences()
log = structlog.get_logger("farebox.gateway")


class Gateway:
    """Serves requests of one worker. `world` is None until control has sent the first snapshot."""

    def __init__(  # noqa: PLR0917 - built once, by the worker
        self,
        keys: KeyCache,
        runner: Runner,
        books: Bookkeeper,
        front: FrontDoor,
        counters: Counters,
        retry_after_s: Callable[[list[str]], float | None],
    ) -> None:
        self.world: World | None = None
        self._keys = keys
        self._runner = runner
        self._books = books
        self._front = front
        self._counters = counters
        self._retry_after_s = retry_after_s
        self._ids = Ids()
        self._dice = random.Random()  # noqa: S311 - spreads load, keeps no secret
        self._routes = Routes()

    async def handle(self, request: Request, reply: Reply) -> None:
        """Answer one request."""
        route = self._routes.find(request.path, request.query)
        count = counting.find(request.path) if route is None and "ount" in request.path else None
        if route is None and count is None:
            await self._front.handle(request, reply)
            return
        generation_id = self._ids.new()
        try:
            if route is not None:
                await self._generate(route, generation_id, request, reply)
            elif count is not None:
                await self._count(count, generation_id, request, reply)
        except FareboxError as error:
            self._refuse(route or count, generation_id, reply, error)
        except Exception as error:
            # The request boundary: a defect of ours is logged with its trace and told as 500, nothing else.
            log.exception("defect", generation=generation_id, kind=type(error).__name__)
            self._refuse(route or count, generation_id, reply, InvariantBroken())

    async def _generate(self, route: Route, generation_id: str, request: Request, reply: Reply) -> None:
        if request.method != "POST" and _preflight(request, reply):
            return
        caller = await self._caller(request)
        _require_json(request)
        opened = route.open(request.body)
        world = self.world
        if world is None or not self._books.spool.admitting:
            raise Unavailable(retry_after_s=1.0)
        generation = Generation(generation_id, route, request, reply, caller)
        generation.opened = opened
        generation.plan, generation.odd = self._plan(world, route.kind, caller, opened, at_s=generation.created_s)
        await self._runner.run(generation, world)

    async def _count(self, route: CountRoute, request_id: str, request: Request, reply: Reply) -> None:
        if request.method != "POST" and _preflight(request, reply):
            return
        caller = await self._caller(request)
        _require_json(request)
        opened = route.open(request.body)
        world = self.world
        if world is None:
            raise Unavailable(retry_after_s=1.0)
        at_s = int(time.time())
        plan, _ = self._plan(world, route.kind, caller, opened, at_s=at_s)
        prepared = world.prepared(plan.candidates[0].endpoint)
        answer = await counting.count(route, opened, prepared, self._runner.pool, at_s=at_s)
        reply.send(200, json_head(request_id), answer)

    async def _caller(self, request: Request) -> Caller:
        secret = credential(request.headers)
        caller = self._keys.known(secret)
        if caller is None:
            caller = await self._keys.ask(secret)
        if caller.disabled:
            raise Unauthenticated("This API key is disabled.")
        if "inference" not in caller.scopes:
            raise Forbidden("This key may manage, not infer.")
        return caller

    def _plan(
        self, world: World, kind: str, caller: Caller, opened: Opened, *, at_s: int
    ) -> tuple[Plan, list[tuple[str, str, str]]]:
        """The plan, never empty, and what was odd about the caller's preferences."""
        if caller.expires_s is not None and caller.expires_s <= at_s:
            raise Unauthenticated("This API key has expired.")
        preferences = NO_PREFERENCES
        odd: list[tuple[str, str, str]] = []
        if opened.provider is not None:
            preferences, warnings = parse_preferences(opened.provider)
            odd = [(warning.code, warning.path, warning.message) for warning in warnings]
        wish = Wish(
            models=opened.models,
            kind=kind,
            parameters=opened.parameters,
            modalities=opened.modalities,
            prompt_bound=prompt_estimate(opened),
            max_tokens=opened.max_tokens,
            service_tier=opened.service_tier,
            preferences=preferences,
            allowed_models=caller.models,
            allowed_providers=caller.providers,
        )
        plan = world.planner.plan(wish, self._runner.standing, at_s=at_s, seed=self._dice.getrandbits(32))
        if not plan.candidates:
            wait = self._retry_after_s([exclusion.endpoint for exclusion in plan.exclusions])
            raise refusal(plan, wish, retry_after_s=wait)
        return plan, odd

    def _refuse(self, route: Route | CountRoute | None, generation_id: str, reply: Reply, error: FareboxError) -> None:
        self._counters.inc(sample("farebox_refusals_total", status=str(error.status), code=error.code))
        if reply.started or route is None:
            reply.fail(error)
            return
        head = error_head(generation_id, error)
        if isinstance(route, Route) and route.error_head is not None:
            head += route.error_head(error)
        reply.send(error.status, head, route.server.error(error, generation_id))


def _preflight(request: Request, reply: Reply) -> bool:
    """Answers what a browser asks before it posts. Raises MethodNotAllowed for every other method."""
    if request.method != "OPTIONS":
        raise MethodNotAllowed("Send a POST request.")
    reply.send(204, PREFLIGHT, b"")
    return True


def _require_json(request: Request) -> None:
    kind = request.headers.get(b"content-type")
    if kind is None or kind == b"application/json":
        return
    name, _, parameters = kind.partition(b";")
    if name.strip().lower() != b"application/json":
        raise UnsupportedMediaType
    charset = parameters.strip().lower()
    if charset.startswith(b"charset=") and charset[8:].strip(b'"') not in (b"utf-8", b"utf8"):
        raise UnsupportedMediaType("Send JSON in UTF-8.")
