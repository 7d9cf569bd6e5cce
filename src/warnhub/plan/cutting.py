"""Cutting an audience into targets, deliveries and batches, set-based: people are never loaded to be counted.

A step is one (wave, role, township, part): its deliveries, its batches and their counts are one commit, and a step that was
done is never done again. A batch's number is its step's number × `ROOM` plus its place, so nothing is counted beforehand.
"""

import contextlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from warnhub.store.addresses import address_kind
from warnhub.store.counts import Cell, Deltas, Local
from warnhub.store.engine import Tx
from warnhub.store.states import Rank
from warnhub.store.tallies import PEOPLE, add_cells

ROOM = 1 << 20
PLAN = 1 << 41


@dataclass(frozen=True, slots=True)
class Cut:
    """What one step cuts.

    `routes`: kinds of address this provider carries; () is all. `before`: channels that take a person first (mode `first`),
    with the kinds of address that any of their providers carries.
    `people`: only these recipients, for a round that is for some. `told_by`: only whom that earlier warning told this way.
    """

    warning: int
    wave: int
    channel: str
    round: int
    provider: str
    routes: tuple[str, ...]
    role: str
    town: int
    lane: int
    rank: int
    size: int
    due_at: int
    before: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    people: tuple[int, ...] = ()
    told_by: int | None = None
    unconfirmed: bool = False
    part: str = field(default="")
    trace: str | None = None


async def open_wave(tx: Tx, warning: int, channel: str, round_: int, cause: str) -> int:
    """The wave of (warning, channel, round), made if it is new; one, however many open it at once."""
    values = {"w": warning, "c": channel, "r": round_}
    known = text("SELECT id FROM wave WHERE warning_id = :w AND channel = :c AND round = :r")
    found = await tx.conn.scalar(known, values)
    if found is None:
        found = await tx.conn.scalar(
            text(
                "INSERT INTO wave (warning_id, channel, round, cause, at) VALUES (:w, :c, :r, :cause, :at) "
                "ON CONFLICT DO NOTHING RETURNING id"
            ),
            values | {"cause": cause, "at": tx.now},
        )
    if found is None:  # another has opened it meanwhile
        found = await tx.conn.scalar(known, values)
    return int(found)


async def hold_plan(tx: Tx, warning: int) -> None:
    """Be the only one, until the commit, who cuts the first round of a warning. Two plan it where a partition changes hands
    while its first owner is still at it; then each waits for a step of the other's and finds it done."""
    if tx.conn.dialect.name != "sqlite":
        await tx.conn.execute(text("SELECT pg_advisory_xact_lock(CAST(:key AS bigint))"), {"key": PLAN + warning})


async def next_round(tx: Tx, warning: int) -> int:
    """The number of the next round of a warning."""
    return int(await tx.conn.scalar(text("SELECT max(round) FROM wave WHERE warning_id = :w"), {"w": warning}) or 0) + 1


async def open_step(tx: Tx, wave: int, role: str, town: int, part: str) -> int | None:
    """The step's number; None if it was done before, or another is at it and has committed."""
    values = {"w": wave, "r": role, "t": town, "p": part, "at": tx.now}
    row = (
        await tx.conn.execute(
            text(
                "INSERT INTO step (wave_id, role, town_id, part, at) VALUES (:w, :r, :t, :p, :at) "
                "ON CONFLICT DO NOTHING RETURNING id"
            ),
            values,
        )
    ).first()
    return int(row[0]) if row else None


def has_address(person: str, channels: Mapping[str, tuple[str, ...]]) -> tuple[str, dict[str, Any]]:
    """The condition that `person` can be told by one of `channels` (channel → kinds of address carried; () is all)."""
    bind: dict[str, Any] = {}
    ways = []
    for n, (channel, routes) in enumerate(channels.items()):
        names = {f"k{n}_{m}": route for m, route in enumerate(routes)}
        carried = f" AND h.route IN ({', '.join(f':{name}' for name in names)})" if routes else ""
        ways.append(f"(h.channel = :c{n}{carried})")
        bind |= names | {f"c{n}": address_kind(channel)}
    return f"EXISTS (SELECT 1 FROM address h WHERE h.recipient_id = {person} AND h.bad IS NULL AND ({' OR '.join(ways)}))", bind


async def cut_targets(
    tx: Tx, warning: int, role: str, town: int, channels: Mapping[str, tuple[str, ...]], drill: str | None
) -> int:
    """Everybody of `role` in a township's part of the extent; who has no usable address is counted as suppressed."""
    where, bind = target_filter(role, drill)
    reach, more = has_address("r.id", channels)
    bind |= {"w": warning, "role": role, "town": town} | more
    told = f"{reach} AND NOT (r.opt_out AND r.role = 'resident')"
    source = (
        "INSERT INTO target (warning_id, recipient_id, town_id, role, state, village_id) "
        "SELECT :w, r.id, :town, r.role, {rank}, v.village_id "
        "FROM extent x JOIN area v ON v.id = x.area_id "
        "JOIN recipient r ON r.area_id = x.area_id AND r.role = :role AND r.gone_at IS NULL "
        f"WHERE x.warning_id = :w AND x.town_id = :town AND {where}"
    )
    here = {name: bind[name] for name in ("w", "town", "role")}
    known = "FROM target WHERE warning_id = :w AND town_id = :town AND role = :role"
    count = None
    if await tx.conn.scalar(text(f"SELECT 1 {known} LIMIT 1"), here) is None:
        either = f"CASE WHEN {told} THEN {int(Rank.PLANNED)} ELSE {int(Rank.SUPPRESSED)} END"
        count = await insert_fresh(tx, source.format(rank=either), bind)
    if count is not None:
        query = f"SELECT state, village_id, count(*) AS n {known} GROUP BY state, village_id"
        deltas: Deltas = Counter()
        for row in await tx.run_long(text(query), here):
            deltas[Cell(warning, PEOPLE, "", role, town, row.state)] += row.n
            deltas[Local(warning, row.village_id, row.state)] += row.n
        await add_cells(tx, deltas)
        return count
    count = 0
    for rank, condition in ((Rank.PLANNED, told), (Rank.SUPPRESSED, f"NOT ({told})")):
        statement = f"{source.format(rank=int(rank))} AND {condition} ON CONFLICT DO NOTHING RETURNING village_id"
        result = await tx.run_long(text(statement), bind)
        count += await add_people(tx, Cell(warning, PEOPLE, "", role, town, rank), result.scalars())
    return count


async def add_people(tx: Tx, cell: Cell, villages: Iterable[int]) -> int:
    """Count new people and devices, one of each village named; gives how many."""
    places = Counter(villages)
    deltas: Deltas = Counter({Local(cell.warning, village, cell.state): n for village, n in places.items()})
    deltas[cell] = places.total()
    await add_cells(tx, deltas)
    return deltas[cell]


async def insert_fresh(tx: Tx, statement: str, bind: dict[str, Any]) -> int | None:
    """Insert rows of which none is there; gives how many. None, and nothing is inserted, if there is one after all.

    PostgreSQL writes a row that may conflict in three steps, which costs as much as an index of it.
    """
    step = contextlib.nullcontext() if tx.conn.dialect.name == "sqlite" else tx.conn.begin_nested()
    try:
        async with step:  # SQLite takes back what one statement did by itself
            return (await tx.run_long(text(statement), bind)).rowcount
    except IntegrityError:
        return None


def target_filter(role: str, drill: str | None) -> tuple[str, dict[str, Any]]:
    """Who of a role may be told: the public only where it lives inside, and in a drill only who is on its list."""
    where = "x.home" if role in {"resident", "speaker", "display"} else "1 = 1"
    if drill is None:
        return where, {}
    listed = "EXISTS (SELECT 1 FROM participant q WHERE q.drill_id = :drill AND q.recipient_id = r.id)"
    return f"{where} AND {listed}", {"drill": drill}


async def copy_targets(tx: Tx, warning: int, previous: int, role: str, town: int) -> int:
    """Exactly those whom an earlier warning told, or may have told: the audience of an all-clear."""
    result = await tx.run_long(
        text(
            "INSERT INTO target (warning_id, recipient_id, town_id, role, state, village_id) "
            "SELECT :w, t.recipient_id, t.town_id, t.role, 0, t.village_id FROM target t "
            "WHERE t.warning_id = :p AND t.role = :role AND t.town_id = :town AND t.state >= 30 ON CONFLICT DO NOTHING "
            "RETURNING village_id"
        ),
        {"w": warning, "p": previous, "role": role, "town": town},
    )
    return await add_people(tx, Cell(warning, PEOPLE, "", role, town, Rank.PLANNED), result.scalars())


async def cut_batches(tx: Tx, cut: Cut) -> int:
    """Cut one step; gives its deliveries, 0 if it was done before."""
    step = await open_step(tx, cut.wave, cut.role, cut.town, f"{cut.provider}{cut.part}")
    if step is None:
        return 0
    where, bind = delivery_filter(cut)
    source = (
        "INSERT INTO delivery (batch_id, recipient_id, wave_id, address_id, state) "
        "SELECT :base + (row_number() OVER (ORDER BY t.recipient_id) - 1) / :size, t.recipient_id, :wave, a.id, 0 "
        "FROM target t JOIN address a ON a.recipient_id = t.recipient_id AND a.channel = :kind AND a.bad IS NULL "
        f"WHERE t.warning_id = :w AND t.town_id = :town AND t.role = :role AND t.state <> 20 {where}"
    )
    given = bind | {"base": step * ROOM, "size": cut.size, "kind": address_kind(cut.channel)}
    alone = text("SELECT 1 FROM step WHERE wave_id = :v AND role = :r AND town_id = :t AND id <> :s LIMIT 1")
    others = await tx.conn.scalar(alone, {"v": cut.wave, "r": cut.role, "t": cut.town, "s": step})
    count = None if others else await insert_fresh(tx, source, given)
    if count is None:
        count = (await tx.run_long(text(f"{source} ON CONFLICT DO NOTHING"), given)).rowcount
    if not count:
        return 0
    await tx.run_long(
        text(
            "INSERT INTO batch (id, wave_id, warning_id, channel, round, provider, role, town_id, lane, rank, size, open, "
            "state, attempt, due_at, ready_at, trace) "
            "SELECT batch_id, :wave, :w, :channel, :round, :provider, :role, :town, :lane, :rank, count(*), count(*), 0, 0, "
            ":due, :now, CAST(:trace AS text) FROM delivery WHERE batch_id >= :low AND batch_id < :high GROUP BY batch_id"
        ),
        bind
        | {
            "round": cut.round,
            "provider": cut.provider,
            "lane": cut.lane,
            "rank": cut.rank,
            "due": cut.due_at,
            "now": tx.now,
            "trace": cut.trace,
            "low": step * ROOM,
            "high": (step + 1) * ROOM,
        },
    )
    cell = Cell(cut.warning, cut.channel, cut.provider, cut.role, cut.town, Rank.PLANNED)
    await add_cells(tx, Counter({cell: count}))
    tx.wake("batch")
    return count


def delivery_filter(cut: Cut) -> tuple[str, dict[str, Any]]:
    """The conditions of a step, with what they bind."""
    bind: dict[str, Any] = {
        "w": cut.warning, "wave": cut.wave, "channel": cut.channel, "role": cut.role, "town": cut.town
    }  # fmt: skip
    where = ""
    if cut.routes:
        where += f" AND a.route IN ({', '.join(f':r{n}' for n in range(len(cut.routes)))})"
        bind |= {f"r{n}": route for n, route in enumerate(cut.routes)}
    if cut.before:
        earlier, more = has_address("t.recipient_id", cut.before)
        where += f" AND NOT {earlier}"
        bind |= more
    if cut.people:
        where += f" AND t.recipient_id IN ({', '.join(str(int(person)) for person in cut.people)})"
    if cut.told_by is not None:
        where += (
            " AND EXISTS (SELECT 1 FROM wave v JOIN delivery e ON e.wave_id = v.id AND e.recipient_id = t.recipient_id "
            "JOIN batch f ON f.id = e.batch_id "
            "WHERE v.warning_id = :told AND v.channel = :channel AND "
            "(e.state >= 30 AND e.state <> 50 OR e.state <= 10 AND f.state = 6))"
        )
        bind["told"] = cut.told_by
    if cut.unconfirmed:
        where += " AND t.state < 80"
    return where, bind
