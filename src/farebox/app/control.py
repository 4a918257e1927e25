"""The entry of control: the one process that opens the home, keeps the catalogue current and serves API, site and link.

`python -m farebox.app.control`; refuses inference, which is the workers' business.
"""

import argparse
import asyncio
import os
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop

from farebox.api.app import build as build_api
from farebox.api.control import Control
from farebox.api.opening import House
from farebox.app import discovery, offers
from farebox.app.child import Leash, on_stop
from farebox.app.claim import Taken, reserve
from farebox.app.exits import Exit
from farebox.app.offers import Offer
from farebox.catalogue.load import load as load_catalogue
from farebox.catalogue.records import BadCatalogue
from farebox.catalogue.snapshot import with_server
from farebox.catalogue.types import Endpoint, Snapshot
from farebox.ir.errors import Unavailable
from farebox.link.server import build as build_link
from farebox.money.rating import current_sheet
from farebox.settings import Settings, SettingsError, load
from farebox.telemetry import logs
from farebox.vendors.connect import connect
from farebox.vendors.registry import from_server, load_builtin

FRONT_SOCKET = "front.sock"
LINK_SOCKET = "link.sock"
CATALOGUE_FOLDER = "catalogue"
SHUTDOWN_S = 5
ASK_AGAIN_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
# A server that answers may load other models later.
REFRESH_S = 300.0
# How long the start waits for servers to say what they serve.
FIRST_ASK_S = 1.0
UNPRICED = 1 << 62

Asgi = Callable[[MutableMapping[str, Any], Any, Any], Any]
Search = Callable[[Callable[[], None]], Coroutine[Any, Any, None]]


class Catalogue:
    """The snapshot that control gives out: the built-in one with every server laid in that has said what it serves."""

    def __init__(self, base: Snapshot, environ: dict[str, str]) -> None:
        self._base = base
        self._environ = environ
        self._known: dict[str, Offer] = {}
        self._vendors = load_builtin()

    def learn(self, offer: Offer) -> bool:
        """Take in what a server offers. False if nothing changed."""
        if offer.models is None or self._known.get(offer.server.slug) == offer:
            return False
        self._known[offer.server.slug] = offer
        return True

    def snapshot(self) -> Snapshot:
        made = self._base
        for offer in self._known.values():
            made = with_server(made, offer.server, list(offer.models or ()))
        return made

    def live(self) -> frozenset[str]:
        """The vendors that can be called with the credentials at hand."""
        vendors = {**self._vendors, **{slug: from_server(offer.server) for slug, offer in self._known.items()}}
        return frozenset(slug for slug, vendor in vendors.items() if connect(vendor, self._environ) is not None)


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers: control has two servers and one way to end."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: Asgi, settings: Settings, *, tls: bool = False) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="warning",
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=SHUTDOWN_S,
            ssl_certfile=settings.server.tls_certificate if tls else None,
            ssl_keyfile=settings.server.tls_key if tls else None,
        )
    )


def _unix(path: Path) -> socket.socket:
    """A socket that only the owner of the home may use. The lock of the home makes removing an old one safe."""
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)
    try:
        made.bind(str(path))
    finally:
        os.umask(before)
    return made


