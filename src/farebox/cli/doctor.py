"""The command that examines this machine. Refuses to change anything."""

import os
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from farebox.app.doctor import Verdict, examine
from farebox.app.exits import Exit

MARKS = {Verdict.GOOD: "ok  ", Verdict.NOTE: "note", Verdict.BAD: "BAD "}


def doctor(
    *, config: Annotated[Path | None, Parameter(help="settings file instead of `farebox.toml` in the home")] = None
) -> int:
    """Check this machine and these settings; every finding says what to do. Ends with 1 if something is bad.

    For example:

    - farebox doctor
    """
    findings = examine(config, os.environ)
    for finding in findings:
        print(f"{MARKS[finding.verdict]}  {finding.subject}: {finding.what}")
        if finding.remedy:
            print(f"      -> {finding.remedy}")
    bad = sum(finding.verdict is Verdict.BAD for finding in findings)
    print(f"\n{bad} to mend." if bad else "\nNothing to mend.")
    return Exit.FAILED if bad else Exit.OK
