"""One history of the schema for both databases, and a program that knows which one it stands on."""

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from conftest import Opener
from sqlalchemy import Connection, inspect, text

from warnhub.store.dead import list_dead
from warnhub.store.engine import Store
from warnhub.store.migrate import SchemaError, check_store, find_scripts, head_revision, upgrade_store
from warnhub.store.tables import metadata


@pytest.fixture
async def fresh(empty_url: str) -> Any:
    """A database nobody has migrated."""
    store = Store(empty_url)
    yield store
    await store.close()


def differences(connection: Connection) -> list[Any]:
    """What a migration would still have to do."""
    return list(compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata))


def names(connection: Connection) -> set[str]:
    """The tables there are."""
    return set(inspect(connection).get_table_names())


async def test_a_new_database_is_brought_to_the_tables_the_program_knows(fresh: Store) -> None:
    with pytest.raises(SchemaError, match="no schema yet: run `warnhub db upgrade`"):
        await check_store(fresh)
    assert await upgrade_store(fresh) == (None, head_revision())
    await check_store(fresh)
    async with fresh.read() as conn:
        assert await conn.run_sync(names) == set(metadata.tables) | {"alembic_version"}
        assert await conn.run_sync(differences) == []


async def test_a_second_upgrade_does_nothing(store: Store) -> None:
    assert await upgrade_store(store) == (head_revision(), head_revision())


async def test_what_was_buried_in_the_outbox_goes_to_a_table_of_its_own(fresh: Store) -> None:
    await upgrade_store(fresh, "ladder_duty")
    packed = '{"topic": "warning.released", "entry": "{\\"a\\": 1}", "error": "ValueError: no"}'
    async with fresh.write() as tx:
        add = text("INSERT INTO outbox (topic, key, data, at) VALUES (:t, :k, CAST(:d AS json), 1)")
        if tx.conn.dialect.name == "sqlite":
            add = text("INSERT INTO outbox (topic, key, data, at) VALUES (:t, :k, :d, 1)")
        await tx.conn.execute(add, [{"t": "dead", "k": "7", "d": packed}, {"t": "warning.ended", "k": "8", "d": "{}"}])
    await upgrade_store(fresh)
    async with fresh.read() as conn:
        (letter,) = await list_dead(conn)
        assert (letter.topic, letter.key, letter.data, letter.reason) == ("warning.released", "7", '{"a": 1}', "ValueError: no")
        assert [tuple(row) for row in await conn.execute(text("SELECT key, lane FROM outbox"))] == [("8", 4)]


async def test_a_database_of_a_newer_program_is_refused(fresh: Store) -> None:
    await upgrade_store(fresh)
    async with fresh.write() as tx:
        await tx.conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match=r"schema 9999.* made by a newer WarnHub"):
        await check_store(fresh)


async def test_a_migration_that_fails_leaves_nothing_behind(fresh: Store) -> None:
    with pytest.raises(Exception, match="9998"):
        await upgrade_store(fresh, "9998")
    async with fresh.read() as conn:
        assert await conn.run_sync(names) <= {"alembic_version"}


def test_the_migrations_are_found() -> None:
    assert (find_scripts() / "env.py").is_file()


def test_a_database_in_memory_is_refused() -> None:
    for url in ("sqlite://", "sqlite:///:memory:"):
        with pytest.raises(ValueError, match="database_url"):
            Store(url)


async def test_a_transaction_is_whole_or_nothing_and_tells_only_what_was_committed(opened: Opener) -> None:
    store, heard = opened(), []
    store.listeners.append(heard.append)

    async def fill(value: str, broken: bool) -> None:
        async with store.write() as tx:
            await tx.conn.execute(text("INSERT INTO meta (key, value) VALUES (:v, :v)"), {"v": value})
            await tx.publish("topic", value, {"n": 1, "名": "值"})
            tx.wake("other")
            if broken:
                raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await fill("lost", True)
    assert heard == []
    await fill("kept", False)
    assert heard == [{"topic", "other"}]
    async with store.read() as conn:
        assert [row[0] for row in await conn.execute(text("SELECT key FROM outbox"))] == ["kept"]
        assert [row[0] for row in await conn.execute(text("SELECT value FROM meta"))] == ["kept"]


async def test_what_is_read_is_not_kept(store: Store) -> None:
    async with store.read() as conn:
        await conn.execute(text("INSERT INTO meta (key, value) VALUES ('a', 'b')"))
    async with store.read() as conn:
        assert (await conn.execute(text("SELECT 1 FROM meta"))).all() == []


async def test_the_databases_clock_is_milliseconds_unless_a_test_sets_it(opened: Opener) -> None:
    real, set_by_hand = opened(), opened(lambda: 5)
    async with real.read() as conn, set_by_hand.read() as other:
        first, second = await real.now(conn), await real.now(conn)
        assert 1_700_000_000_000 < first <= second < first + 5_000
        assert await set_by_hand.now(other) == 5
