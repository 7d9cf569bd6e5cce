"""Doors: for each household in a warning's area, where somebody has come to, from every knock that was told.

Knocks come late, twice and in any order, because telephones have no line where doors are. Each carries an id of its own and the
time it was made; a door stands where the last knock that nobody took back leaves it, so that any order gives the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import Tx
from warnhub.store.warnings import Warning

OPEN = "open"
CHOICES = ("reached", "moved", "absent", "refused", "help")
SETTLED = frozenset({"reached", "moved"})
"""Somebody spoke with these people; any other door needs a reason before its list is closed."""

UNDO = "undo"


class Knock(NamedTuple):
    """One act at one door. `client` is the telephone's own id of it; `undoes` that of the knock it takes back (or "last")."""

    client: str
    door: int
    choice: str
    said_at: int
    shelter: int | None = None
    note: str = ""
    undoes: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """A door as its knocker sees it; `head`, `place` and `phone` are sealed."""

    id: int
    state: str
    weight: int
    people: int
    needs: dict[str, Any]
    head: bytes
    place: bytes
    phone: bytes | None
    area: str
    shelter: int | None
    planned: int | None
    knocked_at: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Heads:
    """A shelter of a warning: how many people it can hold, and how many were brought."""

    id: int
    name: str
    way: str
    area: str
    capacity: int
    heads: int
    homes: int


async def open_doors(tx: Tx, warning: Warning) -> int:
    """A door for each household in the warning's area, given to who knocks there; gives how many there are now.

    Who knocks: the grid's worker, else the village's, else the township's officer on duty; in a drill only who takes part, and
    where nobody does there is no door. People whom the warning before brought to a shelter are there already.
    """
    joined = "AND EXISTS (SELECT 1 FROM participant p WHERE p.drill_id = :d AND p.recipient_id = r.id)" if warning.drill else ""

    def worker(place: str, *roles: str) -> str:
        named = ", ".join(f"'{role}'" for role in roles)
        return (
            f"(SELECT min(r.id) FROM recipient r WHERE r.area_id = {place} AND r.role IN ({named}) "
            f"AND r.gone_at IS NULL {joined})"
        )

    ways = [worker("h.area_id", "gridworker"), worker("a.village_id", "village_head", "gridworker")]
    chosen = f"coalesce({', '.join([*ways, worker('a.town_id', 'township_duty')])})"
    needed = "AND k.worker_id IS NOT NULL" if warning.drill else ""
    await tx.conn.execute(
        text(
            "INSERT INTO door (warning_id, household_id, worker_id, town_id, area_id, weight, people, state) "
            "SELECT k.warning_id, k.id, k.worker_id, k.town_id, k.area_id, k.weight, k.people, 'open' FROM ("
            f"SELECT e.warning_id, h.id, {chosen} AS worker_id, a.town_id, h.area_id, h.weight, h.people FROM extent e "
            "JOIN household h ON h.area_id = e.area_id AND h.gone_at IS NULL JOIN area a ON a.id = h.area_id "
            f"WHERE e.warning_id = :w AND e.home) k WHERE k.warning_id = :w {needed} ON CONFLICT DO NOTHING"
        ),
        {"w": warning.id, "d": warning.drill} if warning.drill else {"w": warning.id},
    )
    if warning.previous_id is not None:
        await tx.conn.execute(
            text(
                "UPDATE door SET state = 'moved', shelter_id = o.shelter_id, knocked_at = o.knocked_at FROM door o "
                "WHERE o.warning_id = :p AND o.household_id = door.household_id AND o.state = 'moved' "
                "AND door.warning_id = :w AND door.state = 'open' AND door.knocked_at IS NULL"
            ),
            {"p": warning.previous_id, "w": warning.id},
        )
    return int(await tx.conn.scalar(text("SELECT count(*) FROM door WHERE warning_id = :w"), {"w": warning.id}) or 0)


MINE = (
    "(d.worker_id = :r OR EXISTS (SELECT 1 FROM recipient h JOIN area v ON v.id = d.area_id "
    "WHERE h.id = :r AND h.role = 'village_head' AND h.area_id = v.village_id))"
)
"""A knocker's own doors; a village head's are the whole village's, since they go where nobody has."""


async def list_doors(conn: AsyncConnection, warning: int, recipient: int, most: int = 1_000) -> list[Door]:
    """The doors one person may knock on: who must be helped first, first."""
    rows = await conn.execute(
        text(
            "SELECT d.id, d.state, d.weight, d.people, h.needs, h.head, h.place, h.phone, a.name, d.shelter_id, "
            "s.id AS planned, d.knocked_at, d.reason FROM door d JOIN household h ON h.id = d.household_id "
            "JOIN area a ON a.id = d.area_id "
            "LEFT JOIN shelter s ON s.ref = h.shelter AND s.gone_at IS NULL "
            f"WHERE d.warning_id = :w AND {MINE} ORDER BY d.weight DESC, a.code, h.ref LIMIT :most"
        ),
        {"w": warning, "r": recipient, "most": most},
    )
    found = []
    for row in rows:
        needs = row.needs if isinstance(row.needs, dict) else orjson.loads(row.needs)
        sealed = (bytes(row.head), bytes(row.place), bytes(row.phone) if row.phone else None)
        found.append(Door(*row[:4], needs, *sealed, *row[8:]))  # type: ignore[call-arg]  # the row has the rest
    return found