def _both(front: Asgi, link: Asgi) -> Asgi:
    """One address for everything, for a control alone: the link below `/link/`, the front elsewhere."""

    async def app(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        chosen = link if str(scope.get("path", "")).startswith("/link/") else front
        await chosen(scope, receive, send)

    return app


async def _discover(offer: Offer, key: str | None, learned: Callable[[Offer], None], asked: Callable[[], None]) -> None:
    """Ask a server for its models until it answers, and from then on now and again."""
    failures = 0
    while True:
        try:
            models = await asyncio.to_thread(discovery.ask, offer.server.base_url, key)
        except discovery.NotAnswering:
            await asyncio.sleep(ASK_AGAIN_S[min(failures, len(ASK_AGAIN_S) - 1)])
            failures += 1
            continue
        failures = 0
        learned(msgspec.structs.replace(offer, models=models))
        asked()
        await asyncio.sleep(REFRESH_S)


def example(control: Control) -> str:
    """A live chat model for a first call: the cheapest, so a free one if there is any."""

    def cost(endpoint: Endpoint) -> int:
        sheet = current_sheet(endpoint.sheets, int(time.time()))
        return UNPRICED if sheet is None else sheet.prices.get("output_text", UNPRICED)

    live = [
        (cost(endpoint), slug)
        for slug, endpoints in control.catalogue.endpoints.items()
        for endpoint in endpoints
        if endpoint.vendor in control.live and endpoint.kind == "chat" and endpoint.status == "active"
    ]
    return min(live)[1] if live else ""


async def serve(settings: Settings, given: list[Offer], *, listen: socket.socket | None) -> None:
    """Serve until told to stop."""
    environ = settings.vendor_environ(os.environ)
    log = logs.build(sys.stderr, settings.log.level)
    imported = settings.home / CATALOGUE_FOLDER
    base = load_catalogue(imported if imported.is_dir() else None, toll_bps=settings.ledger.toll_bps)
    catalogue = Catalogue(base, environ)
    for offer in given:
        catalogue.learn(offer)
    with House(settings.home, keep_owner_key=settings.server.keep_owner_key, now_ms=int(time.time() * 1000)) as house:
        control = Control(house.store, catalogue.snapshot(), pepper=house.pepper, live=catalogue.live())
        await control.start()
        front, link = build_api(control, settings, log), build_link(control, house.link_token)
        apps: dict[str, Asgi] = {FRONT_SOCKET: front, LINK_SOCKET: link}
        servers = [(_server(app, settings), _unix(settings.home / name)) for name, app in apps.items()]
        if listen is not None:
            servers.append((_server(_both(front, link), settings, tls=True), listen))

        def learned(offer: Offer) -> None:
            if catalogue.learn(offer):
                control.swap(catalogue.snapshot(), catalogue.live())
                log.info("catalogue changed", catalogue=control.catalogue.version, provider=offer.server.slug)

        searches = [
            partial(_discover, offer, environ.get(offer.server.secret or ""), learned)
            for offer in given
            if offer.models is None
        ]

        def facts() -> dict[str, str | int]:
            found: dict[str, str | int] = {"models": control.state().live_models, "example": example(control)}
            return found | ({"owner_key": house.owner_key} if house.owner_key else {})

        await _run(servers, searches, facts)


async def _run(
    servers: list[tuple[_Server, socket.socket]],
    searches: Sequence[Search],
    facts: Callable[[], dict[str, str | int]],
) -> None:
    """Serve on every socket and search beside it, until a signal or the supervisor's death ends both."""
    loop = asyncio.get_running_loop()
    leash = Leash(os.environ)

    def stop() -> None:
        for server, _ in servers:
            server.should_exit = True

    on_stop(loop, stop)
    leash.watch(loop, stop)
    asked = [asyncio.Event() for _ in searches]
    searching = [asyncio.create_task(search(event.set)) for search, event in zip(searches, asked, strict=True)]
    serving = [asyncio.create_task(server.serve(sockets=[held])) for server, held in servers]
    try:
        for server, _ in servers:
            await server.listening.wait()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(event.wait() for event in asked)), FIRST_ASK_S)
        leash.ready(**facts())
        await asyncio.gather(*serving)
    finally:
        for task in (*searching, *serving):
            task.cancel()
        await asyncio.gather(*searching, *serving, return_exceptions=True)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit():
        raise SettingsError([f"--listen {text}: write HOST:PORT"])
    return host.strip("[]") or "127.0.0.1", int(port)


def main(arguments: list[str] | None = None) -> int:
    """Open the home and serve until told to stop."""
    parser = argparse.ArgumentParser(prog="farebox.app.control", description="Run control.")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--listen", help="HOST:PORT for gateways on other machines")
    parser.add_argument("--local-url", help="where the local model answers")
    parser.add_argument("--demo-url", help="where the simulated vendors answer")
    options = parser.parse_args(arguments)
    try:
        settings = load(options.config, os.environ)
        given = offers.others(settings)
        if options.local_url:
            packaged = settings.local.model_file is None
            given.append(
                offers.local(options.local_url, context_tokens=settings.local.context_tokens, packaged=packaged)
            )
        if options.demo_url:
            given.extend(offers.simulated(options.demo_url))
        listen = reserve(*_address(options.listen)) if options.listen else None
        uvloop.run(serve(settings, given, listen=listen))
    except (SettingsError, BadCatalogue) as error:
        print(error, file=sys.stderr)
        return Exit.CONFIGURATION
    except Taken as error:
        print(error, file=sys.stderr)
        return Exit.TAKEN
    except Unavailable as error:
        print(error.message, file=sys.stderr)
        return Exit.TAKEN
    return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
