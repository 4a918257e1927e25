"""The command that lists models. Refuses anything but reading the public API."""

import json as json_format
from decimal import Decimal
from typing import Annotated

from cyclopts import Parameter

from farebox.app.exits import Exit
from farebox.cli.client import Client, Json
from farebox.cli.errors import CommandFailed
from farebox.cli.table import table


def models(
    words: Annotated[str, Parameter(help="only models with this in slug or name")] = "",
    *,
    json: bool = False,
    url: Annotated[str | None, Parameter(help="address of the Farebox")] = None,
) -> None:
    """List the models of a running Farebox: slug, context, USD per million tokens.

    For example:

    - farebox models
    - farebox models sonnet
    - farebox models --json | jq '.[].id'

    Parameters
    ----------
    json
        The API's own objects instead of a table.
    """
    found = [each for each in Client(url).call("GET", "/api/v1/models")["data"] if _fits(each, words)]
    if not found:
        raise CommandFailed(
            f"No model has {words!r} in its slug or name." if words else "The catalogue is empty.", Exit.FAILED
        )
    if json:
        print(json_format.dumps(found, indent=2))
        return
    rows = [
        (
            each["id"],
            _context(each.get("context_length")),
            _price(each, "prompt"),
            _price(each, "completion"),
            each["name"],
        )
        for each in found
    ]
    print(table(("MODEL", "CONTEXT", "IN/M", "OUT/M", "NAME"), rows))


def _fits(model: Json, words: str) -> bool:
    return words.lower() in model["id"].lower() or words.lower() in model["name"].lower()


def _context(tokens: int | None) -> str:
    if tokens is None:
        return "-"
    return f"{tokens // 1000}k" if tokens >= 1000 else str(tokens)


def _price(model: Json, side: str) -> str:
    text = (model.get("pricing") or {}).get(side)
    if text is None or str(text).startswith("-"):
        return "-"
    return f"{(Decimal(str(text)) * 1_000_000).normalize():f}"
