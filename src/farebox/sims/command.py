"""The command `farebox sims`: reads its arguments and runs a server. Refuses to hold any behaviour."""

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

import uvloop

from farebox.sims import demo
from farebox.sims.faults.catalogue import listing
from farebox.sims.scenario import BadScenario, Scenario, from_document, load
from farebox.sims.server import Setting, Sims

PORT = 8099


def parser() -> argparse.ArgumentParser:
    text = "Simulated vendors that behave on command: an OpenAI-style server for demos and tests."
    ready = argparse.ArgumentParser(prog="farebox sims", description=text)
    ready.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    ready.add_argument(
        "--port", type=int, default=PORT, help="port to listen on; 0 = any free one (default: %(default)s)"
    )
    ready.add_argument("--scenario", type=Path, help="rules for which request gets which fault, TOML or JSON")
    ready.add_argument("--time-scale", type=float, default=1.0, help="divide all waits by this (default: %(default)s)")
    ready.add_argument("--key", help="accept only this bearer key (default: any, or none)")
    ready.add_argument("--demo", action="store_true", help="serve the demonstration's providers under /alpha, /beta, …")
    ready.add_argument("--list", action="store_true", help="print all faults and options, and leave")
    return ready


async def _run(host: str, port: int, setting: Setting) -> None:
    sims = Sims(setting)
    try:
        await sims.start(host, port)
    except OSError as problem:
        sys.stderr.write(f"farebox sims: cannot listen on {host}:{port}: {problem.strerror}\n")
        raise SystemExit(1) from problem
    sys.stdout.write(f"{sims.base_url}/v1\n")
    sys.stdout.flush()
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        await sims.stop()


Runner = Callable[[Coroutine[Any, Any, None]], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until interrupted. Prints the base URL as the first line."""
    given = parser().parse_args(arguments)
    if given.list:
        sys.stdout.write(listing())
        return 0
    if given.time_scale <= 0:
        sys.stderr.write("farebox sims: --time-scale must be more than 0\n")
        return 2
    try:
        scenario = (
            load(given.scenario) if given.scenario else from_document(demo.SCENARIO) if given.demo else Scenario()
        )
    except BadScenario as problem:
        sys.stderr.write(f"farebox sims: {problem}\n")
        return 2
    offer = demo.scopes() if given.demo else {}
    setting = Setting(scenario=scenario, time_scale=given.time_scale, key=given.key, offer=offer)
    try:
        uvloop.run(_run(given.host, given.port, setting))
    except KeyboardInterrupt:
        return 130
    return 0
