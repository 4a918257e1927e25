"""Owns the houses of the SDK tests: one in this process with scripted vendors, one served as a stranger starts it."""

from collections.abc import Iterator

import pytest

from sdk.kitchen import Kitchen, kitchen
from system.served import House as Served


@pytest.fixture(scope="module")
def cooked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kitchen]:
    """A gateway worker with vendors that behave and vendors that fail."""
    with kitchen(tmp_path_factory.mktemp("spool")) as opened:
        yield opened


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The whole product, for what control answers: catalogue, generations, keys."""
    with Served(tmp_path_factory.mktemp("home"), "--demo", "--workers", "1") as running:
        yield running
