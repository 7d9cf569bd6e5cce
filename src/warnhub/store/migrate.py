"""Migrations: from the source tree's `alembic/`, or from the copy that a wheel carries."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

import warnhub
from warnhub.store import ground, works  # noqa: F401 - their tables belong to the schema
from warnhub.store.engine import Store


class SchemaError(Exception):
    """The database is not at the schema this program knows; the message says what to do."""


def find_scripts() -> Path:
    """The folder of migrations."""
    home = Path(warnhub.__file__).resolve().parent
    for folder in (home.parents[1] / "alembic", home.parent / "warnhub_migrations"):
        if (folder / "env.py").exists():
            return folder
    raise SchemaError("the migrations are not installed beside warnhub; install it again")


def make_config(connection: Connection | None = None) -> Config:
    """Alembic's settings, for one connection."""
    config = Config()
    config.set_main_option("script_location", str(find_scripts()).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """The newest revision this program knows."""
    return ScriptDirectory.from_config(make_config()).get_current_head() or ""


def current_revision(connection: Connection) -> str | None:
    """The revision a database is at; None if it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


async def upgrade_store(store: Store, revision: str = "head") -> tuple[str | None, str]:
    """Migrate to `revision`; gives (from, to)."""

    def run(connection: Connection) -> tuple[str | None, str]:
        before = current_revision(connection)
        command.upgrade(make_config(connection), revision)
        return before, current_revision(connection) or ""

    async with store.begin() as conn:
        return await conn.run_sync(run)


async def check_store(store: Store) -> None:
    """Raise `SchemaError` unless the database is at the newest revision."""
    async with store.read() as conn:
        found = await conn.run_sync(current_revision)
    wanted = await asyncio.to_thread(head_revision)
    if found is None:
        raise SchemaError("the database has no schema yet: run `warnhub db upgrade`")
    if found != wanted:
        known = {script.revision for script in ScriptDirectory.from_config(make_config()).walk_revisions()}
        todo = "run `warnhub db upgrade`" if found in known else "it was made by a newer WarnHub: install that one"
        raise SchemaError(f"the database is at schema {found}, this program needs {wanted}: {todo}")
