"""The one place where the state of a delivery changes, and with it its batch, its person and every count.

`advance` takes any mixture of outcomes, receipts and confirmations, in any order and any number of times. A state only rises.

On PostgreSQL several transactions do so at once. Each locks what it changes in one order – the audit (`hold_audit`), the
warning (`hold_warnings`), its tasks, batches, deliveries, people, counts – so that none counts what another is counting, and
no two wait for each other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text

from warnhub.store.counts import Cell, Deltas, Hop, Local
from warnhub.store.engine import Tx
from warnhub.store.losses import UNSAID
from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.states import OPEN, Rank, Stage, effective_rank, implied_rank, person_rank
from warnhub.store.tallies import PEOPLE, add_beats, add_cells, add_hops, bucket_of, move_cell

HOLD = 1 << 40
HOPS = {Rank.ACCEPTED: "handed", Rank.DELIVERED: "delivered", Rank.CONFIRMED: "confirmed"}


@dataclass(frozen=True, slots=True)
class Move:
    """What became of one delivery. `state` is a `Rank`."""

    batch: int
    recipient: int
    state: int
    reason: str | None = None
    code: str | None = None
    provider_id: str | None = None


async def hold_warnings(tx: Tx, numbers: Iterable[int]) -> None:
    """Be the only one, until the commit, who ends these warnings or changes their tasks."""
    if tx.conn.dialect.name != "sqlite":
        for number in sorted(set(numbers)):
            await tx.conn.execute(text("SELECT pg_advisory_xact_lock(CAST(:key AS bigint))"), {"key": HOLD + number})


async def advance(tx: Tx, moves: Iterable[Move], confirmed: Mapping[int, Iterable[int]] | None = None) -> int:
    """Apply `moves`; those that would lower a state change nothing. Gives how many deliveries changed.

    `confirmed` (warning → people) counts people as confirmed whatever became of their messages.
    """
    highest: dict[tuple[int, int], Move] = {}
    for move in moves:
        known = highest.get((move.batch, move.recipient))
        if known is None or move.state > known.state:
            highest[move.batch, move.recipient] = move
    rows = await read_deliveries(tx, highest) if highest else {}
    changed, deltas, closed, hops = sort_moves(rows, highest, tx.now)
    if changed:
        await write_moves(tx, changed)
        await close_rows(tx, closed)
    if changed or confirmed:
        await move_people(tx, rows, changed, confirmed or {}, deltas)
        await add_cells(tx, deltas)
        await add_hops(tx, hops)
    for row in (rows[move.batch, move.recipient] for move in changed if move.state >= Rank.ACCEPTED):
        if row.handed_at is None:
            await add_beats(tx, row.warning_id, row.channel, 1)
    return len(changed)


async def read_deliveries(tx: Tx, keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], Any]:
    """The deliveries named by (batch, recipient) with what their batch and warning say, locked until the commit."""
    lock = "" if tx.conn.dialect.name == "sqlite" else "ORDER BY d.batch_id, d.recipient_id FOR UPDATE OF b, d"
    source = rows_table(tx.conn.dialect.name == "sqlite", batch="int", recipient="int")
    found = await tx.conn.execute(
        text(
            "SELECT d.batch_id, d.recipient_id, d.state, b.state AS stage, b.attempt, b.warning_id, b.channel, b.provider, "
            "b.role, b.town_id, d.handed_at, w.released_at "
            f"FROM {source} AS k JOIN delivery d ON d.batch_id = k.batch AND d.recipient_id = k.recipient "
            f"JOIN batch b ON b.id = d.batch_id JOIN warning w ON w.id = b.warning_id {lock}"
        ),
        {"rows": pack_rows(keys)},
    )
    return {(row[0], row[1]): row for row in found.all()}


def sort_moves(
    rows: dict[tuple[int, int], Any], moves: dict[tuple[int, int], Move], now: int
) -> tuple[list[Move], Deltas, Counter[int], Counter[Hop]]:
    """The moves that raise a state, the counts they change, the batches that lose open rows, and their latencies."""
    changed: list[Move] = []
    deltas: Deltas = Counter()
    closed: Counter[int] = Counter()
    hops: Counter[Hop] = Counter()
    for key, row in rows.items():
        move = moves[key]
        before = effective_rank(row.state, row.stage, row.attempt)
        if move.state <= before:
            continue
        changed.append(move)
        cell = Cell(row.warning_id, row.channel, row.provider, row.role, row.town_id, before)
        move_cell(deltas, cell, move.state)
        if row.state <= OPEN:
            closed[row.batch_id] += 1
        hop = HOPS.get(Rank(move.state))
        if hop:
            since = row.handed_at if hop == "delivered" and row.handed_at else row.released_at
            if since:
                hops[Hop(row.warning_id, row.channel, hop, bucket_of((now - since) / 1000))] += 1
    return changed, deltas, closed, hops


def said_reason(move: Move) -> str | None:
    """Why it failed: what is lost has a reason always, for it is found by it."""
    return move.reason or (UNSAID if move.state in {Rank.FAILED, Rank.UNKNOWN} else None)


async def write_moves(tx: Tx, moves: Sequence[Move]) -> None:
    """Store the new states. An earlier provider id is kept where the move brings none."""
    source = rows_table(
        tx.conn.dialect.name == "sqlite", batch="int", recipient="int", state="int", reason="text", code="text", pid="text"
    )
    packed = pack_rows((m.batch, m.recipient, int(m.state), said_reason(m), m.code, m.provider_id) for m in moves)
    await tx.conn.execute(
        text(
            "UPDATE delivery SET state = k.state, reason = k.reason, code = k.code, "
            "provider_id = coalesce(k.pid, delivery.provider_id), "
            "handed_at = CASE WHEN k.state >= 40 THEN coalesce(delivery.handed_at, :now) ELSE delivery.handed_at END, "
            "settled_at = :now "
            f"FROM {source} AS k "
            "WHERE delivery.batch_id = k.batch AND delivery.recipient_id = k.recipient AND delivery.state < k.state"
        ),
        {"rows": packed, "now": tx.now},
    )


async def close_rows(tx: Tx, closed: Counter[int]) -> None:
    """Take rows with an outcome off their batches' open counts."""
    await tx.conn.execute(
        text("UPDATE batch SET open = open - :n WHERE id = :id"),
        [{"id": batch, "n": n} for batch, n in sorted(closed.items())] or [{"id": -1, "n": 0}],
    )


