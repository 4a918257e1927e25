"""The command that starts one gateway worker for a control elsewhere. Refuses to supervise it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from farebox.app.worker import main


def gateway(
    *,
    control: str,
    token_file: Path,
    name: str = "w0",
    config: Annotated[Path | None, Parameter(help="Settings file instead of `farebox.toml` in the home.")] = None,
    port: int | None = None,
) -> int:
    """Start one gateway worker for a control elsewhere.

    Vendor keys are read from this machine's environment. Several workers may share a port; give each its own name.

    For example:

    - farebox gateway --control https://control.internal:9443 --token-file link.token --name w1

    Parameters
    ----------
    control
        Address of control: https://host:port, http://host:port or unix:/path.
    token_file
        File with the token of the link: `link.token` in the home of control.
    name
        Name of this worker, and of its spool.
    port
        Port to listen on.
    """
    given = ["--control", control, "--token-file", str(token_file), "--name", name]
    given += ["--config", str(config)] if config is not None else []
    return main([*given, *(["--port", str(port)] if port is not None else [])])
