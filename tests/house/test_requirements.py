"""Owns the locked requirements: pinned, hashed, without hosts, and wide enough for what the project declares."""

import re
import tomllib

import pytest

from house.source import ROOT, text

FILES = ("build", "run", "dev", "local")
ENTRY = re.compile(r"^([a-z0-9._-]+(?:\[[a-z,]+\])?)==([^ ;]+)", re.MULTILINE)


def _pins(name: str) -> dict[str, str]:
    return dict(ENTRY.findall(text(ROOT / "requirements" / f"{name}.txt")))


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found.group().lower().replace("_", "-")


@pytest.mark.parametrize("name", FILES)
def test_each_requirement_is_pinned_and_hashed(name: str) -> None:
    entries = re.split(r"\n(?=\S)", text(ROOT / "requirements" / f"{name}.txt").strip())
    assert len(entries) == len(_pins(name))
    for entry in entries:
        assert ENTRY.match(entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry


@pytest.mark.parametrize("name", FILES)
def test_no_host_and_no_option_is_named(name: str) -> None:
    body = text(ROOT / "requirements" / f"{name}.txt")
    assert not re.search(r"://|@ |^-(?!-hash)|^--", body, re.MULTILINE)


def test_what_is_declared_is_locked() -> None:
    project = tomllib.loads(text(ROOT / "pyproject.toml"))
    declared = {_name(item) for item in project["project"]["dependencies"]}
    assert declared <= _pins("run").keys()
    assert declared | {_name(item) for item in project["dependency-groups"]["dev"]} <= _pins("dev").keys()
    assert {_name(item) for item in project["build-system"]["requires"]} <= _pins("build").keys()
    assert {_name(item) for item in project["project"]["optional-dependencies"]["local"]} <= _pins("local").keys()


def test_development_runs_on_what_users_run_on() -> None:
    run, dev = _pins("run"), _pins("dev")
    assert {name: dev.get(name) for name in run} == run
