"""How a command says that it did not work. Refuses tracebacks for what a person can mend."""

from farebox.app.exits import Exit


class CommandFailed(Exception):
    """One sentence for the person, and the exit code."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        self.code = code
        super().__init__(message)
