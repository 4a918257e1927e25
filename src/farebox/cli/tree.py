"""The tree of commands as cyclopts sees it, and how an end becomes an exit code. Refuses to do the work itself.

Commands are named by import path and loaded when they are called: an overview uses the one-line texts of `main`, and only a
command that is called brings its own documentation.
"""

import io
import sys
from collections.abc import Sequence

from cyclopts import App, CycloptsError, Parameter
from rich.console import Console

from farebox import __version__
from farebox.app.exits import Exit
from farebox.cli.errors import CommandFailed
from farebox.cli.main import COMMANDS, GROUPS, overview
from farebox.settings import SettingsError


def build(called: Sequence[str] = ()) -> App:
    """The tree of commands for this command line."""
    app = App(
        name="farebox",
        version=__version__,
        help_format="plaintext",
        help_formatter="plain",
        help="",
        default_parameter=Parameter(show_default=False, negative_iterable=()),
        exit_on_error=False,
        result_action="return_value",
    )
    _register(app, COMMANDS, called[:1])
    for name, text, commands in GROUPS:
        group = App(name=name, help=text, help_epilogue="")
        _register(group, commands, called[1:2] if called[:1] == [name] else ())
        app.command(group)
    return app


def _register(app: App, commands: Sequence[tuple[str, str, str]], called: Sequence[str]) -> None:
    for name, path, text in commands:
        own = {} if name in called else {"help": text}
        app.command(f"farebox.cli.{path}", name=name, help_epilogue="", **own)


def help_text(words: Sequence[str], *, width: int = 100) -> str:
    """What `farebox WORDS --help` prints, for the documentation."""
    if not words:
        return overview()
    text = io.StringIO()
    console = Console(file=text, width=width, color_system=None, force_terminal=False)
    build(words).help_print(list(words), console=console)
    return "\n".join(line.rstrip() for line in text.getvalue().strip().splitlines())


def run(arguments: list[str]) -> int:
    """Run one command; returns the exit code."""
    try:
        result = build(arguments)(arguments)
    except CycloptsError:
        # cyclopts has printed what is wrong.
        return Exit.USAGE
    except SettingsError as error:
        print("\n".join(error.problems), file=sys.stderr)
        return Exit.CONFIGURATION
    except CommandFailed as error:
        print(error, file=sys.stderr)
        return error.code
    except KeyboardInterrupt:
        return 130
    return result if isinstance(result, int) else Exit.OK
