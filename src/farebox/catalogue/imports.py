"""Importing a catalogue file: checked against everything it will stand beside, then put in place in one step. Refuses a bad
file as a whole; what held before still holds.
"""

import os
from pathlib import Path

from farebox.catalogue.diff import Change, diff
from farebox.catalogue.load import build, builtin_records, load, overlay, refuse_duplicates
from farebox.catalogue.records import read_file
from farebox.catalogue.types import Snapshot

FOLDER = "catalogue"


def folder(home: Path) -> Path:
    """Where imported files live."""
    return home / FOLDER


def check_file(path: Path, home: Path | None = None) -> Snapshot:
    """The catalogue as it would be with this file in it. Raises `BadCatalogue` with file and line."""
    new = read_file(path)
    refuse_duplicates(new)
    standing = builtin_records()
    if home is not None and folder(home).is_dir():
        others = [each for each in sorted(folder(home).glob("*.jsonl")) if each.name != installed_name(path)]
        standing = overlay(standing, [record for each in others for record in read_file(each)])
    return build(overlay(standing, new))


def install(path: Path, home: Path) -> list[Change]:
    """Check a file and put it into the home's catalogue, in place of an earlier one of its name; what that changes."""
    before = load(folder(home) if folder(home).is_dir() else None)
    after = check_file(path, home)
    place = folder(home) / installed_name(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    fresh = place.with_suffix(f".{os.getpid()}.tmp")
    with fresh.open("wb") as file:
        file.write(path.read_bytes())
        file.flush()
        os.fsync(file.fileno())
    read_file(fresh)
    fresh.replace(place)
    return diff(before, after)


def installed_name(path: Path) -> str:
    """The name under which a file is kept."""
    return f"{path.stem}.jsonl"
