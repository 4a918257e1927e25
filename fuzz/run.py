"""Owns the process that fuzzes one target under atheris; refuses inputs that take too long, as it does exceptions."""

import importlib
import sys
import time

import atheris

from fuzz import TARGETS

SLOW_S = 0.25  # instrumented code is several times slower; the corpus is replayed against the real bound


class TooSlow(Exception):
    """An input cost more processor time than any may."""


def main() -> None:
    target = sys.argv[1]
    assert target in TARGETS
    with atheris.instrument_imports(include=["farebox"]):
        one = importlib.import_module(f"fuzz.{target}").one

    def timed(data: bytes) -> None:
        begin = time.process_time()
        one(data)
        spent = time.process_time() - begin
        if spent > SLOW_S:
            begin = time.process_time()
            one(data)  # a first input pays for lazy imports
            spent = min(spent, time.process_time() - begin)
            if spent > SLOW_S:
                raise TooSlow(f"{spent:.3f} s for {len(data)} bytes")

    atheris.Setup([sys.argv[0], *sys.argv[2:]], timed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
