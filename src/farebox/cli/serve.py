"""The command that starts everything. Refuses to know how processes are made."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from farebox.app.serve import Wish, main
from farebox.settings import load


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where and with how many workers.

    Parameters
    ----------
    port
        Port to listen on; 0 takes a free one.
    host
        Address to listen on.
    workers
        Number of gateway workers; 0 is one per processor.
    """

    port: int | None = None
    host: str | None = None
    workers: int | None = None


AS_SET = Listening()


def serve(
    *,
    listening: Listening = AS_SET,
    dev: Annotated[bool, Parameter(negative="")] = False,
    demo: Annotated[bool, Parameter(negative="")] = False,
    local: bool | None = None,
    config: Annotated[Path | None, Parameter(help="Settings file instead of `farebox.toml` in the home.")] = None,
) -> int:
    """Start everything on one port: API, site, gateway workers.

    Vendors whose key is in the environment (OPENAI_API_KEY, ANTHROPIC_API_KEY, …) are live at once. Without any key the
    model on this machine is used if its packages are installed. SIGTERM or Ctrl-C ends in order: running answers are
    finished first. SIGHUP replaces the workers one by one.

    For example:

    - farebox serve
    - farebox serve --demo --port 9000
    - FAREBOX_SERVERS="ollama=http://127.0.0.1:11434/v1" farebox serve

    Parameters
    ----------
    dev
        For one's own machine: one worker unless --workers says otherwise, and the first key stays readable.
    demo
        Simulated vendors only, clearly marked; no keys, no downloads.
    local
        Start the model on this machine even beside vendors with keys, or with --no-local not at all.
    """
    mode = None if local is None else "on" if local else "off"
    wanted = {f"server.{name}": value for name, value in asdict(listening).items()} | {"local.mode": mode}
    overrides: dict[str, object] = {key: value for key, value in wanted.items() if value is not None}
    if dev:
        overrides = {"server.workers": 1, "server.keep_owner_key": True} | overrides
    settings = load(config, os.environ, overrides)
    return main(settings, Wish(config=config, overrides=overrides, demo=demo))
