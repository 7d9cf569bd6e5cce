"""Why messages of a warning failed, in plain words, and the people behind each reason."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from warnhub.console.details import find_frame
from warnhub.console.people import reason_words
from warnhub.console.visit import Visit
from warnhub.store.states import Rank

MOST, PAGE = 20_000, 50
"""Failures read to be counted, the newest; people on a page."""


@dataclass(frozen=True, slots=True)
class Fault:
    """So many messages of one provider failed with one code."""

    provider: str
    channel: str
    state: int
    reason: str | None
    code: str | None
    n: int
    people: int


@dataclass(frozen=True, slots=True)
class Victim:
    """Somebody whose message failed; by whom else they were reached is `reached`."""

    recipient: int
    name: str
    role: str
    town: str
    place: str
    tail: str
    reached: bool


LOST = f"d.state IN ({int(Rank.FAILED)}, {int(Rank.UNKNOWN)})"


async def count_faults(conn: AsyncConnection, warning: int) -> list[Fault]:
    """By provider and code, the commonest first."""
    rows = await conn.execute(
        text(
            "SELECT provider, channel, state, reason, code, count(*) AS n, count(DISTINCT recipient_id) AS people FROM ("
            "SELECT b.provider, b.channel, d.state, d.reason, d.code, d.recipient_id FROM batch b "
            f"JOIN delivery d ON d.batch_id = b.id WHERE b.warning_id = :w AND {LOST} LIMIT {MOST}) AS lost "
            "GROUP BY provider, channel, state, reason, code ORDER BY n DESC, provider, code"
        ),
        {"w": warning},
    )
    return [Fault(*row) for row in rows]


async def list_victims(conn: AsyncConnection, warning: int, provider: str, code: str, after: int) -> list[Victim]:
    """Those behind one code, by number after `after`."""
    rows = await conn.execute(
        text(
            "SELECT DISTINCT r.id, r.name, r.role, t.name AS town, a.name AS place, s.tail, g.state >= 40 AS reached "
            "FROM batch b JOIN delivery d ON d.batch_id = b.id JOIN recipient r ON r.id = d.recipient_id "
            "JOIN area a ON a.id = r.area_id JOIN area t ON t.id = a.town_id JOIN address s ON s.id = d.address_id "
            "JOIN target g ON g.warning_id = b.warning_id AND g.recipient_id = r.id "
            f"WHERE b.warning_id = :w AND b.provider = :p AND {LOST} AND coalesce(d.code, '') = :c AND r.id > :after "
            f"ORDER BY r.id LIMIT {PAGE + 1}"
        ),
        {"w": warning, "p": provider, "c": code, "after": after},
    )
    return [Victim(r.id, r.name, r.role, r.town, r.place, r.tail, bool(r.reached)) for r in rows]


async def show_faults(visit: Visit) -> Response:
    """The page: every code, or with `?provider=&code=` the people behind one."""
    scene = (await find_frame(visit, 1.0)).scene
    assert scene is not None
    query = visit.request.query_params
    provider, code, after = query.get("provider", ""), query.get("code", ""), query.get("after", "")
    async with visit.hub.store.read() as conn:
        faults = await count_faults(conn, scene.warning.id)
        start = int(after) if after.isdecimal() and len(after) < 19 else 0
        people = await list_victims(conn, scene.warning.id, provider, code, start) if provider else []
    following = ""
    if len(people) > PAGE:
        following = visit.here(after=str(people[PAGE - 1].recipient))
    return visit.page(
        "faults.html",
        scene=scene,
        warning=scene.warning,
        drill=scene.drill,
        faults=faults,
        people=people[:PAGE],
        following=following,
        chosen=(provider, code),
        plain_words=lambda reason: reason_words(reason, visit.lang),
    )
