"""Addresses: which are dead, and whose an address is."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Tx
from warnhub.store.rows import pack_rows, rows_table

MOST = 5_000
KINDS = {"voice": "sms"}
"""A call goes to the number that short messages go to."""


def address_kind(channel: str) -> str:
    """Which of a person's addresses a channel uses."""
    return KINDS.get(channel, channel)


async def mark_bad(tx: Tx, found: Iterable[tuple[int, int, str]]) -> None:
    """Never try these again: (batch, recipient, the provider's code). The reason is kept with the address."""
    source = rows_table(tx.conn.dialect.name == "sqlite", batch="int", recipient="int", code="text")
    await tx.conn.execute(
        text(
            "UPDATE address SET bad = k.code, updated_at = :now "
            f"FROM {source} AS k JOIN delivery d ON d.batch_id = k.batch AND d.recipient_id = k.recipient "
            "WHERE address.id = d.address_id AND address.bad IS NULL"
        ),
        {"rows": pack_rows(found), "now": tx.now},
    )


async def opt_out(tx: Tx, blinds: Sequence[bytes], code: str) -> None:
    """A person told the provider: never again. The address is marked; the person stays reachable in other ways."""
    for blind in blinds:
        await tx.conn.execute(
            text("UPDATE address SET bad = :c, updated_at = :now WHERE blind = :b"), {"c": code, "now": tx.now, "b": blind}
        )


async def find_owners(conn: AsyncConnection, blinds: Sequence[bytes]) -> dict[bytes, list[int]]:
    """Whose each address is, by its blind index; one number may belong to several people."""
    found: dict[bytes, list[int]] = {}
    for start in range(0, len(blinds), MOST):
        part = tuple(blinds[start : start + MOST])
        # The driver's own form: to compile a statement with a name for each costs more than to run it.
        if conn.dialect.name == "sqlite":
            wanted: tuple[Any, ...] = part
            where = f"IN ({', '.join('?' * len(part))})"
        else:
            where, wanted = "= ANY($1::bytea[])", (part,)
        rows = await conn.exec_driver_sql(f"SELECT blind, recipient_id FROM address WHERE blind {where}", wanted)
        for row in rows.mappings():
            found.setdefault(bytes(row["blind"]), []).append(int(row["recipient_id"]))
    return found
