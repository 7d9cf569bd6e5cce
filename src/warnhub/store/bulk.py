"""Many rows at a time, the same on SQLite and PostgreSQL."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

import orjson
from sqlalchemy import ARRAY, ColumnElement, Table, any_, func, insert, literal, select, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase

Rows = Sequence[tuple[Any, ...]]


async def insert_rows(conn: AsyncConnection, table: Table, columns: Sequence[str], rows: Rows) -> None:
    """Insert `rows`, whose values stand in the order of `columns`."""
    await run_many(conn, insert(table), columns, rows)


async def run_many(conn: AsyncConnection, statement: UpdateBase, names: Sequence[str], rows: Rows) -> None:
    """Run `statement` once for each row; a row's values stand in the order of its parameters' `names`.

    The driver is given tuples, because a dictionary for each row costs more than the row itself.
    """
    if not rows:
        return
    columns = [name for name in names if name in statement.table.c]
    compiled = statement.compile(dialect=conn.dialect, column_keys=columns)
    assert isinstance(compiled, SQLCompiler)
    wanted = compiled.positiontup or []
    if wanted != list(names):
        order = itemgetter(*[names.index(name) for name in wanted])
        rows = [order(row) for row in rows]
    await conn.exec_driver_sql(compiled.string, list(rows))


async def take_ids(conn: AsyncConnection, table: Table, count: int) -> Sequence[int]:
    """`count` unused ids of `table`, rising; on SQLite they hold only within this transaction, which is the only writer."""
    if conn.dialect.name == "sqlite":
        first = (await conn.scalar(select(func.max(table.c.id))) or 0) + 1
        return range(first, first + count)
    drawn = text("SELECT nextval(pg_get_serial_sequence(:name, 'id')) FROM generate_series(1, :count)")
    return sorted((await conn.scalars(drawn, {"name": table.name, "count": count})).all())


def among(conn: AsyncConnection, column: ColumnElement[Any], values: Sequence[Any]) -> ColumnElement[bool]:
    """`column` is one of `values`, however many, as one parameter."""
    if conn.dialect.name == "sqlite":
        each = func.json_each(orjson.dumps(values).decode()).table_valued("value")
        return column.in_(select(each.c.value))
    return column == any_(literal(list(values), ARRAY(column.type)))
