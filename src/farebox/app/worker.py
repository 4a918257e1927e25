"""The entry of one gateway worker. Refuses everything that is not serving: no store, no site, no terminal.

`python -m farebox.app.worker --name w0`; settings come from the same sources as everywhere.
"""

import argparse
import asyncio
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import uvloop
from msgspec import structs

from farebox.app.child import Leash, on_stop
from farebox.app.exits import Exit
from farebox.gateway.config import GatewayConfig
from farebox.gateway.worker import Worker
from farebox.http.client import Origin, Pool
from farebox.http.limits import ClientLimits, Limits, Timeouts
from farebox.ir.errors import Unavailable
from farebox.link.socket import SocketLink
from farebox.settings import GatewaySettings, Settings, SettingsError, load

FRONT_SOCKET = "front.sock"
LINK_SOCKET = "link.sock"
LINK_TOKEN = "link.token"  # noqa: S105 - the name of the file
TOKEN_S = 20.0


def config_of(settings: Settings, environ: Mapping[str, str], *, name: str, port: int, alone: bool) -> GatewayConfig:
    """What the settings mean for one worker. `alone`: no control beside it, so nothing to forward to."""
    gateway, server = settings.gateway, settings.server
    return GatewayConfig(
        worker=name,
        host=server.host,
        port=port,
        spool_dir=gateway.spool_dir or settings.home / "spool",
        environ=settings.vendor_environ(environ),
        front_socket=None if alone else settings.home / FRONT_SOCKET,
        hosts=frozenset(server.hosts) or None,
        tls_certificate=server.tls_certificate,
        tls_key=server.tls_key,
        tls_ca=gateway.tls_ca,
        proxy=gateway.proxy,
        limits=limits_of(gateway),
        client_limits=ClientLimits(body_bytes=gateway.answer_bytes),
        timeouts=timeouts_of(gateway),
        attempts_max=gateway.attempts,
        token_idle_s=gateway.token_idle_s / gateway.time_scale,
        spool_strict=gateway.strict_sync,
        drain_s=gateway.drain_s / gateway.time_scale,
        answer_bytes_max=gateway.answer_bytes,
    )


def limits_of(gateway: GatewaySettings) -> Limits:
    """The edge's limits; deadlines divided by the time scale."""
    scale = gateway.time_scale
    return Limits(
        header_bytes=gateway.header_bytes,
        body_bytes=gateway.body_bytes,
        header_s=gateway.header_s / scale,
        body_idle_s=gateway.body_idle_s / scale,
        keep_alive_s=gateway.keep_alive_s / scale,
    )


def timeouts_of(gateway: GatewaySettings) -> Timeouts:
    """The deadlines of one exchange with a vendor; divided by the time scale."""
    scale = gateway.time_scale
    given = Timeouts(
        connect_s=gateway.connect_s,
        tls_s=gateway.tls_s,
        send_s=gateway.send_s,
        first_byte_s=gateway.first_byte_s,
        idle_s=gateway.idle_s,
        total_s=gateway.total_s,
    )
    return Timeouts(**{name: value / scale for name, value in structs.asdict(given).items()})


def control_of(url: str) -> Origin:
    """The address of a control elsewhere: `https://host:port`, `http://host:port` or `unix:/path`."""
    if url.startswith("unix:"):
        return Origin("unix", "control", 0, url.removeprefix("unix:").removeprefix("//"))
    found = re.fullmatch(r"(https?)://(\[[0-9a-fA-F:]+\]|[^/:@\s]+)(?::(\d{1,5}))?/?", url)
    if found is None:
        raise SettingsError([f"--control {url}: write http://host:port, https://host:port or unix:/path"])
    return Origin(found[1], found[2].strip("[]"), int(found[3] or (443 if found[1] == "https" else 80)))


async def _serve(config: GatewayConfig, control: Origin, token: str) -> None:
    loop = asyncio.get_running_loop()
    leash = Leash(os.environ)
    pool = Pool(limits=ClientLimits())
    worker = Worker(config, SocketLink(pool, control, token))
    on_stop(loop, worker.begin_drain)
    leash.watch(loop, worker.begin_drain)
    try:
        await worker.run(ready=lambda port: leash.ready(port=port))
    finally:
        await pool.close()


def main(arguments: list[str] | None = None) -> int:
    """Serve until told to stop and drained."""
    parser = argparse.ArgumentParser(prog="farebox.app.worker", description="Run one gateway worker.")
    parser.add_argument("--name", default="w0")
    parser.add_argument("--config", type=Path)
    parser.add_argument("--port", type=int, help="instead of the setting")
    parser.add_argument("--control", help="address of a control elsewhere")
    parser.add_argument("--token-file", type=Path, help="the token of that control's link")
    options = parser.parse_args(arguments)
    try:
        settings = load(options.config, os.environ)
        port = settings.server.port if options.port is None else options.port
        config = config_of(settings, os.environ, name=options.name, port=port, alone=options.control is not None)
        control = control_of(options.control or f"unix:{settings.home / LINK_SOCKET}")
        token = _token(options.token_file or settings.home / LINK_TOKEN, wait_s=0 if options.token_file else TOKEN_S)
    except SettingsError as error:
        print(error, file=sys.stderr)
        return Exit.CONFIGURATION
    except OSError as error:
        print(f"The token of the link cannot be read: {error}", file=sys.stderr)
        return Exit.FAILED
    try:
        uvloop.run(_serve(config, control, token))
    except Unavailable as error:
        print(error.message, file=sys.stderr)
        return Exit.FAILED
    return Exit.OK


def _token(path: Path, *, wait_s: float) -> str:
    """The link's token. At the first start of a home, control is about to make it."""
    deadline = time.monotonic() + wait_s
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return path.read_text("ascii").strip()


if __name__ == "__main__":
    sys.exit(main())
