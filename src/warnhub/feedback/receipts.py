"""Receipts: kept raw first, joined to their deliveries in any order and any number of times, forward only.

A receipt finds its delivery by our own reference, or by the provider's id together with the address. One that finds none yet
(it came before our commit) waits in the table and is joined by the sweeper.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import text

from warnhub.crypto import KeyRing, read_reference
from warnhub.monitor.metrics import ORPHANS, REPORTS
from warnhub.port import Reason, Report
from warnhub.store.addresses import address_kind, find_owners, mark_bad, opt_out
from warnhub.store.engine import Store, Tx
from warnhub.store.group import Group
from warnhub.store.ledger import Move, advance
from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.states import RANKS

PART = 5_000
TOGETHER = 3_000
"""Reports of one transaction."""
WINDOW = 3 * 24 * 3_600_000
COLUMNS = {
    **{"provider": "text", "key": "text", "state": "smallint", "wave_id": "bigint", "recipient_id": "bigint"},
    **{"provider_id": "text", "blind": "bytea", "reason": "text", "code": "text", "detail": "text", "reply": "text"},
    **{"said_at": "bigint", "at": "bigint"},
}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """A report as it came, with the provider that sent it."""

    provider: str
    report: Report


class Receipts:
    """Takes reports. `take` returns after they are kept."""

    def __init__(self, store: Store, keys: KeyRing) -> None:
        self.store = store
        self.keys = keys
        self.group: Group[Sequence[Taken], None] = Group(store, self.keep, most=TOGETHER, size=len)
        self.swept = 0

    async def take(self, provider: str, reports: Sequence[Report]) -> None:
        """Keep and join reports of one call-back."""
        taken = [Taken(provider, report) for report in reports]
        await self.group.put_all([taken[start : start + TOGETHER] for start in range(0, len(taken), TOGETHER)])

    async def keep(self, tx: Tx, groups: Sequence[Sequence[Taken]]) -> Sequence[None]:
        """Keep the new ones, join what can be joined."""
        taken = [item for group in groups for item in group]
        rows = []
        for item in taken:
            wave, recipient = read_reference(item.report.reference) or (call_wave(item.report.group), None)
            blind = (
                self.keys.blind(address_kind(channel_of(item.provider)), item.report.address) if item.report.address else None
            )
            rows.append(receipt_row(item, wave, recipient, blind, tx.now))
        await set_aside(tx, taken, rows)
        fresh = await insert_new(tx, rows)
        await self.join(tx, fresh)
        await free_lines(tx, taken)
        await self.apply_optouts(tx, taken)
        for row in fresh:
            if row["reply"]:
                await tx.publish("reply.came", str(row["id"]))
        return [None] * len(groups)

    async def apply_optouts(self, tx: Tx, taken: Sequence[Taken]) -> None:
        """Who said stop is not called again."""
        blinds = [
            self.keys.blind(address_kind(channel_of(item.provider)), item.report.address)
            for item in taken
            if item.report.opt_out and item.report.address
        ]
        if blinds:
            await opt_out(tx, blinds, "opt-out")

    async def join(self, tx: Tx, rows: Sequence[dict[str, Any]]) -> int:
        """Join receipts to deliveries and advance them; gives how many found theirs."""
        stated = [row for row in rows if row["state"] is not None]
        found = await self.locate(tx, stated)
        moves = [
            Move(*place, row["state"], row["reason"], row["code"], row["provider_id"])
            for row in stated
            for place in found.get(row["id"], [])
        ]
        await advance(tx, moves)
        dead = [(m.batch, m.recipient, m.code or "recipient") for m in moves if m.reason == Reason.RECIPIENT]
        if dead:
            await mark_bad(tx, dead)
        done = [(row["id"],) for row in rows if row["state"] is None or row["id"] in found]
        if done:
            source = rows_table(tx.conn.dialect.name == "sqlite", id="int")
            await tx.conn.execute(
                text(f"UPDATE receipt SET joined = 1 WHERE id IN (SELECT id FROM {source} AS k)"), {"rows": pack_rows(done)}
            )
        said = Counter((row["provider"], "joined" if row["id"] in found else "waiting") for row in rows)
        for (provider, result), n in said.items():
            REPORTS.labels(provider, result).inc(n)
        return len(found)

    async def locate(self, tx: Tx, rows: Sequence[dict[str, Any]]) -> dict[int, list[tuple[int, int]]]:
        """Receipt id → (batch, recipient); several where a call went to people who share an address."""
        blinds = sorted({row["blind"] for row in rows if row["blind"] is not None})
        owners = await find_owners(tx.conn, blinds)
        wanted: list[tuple[int, int, int]] = []
        loose: list[dict[str, Any]] = []
        for row in rows:
            people = owners.get(row["blind"], []) if row["blind"] is not None else []
            named = row["recipient_id"]
            if row["wave_id"] is not None and named is not None and (named in people or not people):
                wanted.append((row["id"], row["wave_id"], named))
            elif row["wave_id"] is not None and people:
                # One reference may cover a whole call: the address says who.
                wanted += [(row["id"], row["wave_id"], person) for person in people]
            elif row["provider_id"] and people:
                loose.append(row)
        return await by_wave(tx, wanted) | await by_provider(tx, loose, owners)

    async def sweep(self) -> int:
        """Join receipts that came before their delivery was recorded; those of three days ago are given up and counted.

        A part at a time, so that a flood of strangers' receipts holds nobody's up.
        """
        async with self.store.write() as tx:
            found = await tx.conn.execute(
                text(
                    "SELECT id, provider, state, wave_id, recipient_id, provider_id, blind, reason, code FROM receipt "
                    f"WHERE joined = 0 AND id > :after ORDER BY id LIMIT {PART}"
                ),
                {"after": self.swept},
            )
            rows = [dict(row._mapping) for row in found]
            self.swept = rows[-1]["id"] if len(rows) == PART else 0
            for row in rows:
                row["blind"] = bytes(row["blind"]) if row["blind"] is not None else None
            joined = await self.join(tx, rows) if rows else 0
            await tx.conn.execute(
                text("UPDATE receipt SET joined = 2 WHERE joined = 0 AND at < :old"), {"old": tx.now - WINDOW}
            )
            ORPHANS.set(await tx.conn.scalar(text("SELECT count(*) FROM receipt WHERE joined = 0")) or 0)
        return joined

    async def run(self, every: float = 2.0) -> None:
        """Sweep until cancelled, when there is something to sweep."""
        while True:
            await asyncio.sleep(every)
            async with self.store.read() as conn:
                waiting = await conn.scalar(text("SELECT 1 FROM receipt WHERE joined = 0 LIMIT 1"))
            if waiting:
                await self.sweep()


def channel_of(provider: str) -> str:
    """`sms.aliyun` → `sms`."""
    return provider.partition(".")[0]


def call_wave(group: str) -> int | None:
    """The wave of a call, from the reference of its first message."""
    found = read_reference(group)
    return found[0] if found else None


def receipt_row(item: Taken, wave: int | None, recipient: int | None, blind: bytes | None, now: int) -> dict[str, Any]:
    """A report as the table keeps it: no address, only its blind index."""
    report = item.report
    return {
        "provider": item.provider,
        "key": report.key,
        "state": int(RANKS[report.state]) if report.state is not None else None,
        "wave_id": wave,
        "recipient_id": recipient,
        "provider_id": report.provider_id or None,
        "blind": blind,
        "reason": report.reason.value if report.reason else None,
        "code": "key" if report.pressed else report.code or None,
        "detail": report.detail or None,
        "reply": report.pressed or report.reply[:500] or None,
        "said_at": int(report.at.timestamp() * 1000) if report.at else None,
        "at": now,
    }


async def insert_new(tx: Tx, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keep what was not said before; gives the new rows with their ids."""
    unique = {(row["provider"], row["key"]): row for row in sorted(rows, key=lambda row: (row["provider"], row["key"]))}
    if not unique:
        return []
    insert = insert_each if tx.conn.dialect.name == "sqlite" else insert_columns
    found = await insert(tx, unique)
    return [unique[row.provider, row.key] | {"id": row.id} for row in found if (row.provider, row.key) in unique]


