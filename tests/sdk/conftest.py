"""Owns the houses of the SDK tests: one in this process with scripted vendors, one served as a stranger starts it."""

import os
import shutil
from collections.abc import Iterator

import pytest

from sdk.kitchen import Kitchen, kitchen
from system.served import House as Served

# In CI a missing Node is a failure; elsewhere the rest of the tests is worth running without it.
_NODE = shutil.which("npm") is not None and shutil.which("node") is not None
collect_ignore = [] if _NODE or os.environ.get("CI") else ["test_openai_node.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line("NOT run: the tests of the Node SDK; node or npm is missing")


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
