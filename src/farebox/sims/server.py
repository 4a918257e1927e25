"""The scripted upstream: an OpenAI-style server that does what it is told. Refuses codecs and HTTP libraries on purpose."""

import asyncio
import contextlib
import random
import time
from dataclasses import dataclass, field

from farebox.sims import control
from farebox.sims.answers import documents, embeddings
from farebox.sims.answers.plan import Occasion, plan
from farebox.sims.answers.usage import PrefixCache, prompt_text
from farebox.sims.exchange import Exchange
from farebox.sims.faults import catalogue
from farebox.sims.http1 import Json, Request, dump, head
from farebox.sims.journal import Journal
from farebox.sims.listeners import Listeners
from farebox.sims.orders import HEADER, BadOrder, Orders, from_model, from_path, from_text
from farebox.sims.scenario import Scenario
from farebox.sims.wire import Connection, PeerGone

BACKLOG = 4_096
MODELS = ("sim-chat", "sim-reasoning", "sim-tools", "sim-embedding")


@dataclass(frozen=True, slots=True)
class Setting:
    """How one server is set up. `offer` lists, per scope (the path before `/v1`), the models that live there."""

    scenario: Scenario = field(default_factory=Scenario)
    time_scale: float = 1.0
    key: str | None = None
    offer: dict[str, tuple[str, ...]] = field(default_factory=dict)
    faulty_listeners: bool = True


