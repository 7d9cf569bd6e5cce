"""People are found by a name's beginning, a number's last four digits or their code, and by an index always."""

import pytest
from sqlalchemy import event, text
from town import County

from warnhub.console.directory import find_people


async def found(county: County, words: str, most: int = 30) -> list[str]:
    """The codes of those found, in order."""
    async with county.store.read() as conn:
        return [one.ref for one in await find_people(conn, words, most)]


async def test_by_name_number_and_code(county: County) -> None:
    rows = await county.rows(
        "SELECT r.ref, r.name, r.role, a.tail FROM recipient r JOIN address a ON a.recipient_id = r.id "
        "AND a.channel = 'sms' WHERE r.gone_at IS NULL ORDER BY r.id"
    )
    one = rows[0]
    for start in (one.name, one.name[:1]):
        named = await county.rows("SELECT ref FROM recipient WHERE name LIKE :s AND gone_at IS NULL", s=f"{start}%")
        assert set(await found(county, start)) == {row.ref for row in named}
    assert set(await found(county, one.tail)) == {row.ref for row in rows if row.tail == one.tail}
    assert await found(county, one.ref) == [one.ref]
    assert await found(county, one.name + "他") == []
    assert await found(county, "%") == []
    assert len(await found(county, one.name[:1], 1)) == 1


async def test_who_answers_for_others_stands_first(county: County) -> None:
    async with county.store.write() as tx:
        await tx.conn.execute(text("UPDATE recipient SET name = '同名人' WHERE kind = 'person'"))
    roles = await county.rows("SELECT ref, role FROM recipient")
    role = {row.ref: row.role for row in roles}
    listed = [role[ref] == "resident" for ref in await found(county, "同名")]
    assert True in listed
    assert listed == sorted(listed)


@pytest.mark.parametrize("words", ["王", "0591", "P-1"])
async def test_nobody_is_looked_at_who_is_not_found(county: County, words: str) -> None:
    """The plan reads no table of people from end to end."""
    asked: list[tuple[str, object]] = []
    async with county.store.read() as conn:
        if conn.dialect.name != "sqlite":
            pytest.skip("a table of ten people is read whole by PostgreSQL, rightly")
        engine = conn.sync_connection.engine if conn.sync_connection else None
        event.listen(engine, "before_cursor_execute", lambda *said: asked.append((said[2], said[3])))
        await find_people(conn, words)
        (query, bind) = asked[-1]
        plan = [str(row[3]) for row in await conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}", bind)]
    assert [line for line in plan if line.startswith("SCAN") and ("recipient" in line or "address" in line)] == []
    assert any("ix_recipient_name" in line or "ix_address_tail" in line for line in plan)
