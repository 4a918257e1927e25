"""Bring a store's schema to the newest version. Refuses to go backwards and to touch a store of a newer Farebox."""

from pathlib import Path

from sqlalchemy import Connection, inspect

from farebox.ir.errors import Unavailable
from farebox.storage import sql
from farebox.storage.port import Store

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(store: Store) -> str:
    """Run every missing migration in one transaction; the version then reached."""
    return store.write_now(run)


def run(tx: Connection) -> str:
    known = versions()
    sql.serialise(tx, sql.MIGRATING)
    present = _present(tx)
    if present is not None and present not in known:
        raise Unavailable(f"The store was written by a newer Farebox (schema {present}).")
    if present != known[-1]:
        _upgrade(tx)
    return known[-1]


def versions() -> list[str]:
    """Every version there is, oldest first: the numbers that the files of `migrations/versions` begin with."""
    return sorted(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def _present(tx: Connection) -> str | None:
    if not inspect(tx).has_table("alembic_version"):
        return None
    found: str | None = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return found


def _upgrade(tx: Connection) -> None:
    # Imported here: Alembic brings a template engine and a highlighter, a quarter of a second that no later start needs.
    from alembic.config import Config  # noqa: PLC0415
    from alembic.runtime.environment import EnvironmentContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    with EnvironmentContext(config, scripts, fn=lambda revision, _: scripts._upgrade_revs("head", revision)) as context:
        context.configure(connection=tx, target_metadata=None, transactional_ddl=False)
        context.run_migrations()
