"""The house that API tests ask. Refuses to live longer than one test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from api_house import Asked, opened
from farebox.accounts import commands


def _other(tx: Connection) -> None:
    commands.create_organisation(tx, "other", "Other", 1)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Asked]:
    with opened(tmp_path) as found:
        found.house.store.write_now(_other)
        yield found