async def insert_each(tx: Tx, unique: Mapping[tuple[str, str], dict[str, Any]]) -> Sequence[Any]:
    """Row by row, as SQLite has it; (id, provider, key) of those that were new."""
    last = int(await tx.conn.scalar(text("SELECT coalesce(max(id), 0) FROM receipt")) or 0)
    names, binds = ", ".join(COLUMNS), ", ".join(f":{name}" for name in COLUMNS)
    await tx.conn.execute(
        text(f"INSERT INTO receipt ({names}, joined) VALUES ({binds}, 0) ON CONFLICT (provider, key) DO NOTHING"),
        list(unique.values()),
    )
    keys = rows_table(True, provider="text", key="text")
    found = await tx.conn.execute(
        text(
            f"SELECT r.id, r.provider, r.key FROM {keys} AS k JOIN receipt r ON r.provider = k.provider AND r.key = k.key "
            "WHERE r.id > :last AND r.at = :now"
        ),
        {"rows": pack_rows(unique), "last": last, "now": tx.now},
    )
    return found.all()


async def insert_columns(tx: Tx, unique: Mapping[tuple[str, str], dict[str, Any]]) -> Sequence[Any]:
    """All in one statement, a column a parameter; (id, provider, key) of those that were new."""
    names = ", ".join(COLUMNS)
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in COLUMNS.items())
    found = await tx.conn.execute(
        text(
            f"INSERT INTO receipt ({names}, joined) SELECT {names}, 0 FROM unnest({arrays}) AS k ({names}) "
            "ON CONFLICT (provider, key) DO NOTHING RETURNING id, provider, key"
        ),
        {name: [row[name] for row in unique.values()] for name in COLUMNS},
    )
    return found.all()


