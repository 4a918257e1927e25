"""Owns how house tests read the checkout: tracked files, parsed modules, where a finding stands. Refuses opinions."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "farebox"


@cache
def tracked(*patterns: str) -> tuple[Path, ...]:
    """Files of the repository as git lists them (new ones that are not ignored included)."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    return tuple(sorted(path for name in names if name and (path := ROOT / name).is_file()))


@cache
def text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text(path), str(path))


def product() -> Iterator[tuple[str, ast.Module]]:
    """Every module of the product: its path below src/farebox and its syntax tree."""
    for path in tracked("src/farebox/*.py"):
        yield path.relative_to(PACKAGE).as_posix(), tree(path)


def python() -> Iterator[tuple[str, ast.Module]]:
    """Every Python module of the repository, tests and tools included."""
    for path in tracked("*.py"):
        yield path.relative_to(ROOT).as_posix(), tree(path)


def functions(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def docstrings(module: ast.Module) -> set[int]:
    """The identities of the constants that are docstrings or bare strings, which explain and do not act."""
    return {
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }
