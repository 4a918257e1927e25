"""Templates and static files, read once. Refuses unknown names: files are served from a list, never from a path."""

import hashlib
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from msgspec import Struct

from farebox.web import show

ROOT = Path(__file__).parent
_KINDS = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


class Static(Struct, frozen=True):
    """A file as it is served; `tag` changes whenever its bytes do."""

    body: bytes
    kind: str
    tag: str


def load_static() -> dict[str, Static]:
    found = {}
    for path in sorted((ROOT / "static").iterdir()):
        kind = _KINDS.get(path.suffix)
        if kind is not None:
            body = path.read_bytes()
            found[path.name] = Static(body, kind, hashlib.sha256(body).hexdigest()[:16])
    return found


def build_environment(static: dict[str, Static]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(ROOT / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(
        per_million=show.per_million,
        tokens=show.tokens,
        number=show.number,
        milliseconds=show.milliseconds,
        percent=show.percent,
        rate=show.rate,
    )
    environment.globals["asset"] = lambda name: f"/static/{name}?v={static[name].tag}"
    return environment
