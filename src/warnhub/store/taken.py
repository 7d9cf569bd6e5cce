"""What a provider took: the ledger's commonest change, made by sets of rows and not row by row.

`take` is `ledger.advance` for the one case that a fan-out is made of: deliveries of one batch that have no outcome yet and are
accepted together. It changes the same rows, counts and latencies, under the same locks in the same order, and lowers nothing.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text

from warnhub.store.counts import Cell, Deltas, Hop, Local
from warnhub.store.engine import Tx
from warnhub.store.states import OPEN, Rank, implied_rank
from warnhub.store.tallies import PEOPLE, add_beats, add_cells, add_hops, bucket_of, move_cell

TAKEN = Rank.ACCEPTED
SET = (
    "UPDATE delivery SET state = :s, provider_id = coalesce({pid}, delivery.provider_id), "
    "handed_at = coalesce(delivery.handed_at, :now), settled_at = :now "
)
# An array, not a join: a table that was filled a second ago has no statistics, and a hash of it would be made for each batch.
THEIRS = "WHERE warning_id = :w AND recipient_id = ANY({who}) AND state < :s"
HOLD = (
    "SELECT state, village_id, count(*) FROM (SELECT state, village_id FROM target {theirs} ORDER BY recipient_id FOR UPDATE) "
    "AS held GROUP BY state, village_id"
)
ALL = "SELECT recipient_id FROM delivery WHERE batch_id = :b AND state = :s"


@dataclass(frozen=True, slots=True)
class Part:
    """Deliveries of one batch that a provider took.

    `people`: who, beside the provider's id for each; None is every delivery of the batch without an outcome, all under
    `provider_id`, as a call for many gives it.
    """

    batch: int
    provider_id: str | None = None
    people: Sequence[int] | None = None
    ids: Sequence[str | None] = ()


async def take(tx: Tx, *parts: Part) -> int:
    """Record parts of one batch, those by name before the rest; gives how many deliveries changed: all but those of which more
    is known by now."""
    if not parts:
        return 0
    head = await hold_head(tx, parts[0].batch)
    before = implied_rank(head.stage, head.attempt)
    if before >= TAKEN:
        return 0
    count = sum([await raise_deliveries(tx, part) for part in parts])
    if count:
        await tx.conn.execute(text("UPDATE batch SET open = open - :n WHERE id = :b"), {"n": count, "b": parts[0].batch})
        deltas: Deltas = Counter()
        move_cell(deltas, Cell(head.warning_id, head.channel, head.provider, head.role, head.town_id, before), TAKEN, count)
        for state, village, n in await raise_people(tx, head.warning_id, parts):
            move_cell(deltas, Local(head.warning_id, village, state), TAKEN, n)
            move_cell(deltas, Cell(head.warning_id, PEOPLE, "", head.role, head.town_id, state), TAKEN, n)
        await add_cells(tx, deltas)
        await add_beats(tx, head.warning_id, head.channel, count)
        if head.released_at:
            hop = Hop(head.warning_id, head.channel, "handed", bucket_of((tx.now - head.released_at) / 1000))
            await add_hops(tx, Counter({hop: count}))
    return count


async def hold_head(tx: Tx, batch: int) -> Any:
    """What the deliveries of a batch share, locked until the commit."""
    lock = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE OF b"
    found = await tx.conn.execute(
        text(
            "SELECT b.state AS stage, b.attempt, b.warning_id, b.channel, b.provider, b.role, b.town_id, w.released_at "
            f"FROM batch b JOIN warning w ON w.id = b.warning_id WHERE b.id = :b {lock}"
        ),
        {"b": batch},
    )
    return found.one()


async def raise_deliveries(tx: Tx, part: Part) -> int:
    """The deliveries themselves; gives how many."""
    bind: dict[str, Any] = {"s": int(TAKEN), "open": int(OPEN), "now": tx.now}
    if part.people is None:
        pid = ":pid" if tx.conn.dialect.name == "sqlite" else "CAST(:pid AS text)"
        changed = f"{SET.format(pid=pid)} WHERE batch_id = :b AND state <= :open"
        return int((await tx.conn.execute(text(changed), bind | {"b": part.batch, "pid": part.provider_id})).rowcount)
    source, more = listed(tx, part.batch, part.people, part.ids)
    changed = (
        f"{SET.format(pid='k.pid')} FROM {source} AS k "
        "WHERE delivery.batch_id = k.batch AND delivery.recipient_id = k.person AND delivery.state <= :open"
    )
    return int((await tx.conn.execute(text(changed), bind | more)).rowcount)


def listed(tx: Tx, batch: int, people: Sequence[int], ids: Sequence[str | None]) -> tuple[str, dict[str, Any]]:
    """A table of (batch, person, pid), with what it binds.

    The batch is a column of it, not a constant beside it: else SQLite walks the whole batch for each row.
    """
    ids = ids or [None] * len(people)
    if tx.conn.dialect.name == "sqlite":
        table = "(SELECT value ->> 0 AS batch, value ->> 1 AS person, value ->> 2 AS pid FROM json_each(:people))"
        return table, {"people": orjson.dumps([(batch, *pair) for pair in zip(people, ids, strict=True)]).decode()}
    listing = "unnest(CAST(:people AS bigint[]), CAST(:ids AS text[])) AS listed(person, pid)"
    return f"(SELECT CAST(:b AS bigint) AS batch, person, pid FROM {listing})", {
        "b": batch,
        "people": list(people),
        "ids": list(ids),
    }


async def raise_people(tx: Tx, warning: int, parts: Sequence[Part]) -> Sequence[tuple[int, int, int]]:
    """Bring the people behind them to the same state at least; gives (state before, village, how many)."""
    bind: dict[str, Any] = {"w": warning, "s": int(TAKEN)}
    whole = any(part.people is None for part in parts)
    people = [person for part in parts for person in part.people or ()]
    if tx.conn.dialect.name == "sqlite":
        who = ALL if whole else "SELECT value FROM json_each(:people)"
        bind |= {"b": parts[0].batch} if whole else {"people": orjson.dumps(people).decode()}
        where = f"WHERE warning_id = :w AND recipient_id IN ({who}) AND state < :s"
        query = f"SELECT state, village_id, count(*) FROM target {where} GROUP BY state, village_id"
        rows = [(int(state), int(village), int(n)) for state, village, n in await tx.conn.execute(text(query), bind)]
        if rows:
            await tx.conn.execute(text(f"UPDATE target SET state = :s {where}"), bind)
        return rows
    who = f"ARRAY({ALL})" if whole else "CAST(:people AS bigint[])"
    bind |= {"b": parts[0].batch} if whole else {"people": people}
    theirs = THEIRS.format(who=who)
    held = await tx.conn.execute(text(HOLD.format(theirs=theirs)), bind)
    rows = [(int(state), int(village), int(n)) for state, village, n in held]
    if rows:
        await tx.conn.execute(text(f"UPDATE target SET state = :s {theirs}"), bind)
    return rows