async def take_knocks(tx: Tx, warning: int, recipient: int, knocks: Sequence[Knock], actor: str) -> dict[str, str]:
    """Keep knocks of one person and set their doors; client → `kept`, `known` (told before) or `stranger` (not their door)."""
    ids = sorted({knock.door for knock in knocks})
    mine = await own_doors(tx, warning, recipient, ids)
    # One door is set by one transaction at a time, in one order.
    lock = "" if tx.conn.dialect.name == "sqlite" else "FOR UPDATE"
    await tx.conn.execute(
        text(f"SELECT id FROM door WHERE id IN :ids ORDER BY id {lock}").bindparams(bindparam("ids", expanding=True)),
        {"ids": sorted(mine) or [0]},
    )
    outcome: dict[str, str] = {}
    touched: set[int] = set()
    for knock in knocks:
        if knock.door not in mine:
            outcome[knock.client] = "stranger"
            continue
        undoes = knock.undoes
        if knock.choice == UNDO and undoes == "last":
            undoes = await last_knock(tx, knock.door, knock.client)
        result = await tx.conn.execute(
            text(
                "INSERT INTO knock (door_id, client, choice, shelter_id, note, undoes, said_at, actor, at) VALUES "
                "(:door, :client, :choice, :shelter, :note, :undoes, :said, :actor, :at) ON CONFLICT DO NOTHING"
            ),
            {
                "door": knock.door,
                "client": knock.client,
                "choice": knock.choice,
                "shelter": knock.shelter if knock.choice == "moved" else None,
                "note": knock.note,
                "undoes": undoes or None,
                "said": min(knock.said_at, tx.now),
                "actor": actor,
                "at": tx.now,
            },
        )
        outcome[knock.client] = "kept" if result.rowcount else "known"
        touched.add(knock.door)
    await set_doors(tx, touched)
    return outcome


async def own_doors(tx: Tx, warning: int, recipient: int, ids: Sequence[int]) -> set[int]:
    """Those of `ids` that are this person's in this warning."""
    query = text(f"SELECT d.id FROM door d WHERE d.warning_id = :w AND d.id IN :ids AND {MINE}")
    bind = {"w": warning, "r": recipient, "ids": list(ids) or [0]}
    rows = await tx.conn.execute(query.bindparams(bindparam("ids", expanding=True)), bind)
    return {int(row[0]) for row in rows}


async def last_knock(tx: Tx, door: int, client: str) -> str:
    """The client id of the knock a door stands by; "" if there is none. A repeat takes back what it took back before."""
    known = await tx.conn.scalar(text("SELECT undoes FROM knock WHERE client = :c"), {"c": client})
    if known is not None:
        return str(known)
    standing = standing_knock(await knocks_of(tx, [door]))
    return str(standing.client) if standing else ""


async def knocks_of(tx: Tx, doors: Iterable[int]) -> list[Any]:
    """Every knock on these doors."""
    query = text("SELECT door_id, client, choice, shelter_id, undoes, said_at FROM knock WHERE door_id IN :ids")
    bind = {"ids": list(doors) or [0]}
    return list((await tx.conn.execute(query.bindparams(bindparam("ids", expanding=True)), bind)).all())


def standing_knock(knocks: Iterable[Any]) -> Any | None:
    """The knock a door stands by: the last that nobody took back; None for a door nobody has knocked on."""
    knocks = list(knocks)
    undone = {knock.undoes for knock in knocks if knock.choice == UNDO}
    said = [knock for knock in knocks if knock.choice != UNDO and knock.client not in undone]
    return max(said, key=lambda knock: (knock.said_at, knock.client), default=None)


async def set_doors(tx: Tx, doors: Iterable[int]) -> None:
    """Set doors to where their knocks leave them."""
    by_door: dict[int, list[Any]] = {door: [] for door in doors}
    for knock in await knocks_of(tx, by_door):
        by_door[knock.door_id].append(knock)
    for door, knocks in sorted(by_door.items()):
        last = standing_knock(knocks)
        await tx.conn.execute(
            text("UPDATE door SET state = :s, shelter_id = :h, knocked_at = :at, reason = NULL WHERE id = :id"),
            {
                "s": last.choice if last else OPEN,
                "h": last.shelter_id if last else None,
                "at": last.said_at if last else None,
                "id": door,
            },
        )
    if by_door:
        tx.wake("warning")


