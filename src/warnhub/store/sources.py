"""Polled sources: who polls which, what each mirror last said, and what became of every entry."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.elsewhere import forget_elsewhere
from warnhub.store.engine import Store, Tx
from warnhub.store.mirrors import polled

ATTEMPTS = 5
KEEP = 14 * 86_400_000


@dataclass(frozen=True, slots=True)
class Mirror:
    """What one address of a source last said. `failures` since it last answered well."""

    source: str
    url: str
    etag: str
    modified: str
    asked_at: int
    good_at: int | None
    failures: int
    error: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """An entry in hand. `body` is empty where it must be fetched from `key`."""

    id: int
    key: str
    body: bytes
    attempts: int


async def hold_source(store: Store, name: str, node: str, lease: int) -> bool:
    """Be the only one who polls it for `lease` milliseconds; False if another node is."""
    async with store.write() as tx:
        result = await tx.conn.execute(
            text(
                "INSERT INTO source (name, node, lease_until) VALUES (:s, :n, :until) ON CONFLICT (name) DO UPDATE SET "
                "node = excluded.node, lease_until = excluded.lease_until WHERE source.node = :n OR source.lease_until < :now"
            ),
            {"s": name, "n": node, "until": tx.now + lease, "now": tx.now},
        )
        return bool(result.rowcount)


async def read_mirror(conn: AsyncConnection, name: str, url: str) -> Mirror | None:
    """What that address last said."""
    query = text("SELECT * FROM mirror WHERE source = :s AND url = :u")
    row = (await conn.execute(query, {"s": name, "u": url})).first()
    return Mirror(*row) if row else None


async def list_mirrors(conn: AsyncConnection) -> list[Mirror]:
    """All of them."""
    return [Mirror(*row) for row in await conn.execute(text("SELECT * FROM mirror ORDER BY source, url"))]


MIRROR = (
    "INSERT INTO mirror (source, url, etag, modified, asked_at, good_at, failures, error) "
    "VALUES (:s, :u, :etag, :modified, :now, :good, :failures, :error) ON CONFLICT (source, url) DO UPDATE SET "
)


async def note_good(tx: Tx, name: str, url: str, marks: tuple[str, str] | None) -> None:
    """It answered; `marks` are tag and time of what it now says, None if that has not changed."""
    kept = "etag = excluded.etag, modified = excluded.modified, " if marks is not None else ""
    etag, modified = marks or ("", "")
    await tx.conn.execute(
        text(f"{MIRROR}{kept}asked_at = :now, good_at = :now, failures = 0, error = ''"),
        {"s": name, "u": url, "etag": etag, "modified": modified, "now": tx.now, "good": tx.now, "failures": 0, "error": ""},
    )


async def note_bad(store: Store, name: str, url: str, error: str) -> None:
    """It did not answer, or with what is no feed. Nothing else follows from that."""
    async with store.write() as tx:
        await tx.conn.execute(
            text(f"{MIRROR}asked_at = :now, failures = mirror.failures + 1, error = excluded.error"),
            {"s": name, "u": url, "etag": "", "modified": "", "now": tx.now, "good": None, "failures": 1, "error": error[:500]},
        )


async def add_entries(tx: Tx, name: str, entries: Sequence[Any]) -> int:
    """Put down what has not been seen; gives how many that is. What was seen is seen again."""
    new = 0
    for entry in entries:
        bind = {"s": name, "k": entry.key, "m": entry.mark, "b": entry.body, "now": tx.now}
        known = await tx.conn.execute(
            text("UPDATE polled SET seen_at = :now WHERE source = :s AND key = :k AND mark = :m"),
            {name: value for name, value in bind.items() if name != "b"},
        )
        if not known.rowcount:
            new += 1
            await tx.conn.execute(
                text(
                    "INSERT INTO polled (source, key, mark, body, state, attempts, due_at, seen_at) "
                    "VALUES (:s, :k, :m, :b, 'waiting', 0, :now, :now)"
                ),
                bind,
            )
    return new


async def claim_entries(store: Store, name: str, most: int) -> list[Waiting]:
    """Entries that are due, with this attempt counted before it is made: one that kills us is not tried for ever."""
    async with store.write() as tx:
        spent = {"title": f"not done in {ATTEMPTS} attempts", "status": 500, "errors": []}
        waiting = (polled.c.source == name) & (polled.c.state == "waiting")
        await tx.conn.execute(
            polled.update()
            .where(waiting, polled.c.attempts >= ATTEMPTS, polled.c.due_at <= tx.now)
            .values(state="parked", problem=spent)
        )
        rows = (
            await tx.conn.execute(
                text(
                    "SELECT id, key, body, attempts FROM polled WHERE source = :s AND state = 'waiting' AND due_at <= :now "
                    f"ORDER BY id LIMIT {int(most)}"
                ),
                {"s": name, "now": tx.now},
            )
        ).all()
        for row in rows:
            due = tx.now + 60_000 * 2**row.attempts
            await tx.conn.execute(
                text("UPDATE polled SET attempts = attempts + 1, due_at = :due WHERE id = :id"), {"due": due, "id": row.id}
            )
    return [Waiting(int(row.id), row.key, bytes(row.body), int(row.attempts) + 1) for row in rows]


async def settle_entry(store: Store, number: int, state: str, problem: dict[str, Any] | None) -> None:
    """What became of an entry: taken, elsewhere (it concerns other counties), over (it had expired), waiting (again later) or
    parked."""
    async with store.write() as tx:
        await tx.conn.execute(
            polled.update()
            .where(polled.c.id == number)
            .values(state=state, problem=problem, body=b"" if state in DONE else polled.c.body)
        )


DONE = frozenset(("taken", "over", "elsewhere"))


async def forget_entries(store: Store, name: str) -> None:
    """Drop what is done with and has long not been in the feed."""
    async with store.write() as tx:
        await tx.conn.execute(
            text("DELETE FROM polled WHERE source = :s AND state IN ('taken', 'over', 'elsewhere') AND seen_at < :old"),
            {"s": name, "old": tx.now - KEEP},
        )
        await forget_elsewhere(tx, name)


async def count_parked(conn: AsyncConnection) -> dict[str, int]:
    """Entries that wait for a person, by source."""
    found = await conn.execute(text("SELECT source, count(*) AS n FROM polled WHERE state = 'parked' GROUP BY source"))
    return {row.source: int(row.n) for row in found}


async def list_parked(conn: AsyncConnection, most: int = 100) -> list[Any]:
    """Those entries with their problems, the newest first."""
    columns = (polled.c.id, polled.c.source, polled.c.key, polled.c.attempts, polled.c.problem)
    query = (
        polled.select().with_only_columns(*columns).where(polled.c.state == "parked").order_by(polled.c.id.desc()).limit(most)
    )
    return list((await conn.execute(query)).all())


async def retry_parked(tx: Tx, name: str) -> int:
    """Try them all again, as if for the first time; gives how many."""
    result = await tx.conn.execute(
        text("UPDATE polled SET state = 'waiting', attempts = 0, due_at = :now WHERE source = :s AND state = 'parked'"),
        {"now": tx.now, "s": name},
    )
    return int(result.rowcount)
