"""An examination of this machine and these settings: findings with remedies. Refuses to change or to send anything abroad.

Only the operator's own servers are asked (`GET /models`); vendors are not called.
"""

import os
import resource
import shutil
import socket
import sqlite3
import ssl
import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from importlib import metadata
from pathlib import Path

from msgspec import Struct

from farebox.app import discovery, local_model
from farebox.app.claim import Taken, reserve
from farebox.http.tls import client_context
from farebox.settings import Settings, SettingsError, load
from farebox.storage import sqlite
from farebox.vendors.connect import NotLive, must_connect
from farebox.vendors.registry import load_builtin

PACKAGES = (
    "httptools",
    "uvloop",
    "msgspec",
    "starlette",
    "uvicorn",
    "sqlalchemy",
    "alembic",
    "cryptography",
    "cyclopts",
)
FILES_WANTED = 4096
DISK_WANTED_BYTES = 1024**3
# The shortest limit of an address of a Unix socket among today's systems (macOS 104, Linux 108), its final zero included.
SOCKET_PATH_MAX = 103
NETWORK_FILE_SYSTEMS = frozenset({"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "glusterfs", "ceph"})


class Verdict(StrEnum):
    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


class Finding(Struct, frozen=True):
    """What was looked at, what was found, and what to do about it."""

    verdict: Verdict
    subject: str
    what: str
    remedy: str = ""


def examine(config: Path | None, environ: Mapping[str, str]) -> list[Finding]:
    """Everything, in the order in which it matters at a start."""
    found = [*_programs()]
    try:
        settings = load(config, environ)
        seen = settings.vendor_environ(environ)
    except SettingsError as error:
        return [*found, *(Finding(Verdict.BAD, "settings", line, "correct it there") for line in error.problems)]
    found.append(Finding(Verdict.GOOD, "settings", "readable and complete"))
    for part in (_home(settings), _limits(), _port(settings), _trust(settings, environ), _vendors(settings, seen)):
        found += part
    return found


def _programs() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding(Verdict.GOOD, "python", version)
    versions = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            yield Finding(Verdict.BAD, "package", f"{name} is missing", "pip install farebox")
    yield Finding(Verdict.GOOD, "packages", ", ".join(versions))
    if advice := sqlite.advice():
        yield Finding(Verdict.NOTE, "sqlite", advice)
    else:
        yield Finding(Verdict.GOOD, "sqlite", ".".join(map(str, sqlite3.sqlite_version_info)))


def _home(settings: Settings) -> Iterator[Finding]:
    home = settings.home
    standing = next(path for path in (home, *home.parents) if path.exists())
    if not os.access(standing, os.W_OK | os.X_OK):
        yield Finding(Verdict.BAD, "home", f"{standing} cannot be written", "set FAREBOX_HOME to a folder of yours")
        return
    yield Finding(Verdict.GOOD, "home", f"{home}{'' if home.exists() else ' (made at the first start)'}")
    if home.exists() and home.stat().st_mode & 0o077:
        yield Finding(Verdict.NOTE, "home", "others may look into it", f"chmod 700 {home}")
    free = shutil.disk_usage(standing).free
    verdict = Verdict.GOOD if free >= DISK_WANTED_BYTES else Verdict.NOTE
    yield Finding(verdict, "disk", f"{free / 1024**3:.1f} GiB free", "" if verdict is Verdict.GOOD else "make room")
    kind = _file_system(standing)
    if kind in NETWORK_FILE_SYSTEMS:
        yield Finding(
            Verdict.BAD,
            "home",
            f"it lies on a network file system ({kind}), where SQLite can lose data",
            "use a local disk",
        )
    longest = len(os.fsencode(home / "front.sock"))
    if longest > SOCKET_PATH_MAX:
        yield Finding(
            Verdict.BAD, "sockets", f"the path of the home is too long ({longest} bytes)", "use a shorter home"
        )
    else:
        yield Finding(Verdict.GOOD, "sockets", "the home's path is short enough")


def _file_system(path: Path) -> str:
    """The kind of file system below a path; empty where the system does not tell."""
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    points = [(fields[1], fields[2]) for line in mounts if len(fields := line.split()) > 2]
    resolved = path.resolve()
    below = [(point, kind) for point, kind in points if resolved.is_relative_to(point)]
    return max(below, key=lambda pair: len(pair[0]))[1] if below else ""


def _limits() -> Iterator[Finding]:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files < FILES_WANTED:
        yield Finding(Verdict.NOTE, "open files", f"at most {files}", f"ulimit -n {FILES_WANTED} or more")
    else:
        yield Finding(Verdict.GOOD, "open files", f"at most {files}")


def _port(settings: Settings) -> Iterator[Finding]:
    server = settings.server
    try:
        reserve(server.host, server.port).close()
    except Taken as error:
        if _is_farebox(server.host, server.port):
            yield Finding(Verdict.GOOD, "port", f"a Farebox answers on {server.port}")
        else:
            yield Finding(Verdict.BAD, "port", str(error), "farebox serve --port N, or FAREBOX_SERVER__PORT")
    else:
        yield Finding(Verdict.GOOD, "port", f"{server.host} port {server.port} is free")


def _is_farebox(host: str, port: int) -> bool:
    ask = b"GET /health/liveliness HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection((host, port), timeout=2) as connection:
            connection.sendall(ask)
            return b'"alive"' in b"".join(iter(lambda: connection.recv(4096), b""))
    except OSError:
        return False


def _trust(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    try:
        count = client_context(settings.gateway.tls_ca).cert_store_stats()["x509_ca"]
    except (OSError, ssl.SSLError) as error:
        yield Finding(Verdict.BAD, "tls", f"gateway.tls_ca cannot be read ({error})", "give a file of PEM certificates")
        return
    paths = ssl.get_default_verify_paths()
    if count or (paths.capath and any(Path(paths.capath).iterdir())):
        yield Finding(Verdict.GOOD, "tls", f"certificate authorities are there; {ssl.OPENSSL_VERSION}")
    else:
        yield Finding(
            Verdict.BAD, "tls", "no certificate authority is known: no vendor can be reached", "install ca-certificates"
        )
    named = [name for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy") if environ.get(name)]
    if named and not settings.gateway.proxy:
        yield Finding(
            Verdict.NOTE, "proxy", f"{', '.join(named)} is set but not used", "set gateway.proxy if vendors need it"
        )


def _vendors(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    live = 0
    for slug, vendor in load_builtin().items():
        names = [name for name in (vendor.auth.secret, *vendor.auth.also) if name]
        if not any(environ.get(name) for name in names):
            continue
        try:
            must_connect(vendor, environ)
        except NotLive as problem:
            yield Finding(Verdict.NOTE, f"vendor {slug}", "its key is set, but it is not live", str(problem))
        else:
            live += 1
            yield Finding(Verdict.GOOD, f"vendor {slug}", "its key is set")
    for server in settings.servers:
        try:
            key = server.secret.reveal(environ) if server.secret is not None else None
            count = len(discovery.ask(server.base_url, key))
        except discovery.NotAnswering as problem:
            yield Finding(Verdict.NOTE, f"server {server.name}", str(problem), f"start it, or check {server.base_url}")
        else:
            live += 1
            yield Finding(Verdict.GOOD, f"server {server.name}", f"{count} models")
    parts = local_model.installed(settings.local.model_file)
    if parts.complete:
        yield Finding(Verdict.GOOD, "local model", f"installed (engine {parts.engine})")
    elif not live:
        yield Finding(
            Verdict.NOTE,
            "models",
            "no vendor has a key, no server answers, and the local model is not installed",
            f"export OPENAI_API_KEY=… | {parts.advice} | farebox serve --demo",
        )
