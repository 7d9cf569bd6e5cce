"""Runs migrations on the connection it is given (`warnhub db upgrade`), or on WARNHUB_DATABASE_URL (`alembic revision`)."""

import asyncio
import os

from alembic import context
from sqlalchemy.engine import Connection

from warnhub.store.engine import Store
from warnhub.store.tables import metadata


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=connection.dialect.name == "sqlite")
    with context.begin_transaction():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7292211)")
        context.run_migrations()


async def connect() -> None:
    store = Store(os.environ["WARNHUB_DATABASE_URL"])
    async with store.begin() as conn:
        await conn.run_sync(migrate)
    await store.close()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(connect())
