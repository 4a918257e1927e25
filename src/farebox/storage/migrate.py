"""Bring a store's schema to the newest version. Refuses to go backwards and to touch a store of a newer Farebox."""

from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from farebox.ir.errors import Unavailable
from farebox.storage import sql
from farebox.storage.port import Store

MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(store: Store) -> str:
    """Run every missing migration in one transaction; the version then reached."""
    return store.write_now(run)


def run(tx: Connection) -> str:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    newest = scripts.get_current_head()
    sql.serialise(tx, sql.MIGRATING)
    present = MigrationContext.configure(tx).get_current_revision()
    known = {script.revision for script in scripts.walk_revisions()}
    if present is not None and present not in known:
        raise Unavailable(f"The store was written by a newer Farebox (schema {present}).")
    if present != newest:
        with EnvironmentContext(
            config, scripts, fn=lambda revision, _: scripts._upgrade_revs("head", revision)
        ) as context:
            context.configure(connection=tx, target_metadata=None, transactional_ddl=False)
            context.run_migrations()
    return str(newest)
