"""Owns docs/reference: pages written from the code itself; refuses to be edited by hand or to go stale.

python -m tools.docs [--check]      writes the pages, or fails if they differ from what would be written
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from unittest.mock import MagicMock

from farebox.api import house, keys, listings
from farebox.api.pages import PREFIXES
from farebox.cli.main import COMMANDS, GROUPS, overview
from farebox.dialects.registry import CLIENTS, RELAYS, SERVERS
from farebox.gateway.routes import PATHS_WITH_MODELS, Routes
from farebox.ir.errors import AttemptError, FareboxError, leaves
from farebox.settings.schema import fields
from farebox.vendors.registry import load_builtin

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
WIRE = Path(__file__).parents[1] / "tests" / "wire"
NOTICE = "<!-- Written by `python -m tools.docs` from the code. Change the code, not this page. -->\n\n"
HELP_WIDTH = 100


def row(*cells: object) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"


def head(*cells: str) -> str:
    return row(*cells) + row(*("---" for _ in cells))


def shown(default: object) -> str:
    if default in ((), {}, None, ""):
        return ""
    return f"`{default}`"


def settings() -> str:
    out = "# Settings\n\n" + NOTICE
    out += (
        "A setting comes from, in rising order: its default, a TOML file (`farebox serve --config farebox.toml`), "
        "the environment, the command line. In the environment a key is upper case, prefixed `FAREBOX_`, and its dots "
        "are two underscores: `server.workers` is `FAREBOX_SERVER__WORKERS`. An unknown key is an error. "
        "`farebox config show` prints every value with its source.\n\n"
    )
    out += head("key", "type", "default", "meaning")
    for field in fields():
        out += row(f"`{field.key}`", field.type, shown(field.default), field.description)
    return out


def errors() -> str:
    out = "# Errors\n\n" + NOTICE
    out += (
        "What a caller can see. `error.code` in an answer is the HTTP status, `error.metadata.error_type` the stable word below. "
        "Errors of one attempt at one endpoint reach the caller only if no other endpoint could answer.\n\n"
    )
    for title, mine in (("Answered to the caller", False), ("Of one attempt at one endpoint", True)):
        out += f"## {title}\n\n" + head("error", "code", "status", *(("retried", "counts as") if mine else ()), "says")
        for leaf in leaves(FareboxError):
            if leaf.__module__ == FareboxError.__module__ and issubclass(leaf, AttemptError) is mine:
                more = (leaf.retry.value, leaf.health.value) if mine else ()
                out += row(f"`{leaf.__name__}`", f"`{leaf.code}`", leaf.status, *more, leaf.public)
        out += "\n"
    return out


def http() -> str:
    out = "# HTTP\n\n" + NOTICE
    out += "Credentials: `Authorization: Bearer sk-farebox-v1-…`. Every versioned path is served below each of "
    out += " and ".join(f"`{prefix}`" for prefix in PREFIXES) + ".\n\n## Inference\n\n" + head("path", "speaks")
    for path, route in Routes().fixed.items():
        if not path.startswith(PREFIXES[0] + "/"):
            out += row(f"`POST {path}`", f"`{route.server.name}`")
    for path, dialect in PATHS_WITH_MODELS:
        out += row(f"`POST {path}`", f"`{dialect}`")
    out += "\n## Everything else\n\n" + head("path", "who", "does")
    control = MagicMock()
    for page in [*house.pages(control), *keys.pages(control), *listings.pages(control)]:
        if page.documented:
            path = page.paths()[0].replace(":path}", "}")
            out += row(f"`{page.method} {path}`", str(page.access), page.summary)
    return out


def protocols() -> str:
    out = "# Protocols\n\n" + NOTICE
    out += (
        "How an answer passes from a vendor's protocol (columns) to a client's (rows): *relayed* as the bytes it is, with our "
        "envelope, or *crossed* through the canonical form. Embeddings are relayed only.\n\n"
    )
    out += head("client ↓ vendor →", *(f"`{name}`" for name in CLIENTS))
    for server in SERVERS:
        out += row(f"`{server}`", *(_passage(server, client) for client in CLIENTS))
    out += (
        "\n## How it was checked\n\nRecorded exchanges with the real services (`tests/wire`, sources and licences there) that "
        "the laws are held against: round trip of the request, answers cut anywhere, streams equal to wholes, blocks in order, "
        "usage equal to the recorded usage, relay equal to codec, and every seal byte for byte.\n\n"
    )
    return out + _recorded()


def _passage(server: str, client: str) -> str:
    if "openai_embeddings" in (server, client):
        return "relayed" if server == client else ""
    return "relayed" if server == client and server in RELAYS else "crossed"


TAGS = {
    "streams": ("stream",),
    "tool calls": ("tool-call",),
    "parallel": ("parallel-tools",),
    "reasoning": ("reasoning",),
    "seals": ("reasoning-signature", "signature"),
    "cache": ("cache",),
    "images": ("image",),
    "PDF": ("pdf",),
    "schema": ("json-schema",),
    "errors": ("error",),
}


def _recorded() -> str:
    counts: dict[str, Counter[str]] = {}
    for path in sorted(WIRE.rglob("*.json")):
        exchange = json.loads(path.read_text(encoding="utf-8"))
        count = counts.setdefault(exchange["api"], Counter())
        count["exchanges"] += 1
        for name, tags in TAGS.items():
            count[name] += any(tag in exchange["tags"] for tag in tags)
    out = head("API", "exchanges", *TAGS)
    for api, count in sorted(counts.items()):
        out += row(f"`{api}`", count["exchanges"], *(count[name] or "" for name in TAGS))
    return out


def vendors() -> str:
    out = "# Vendors\n\n" + NOTICE
    out += (
        "Descriptions of vendors' APIs that come with Farebox. A vendor is live once the environment "
        "(or `secrets` in the settings) holds its key.\n\n"
    )
    out += head("vendor", "speaks", "key")
    for slug, vendor in sorted(load_builtin().items()):
        names = [name for name in (vendor.auth.secret, *vendor.auth.also) if name]
        out += row(f"`{slug}`", f"`{vendor.dialect}`", " or ".join(f"`{name}`" for name in names))
    return out


def command_line() -> str:
    commands = [[name] for name, _, _ in COMMANDS]
    commands += [[group, name] for group, _, members in GROUPS for name, _, _ in members]
    out = "# Command line\n\n" + NOTICE + f"```text\n{overview().strip()}\n```\n\n"
    for words in commands:
        out += f"## farebox {' '.join(words)}\n\n```text\n{spoken([*words, '--help'])}\n```\n\n"
    return out


def spoken(arguments: list[str]) -> str:
    """What a command line prints, at a fixed width."""
    environ = {**os.environ, "COLUMNS": str(HELP_WIDTH), "NO_COLOR": "1", "TERM": "dumb"}
    command = [sys.executable, "-m", "farebox.cli.main", *arguments]
    done = subprocess.run(command, env=environ, check=True, capture_output=True, text=True)
    return "\n".join(line.rstrip() for line in done.stdout.strip().splitlines())


PAGES = {
    "settings.md": settings,
    "errors.md": errors,
    "http.md": http,
    "protocols.md": protocols,
    "vendors.md": vendors,
    "command-line.md": command_line,
}


def stale() -> list[str]:
    """Pages that differ from what the code says now."""
    return [
        name
        for name, write in PAGES.items()
        if not (REFERENCE / name).exists() or (REFERENCE / name).read_text(encoding="utf-8") != tidy(write())
    ]


def tidy(page: str) -> str:
    return page.rstrip() + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev docs")
    parser.add_argument("--check", action="store_true")
    if parser.parse_args().check:
        old = stale()
        print(f"stale pages, run ./dev docs: {', '.join(old)}" if old else "docs/reference is what the code says")
        return bool(old)
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, write in PAGES.items():
        (REFERENCE / name).write_text(tidy(write()), encoding="utf-8")
        print(f"docs/reference/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
