"""The command that starts simulated vendors. Refuses to know their options: they belong to the simulators."""

from typing import Annotated

from cyclopts import Parameter

from farebox.sims.command import main


def sims(*arguments: Annotated[str, Parameter(allow_leading_hyphen=True)]) -> int:
    """Start simulated vendors that behave on command: every fault, delay and odd stream, for demos and tests.

    All options belong to the simulators: `farebox sims --list` prints the faults, `farebox sims -- --help` the options.

    For example:

    - farebox sims --port 8099
    - farebox sims --demo
    - farebox sims --scenario outage.toml
    """
    return main(list(arguments))