async def close_list(tx: Tx, warning: int, recipient: int, reasons: dict[int, str], actor: str) -> list[int]:
    """Close a person's list; gives the doors that are neither settled nor explained, and then nothing was closed."""
    rows = await tx.conn.execute(
        text(f"SELECT d.id, d.state, d.reason FROM door d WHERE d.warning_id = :w AND {MINE}"), {"w": warning, "r": recipient}
    )
    unsettled = [row for row in rows if row.state not in SETTLED]
    missing = [int(row.id) for row in unsettled if not (reasons.get(row.id) or row.reason)]
    if missing:
        return missing
    for row in unsettled:
        if reasons.get(row.id):
            await tx.conn.execute(text("UPDATE door SET reason = :r WHERE id = :id"), {"r": reasons[row.id], "id": row.id})
    await tx.conn.execute(
        text(
            "INSERT INTO doorlist (warning_id, worker_id, closed_at, actor) VALUES (:w, :r, :now, :a) "
            "ON CONFLICT (warning_id, worker_id) DO UPDATE SET closed_at = excluded.closed_at, actor = excluded.actor"
        ),
        {"w": warning, "r": recipient, "now": tx.now, "a": actor},
    )
    tx.wake("warning")
    return []


async def list_closed(conn: AsyncConnection, warning: int, recipient: int) -> int | None:
    """When a person's list was closed and has stayed so; None while a door of it is open again or never was closed."""
    closed = await conn.scalar(
        text("SELECT closed_at FROM doorlist WHERE warning_id = :w AND worker_id = :r"), {"w": warning, "r": recipient}
    )
    if closed is None:
        return None
    still = await conn.scalar(
        text(
            f"SELECT 1 FROM door d WHERE d.warning_id = :w AND {MINE} AND d.state NOT IN ('reached', 'moved') "
            "AND d.reason IS NULL LIMIT 1"
        ),
        {"w": warning, "r": recipient},
    )
    return None if still else int(closed)


async def door_figures(conn: AsyncConnection, warning: int) -> list[Any]:
    """(town, state, explained, doors, people) of a warning: what every figure about doors is made of."""
    rows = await conn.execute(
        text(
            "SELECT t.id AS town_id, t.name AS town, d.state, d.reason IS NOT NULL AS explained, count(*) AS doors, "
            "sum(d.people) AS people FROM door d JOIN area t ON t.id = d.town_id WHERE d.warning_id = :w "
            "GROUP BY t.id, t.name, d.state, d.reason IS NOT NULL"
        ),
        {"w": warning},
    )
    return list(rows.all())


async def shelter_heads(conn: AsyncConnection, warning: int) -> list[Heads]:
    """The shelters in a warning's townships, with whom they were brought."""
    rows = await conn.execute(
        text(
            "SELECT s.id, s.name, s.way, a.name AS area, s.capacity, coalesce(sum(d.people), 0) AS heads, count(d.id) AS homes "
            "FROM shelter s JOIN area a ON a.id = s.area_id "
            "LEFT JOIN door d ON d.shelter_id = s.id AND d.warning_id = :w AND d.state = 'moved' "
            "WHERE s.gone_at IS NULL AND a.town_id IN (SELECT town_id FROM door WHERE warning_id = :w) "
            "GROUP BY s.id, s.name, s.way, a.name, s.capacity ORDER BY a.name, s.name"
        ),
        {"w": warning},
    )
    return [Heads(row.id, row.name, row.way, row.area, row.capacity, int(row.heads), int(row.homes)) for row in rows]


async def list_workers(conn: AsyncConnection, warning: int, most: int = 500) -> list[Any]:
    """Each knocker of a warning: how many doors, how many settled or explained, when closed; the furthest behind first."""
    rows = await conn.execute(
        text(
            "SELECT r.id, r.name, r.role, a.name AS place, t.name AS town, count(*) AS doors, "
            "sum(CASE WHEN d.state IN ('reached', 'moved') OR d.reason IS NOT NULL THEN 1 ELSE 0 END) AS done, "
            "sum(CASE WHEN d.state = 'help' THEN 1 ELSE 0 END) AS help, l.closed_at "
            "FROM door d JOIN area t ON t.id = d.town_id LEFT JOIN recipient r ON r.id = d.worker_id "
            "LEFT JOIN area a ON a.id = r.area_id "
            "LEFT JOIN doorlist l ON l.warning_id = d.warning_id AND l.worker_id = d.worker_id WHERE d.warning_id = :w "
            "GROUP BY r.id, r.name, r.role, a.name, t.name, l.closed_at "
            "ORDER BY sum(CASE WHEN d.state IN ('reached', 'moved') OR d.reason IS NOT NULL THEN 0 ELSE 1 END) DESC, "
            "r.id LIMIT :most"
        ),
        {"w": warning, "most": most},
    )
    return list(rows.all())
