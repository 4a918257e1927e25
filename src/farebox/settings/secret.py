"""Secret values and the error of unusable settings. Refuses to show a secret by accident."""

from collections.abc import Mapping
from pathlib import Path


class SettingsError(Exception):
    """The settings cannot be used; one sentence per problem."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class Secret:
    """A secret value or a reference to one (`env:NAME`, `file:/path`). Never shown by repr, str or format."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    @property
    def label(self) -> str:
        """What may be shown: the reference, or that a value is there."""
        return self._text if self._text.startswith(("env:", "file:")) else "(hidden)"

    def reveal(self, environ: Mapping[str, str]) -> str:
        """The value itself. Raises SettingsError if a reference leads nowhere."""
        kind, _, rest = self._text.partition(":")
        if kind == "env":
            if value := environ.get(rest):
                return value
            raise SettingsError([f"secret env:{rest}: the variable {rest} is not set"])
        if kind == "file":
            try:
                return Path(rest).expanduser().read_text(encoding="utf-8").strip()
            except OSError as error:
                raise SettingsError([f"secret file:{rest}: {error.strerror}"]) from error
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({self.label})"

    def __reduce__(self) -> str:
        raise TypeError("a secret is not pickled")
