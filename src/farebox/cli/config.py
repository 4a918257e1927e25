"""Commands that show and check settings. Refuses to reveal a secret."""

import os
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from farebox.cli.table import table
from farebox.settings import Secret, fields, resolve

Config = Annotated[Path | None, Parameter(help="settings file instead of `farebox.toml` in the home")]


def show(*, config: Config = None, explain: bool = False) -> None:
    """Print every setting, its value and where the value came from.

    For example:

    - farebox config show
    - farebox config show --explain
    - FAREBOX_SERVER__PORT=9000 farebox config show

    Parameters
    ----------
    explain
        What each setting means, too.
    """
    resolved = resolve(config, os.environ)
    rows = []
    for field in fields():
        value: object = resolved.settings
        for name in field.key.split("."):
            value = getattr(value, name)
        row = (field.key, text_of(value), resolved.sources[field.key])
        rows.append((*row, field.description) if explain else row)
    head = ("SETTING", "VALUE", "SOURCE")
    print(table((*head, "MEANING") if explain else head, rows))


def check(*, config: Config = None) -> None:
    """Check the settings without starting anything.

    For example:

    - farebox config check --config /etc/farebox.toml
    """
    resolved = resolve(config, os.environ)
    resolved.settings.vendor_environ(os.environ)
    print(f"The settings are good ({resolved.file or 'no file'}).")


def text_of(value: object) -> str:
    """A value for the terminal; secrets as their references."""
    if isinstance(value, bool | None):
        return "-" if value is None else str(value).lower()
    if isinstance(value, dict):
        return ", ".join(f"{key} = {text_of(each)}" for key, each in value.items()) or "-"
    if isinstance(value, tuple):
        return ", ".join(text_of(each) for each in value) or "-"
    if isinstance(value, Secret):
        return value.label
    if isinstance(value, msgspec.Struct):
        shown = {name: getattr(value, name) for name in value.__struct_fields__}
        return (
            "{" + ", ".join(f"{name} = {text_of(each)}" for name, each in shown.items() if each not in (None, ())) + "}"
        )
    return str(value)
