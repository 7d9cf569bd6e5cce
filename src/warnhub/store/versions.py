"""Texts that are kept by version, the policy, the plans, the rules: never changed, only followed by another."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy import Table, select

from warnhub.store.audits import hold_audit
from warnhub.store.engine import Store, Tx

T = TypeVar("T")


async def load_versions(
    store: Store,
    table: Table,
    read: Callable[[str], T],
    add: Callable[[Tx, str, str, str], Awaitable[int]],
    shipped: Callable[[], str],
) -> dict[int, T]:
    """Every version, read; the first is what ships, added once when the database is new, however many processes start on it."""
    known = select(table.c.version, table.c.text).order_by(table.c.version)
    async with store.write() as tx:
        rows = (await tx.conn.execute(known)).all()
        if not rows:
            await hold_audit(tx)
            rows = (await tx.conn.execute(known)).all()
        if rows:
            return {int(row.version): read(row.text) for row in rows}
        return {await add(tx, shipped(), "warnhub", "出厂默认 / as shipped"): read(shipped())}
