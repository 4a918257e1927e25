"""Owns when the tests of the real local model run: always in CI, elsewhere if its packages are installed, and it says so."""

import os

import pytest

from farebox.app.local_model import installed

collect_ignore = [] if installed().complete or os.environ.get("CI") else ["test_real_model.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if collect_ignore:
        terminalreporter.write_line(f"NOT run: the tests of the real local model; {installed().advice}")
