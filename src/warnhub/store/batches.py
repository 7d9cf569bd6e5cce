"""Batches: claimed as one row, given back as one row; after a crash whoever had no outcome is unknown."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Tx
from warnhub.store.ledger import set_people
from warnhub.store.states import Rank, Stage
from warnhub.store.tallies import Cell, add_cells, move_cell

COLUMNS = "id, wave_id, warning_id, channel, round, provider, role, town_id, lane, size, open, attempt"


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch in a worker's hand. `attempt` counts from 1; `open` is how many have no outcome yet."""

    id: int
    wave: int
    warning: int
    channel: str
    round: int
    provider: str
    role: str
    town: int
    lane: int
    size: int
    open: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Line:
    """One recipient of a batch, with the sealed address."""

    recipient: int
    address: bytes
    language: str
    blocked: str | None


async def claim_batch(tx: Tx, provider: str, lanes: Sequence[int], node: str, lease_ms: int) -> Batch | None:
    """Lease the most urgent batch that is due for `provider`: by lane, then responsible people first, then age."""
    skip = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE SKIP LOCKED"
    for lane in lanes:
        row = (
            await tx.conn.execute(
                text(
                    "UPDATE batch SET state = 1, attempt = attempt + 1, leased_by = :node, lease_until = :until WHERE id = ("
                    "SELECT id FROM batch WHERE provider = :p AND state = 0 AND lane = :lane AND due_at <= :now "
                    f"ORDER BY rank, id LIMIT 1 {skip}) RETURNING {COLUMNS}"
                ),
                {"node": node, "until": tx.now + lease_ms, "p": provider, "lane": lane, "now": tx.now},
            )
        ).first()
        if row:
            batch = Batch(*row)
            if batch.attempt == 1 and batch.open:
                deltas: Counter[Cell] = Counter()
                cell = Cell(batch.warning, batch.channel, batch.provider, batch.role, batch.town, Rank.PLANNED)
                move_cell(deltas, cell, Rank.SENDING, batch.open)
                await add_cells(tx, deltas)
            return batch
    return None


async def read_lines(conn: AsyncConnection, batch: int) -> list[Line]:
    """The recipients of a batch that have no outcome yet, in one query."""
    found = await conn.execute(
        text(
            "SELECT d.recipient_id, a.value, r.language, CASE WHEN a.bad IS NOT NULL THEN 'bad-address' "
            "WHEN r.gone_at IS NOT NULL THEN 'gone' WHEN r.opt_out AND r.role = 'resident' THEN 'opt-out' END AS blocked "
            "FROM delivery d JOIN address a ON a.id = d.address_id JOIN recipient r ON r.id = d.recipient_id "
            "WHERE d.batch_id = :b AND d.state <= 10 ORDER BY d.recipient_id"
        ),
        {"b": batch},
    )
    return [Line(*row) for row in found]


async def finish_batch(tx: Tx, batch: int, due_at: int | None, note: str = "") -> None:
    """Close a batch whose rows all have an outcome; or give it back, behind fresh ones, to be tried at `due_at`."""
    if due_at is None:
        await tx.conn.execute(
            text("UPDATE batch SET state = 2, lease_until = NULL, note = :n WHERE id = :b AND state = 1"),
            {"b": batch, "n": note},
        )
        return
    await tx.conn.execute(
        text(
            "UPDATE batch SET state = CASE WHEN open > 0 THEN 0 ELSE 2 END, lease_until = NULL, due_at = :due, "
            "ready_at = :now, rank = 90, note = :n WHERE id = :b AND state = 1"
        ),
        {"b": batch, "due": due_at, "now": tx.now, "n": note},
    )
    tx.wake("batch")


async def renew_leases(tx: Tx, node: str, lease_ms: int) -> None:
    """Keep what this worker holds."""
    await tx.conn.execute(
        text("UPDATE batch SET lease_until = :until WHERE leased_by = :node AND state = 1"),
        {"until": tx.now + lease_ms, "node": node},
    )


async def lose_batches(tx: Tx, everything: bool = False) -> list[int]:
    """Declare unknown whoever is in a batch whose worker is gone. `everything`: no worker was left by the last process."""
    late = "" if everything else "AND lease_until < :now"
    found = await tx.conn.execute(
        text(f"SELECT {COLUMNS} FROM batch WHERE state = 1 {late}"), {} if everything else {"now": tx.now}
    )
    batches = [Batch(*row) for row in found]
    deltas: Counter[Cell] = Counter()
    for batch in batches:
        cell = Cell(batch.warning, batch.channel, batch.provider, batch.role, batch.town, Rank.SENDING)
        move_cell(deltas, cell, Rank.UNKNOWN, batch.open)
        people = await tx.conn.execute(
            text("SELECT recipient_id FROM delivery WHERE batch_id = :b AND state <= 10"), {"b": batch.id}
        )
        await set_people(tx, batch.warning, dict.fromkeys((row[0] for row in people), int(Rank.UNKNOWN)), set(), deltas)
        await tx.conn.execute(
            text("UPDATE batch SET state = :s, lease_until = NULL, note = 'lease lost' WHERE id = :b"),
            {"s": int(Stage.LOST), "b": batch.id},
        )
    await add_cells(tx, deltas)
    return [batch.id for batch in batches]


async def age_lanes(tx: Tx, minutes: int = 10) -> int:
    """Raise what has waited long by one lane, never above orange: strict order without starvation."""
    result = await tx.conn.execute(
        text(
            "UPDATE batch SET lane = lane - 1, ready_at = :now "
            "WHERE state = 0 AND lane > 2 AND due_at <= :now AND ready_at < :old"
        ),
        {"now": tx.now, "old": tx.now - minutes * 60_000},
    )
    return result.rowcount
