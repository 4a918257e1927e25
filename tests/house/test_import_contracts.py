"""Owns the directions in which modules may import each other; refuses to state them twice (they stand in pyproject.toml)."""

import subprocess
import sys
import tomllib
from pathlib import Path

from house.source import PACKAGE, ROOT, text


def test_the_contracts_hold() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_every_package_stands_on_a_floor() -> None:
    contracts = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["importlinter"]["contracts"]
    floors = next(contract for contract in contracts if contract["type"] == "layers")
    placed = {name.strip() for layer in floors["layers"] for name in layer.split("|")} | {*floors["exhaustive_ignores"]}
    packages = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()}
    assert packages <= placed


def _loaded_by(module: str) -> set[str]:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return {name.split(".")[0] for name in done.stdout.split()}


def test_a_gateway_worker_loads_neither_a_database_nor_a_web_framework() -> None:
    loaded = _loaded_by("farebox.gateway.worker")
    assert not loaded & {"sqlalchemy", "sqlite3", "alembic", "starlette", "uvicorn", "jinja2", "cyclopts"}


def test_the_command_line_starts_without_loading_the_house() -> None:
    loaded = _loaded_by("farebox.cli.main")
    assert not loaded & {"sqlalchemy", "alembic", "starlette", "uvicorn", "jinja2", "uvloop"}
