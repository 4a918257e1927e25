"""Commands for catalogue files. Refuses a bad file as a whole, with its line."""

import os
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from farebox.app.exits import Exit
from farebox.catalogue import check as findings
from farebox.catalogue import imports
from farebox.catalogue.diff import Change
from farebox.catalogue.diff import diff as compare
from farebox.catalogue.load import load as load_catalogue
from farebox.catalogue.records import BadCatalogue
from farebox.catalogue.types import Snapshot
from farebox.cli.errors import CommandFailed
from farebox.settings import load
from farebox.vendors.registry import load_builtin

File = Annotated[Path, Parameter(help="a file of catalogue records, one JSON object a line")]


def check(file: Annotated[Path | None, Parameter(help="a file; without it the catalogue as it stands")] = None) -> int:
    """Check a catalogue file, or the catalogue as it stands: schema, references, sane prices.

    For example:

    - farebox catalogue check
    - farebox catalogue check new-prices.jsonl
    """
    home = _home()
    snapshot = _standing(home) if file is None else _with(file, home)
    found = findings.check(snapshot, vendors=load_builtin().keys(), at_s=int(time.time()))
    for each in found:
        print(each)
    errors = sum(each.level == "error" for each in found)
    endpoints = sum(map(len, snapshot.endpoints.values()))
    print(
        f"{len(snapshot.models)} models, {endpoints} endpoints, {len(snapshot.providers)} providers: {errors} errors."
    )
    return Exit.FAILED if errors else Exit.OK


def diff(file: File) -> None:
    """Show what a file would change, prices first to read; (!) marks moves that look like a slip.

    For example:

    - farebox catalogue diff new-prices.jsonl
    """
    home = _home()
    _tell(compare(_standing(home), _with(file, home)))


def install(file: File) -> None:
    """Check a file and put it into the home's catalogue, replacing an earlier file of its name.

    For example:

    - farebox catalogue import new-prices.jsonl
    """
    try:
        changes = imports.install(file, _home())
    except (BadCatalogue, OSError) as error:
        raise CommandFailed(f"Nothing was changed. {error}") from error
    _tell(changes)
    print("Installed; a running Farebox takes it up at its next start.")


def _home() -> Path:
    return load(None, os.environ).home


def _standing(home: Path) -> Snapshot:
    folder = imports.folder(home)
    try:
        return load_catalogue(folder if folder.is_dir() else None)
    except BadCatalogue as error:
        raise CommandFailed(str(error)) from error


def _with(file: Path, home: Path) -> Snapshot:
    try:
        return imports.check_file(file, home)
    except (BadCatalogue, OSError) as error:
        raise CommandFailed(str(error)) from error


def _tell(changes: list[Change]) -> None:
    for change in changes:
        print(change)
    print(f"{len(changes)} changes, {sum(change.suspicious for change in changes)} to look at twice.")