class Refusal(Exception):
    """The request is wrong in a way that any vendor would refuse."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


class Sims:
    """One server with its journal. `start`, then `stop`."""

    def __init__(self, setting: Setting | None = None) -> None:
        self.setting = setting or Setting()
        self.journal = Journal()
        self.cache = PrefixCache()
        self.host, self.port = "", 0
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._listeners = Listeners(self.connection)
        self._control = control.State(
            self.journal,
            self.cache,
            self.setting.scenario.fresh(),
            self.setting.scenario.fresh,
            self._listeners.addresses,
        )

    @property
    def base_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; returns the port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: self.connection("http"), host, port, backlog=BACKLOG)
        self.host, self.port = host, self._server.sockets[0].getsockname()[1]
        if self.setting.faulty_listeners:
            await self._listeners.start(host)
        return self.port

    async def stop(self) -> None:
        """Close every listener and abandon every connection."""
        await self._listeners.stop()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            await connection.stop()
        if self._server is not None:
            await self._server.wait_closed()

    def connection(self, listener: str) -> Connection:
        """A fresh protocol for one accepted connection."""
        return Connection(self.journal.line(listener), self._serve, time_scale=self.setting.time_scale)

    async def _serve(self, wire: Connection) -> None:
        self._connections.add(wire)
        try:
            while not wire.closed and (request := await wire.read_request()) is not None:
                if request.path.startswith(control.PREFIX):
                    await self._controlled(wire, request)
                elif not await self._answered(wire, request):
                    break
                if request.headers.get("connection", "").lower() == "close":
                    break
        finally:
            self._connections.discard(wire)

    async def _controlled(self, wire: Connection, request: Request) -> None:
        status, document = control.answer(self._control, request)
        body = dump(document)
        await wire.send(head(status, [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]) + body)

    async def _answered(self, wire: Connection, request: Request) -> bool:
        """Answer one request; False: the connection is spent."""
        entry = self.journal.entry(wire.line, request)
        exchange = Exchange(wire, request, Orders(), entry, random.Random(entry.number), {})  # noqa: S311
        try:
            path = self._orders(exchange)
            wire.deaf = exchange.orders.integer("deaf", 0) == 1
            variant = catalogue.find(exchange.orders.fault)
            await exchange.wait()
            self._prepare(exchange, path)
            if variant is None:
                await exchange.answer()
            else:
                entry.fault = exchange.orders.fault
                await variant.play(exchange)
            entry.end("complete" if variant is None else "fault")
        except BadOrder as problem:
            await exchange.error(400, str(problem), kind="sim_bad_order")
            entry.end("refused")
        except Refusal as refusal:
            kind = "invalid_request_error"
            await exchange.error(refusal.status, refusal.message, kind=kind, code=refusal.code)
            entry.end("refused")
        except PeerGone:
            entry.end("client left")
            raise
        finally:
            entry.end("stopped")
            wire.deaf = False
        return exchange.keep

    def _orders(self, exchange: Exchange) -> str:
        """Gather the orders of all sources into the exchange; returns the path without what was ordered in it."""
        request, entry = exchange.request, exchange.entry
        document = request.document() or {}
        by_path, scope, path = from_path(request.path)
        entry.scope, entry.model = scope, str(document.get("model") or "")
        by_rule, entry.rule = self._control.scenario.orders(request, scope=scope, path=path)
        by_model = from_model(entry.model)
        by_header = from_text(request.headers.get(HEADER, ""))
        exchange.orders = by_header.over(by_model).over(by_path).over(by_rule)
        return path

    def _prepare(self, exchange: Exchange, path: str) -> None:
        """Work out the honest answer, which most faults then spoil."""
        request = exchange.request
        if self.setting.key is not None and request.key != self.setting.key:
            raise Refusal(401, "Incorrect API key provided.", "invalid_api_key")
        if request.method == "GET" and path.startswith("/v1/models"):
            exchange.document = self._models(exchange.entry.scope, path.removeprefix("/v1/models").strip("/"))
            return
        asked = request.document()
        match (request.method, path):
            case "POST", "/v1/chat/completions":
                self._generate(exchange, _checked(asked, "messages", list), legacy=False)
            case "POST", "/v1/completions":
                self._generate(exchange, _checked(asked, "prompt", (str, list)), legacy=True)
            case "POST", "/v1/embeddings":
                exchange.document = _embedded(_checked(asked, "input", (str, list)), exchange.orders)
            case _:
                raise Refusal(404, f"Invalid URL ({request.method} {path[:200]})")

    def _models(self, scope: str, wanted: str) -> Json:
        names = self.setting.offer.get(scope) or MODELS
        entries = [{"id": name, "object": "model", "created": 1_767_225_600, "owned_by": "simulated"} for name in names]
        if not wanted:
            return {"object": "list", "data": entries}
        for entry in entries:
            if entry["id"] == wanted:
                return entry
        raise Refusal(404, f"The model '{wanted[:200]}' does not exist", "model_not_found")

    def _generate(self, exchange: Exchange, asked: Json, *, legacy: bool) -> None:
        orders = exchange.orders
        identity = f"{exchange.request.key}\n{asked.get('model')}"
        cached = self.cache.touch(identity, str(asked.get("prompt")) if legacy else prompt_text(asked))
        occasion = Occasion(exchange.entry.number, int(time.time()), orders, cached, legacy)
        answer = plan(asked, occasion)
        style = _style(asked, orders, legacy=legacy)
        exchange.document = documents.whole(answer, style)
        if asked.get("stream") is True:
            wish = asked.get("stream_options")
            usage_asked = isinstance(wish, dict) and wish.get("include_usage") is True
            exchange.frames = tuple(documents.frames(answer, style, usage_asked=usage_asked))


def _checked(asked: Json | None, field_name: str, kind: type | tuple[type, ...]) -> Json:
    if asked is None:
        raise Refusal(400, "We could not parse the JSON body of your request.")
    if not isinstance(asked.get("model"), str):
        raise Refusal(400, "you must provide a model parameter")
    if not isinstance(asked.get(field_name), kind) or not asked[field_name]:
        raise Refusal(400, f"Missing required parameter: '{field_name}'.", "missing_required_parameter")
    return asked


def _embedded(asked: Json, orders: Orders) -> Json:
    try:
        return embeddings.embed(asked, orders.text("model") or asked["model"])
    except embeddings.BadInput as problem:
        raise Refusal(400, str(problem)) from problem


def _style(asked: Json, orders: Orders, *, legacy: bool) -> documents.Style:
    spelling = orders.text("reasoning")
    alternatives = asked.get("top_logprobs")
    return documents.Style(
        reasoning=spelling if spelling in documents.SPELLINGS else "reasoning_content",
        usage=orders.text("usage", "asked"),
        logprobs=(alternatives if isinstance(alternatives, int) else 0) if asked.get("logprobs") is True else None,
        legacy=legacy,
    )


async def serve(host: str = "127.0.0.1", port: int = 0, setting: Setting | None = None) -> None:
    """Run a server until cancelled."""
    sims = Sims(setting)
    await sims.start(host, port)
    try:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.get_running_loop().create_future()
    finally:
        await sims.stop()
