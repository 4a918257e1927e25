"""Owns the rules every test runs under: loopback only, an order drawn from a printed seed; refuses fixtures of one package."""

import os
import random
import socket
from ipaddress import ip_address

import pytest

SEED_VARIABLE = "FAREBOX_TEST_SEED"
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


class OutsideWorld(RuntimeError):
    """A test wanted to reach another machine."""


def _loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # a Unix socket
    host = str(address[0])
    if host in {"", "localhost"}:
        return True
    try:
        return ip_address(host.split("%", maxsplit=1)[0]).is_loopback
    except ValueError:
        return False


def _guarded_connect(self: socket.socket, address: object) -> None:
    if not _loopback(address):
        raise OutsideWorld(f"tests reach loopback addresses only, not {address!r}")
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: object) -> int:
    if not _loopback(address):
        raise OutsideWorld(f"tests reach loopback addresses only, not {address!r}")
    return _connect_ex(self, address)


def pytest_configure(config: pytest.Config) -> None:
    """Close the way out, choose the seed of the order, and forget the credentials of whoever runs the tests."""
    socket.socket.connect = _guarded_connect  # type: ignore[method-assign]
    socket.socket.connect_ex = _guarded_connect_ex  # type: ignore[method-assign]
    config.stash[_SEED] = int(os.environ.get(SEED_VARIABLE, random.SystemRandom().randrange(1, 1_000_000)))
    for name in [name for name in os.environ if name.endswith("_API_KEY") or name.startswith("FAREBOX_")]:
        if name != SEED_VARIABLE:
            del os.environ[name]


_SEED = pytest.StashKey[int]()


def pytest_report_header(config: pytest.Config) -> str:
    return f"order seed: {config.stash[_SEED]} (repeat with {SEED_VARIABLE})"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if terminalreporter.stats.get("failed") or terminalreporter.stats.get("error"):
        terminalreporter.write_line(f"order seed: {config.stash[_SEED]} (repeat with {SEED_VARIABLE})")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Shuffle the modules, and the tests within each: module fixtures are still made once."""
    draw = random.Random(config.stash[_SEED])
    modules: dict[str, list[pytest.Item]] = {}
    for item in items:
        modules.setdefault(item.nodeid.split("::")[0], []).append(item)
    groups = list(modules.values())
    draw.shuffle(groups)
    for group in groups:
        draw.shuffle(group)
    items[:] = [item for group in groups for item in group]