async def by_wave(tx: Tx, wanted: Sequence[tuple[int, int, int]]) -> dict[int, list[tuple[int, int]]]:
    """(receipt, wave, recipient) → receipt: [(batch, recipient)]."""
    if not wanted:
        return {}
    source = rows_table(tx.conn.dialect.name == "sqlite", id="int", wave="int", recipient="int")
    rows = await tx.conn.execute(
        text(
            f"SELECT k.id, d.batch_id, d.recipient_id FROM {source} AS k "
            "JOIN delivery d ON d.wave_id = k.wave AND d.recipient_id = k.recipient"
        ),
        {"rows": pack_rows(wanted)},
    )
    return gathered(rows.all())


async def by_provider(
    tx: Tx, rows: Sequence[dict[str, Any]], owners: dict[bytes, list[int]]
) -> dict[int, list[tuple[int, int]]]:
    """By the provider's id and the person, among the waves of the last days."""
    if not rows:
        return {}
    source = rows_table(tx.conn.dialect.name == "sqlite", id="int", channel="text", recipient="int", pid="text")
    wanted = [
        (row["id"], channel_of(row["provider"]), person, row["provider_id"])
        for row in rows
        for person in owners.get(row["blind"], [])
    ]
    found = await tx.conn.execute(
        text(
            f"SELECT k.id, d.batch_id, d.recipient_id FROM {source} AS k "
            "JOIN wave v ON v.channel = k.channel AND v.at > :since "
            "JOIN delivery d ON d.wave_id = v.id AND d.recipient_id = k.recipient AND d.provider_id = k.pid"
        ),
        {"rows": pack_rows(wanted), "since": tx.now - WINDOW},
    )
    return gathered(found.all())


def gathered(rows: Iterable[Any]) -> dict[int, list[tuple[int, int]]]:
    """Rows of (receipt, batch, recipient) by receipt."""
    found: dict[int, list[tuple[int, int]]] = {}
    for row in rows:
        found.setdefault(int(row[0]), []).append((int(row[1]), int(row[2])))
    return found


async def set_aside(tx: Tx, taken: Sequence[Taken], rows: Sequence[dict[str, Any]]) -> None:
    """A report that is void because an earlier one has said how it ended keeps its words, and moves nothing."""
    wanted = {(item.provider, item.report.unless) for item in taken if item.report.unless}
    if not wanted:
        return
    source = rows_table(tx.conn.dialect.name == "sqlite", provider="text", key="text")
    found = await tx.conn.execute(
        text(f"SELECT r.provider, r.key FROM {source} AS k JOIN receipt r ON r.provider = k.provider AND r.key = k.key"),
        {"rows": pack_rows(sorted(wanted))},
    )
    known = {(row.provider, row.key) for row in found} | {(item.provider, item.report.key) for item in taken}
    for item, row in zip(taken, rows, strict=True):
        if (item.provider, item.report.unless) in known:
            row["state"] = None


async def free_lines(tx: Tx, taken: Sequence[Taken]) -> None:
    """The lines of calls that have ended; a provider without a trunk has none."""
    over = {(item.provider, item.report.reference) for item in taken if item.report.over and item.report.reference}
    if over:
        source = rows_table(tx.conn.dialect.name == "sqlite", provider="text", reference="text")
        done = await tx.conn.execute(
            text(
                f"DELETE FROM line WHERE EXISTS (SELECT 1 FROM {source} AS k "
                "WHERE k.provider = line.provider AND k.reference = line.reference)"
            ),
            {"rows": pack_rows(sorted(over))},
        )
        if done.rowcount:
            tx.wake("line")
