"""The command that says where the benchmark is. Refuses to measure: the programs to compare with are no dependency."""

from farebox.app.exits import Exit
from farebox.cli.errors import CommandFailed


def bench() -> int:
    """Measure: direct, nginx, Farebox and LiteLLM side by side.

    The benchmark lives in the source checkout, because it needs programs that no installed package should bring.

    For example:

    - ./dev bench
    """
    raise CommandFailed("The benchmark is part of the source checkout: run `./dev bench` there.", Exit.INCOMPLETE)