async def move_people(
    tx: Tx,
    rows: dict[tuple[int, int], Any],
    moves: Sequence[Move],
    confirmed: Mapping[int, Iterable[int]],
    deltas: Deltas,
) -> None:
    """Bring each person's state to the best of their deliveries, and count it."""
    best: dict[int, dict[int, int]] = defaultdict(dict)
    failed: dict[int, set[int]] = defaultdict(set)
    for move in moves:
        warning = rows[move.batch, move.recipient].warning_id
        if move.state == Rank.FAILED:
            failed[warning].add(move.recipient)
        else:
            people = best[warning]
            people[move.recipient] = max(people.get(move.recipient, 0), person_rank(move.state))
    for warning, losers in failed.items():
        best[warning].update(await best_states(tx, warning, losers))
    for warning, people_done in confirmed.items():
        best[warning].update(dict.fromkeys(people_done, int(Rank.CONFIRMED)))
    for warning, states in sorted(best.items()):
        await set_people(tx, warning, states, failed.get(warning, set()), deltas)


async def best_states(tx: Tx, warning: int, people: Iterable[int]) -> dict[int, int]:
    """The best state of each person over all their deliveries of a warning."""
    source = rows_table(tx.conn.dialect.name == "sqlite", recipient="int")
    found = await tx.conn.execute(
        text(
            "SELECT d.recipient_id, d.state, b.state AS stage, b.attempt "
            f"FROM {source} AS k CROSS JOIN wave v JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = k.recipient "
            "JOIN batch b ON b.id = d.batch_id WHERE v.warning_id = :w"
        ),
        {"rows": pack_rows((person,) for person in people), "w": warning},
    )
    best: dict[int, int] = {}
    for row in found:
        rank = effective_rank(row.state, row.stage, row.attempt)
        best[row.recipient_id] = max(best.get(row.recipient_id, 0), person_rank(rank) if rank > OPEN else 0)
    return best


