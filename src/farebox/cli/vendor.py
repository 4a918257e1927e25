"""Commands about vendors' technical descriptions. Refuses to send anything to a vendor."""

import os

from farebox.app.exits import Exit
from farebox.cli.errors import CommandFailed
from farebox.cli.table import table
from farebox.settings import load
from farebox.vendors.check import check as report_on
from farebox.vendors.registry import load_builtin


def check(name: str) -> int:
    """Print a vendor's description as it holds, and whether it can be reached from here.

    For example:

    - farebox vendor check deepseek
    """
    vendors = load_builtin()
    if name not in vendors:
        near = ", ".join(slug for slug in vendors if name in slug)
        raise CommandFailed(f"No vendor is called {name!r}." + (f" Near: {near}." if near else ""))
    report = report_on(vendors[name], load(None, os.environ).vendor_environ(os.environ))
    width = max(len(field) for field, _ in report.lines)
    for field, value in report.lines:
        print(f"{field.ljust(width)}  {value}")
    print(f"{'live'.ljust(width)}  {'yes' if report.live else 'no: ' + report.problem}")
    return Exit.OK if report.live else Exit.FAILED


def listing(*, live: bool = False) -> None:
    """List vendors and the environment variable that makes each one live.

    For example:

    - farebox vendor list
    - farebox vendor list --live

    Parameters
    ----------
    live
        Only those that can be called from here.
    """
    environ = load(None, os.environ).vendor_environ(os.environ)
    rows = []
    for slug, vendor in sorted(load_builtin().items()):
        report = report_on(vendor, environ)
        if report.live or not live:
            rows.append((slug, vendor.name, vendor.dialect, vendor.auth.secret or "-", "yes" if report.live else "no"))
    print(table(("VENDOR", "NAME", "DIALECT", "VARIABLE", "LIVE"), rows))
