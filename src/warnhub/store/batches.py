"""Batches: claimed as one row, given back as one row; after a crash whoever had no outcome is unknown."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.counts import Cell, Deltas
from warnhub.store.engine import Tx
from warnhub.store.ledger import in_order, set_people
from warnhub.store.states import Rank, Stage, implied_rank
from warnhub.store.tallies import add_cells, move_cell
from warnhub.store.warnings import LIVING, STAGES

COLUMNS = "id, wave_id, warning_id, channel, round, provider, role, town_id, lane, size, open, attempt, trace"


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
    trace: str | None = None


class Line(NamedTuple):
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
                    "AND warning_id NOT IN (SELECT warning_id FROM pause) "
                    f"ORDER BY rank, id LIMIT 1 {skip}) RETURNING {COLUMNS}"
                ),
                {"node": node, "until": tx.now + lease_ms, "p": provider, "lane": lane, "now": tx.now},
            )
        ).first()
        if row:
            batch = Batch(*row)
            if batch.attempt == 1 and batch.open:
                deltas: Deltas = Counter()
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
    return [Line._make(row) for row in found.all()]


async def finish_batch(tx: Tx, batch: int, due_at: int | None, note: str = "") -> None:
    """Close a batch whose rows all have an outcome; or give it back, behind fresh ones, to be tried at `due_at`."""
    if due_at is None:
        await tx.conn.execute(
            text("UPDATE batch SET state = 2, lease_until = NULL, note = :n WHERE id = :b AND state = 1"),
            {"b": batch, "n": note},
        )
        return
    stage = await next_stage(tx, batch)
    row = (
        await tx.conn.execute(
            text(
                "UPDATE batch SET state = CASE WHEN open > 0 THEN :s ELSE 2 END, lease_until = NULL, due_at = :due, "
                f"ready_at = :now, rank = 90, note = :n WHERE id = :b AND state = 1 RETURNING {COLUMNS}"
            ),
            {"b": batch, "due": due_at, "now": tx.now, "n": note, "s": int(stage)},
        )
    ).first()
    if row and stage is not Stage.READY:
        left = Batch(*row)
        deltas: Deltas = Counter()
        cell = Cell(left.warning, left.channel, left.provider, left.role, left.town, Rank.SENDING)
        move_cell(deltas, cell, implied_rank(stage, left.attempt), left.open)
        await add_cells(tx, deltas)
    tx.wake("batch")


async def next_stage(tx: Tx, batch: int) -> Stage:
    """Ready again, or whatever the end of its warning has made of the others; that end waits for this transaction."""
    lock = "" if tx.conn.dialect.name == "sqlite" else "FOR SHARE OF w"
    state = await tx.conn.scalar(
        text(f"SELECT w.state FROM batch b JOIN warning w ON w.id = b.warning_id WHERE b.id = :b {lock}"), {"b": batch}
    )
    return Stage.READY if state == LIVING else STAGES.get(str(state), Stage.SUPERSEDED)


async def renew_leases(tx: Tx, node: str, lease_ms: int) -> None:
    """Keep what this worker holds."""
    where = "leased_by = :node AND state = 1"
    await tx.conn.execute(
        text(f"UPDATE batch SET lease_until = :until WHERE {where} {in_order(tx, where)}"),
        {"until": tx.now + lease_ms, "node": node},
    )


async def lose_batches(tx: Tx, everything: bool = False) -> list[int]:
    """Declare unknown whoever is in a batch whose worker is gone. `everything`: no worker was left by the last process."""
    where = "state = 1" if everything else "state = 1 AND lease_until < :now"
    found = await tx.conn.execute(
        text(
            f"UPDATE batch SET state = :s, lease_until = NULL, note = 'lease lost' WHERE {where} "
            f"{in_order(tx, where, 'SKIP LOCKED')} RETURNING {COLUMNS}"
        ),
        {"s": int(Stage.LOST)} | ({} if everything else {"now": tx.now}),
    )
    batches = sorted((Batch(*row) for row in found), key=lambda batch: batch.id)
    deltas: Deltas = Counter()
    people: dict[int, dict[int, int]] = defaultdict(dict)
    for batch in batches:
        cell = Cell(batch.warning, batch.channel, batch.provider, batch.role, batch.town, Rank.SENDING)
        move_cell(deltas, cell, Rank.UNKNOWN, batch.open)
        rows = await tx.conn.execute(
            text("SELECT recipient_id FROM delivery WHERE batch_id = :b AND state <= 10"), {"b": batch.id}
        )
        people[batch.warning] |= dict.fromkeys((int(row[0]) for row in rows), int(Rank.UNKNOWN))
    for warning, states in sorted(people.items()):
        await set_people(tx, warning, states, set(), deltas)
    await add_cells(tx, deltas)
    return [batch.id for batch in batches]


async def age_lanes(tx: Tx, minutes: int = 10) -> int:
    """Raise what has waited long by one lane, never above orange: strict order without starvation."""
    where = "state = 0 AND lane > 2 AND due_at <= :now AND ready_at < :old"
    result = await tx.conn.execute(
        text(f"UPDATE batch SET lane = lane - 1, ready_at = :now WHERE {where} {in_order(tx, where, 'SKIP LOCKED')}"),
        {"now": tx.now, "old": tx.now - minutes * 60_000},
    )
    return result.rowcount
