"""Exit codes of every Farebox process and command. Refuses to be renumbered: scripts depend on them."""

from enum import IntEnum


class Exit(IntEnum):
    """The number a process ends with."""

    OK = 0
    FAILED = 1  # it was tried and did not work; the reason is on the standard error
    USAGE = 2  # the command line is wrong
    CONFIGURATION = 3  # the settings are wrong
    TAKEN = 4  # the home or the port belongs to another process
    INCOMPLETE = 5  # something that is needed is not installed or did not start
    UNREACHABLE = 6  # no Farebox answers at that address


MEANINGS = {
    Exit.OK: "done",
    Exit.FAILED: "it was tried and did not work",
    Exit.USAGE: "the command line is wrong",
    Exit.CONFIGURATION: "the settings are wrong",
    Exit.TAKEN: "the home or the port belongs to another process",
    Exit.INCOMPLETE: "something needed is not installed or did not start",
    Exit.UNREACHABLE: "no Farebox answers at that address",
}

# A child that ends with one of these would end the same way at every further start.
FINAL = frozenset({Exit.USAGE, Exit.CONFIGURATION, Exit.TAKEN, Exit.INCOMPLETE})
