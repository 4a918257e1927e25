"""For tests, yours too: a scripted upstream on a free port, in a thread, with a control client. Refuses test frameworks."""

import asyncio
import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import uvloop

from farebox.sims.http1 import Json
from farebox.sims.scenario import from_document
from farebox.sims.server import Setting, Sims

START_S_MAX = 20.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """A running server as a test sees it."""

    host: str
    port: int

    @property
    def root(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        """What an OpenAI client is given."""
        return f"{self.root}/v1"

    def path(self, *words: str) -> str:
        """A base URL with orders or a scope in it: `path("alpha", "f13")`."""
        return "/".join((self.root, *words, "v1"))

    def requests(self, *, scope: str | None = None) -> list[Json]:
        """All requests received since the last reset, oldest first."""
        found: list[Json] = self._call("GET", "requests" + (f"?scope={scope}" if scope is not None else ""))["requests"]
        return found

    def connections(self) -> list[Json]:
        found: list[Json] = self._call("GET", "connections")["connections"]
        return found

    def listeners(self) -> dict[str, str]:
        """Base URLs of the addresses that fail before a request (F1–F4), and `ca_file`."""
        found: dict[str, str] = self._call("GET", "listeners")["listeners"]
        return found

    def script(self, *rules: Json, always: str = "", seed: int = 0) -> None:
        """Replace the scenario: `script({"match": {"nth": 2}, "do": "fault=F13"})`."""
        self._call("POST", "script", {"rule": list(rules), "always": always, "seed": seed})

    def reset(self) -> None:
        """Forget requests and the prefix cache; go back to the first scenario."""
        self._call("POST", "reset", {})

    def until(self, true: Callable[["Upstream"], bool], *, within_s: float = 5.0) -> bool:
        """Ask again and again until `true(self)`; False if that never happens."""
        end = time.monotonic() + within_s
        while not true(self):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True

    def _call(self, method: str, name: str, document: Json | None = None) -> Json:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.root}/_sim/{name}", data=data, method=method)  # noqa: S310  our own http
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
            document = json.load(answer)
        if not isinstance(document, dict):
            raise TypeError("the control door answers objects")
        return document


@contextmanager
def running(
    *, scenario: Json | None = None, time_scale: float = 1.0, key: str | None = None, setting: Setting | None = None
) -> Iterator[Upstream]:
    """Run a server in a thread while the block lasts. Any number may run at once."""
    ready = setting or Setting(time_scale=time_scale, key=key)
    if scenario is not None:
        ready = replace(ready, scenario=from_document(scenario))
    loop = uvloop.new_event_loop()
    sims = Sims(ready)
    thread = threading.Thread(target=loop.run_forever, name="farebox-sims", daemon=True)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(sims.start(), loop).result(START_S_MAX)
        yield Upstream(sims.host, sims.port)
    finally:
        asyncio.run_coroutine_threadsafe(sims.stop(), loop).result(START_S_MAX)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_S_MAX)
        loop.close()
