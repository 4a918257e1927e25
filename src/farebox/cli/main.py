"""The command `farebox`: its overview and its entry. Refuses to load anything that an overview does not need."""

import os
import sys
from importlib import import_module

from farebox import __version__
from farebox.app.exits import MEANINGS, Exit

PROLOGUE = """\
Usage: farebox COMMAND …

One API in front of every model, at the provider's own price.

  farebox serve                start: API, site and workers on http://127.0.0.1:8080
  farebox serve --demo         the same with simulated vendors: no keys, no downloads
  farebox models claude        what is in the catalogue
  farebox chat MODEL "Hello!"  talk to a model
  farebox doctor               what is wrong here, and what to do

Commands (each with --help):
"""

EPILOGUE = """
Settings come from farebox.toml in the home ($FAREBOX_HOME, else ~/.farebox), then from the
environment (FAREBOX_SECTION__FIELD), then from options. `farebox config show` prints them all.
Commands that talk to a Farebox use FAREBOX_URL and FAREBOX_API_KEY, else this machine's own.

Exit codes:
"""

COMMANDS = (
    ("serve", "serve:serve", "Start everything on one port."),
    ("gateway", "gateway:gateway", "Start a gateway worker alone, for a control elsewhere."),
    ("control", "control:control", "Start control alone, for gateways elsewhere."),
    ("sims", "sims:sims", "Start simulated vendors that behave on command."),
    ("models", "models:models", "List the models of a running Farebox."),
    ("chat", "chat:chat", "Talk to a model in the terminal."),
    ("doctor", "doctor:doctor", "Check this machine and these settings; say what to do."),
    ("bench", "bench:bench", "Measure against other gateways."),
)
GROUPS = (
    (
        "keys",
        "API keys of a running Farebox.",
        (
            ("create", "keys:create", "Create a key; it is shown once."),
            ("list", "keys:listing", "List the keys."),
            ("revoke", "keys:revoke", "Revoke a key for good."),
        ),
    ),
    (
        "config",
        "Settings.",
        (
            ("show", "config:show", "Print every setting, its value and where it came from."),
            ("check", "config:check", "Check the settings without starting anything."),
        ),
    ),
    (
        "catalogue",
        "Models, endpoints and prices as files.",
        (
            ("check", "catalogue:check", "Check a file, or the catalogue as it stands."),
            ("diff", "catalogue:diff", "Show what a file would change."),
            ("import", "catalogue:install", "Check a file and put it into the home's catalogue."),
        ),
    ),
    (
        "vendor",
        "Technical descriptions of vendors.",
        (
            ("check", "vendor:check", "Print a vendor's description and whether it can be reached."),
            ("list", "vendor:listing", "List vendors and the variable that makes each one live."),
        ),
    ),
)


def overview() -> str:
    """What `farebox --help` prints."""
    rows = [(name, text) for name, _, text in COMMANDS]
    rows += [(f"{group} {name}", text) for group, _, commands in GROUPS for name, _, text in commands]
    width = max(len(name) for name, _ in rows)
    lines = [f"  {name.ljust(width)}  {text}" for name, text in rows]
    codes = [f"  {code.value}  {text}" for code, text in MEANINGS.items()]
    return PROLOGUE + "\n".join(lines) + "\n" + EPILOGUE + "\n".join(codes)


def main() -> None:
    """The entry of the console script."""
    arguments = sys.argv[1:]
    try:
        code = run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output left, as `head` does: nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = Exit.OK
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line; returns the exit code."""
    if not arguments or arguments[0] in {"--help", "-h", "help"}:
        print(overview())
        return Exit.OK if arguments else Exit.USAGE
    if arguments[0] in {"--version", "-V"}:
        print(__version__)
        return Exit.OK
    code: int = import_module("farebox.cli.tree").run(arguments)
    return code


if __name__ == "__main__":
    main()
