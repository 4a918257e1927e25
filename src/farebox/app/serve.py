"""`farebox serve`: the whole house under one supervisor. Refuses to serve anything in its own process."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from msgspec import Struct

from farebox.app import local_model
from farebox.app.claim import Claim, Taken, dismiss, free_port, reserve
from farebox.app.exits import FINAL, Exit
from farebox.app.notice import Notice, ready
from farebox.app.supervisor import Event, Program, StartFailed, Supervisor
from farebox.settings import Settings, SettingsError
from farebox.vendors.connect import connect
from farebox.vendors.registry import load_builtin
from farebox.vendors.types import Vendor

WORKERS_MAX = 8
CONTROL, DEMO, LOCAL = "control", "demo", "local model"
# Control ends after the workers; an old one must have let go of the home before the next may open it.
OLD_CONTROL_S = 8.0
CONTROL_STOP_S = 8.0
DRAIN_SLACK_S = 10.0
# Reading weights from a slow disk.
LOAD_S = 300.0


class Wish(Struct, frozen=True, kw_only=True):
    """What the command line asked for."""

    config: Path | None = None
    overrides: dict[str, object] = {}
    demo: bool = False


class Ensemble(Struct, frozen=True, kw_only=True):
    """Which programs make up this house, and why."""

    kind: str
    live: tuple[str, ...]
    advice: tuple[str, ...] = ()


def choose(settings: Settings, environ: Mapping[str, str], *, demo: bool) -> Ensemble:
    """What will be live: simulated vendors, vendors with keys and named servers, or the model on this machine."""
    if demo:
        return Ensemble(kind="demo", live=("sim-alpha", "sim-beta", "sim-gamma", "sim-delta"))
    seen = settings.vendor_environ(environ)
    keyed = [
        slug for slug, vendor in load_builtin().items() if not _keyless(vendor) and connect(vendor, seen) is not None
    ]
    live = (*sorted(keyed), *(server.name for server in settings.servers))
    mode = settings.local.mode
    parts = local_model.installed(settings.local.model_file)
    if mode == "on" and not parts.complete:
        raise SettingsError([f"local.mode is `on`, but its packages are missing: {parts.advice}"])
    if mode == "on" or (mode == "auto" and not live and parts.complete):
        return Ensemble(kind="vendors" if live else "local", live=(*live, local_model.PROVIDER))
    if live:
        return Ensemble(kind="vendors", live=live)
    advice: tuple[str, ...] = ("set a vendor's key, for example OPENAI_API_KEY, or name a server in `servers`",)
    if mode == "auto":
        advice = (*advice, f"or run a model on this machine: {parts.advice}", "or look around: farebox serve --demo")
    return Ensemble(kind="vendors", live=(), advice=advice)


def _keyless(vendor: Vendor) -> bool:
    """Whether a vendor is reachable without a key: true of every machine, so no sign of what its owner wants."""
    return vendor.auth.scheme == "none" or vendor.auth.optional


class House:
    """The programs of one house and their supervisor."""

    def __init__(
        self, settings: Settings, wish: Wish, *, environ: Mapping[str, str], say: Callable[[str], object]
    ) -> None:
        self.settings = settings
        self._wish = wish
        self._say = say
        self._began = time.monotonic()
        self._environ = child_environ(environ, wish)
        self._ensemble = choose(settings, environ, demo=wish.demo)
        self._facts: dict[str, str | int] = {}
        self._pids: dict[str, int] = {}
        self._up = False
        self._claim: Claim | None = None
        self._port = settings.server.port
        self._generation = 0
        self._supervisor: Supervisor | None = None

    async def run(self) -> int:
        """Start everything, tell, keep it alive until a signal, and end in order."""
        with Claim(self.settings.home) as claim:
            self._claim = claim
            old = claim.leftovers()
            if old:
                self._say(f"Taking over from an earlier supervisor ({len(old)} processes).")
                # Its workers finish their streams on their own time, beside ours.
                workers = [child for child in old if child.name.startswith("w")]
                dismiss(workers, wait_s=0)
                dismiss([child for child in old if child not in workers], wait_s=OLD_CONTROL_S)
            with reserve(self.settings.server.host, self._port, shared=bool(old)) as held:
                self._port = held.getsockname()[1]
                self._generation = int(time.time()) % 100_000 if old else 0
                return await self._supervise()

    async def _supervise(self) -> int:
        supervisor = self._supervisor = Supervisor(told=self._told, environ=self._environ)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        rolling: list[asyncio.Task[None]] = []
        loop.add_signal_handler(signal.SIGHUP, lambda: rolling.append(asyncio.create_task(self._roll())))
        supervisor_task = asyncio.create_task(supervisor.wait())
        code = Exit.OK
        try:
            self._add_all(supervisor)
            await supervisor.ready(CONTROL, *self._worker_names())
            if self._ensemble.kind == "local":
                self._say("Loading the local model …")
                await supervisor.ready(LOCAL)
            if not supervisor.stopping:
                self._up = True
                self._say(ready(self._notice()))
        except StartFailed as failed:
            self._say(str(failed))
            code = Exit(failed.code) if failed.code in FINAL else Exit.INCOMPLETE
            supervisor.stop()
        await supervisor_task
        for task in rolling:
            task.cancel()
        await asyncio.gather(*rolling, return_exceptions=True)
        return code

    def _add_all(self, supervisor: Supervisor) -> None:
        module = (sys.executable, "-m")
        config = ("--config", str(self._wish.config)) if self._wish.config else ()
        control = [*module, "farebox.app.control", *config]
        if self._ensemble.kind == "demo":
            port = free_port()
            control += ["--demo-url", f"http://127.0.0.1:{port}"]
            argv = (*module, "farebox.app.demo", "--port", str(port))
            supervisor.add(Program(name=DEMO, argv=argv, needed=False))
        if local_model.PROVIDER in self._ensemble.live:
            port = free_port()
            control += ["--local-url", f"http://127.0.0.1:{port}"]
            supervisor.add(self._local(port))
        supervisor.add(Program(name=CONTROL, argv=tuple(control), stop_s=CONTROL_STOP_S, final=frozenset(FINAL)))
        for name in self._worker_names():
            supervisor.add(self._worker(name))

    def _local(self, port: int) -> Program:
        local = self.settings.local
        argv = [sys.executable, "-m", "farebox.app.local_model", "--port", str(port)]
        argv += ["--context-tokens", str(local.context_tokens), "--parallel", str(local.parallel)]
        argv += ["--threads", str(local.threads)]
        if local.model_file is not None:
            argv += ["--model-file", str(local.model_file)]
        alone = self._ensemble.kind == "local"
        return Program(name=LOCAL, argv=tuple(argv), needed=alone, ready_s=LOAD_S, final=frozenset(FINAL))

    def _worker(self, name: str) -> Program:
        config = ("--config", str(self._wish.config)) if self._wish.config else ()
        argv = (sys.executable, "-m", "farebox.app.worker", "--name", name, "--port", str(self._port), *config)
        gateway = self.settings.gateway
        stop_s = gateway.drain_s / gateway.time_scale + DRAIN_SLACK_S
        return Program(name=name, argv=argv, rank=1, stop_s=stop_s, final=frozenset(FINAL))

    def _worker_names(self) -> list[str]:
        count = self.settings.server.workers or min(os.cpu_count() or 1, WORKERS_MAX)
        suffix = f"-{self._generation}" if self._generation else ""
        return [f"w{number}{suffix}" for number in range(count)]

    async def _roll(self) -> None:
        """Replace every worker, one after the other; each new one serves before the old one drains."""
        if not self._up or self._supervisor is None:
            return
        old = self._worker_names()
        self._generation += 1
        self._say("Replacing the workers one by one.")
        try:
            for before, name in zip(old, self._worker_names(), strict=True):
                await self._supervisor.replace(before, self._worker(name))
        except StartFailed as failed:
            self._say(f"{failed} The old workers serve on.")
        else:
            self._say("All workers are new.")

    def _stop(self, number: signal.Signals) -> None:
        if self._supervisor is not None:
            if not self._supervisor.stopping:
                self._say(
                    f"Stopping ({signal.Signals(number).name}): running answers are finished first; again to hurry."
                )
            self._supervisor.stop()

    def _told(self, event: Event) -> None:
        if event.kind == "started":
            self._pids[event.name] = event.pid
        elif event.kind == "ended":
            self._pids.pop(event.name, None)
        if event.kind in {"started", "ended"} and self._claim is not None:
            self._claim.record(self._pids)
        if event.kind == "ready" and event.name == CONTROL:
            self._facts = event.facts
        if line := _line(event, up=self._up):
            self._say(line)

    def _notice(self) -> Notice:
        settings, kind = self.settings, self._ensemble.kind
        scheme = "https" if settings.server.tls_certificate else "http"
        host = settings.server.host
        shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104
        owner_key = self._facts.get("owner_key")
        return Notice(
            url=f"{scheme}://{shown}:{self._port}",
            home=str(settings.home),
            owner_key=str(owner_key) if owner_key else None,
            live=self._ensemble.live,
            models=int(self._facts.get("models", 0)),
            example_model=str(self._facts.get("example", "")) or "author/model",
            kind=kind,
            advice=self._ensemble.advice,
            seconds=time.monotonic() - self._began,
            workers=len(self._worker_names()),
        )


def child_environ(environ: Mapping[str, str], wish: Wish) -> dict[str, str]:
    """The environment of children: ours, with the command line's settings in it."""
    made = dict(environ)
    if wish.demo:
        # A demonstration must not spend real money because a key happens to lie in the environment.
        for vendor in load_builtin().values():
            for name in (vendor.auth.secret, *vendor.auth.also):
                made.pop(name or "", None)
    for key, value in wish.overrides.items():
        made["FAREBOX_" + key.upper().replace(".", "__")] = str(value)
    return made


def _line(event: Event, *, up: bool) -> str:
    """What of an event is worth a line at the terminal."""
    match event.kind:
        case "ready" if event.name == LOCAL:
            return "The local model is loaded."
        case "ready" if up:
            return f"{event.name} serves (process {event.pid})."
        case "late":
            return f"{event.name} did not become ready within {event.wait_s:.0f} s; trying again."
        case "waiting":
            return f"{event.name} ended with code {event.code}; starting it again in {event.wait_s:g} s."
        case _:
            return ""


def main(settings: Settings, wish: Wish) -> int:
    """Run the house; returns the exit code."""

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        return asyncio.run(House(settings, wish, environ=os.environ, say=say).run())
    except SettingsError as error:
        print(error, file=sys.stderr)
        return Exit.CONFIGURATION
    except Taken as error:
        print(error, file=sys.stderr)
        return Exit.TAKEN
