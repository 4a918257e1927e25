"""Where settings come from: defaults < TOML file < environment (`FAREBOX_SECTION__FIELD`) < command line.

Refuses unknown keys and values out of bounds, all of them at once and each with its place.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec import Struct, structs

from farebox.settings.schema import Settings, fields, is_section
from farebox.settings.secret import Secret, SettingsError

ENVIRONMENT_PREFIX = "FAREBOX_"
FILE_NAME = "farebox.toml"
# Names with our prefix that are not settings: where to look, how the command line reaches a house, what a parent tells its child.
RESERVED = frozenset({"CONFIG", "URL", "API_KEY", "READY_FD", "ALIVE_FD"})


class Resolved(Struct, frozen=True, kw_only=True):
    """Settings with the source of each value: `default`, `environment NAME`, `FILE:LINE` or `command line`."""

    settings: Settings
    sources: dict[str, str]
    file: Path | None


def load(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Settings:
    """The settings of this process. `path` is the file of `--config`; None looks for `farebox.toml` in the home."""
    return resolve(path, environ, overrides).settings


def resolve(path: Path | None, environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Resolved:
    """As `load`, with the source of every value. Raises SettingsError with all problems at once."""
    file = _file(path, environ)
    document, lines, problems = ({}, {}, []) if file is None else _read(file)
    reader = _Reader(file, lines, problems)
    reader.take_environ(environ)
    reader.given.update({key: (value, "command line") for key, value in (overrides or {}).items()})
    values = reader.section(Settings, document, "")
    if reader.problems:
        raise SettingsError(reader.problems)
    settings: Settings = Settings(**values)
    settings = structs.replace(settings, home=settings.home.expanduser().absolute())
    if (settings.server.tls_certificate is None) != (settings.server.tls_key is None):
        raise SettingsError(["server.tls_certificate and server.tls_key go together: set both or none"])
    names = [server.name for server in settings.servers]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SettingsError([f"servers: {name!r} is there twice" for name in sorted(twice)])
    return Resolved(settings=settings, sources=reader.sources, file=file)


class _Reader:
    """Turns raw values into typed ones, field by field, and collects what is wrong with them."""

    def __init__(self, file: Path | None, lines: dict[str, int], problems: list[str]) -> None:
        self.file = file
        self.lines = lines
        self.problems = problems
        self.sources: dict[str, str] = {}
        self.given: dict[str, tuple[object, str]] = {}

    def take_environ(self, environ: Mapping[str, str]) -> None:
        known = {item.key for item in fields()}
        for name in sorted(environ):
            rest = name.removeprefix(ENVIRONMENT_PREFIX)
            if rest == name or rest in RESERVED:
                continue
            key = rest.lower().replace("__", ".")
            if key in known:
                self.given[key] = (environ[name], f"environment {name}")
            else:
                self.problems.append(f"environment {name}: there is no setting {key!r}{_suggest(key, known)}")

    def section(self, kind: type[Struct], document: Mapping[str, Any], prefix: str) -> dict[str, Any]:
        known = {item.name: item for item in structs.fields(kind)}
        for name in document:
            if name not in known:
                where = f"[{prefix.rstrip('.')}]" if prefix else "the top level"
                self.problems.append(
                    f"{self._place(prefix + name)}: {where} has no setting {name!r}{_suggest(name, known)}"
                )
        values: dict[str, Any] = {}
        for name, item in known.items():
            key = prefix + name
            if is_section(item.type):
                table = document.get(name, {})
                if not isinstance(table, dict):
                    self.problems.append(f"{self._place(key)}: {key} is a table: write [{key}]")
                    continue
                values[name] = item.type(**self.section(item.type, table, key + "."))
            elif key in self.given:
                self._field(values, item, key, *self.given[key])
            elif name in document:
                self._field(values, item, key, document[name], self._place(key))
            else:
                self.sources[key] = "default"
        return values

    def _field(self, values: dict[str, Any], item: structs.FieldInfo, key: str, raw: object, source: str) -> None:
        hint = get_type_hints(Settings if "." not in key else _section_of(key), include_extras=True)[item.name]
        try:
            values[item.name] = msgspec.convert(_unfold(raw, key), hint, strict=False, dec_hook=_decode)
            self.sources[key] = source
        except (msgspec.ValidationError, ValueError) as error:
            self.problems.append(f"{source}: {key}: {error}")

    def _place(self, key: str) -> str:
        line = self.lines.get(key)
        return f"{self.file}:{line}" if line else str(self.file)


def _section_of(key: str) -> type[Struct]:
    kind: type[Struct] = Settings
    for name in key.split(".")[:-1]:
        kind = next(item.type for item in structs.fields(kind) if item.name == name)
    return kind


def _unfold(raw: object, key: str) -> object:
    """The short spellings: a list as one string with commas, a server as `name=url`."""
    if key in {"servers", "server.hosts"} and isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    if key == "servers" and isinstance(raw, list):
        return [_server_line(entry) if isinstance(entry, str) else entry for entry in raw]
    if isinstance(raw, str) and raw == "" and key != "servers":
        return None
    return raw


def _server_line(text: str) -> dict[str, str]:
    name, equals, url = text.partition("=")
    if not equals:
        raise ValueError(f"{text!r} is not of the form name=http://host:port/v1")
    return {"name": name.strip(), "base_url": url.strip().rstrip("/")}


def _decode(kind: type, value: object) -> object:
    if kind is Secret and isinstance(value, str) and value:
        return Secret(value)
    if issubclass(kind, Path) and isinstance(value, str):
        return Path(value)
    raise ValueError(f"expected a {kind.__name__.lower()} as text")


def _suggest(word: str, known: Mapping[str, object] | set[str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def _file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    if path is None and (named := environ.get(ENVIRONMENT_PREFIX + "CONFIG")):
        path = Path(named)
    if path is not None:
        if not path.expanduser().is_file():
            raise SettingsError([f"{path}: there is no such file"])
        return path.expanduser()
    home = Path(environ.get(ENVIRONMENT_PREFIX + "HOME") or Settings().home).expanduser()
    return home / FILE_NAME if (home / FILE_NAME).is_file() else None


def _read(file: Path) -> tuple[dict[str, Any], dict[str, int], list[str]]:
    """The document and the line of each key (`section.field`)."""
    try:
        text = file.read_text(encoding="utf-8")
        document = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError([f"{file}: {error}"]) from error
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if table := re.match(r"\s*\[+\s*([\w.-]+)\s*\]+", line):
            section = table[1] + "."
            lines.setdefault(table[1], number)
        elif pair := re.match(r"\s*\"?([\w.-]+)\"?\s*=", line):
            lines.setdefault(section + pair[1], number)
    return document, lines, []


def home_of(environ: Mapping[str, str]) -> Path:
    """The home without reading any file; for commands that only look for the owner's key."""
    return Path(environ.get(ENVIRONMENT_PREFIX + "HOME") or Settings().home).expanduser()
