"""What the last warnings teach, as suggestions that a person accepts or not. Nothing is ever changed by itself: who accepts one
says that the county will do it, and the suggestion stays with their name."""

from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx

LAST = 5
"""Warnings that are looked back on."""

FEW = 3


@dataclass(frozen=True, slots=True)
class Lesson:
    """One suggestion. `key` is what it is about, so that it is made once."""

    key: str
    kind: str
    data: dict[str, Any]


async def learn(conn: AsyncConnection) -> list[Lesson]:
    """What can be learnt from the last real warnings."""
    ids = [
        int(row[0])
        for row in await conn.execute(
            text(
                "SELECT id FROM warning WHERE drill IS NULL AND kind <> 'cancel' AND released_at IS NOT NULL "
                "ORDER BY id DESC LIMIT :n"
            ),
            {"n": LAST},
        )
    ]
    if not ids:
        return []
    last = ", ".join(str(number) for number in ids)
    found = await dead_numbers(conn) + await silent_speakers(conn, last) + await lone_grids(conn, last)
    return found + await channel_order(conn, last) + await best_hour(conn, last)


async def dead_numbers(conn: AsyncConnection) -> list[Lesson]:
    """Addresses of responsible people that a provider called dead: by township."""
    rows = await conn.execute(
        text(
            "SELECT t.name, count(*) AS n FROM address s JOIN recipient r ON r.id = s.recipient_id JOIN "
            "area a ON a.id = r.area_id "
            "JOIN area t ON t.id = a.town_id WHERE s.bad IS NOT NULL AND s.bad NOT IN ('removed', 'opt-out') "
            "AND r.gone_at IS NULL GROUP BY t.name"
        )
    )
    return [Lesson(f"dead:{row.name}", "dead_numbers", {"town": row.name, "n": int(row.n)}) for row in rows]


async def silent_speakers(conn: AsyncConnection, last: str) -> list[Lesson]:
    """Loudspeakers that were told several times and never reported."""
    rows = await conn.execute(
        text(
            "SELECT r.ref, r.name, count(*) AS n FROM delivery d JOIN batch b ON b.id = d.batch_id "
            "JOIN recipient r ON r.id = d.recipient_id "
            f"WHERE b.channel = 'loudspeaker' AND b.warning_id IN ({last}) AND d.state >= 30 "
            "GROUP BY r.ref, r.name HAVING count(*) >= :few AND max(CASE WHEN d.state >= 60 THEN 1 ELSE 0 "
            "END) = 0 ORDER BY r.ref"
        ),
        {"few": FEW},
    )
    return [Lesson(f"speaker:{row.ref}", "silent_speaker", {"ref": row.ref, "name": row.name, "n": int(row.n)}) for row in rows]


async def lone_grids(conn: AsyncConnection, last: str) -> list[Lesson]:
    """Grids and villages whose people were asked and never answered."""
    rows = await conn.execute(
        text(
            "SELECT a.code, a.name, count(*) AS n FROM task k JOIN area a ON a.id = k.area_id "
            f"WHERE k.kind = 'confirm' AND a.level >= 12 AND k.warning_id IN ({last}) GROUP BY a.code, a.name "
            "HAVING sum(CASE WHEN k.state = 'done' THEN 1 ELSE 0 END) = 0 AND count(*) >= :few ORDER BY a.code LIMIT 200"
        ),
        {"few": FEW},
    )
    return [Lesson(f"grid:{row.code}", "lone_grid", {"code": row.code, "name": row.name, "n": int(row.n)}) for row in rows]


async def channel_order(conn: AsyncConnection, last: str) -> list[Lesson]:
    """For each role, the channels by the share of those told by them who answered from them, where one stands out."""
    rows = await conn.execute(
        text(
            "SELECT b.role, b.channel, count(DISTINCT d.recipient_id) AS told, count(DISTINCT c.recipient_id) AS answered "
            "FROM batch b JOIN delivery d ON d.batch_id = b.id AND d.state >= 40 AND d.state <> 50 "
            "LEFT JOIN ack c ON c.warning_id = b.warning_id AND c.recipient_id = d.recipient_id AND "
            "c.wave_id = b.wave_id AND c.human "
            f"WHERE b.warning_id IN ({last}) AND b.channel <> 'loudspeaker' GROUP BY b.role, b.channel"
        )
    )
    roles: dict[str, list[tuple[float, str, int]]] = {}
    for row in rows:
        if int(row.told) >= 10:
            roles.setdefault(row.role, []).append((int(row.answered) / int(row.told), row.channel, int(row.told)))
    found = []
    for role, shares in sorted(roles.items()):
        ordered = sorted(shares, reverse=True)
        if len(ordered) > 1 and ordered[0][0] > ordered[1][0] + 0.05:
            order = [{"channel": channel, "share": round(part, 3), "told": told} for part, channel, told in ordered]
            first = "-".join(channel for _, channel, _ in ordered)
            found.append(Lesson(f"order:{role}:{first}", "channel_order", {"role": role, "order": order}))
    return found


async def best_hour(conn: AsyncConnection, last: str) -> list[Lesson]:
    """The hour of the day (UTC) in which people answered the most of later rounds."""
    rows = await conn.execute(
        text(
            "SELECT (c.at / 3600000) % 24 AS hour, count(*) AS n FROM ack c JOIN wave v ON v.id = c.wave_id "
            f"WHERE c.human AND v.round > 1 AND c.warning_id IN ({last}) GROUP BY 1 ORDER BY n DESC, hour"
        )
    )
    hours = [(int(row.hour), int(row.n)) for row in rows]
    if not hours or sum(n for _, n in hours) < 20:
        return []
    return [Lesson(f"hour:{hours[0][0]}", "best_hour", {"hour_utc": hours[0][0], "n": hours[0][1]})]


async def keep_lessons(tx: Tx, lessons: list[Lesson]) -> int:
    """Put what is new before people; gives how many."""
    made = 0
    for one in lessons:
        result = await tx.conn.execute(
            text(
                "INSERT INTO suggestion (key, kind, data, state, at) VALUES (:k, :kind, :d, 'open', :now) ON "
                "CONFLICT DO NOTHING"
            ),
            {"k": one.key, "kind": one.kind, "d": orjson.dumps(one.data).decode(), "now": tx.now},
        )
        made += result.rowcount
    return made


async def list_lessons(conn: AsyncConnection) -> list[Any]:
    """Every suggestion, the undecided first."""
    query = "SELECT * FROM suggestion ORDER BY CASE WHEN state = 'open' THEN 0 ELSE 1 END, id DESC LIMIT 200"
    return list((await conn.execute(text(query))).all())


async def decide_lesson(tx: Tx, number: int, state: str, actor: str) -> bool:
    """A person's yes or no; False if it was decided before."""
    result = await tx.conn.execute(
        text("UPDATE suggestion SET state = :s, actor = :a, decided_at = :now WHERE id = :id AND state = 'open'"),
        {"s": state, "a": actor, "now": tx.now, "id": number},
    )
    if result.rowcount:
        await add_audit(tx, actor, f"suggestion.{state}", str(number), {"before": "open", "after": state})
    return bool(result.rowcount)
