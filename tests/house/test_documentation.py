"""Owns that the documentation tells the truth: generated pages are fresh, links lead somewhere, examples parse."""

import ast
import json
import re
import tomllib
from pathlib import Path

import pytest

from house.source import ROOT, text, tracked
from tools import docs

LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)\s]*)?\)")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = tracked("*.md")


@pytest.mark.parametrize("name", docs.PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    page = docs.REFERENCE / name
    assert page.read_text(encoding="utf-8") == docs.tidy(docs.PAGES[name]()), "run ./dev docs"


def test_every_setting_says_what_it_means() -> None:
    assert not [field.key for field in docs.fields() if not field.description]


def test_every_error_says_something() -> None:
    silent = [leaf.__name__ for leaf in docs.leaves(docs.FareboxError) if not leaf.public.endswith((".", "…'."))]
    assert not silent


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [
        target for target in LINK.findall(text(page)) if "://" not in target and not target.startswith("mailto:")
    ]
    assert not [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_examples_parse(page: Path) -> None:
    readers = {"python": ast.parse, "json": json.loads, "toml": tomllib.loads}
    for language, block in BLOCK.findall(text(page)):
        if language in readers:
            readers[language](block)


def test_the_readme_opens_with_the_two_commands() -> None:
    opening = text(ROOT / "README.md")[:1200]
    assert "./dev run" in opening
    assert "./dev test" in opening


def test_every_package_is_on_the_map() -> None:
    page = text(ROOT / "ARCHITECTURE.md")
    packages = [path.name for path in (ROOT / "src" / "farebox").iterdir() if (path / "__init__.py").exists()]
    assert not [name for name in packages if f"`{name}`" not in page]
