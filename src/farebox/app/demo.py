"""The simulated vendors of `farebox serve --demo` as a supervised child. Refuses to be mistaken for a real provider."""

import argparse
import asyncio
import os
import sys

from farebox.app.child import Leash, on_stop
from farebox.sims.server import serve


async def run(port: int) -> None:
    """Serve the simulators on 127.0.0.1 until told to stop."""
    loop = asyncio.get_running_loop()
    leash = Leash(os.environ)
    stopping = asyncio.Event()
    on_stop(loop, stopping.set)
    leash.watch(loop, stopping.set)
    serving = asyncio.create_task(serve("127.0.0.1", port))
    leash.ready(port=port)
    stopped = asyncio.create_task(stopping.wait())
    await asyncio.wait({serving, stopped}, return_when=asyncio.FIRST_COMPLETED)
    for task in (serving, stopped):
        task.cancel()
    await asyncio.gather(serving, stopped, return_exceptions=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="farebox.app.demo", description="Serve the simulated vendors.")
    parser.add_argument("--port", type=int, required=True)
    asyncio.run(run(parser.parse_args(arguments).port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
