"""The command that starts control alone. Refuses inference."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from farebox.app.control import main


def control(
    *,
    listen: str,
    config: Annotated[Path | None, Parameter(help="Settings file instead of `farebox.toml` in the home.")] = None,
) -> int:
    """Start control alone: API and site, and the link for gateways on other machines.

    With `server.tls_certificate` and `server.tls_key` it speaks HTTPS. Gateways need the file `link.token` of its home.

    For example:

    - farebox control --listen 0.0.0.0:9443

    Parameters
    ----------
    listen
        HOST:PORT for API, site and link.
    """
    return main(["--listen", listen, *(["--config", str(config)] if config is not None else [])])
