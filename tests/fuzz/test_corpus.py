"""Owns the replay of the fuzz corpus: nothing breaks, nothing takes long. Refuses wall clocks: processor time is counted."""

import importlib
import time
from pathlib import Path

import pytest

from fuzz import TARGETS
from house.source import ROOT

CORPUS = ROOT / "fuzz" / "corpus"
BAR_S = 0.050
TRIES = 3


def _inputs(target: str) -> list[Path]:
    return sorted(path for path in (CORPUS / target).iterdir() if path.is_file())


def test_every_target_has_a_module_and_seeds() -> None:
    folders = {path.name for path in CORPUS.iterdir()}
    assert folders == set(TARGETS)
    for target in TARGETS:
        assert callable(importlib.import_module(f"fuzz.{target}").one)
        assert len(_inputs(target)) >= 5


@pytest.mark.parametrize("target", TARGETS)
def test_the_corpus_holds(target: str) -> None:
    one = importlib.import_module(f"fuzz.{target}").one
    for path in _inputs(target):
        data = path.read_bytes()
        spent = []
        for _ in range(TRIES):
            begin = time.process_time()
            one(data)
            spent.append(time.process_time() - begin)
            if spent[-1] <= BAR_S:
                break
        assert min(spent) <= BAR_S, f"{path.name}: {min(spent):.3f} s of processor time"
