"""When a provider cannot carry on: it stops, an incident says why, and what waits for it goes to another of the channel.

Only whole batches move: one that has outcomes stays, so that each delivery is counted under the provider that had it.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.channels import Provider
from warnhub.port import SendError
from warnhub.store import tables
from warnhub.store.audits import add_audit
from warnhub.store.counts import Cell, Deltas
from warnhub.store.engine import Tx
from warnhub.store.ledger import in_order
from warnhub.store.states import Stage, implied_rank
from warnhub.store.tallies import add_cells


async def stop_provider(tx: Tx, provider: Provider, siblings: Sequence[Provider], error: SendError) -> None:
    """Open an incident (once) and move what can be moved."""
    known = await tx.conn.scalar(
        text("SELECT id FROM incident WHERE provider = :p AND code = :c AND closed_at IS NULL"),
        {"p": provider.name, "c": error.code},
    )
    await pass_on(tx, provider, siblings)
    if known is None:
        await tx.conn.execute(
            insert(tables.incident).values(
                kind="config", provider=provider.name, code=error.code, detail=error.detail, opened_at=tx.now
            )
        )
        await add_audit(tx, "policy", "provider.stopped", provider.name, {"code": error.code})


async def pass_on(tx: Tx, provider: Provider, siblings: Sequence[Provider]) -> None:
    """Give what waits for a stopped provider to the first of its channel that carries the same."""
    heir = next((sibling for sibling in siblings if covers(sibling, provider)), None)
    if heir is not None:
        await move_batches(tx, provider.name, heir.name)


def covers(sibling: Provider, provider: Provider) -> bool:
    """Whether `sibling` carries every kind of address that `provider` does."""
    theirs = sibling.settings.routes
    return not theirs or (bool(provider.settings.routes) and set(provider.settings.routes) <= set(theirs))


async def move_batches(tx: Tx, old: str, new: str) -> int:
    """Give what waits for one provider to another; the counts follow."""
    where = "provider = :old AND state = 0 AND open = size"
    rows = await tx.conn.execute(
        text(
            f"UPDATE batch SET provider = :new WHERE {where} {in_order(tx, where)} "
            "RETURNING warning_id, channel, role, town_id, attempt, open"
        ),
        {"old": old, "new": new},
    )
    deltas: Deltas = Counter()
    total = 0
    for row in rows:
        cell = Cell(row.warning_id, row.channel, old, row.role, row.town_id, implied_rank(Stage.READY, row.attempt))
        deltas[cell] -= row.open
        deltas[cell._replace(provider=new)] += row.open
        total += row.open
    await add_cells(tx, deltas)
    tx.wake("batch")
    return total


async def open_incidents(conn: AsyncConnection) -> dict[str, str]:
    """Providers that are stopped: name → code."""
    rows = await conn.execute(text("SELECT provider, code FROM incident WHERE closed_at IS NULL AND kind = 'config'"))
    return {row.provider: row.code for row in rows}


async def close_incident(tx: Tx, number: int, actor: str) -> str | None:
    """An operator says it is put right; gives the provider."""
    row = (
        await tx.conn.execute(
            text(
                "UPDATE incident SET closed_at = :now, closed_by = :a WHERE id = :id AND closed_at IS NULL RETURNING provider"
            ),
            {"now": tx.now, "a": actor, "id": number},
        )
    ).first()
    if row is None:
        return None
    await add_audit(tx, actor, "incident.close", str(number), {"provider": row.provider, "before": "open", "after": "closed"})
    return str(row.provider)