async def set_people(tx: Tx, warning: int, states: dict[int, int], lower: set[int], deltas: Deltas) -> None:
    """Raise people to `states`; those in `lower` may also fall, since their only success was taken back."""
    # The warning is a column of the rows, not a constant: else SQLite walks the warning's whole audience for each row.
    source = rows_table(tx.conn.dialect.name == "sqlite", warning="int", recipient="int")
    lock = "" if tx.conn.dialect.name == "sqlite" else "ORDER BY t.recipient_id FOR UPDATE OF t"
    found = await tx.conn.execute(
        text(
            "SELECT t.recipient_id, t.state, t.role, t.town_id, t.village_id "
            f"FROM {source} AS k JOIN target t ON t.warning_id = k.warning AND t.recipient_id = k.recipient {lock}"
        ),
        {"rows": pack_rows((warning, person) for person in states)},
    )
    changes = []
    for row in found:
        state = states[row.recipient_id]
        if state > row.state or (row.recipient_id in lower and state != row.state and row.state != Rank.CONFIRMED):
            changes.append((warning, row.recipient_id, state))
            move_cell(deltas, Cell(warning, PEOPLE, "", row.role, row.town_id, row.state), state)
            move_cell(deltas, Local(warning, row.village_id, row.state), state)
    if not changes:
        return
    source = rows_table(tx.conn.dialect.name == "sqlite", warning="int", recipient="int", state="int")
    await tx.conn.execute(
        text(
            f"UPDATE target SET state = k.state FROM {source} AS k "
            "WHERE target.warning_id = k.warning AND target.recipient_id = k.recipient"
        ),
        {"rows": pack_rows(changes)},
    )


async def stop_batches(tx: Tx, warning: int, stage: Stage) -> int:
    """Take every batch of a warning that no worker has off the queue, in one statement; gives the deliveries stopped."""
    where = "warning_id = :w AND state = 0"
    found = await tx.conn.execute(
        text(
            f"UPDATE batch SET state = :s WHERE {where} {in_order(tx, where)} "
            "RETURNING channel, provider, role, town_id, attempt, open"
        ),
        {"s": int(stage), "w": warning},
    )
    deltas: Deltas = Counter()
    total = 0
    for row in found:
        cell = Cell(warning, row.channel, row.provider, row.role, row.town_id, implied_rank(Stage.READY, row.attempt))
        move_cell(deltas, cell, implied_rank(stage, row.attempt), row.open)
        total += row.open
    await add_cells(tx, deltas)
    return total


def in_order(tx: Tx, where: str, more: str = "") -> str:
    """The condition that makes a change of many batches lock them in the order of their numbers."""
    if tx.conn.dialect.name == "sqlite":
        return ""
    return f"AND id IN (SELECT id FROM batch WHERE {where} ORDER BY id FOR UPDATE {more})"


async def stop_people(tx: Tx, warning: int, town: int, state: Rank) -> int:
    """Count those of a township whom an ended warning did not reach as `state`; who is in a call just now may still rise."""
    bind = {"w": warning, "t": town, "open": int(OPEN), "s": int(state)}
    lock = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE"
    where = "WHERE warning_id = :w AND town_id = :t AND state <= :open"
    found = await tx.conn.execute(
        text(
            "SELECT role, state, village_id, count(*) AS n "
            f"FROM (SELECT role, state, village_id FROM target {where} {lock}) AS held GROUP BY role, state, village_id"
        ),
        bind,
    )
    deltas: Deltas = Counter()
    for row in found:
        move_cell(deltas, Cell(warning, PEOPLE, "", row.role, town, row.state), state, int(row.n))
        move_cell(deltas, Local(warning, row.village_id, row.state), state, int(row.n))
    if deltas:
        await tx.run_long(text(f"UPDATE target SET state = :s {where}"), bind)
        await add_cells(tx, deltas)
    return sum(n for cell, n in deltas.items() if n > 0 and isinstance(cell, Cell))
