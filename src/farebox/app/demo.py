"""The simulated vendors of `farebox serve --demo` as a supervised child. Refuses to be mistaken for a real provider."""

import argparse
import asyncio
import os
import sys

from farebox.app.child import Leash, on_stop
from farebox.sims.demo import SCENARIO, scopes
from farebox.sims.scenario import from_document
from farebox.sims.server import Setting, Sims


async def run(port: int) -> None:
    """Serve the simulators on 127.0.0.1 until told to stop."""
    loop = asyncio.get_running_loop()
    leash = Leash(os.environ)
    stopping = asyncio.Event()
    on_stop(loop, stopping.set)
    leash.watch(loop, stopping.set)
    sims = Sims(Setting(scenario=from_document(SCENARIO), offer=scopes(), faulty_listeners=False))
    await sims.start("127.0.0.1", port)
    leash.ready(url=sims.base_url)
    await stopping.wait()
    await sims.stop()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="farebox.app.demo", description="Serve the simulated vendors.")
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(run(parser.parse_args(arguments).port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
