"""Opening a home: lock, secrets, store, migrations, the owner. Refuses a home that another control holds."""

from pathlib import Path
from types import TracebackType

from sqlalchemy import Connection

from farebox.accounts import commands, keys
from farebox.storage import migrate
from farebox.storage.home import HomeLock, prepare, secret, write_private
from farebox.storage.port import Store
from farebox.storage.sqlite import SqliteStore

DATABASE = "farebox.db"
PEPPER = "pepper"
LINK_TOKEN = "link.token"  # noqa: S105 - the name of a file
OWNER_KEY = "owner.key"


class House:
    """An opened home. `owner_key` is the raw first key: only right after it was made, or if the home keeps it."""

    def __init__(self, home: Path, *, keep_owner_key: bool, now_ms: int) -> None:
        self.home = prepare(home)
        self._lock = HomeLock(self.home)
        try:
            self.pepper = secret(self.home / PEPPER)
            self.link_token = secret(self.home / LINK_TOKEN).hex()
            self.store: Store = SqliteStore(self.home / DATABASE)
            try:
                self.schema = migrate.upgrade(self.store)
                self.owner_key, self.founded = self._found(keep_owner_key=keep_owner_key, now_ms=now_ms)
            except BaseException:
                self.store.close()
                raise
        except BaseException:
            self._lock.release()
            raise

    def close(self) -> None:
        self.store.close()
        self._lock.release()

    def __enter__(self) -> "House":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _found(self, *, keep_owner_key: bool, now_ms: int) -> tuple[str | None, bool]:
        path = self.home / OWNER_KEY

        def found(tx: Connection) -> commands.NewKey | None:
            new = commands.found_house(tx, self.pepper, now_ms)
            if new is not None and keep_owner_key:
                # Before the commit: a crash in between leaves a file that the next start replaces, never a lost key.
                write_private(path, new.secret.encode() + b"\n")
            return new

        new = self.store.write_now(found)
        return (read_owner_key(self.home), False) if new is None else (new.secret, True)


def read_owner_key(home: Path) -> str | None:
    """The raw first key of a home that keeps it (a development start), else None."""
    try:
        text = (home / OWNER_KEY).read_text("ascii").strip()
    except FileNotFoundError:
        return None
    return text if keys.parse(text) is not None else None
