"""Owns what a module offers: every one imports quietly, and what it lists as public exists."""

import ast
import subprocess
import sys

from house.source import ROOT, product


def _modules() -> list[str]:
    names = [path.removesuffix(".py").replace("/", ".").removesuffix(".__init__") for path, _ in product()]
    entry_points = {"__main__", "env"}  # these run when imported: that is their purpose
    return [
        "farebox" if name == "__init__" else f"farebox.{name}"
        for name in names
        if name.split(".")[-1] not in entry_points
    ]


def test_every_module_imports_quietly() -> None:
    names = [name for name in _modules() if ".versions." not in name]
    code = "import importlib, sys, warnings; warnings.simplefilter('error'); [importlib.import_module(n) for n in sys.argv[1:]]"
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_listed_names_are_sorted_and_exist() -> None:
    for path, module in product():
        bound = {
            name
            for node in ast.walk(module)
            for name in (
                [alias.asname or alias.name.split(".")[0] for alias in node.names]
                if isinstance(node, ast.Import | ast.ImportFrom)
                else [node.name]
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                else [node.id]
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
                else []
            )
        }
        for node in module.body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                listed = ast.literal_eval(node.value)
                assert list(listed) == sorted(listed), path
                assert set(listed) <= bound, path
