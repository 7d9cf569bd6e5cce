"""A warning in figures, read from its tallies: the same cost for ten deliveries as for ten million.

People are counted in the best state that any of their messages has, so that targeted ⊇ accepted ⊇ delivered ⊇ read ⊇ confirmed;
what failed, was suppressed, stopped or is unknown stands beside that funnel, and all of it adds up to targeted.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from pydantic import BaseModel, Field
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.channels import Provider
from warnhub.monitor.outlook import Eta, read_eta
from warnhub.plan.audience import Places
from warnhub.store.states import FAILED_PERSON, RANKS, Rank
from warnhub.store.tallies import PEOPLE, Count, read_hops, read_tally, read_villages
from warnhub.store.warnings import Warning


class Funnel(BaseModel):
    """Counts. `accepted`, `delivered` and `read` hold whoever came at least that far; the rest say where the others are.

    total = remaining + accepted + failed + unknown + suppressed + stopped.
    """

    total: int = 0
    remaining: int = 0
    accepted: int = 0
    delivered: int = 0
    read: int = 0
    confirmed: int = 0
    failed: int = 0
    unknown: int = 0
    suppressed: int = 0
    stopped: int = 0


class Part(BaseModel):
    """The funnel of one channel, provider, role or township. `key` is its code or id, `name` what people call it."""

    key: str
    name: str
    funnel: Funnel


class Tasks(BaseModel):
    """Who had to confirm: `open` still may, `late` have passed their deadline and nobody answered for them, `done` did."""

    total: int = 0
    open: int = 0
    late: int = 0
    done: int = 0
    help: int = 0


class Summary(BaseModel):
    """One warning, now. `planned` counts deliveries, `states` where each of them is; `people` counts people and devices."""

    id: str
    state: str
    level: str
    headline: str
    drill: bool
    planned: int
    states: dict[str, int]
    people: Funnel
    channels: list[Part]
    providers: list[Part]
    roles: list[Part]
    towns: list[Part]
    tasks: Tasks
    silent_villages: int = 0
    latency: dict[str, dict[str, dict[int, int]]] = Field(description="channel → hop → bucket in seconds → count")
    eta: Eta | None = Field(default=None, description="while messages wait: when the last will have been handed over")
    released_at: int | None
    ended_at: int | None
    at: int


def make_funnel(counts: Iterable[Count]) -> Funnel:
    """Counts by state as a funnel."""
    states: Counter[int] = Counter()
    for count in counts:
        states[count.state] += count.n

    def sum_from(rank: int) -> int:
        return sum(n for state, n in states.items() if state >= rank and state != Rank.FAILED)

    return Funnel(
        total=states.total(),
        remaining=states[Rank.PLANNED] + states[Rank.SENDING],
        accepted=sum_from(Rank.ACCEPTED),
        delivered=sum_from(Rank.DELIVERED),
        read=sum_from(Rank.READ),
        confirmed=states[Rank.CONFIRMED],
        failed=states[Rank.FAILED] + states[FAILED_PERSON],
        unknown=states[Rank.UNKNOWN],
        suppressed=states[Rank.SUPPRESSED],
        stopped=states[Rank.SUPERSEDED] + states[Rank.EXPIRED],
    )


def split_by(counts: Iterable[Count], field: str, names: dict[str, str]) -> list[Part]:
    """One funnel for each value of `field`, the largest first."""
    groups: dict[str, list[Count]] = {}
    for count in counts:
        groups.setdefault(str(getattr(count, field)), []).append(count)
    parts = [Part(key=key, name=names.get(key, key), funnel=make_funnel(group)) for key, group in groups.items()]
    return sorted(parts, key=lambda part: -part.funnel.total)


async def read_summary(
    conn: AsyncConnection,
    warning: Warning,
    now: int,
    names: dict[int, str],
    providers: Mapping[str, Provider] = MappingProxyType({}),
) -> Summary:
    """The figures of a warning. `names`: area id → name; `providers` by name, for the time that is left."""
    counts = await read_tally(conn, warning.id)
    people = [count for count in counts if count.channel == PEOPLE]
    deliveries = [count for count in counts if count.channel != PEOPLE]
    states = Counter({state.value: 0 for state in RANKS})
    ranks = {int(rank): state.value for state, rank in RANKS.items()}
    for count in deliveries:
        states[ranks[count.state]] += count.n
    latency: dict[str, dict[str, dict[int, int]]] = {}
    for channel, hop, bucket, n in await read_hops(conn, warning.id):
        latency.setdefault(channel, {}).setdefault(hop, {})[bucket] = n
    return Summary(
        id=warning.uid,
        state=warning.state,
        level=warning.level,
        headline=warning.headline,
        drill=warning.drill is not None,
        planned=states.total(),
        states=dict(states),
        people=make_funnel(people),
        channels=split_by(deliveries, "channel", {}),
        providers=split_by(deliveries, "provider", {}),
        roles=split_by(people, "role", {}),
        towns=split_by(people, "town", {str(town): names[town] for town in {count.town for count in people} & names.keys()}),
        tasks=await read_tasks(conn, warning.id, now),
        silent_villages=await count_silent(conn, warning.id),
        latency=latency,
        eta=await read_eta(conn, warning, counts, providers, now),
        released_at=warning.released_at,
        ended_at=warning.ended_at,
        at=now,
    )


async def read_places(conn: AsyncConnection, warning: int, places: Places, place: int) -> list[Part]:
    """The people and devices of each village of a township, or of one village. The cost is that of its villages, whatever the
    number of people; what was over before villages were counted has none."""
    towns, villages = places.towns, places.villages
    within = sorted({villages[one] for one in places.ids if place in {towns[one], villages[one]}})
    counts = await read_villages(conn, warning, within)
    return split_by(counts, "town", {str(one): places.names[one] for one in within})


async def read_tasks(conn: AsyncConnection, warning: int, now: int) -> Tasks:
    """Confirmations asked and given; at most a few thousand rows, by index."""
    row = (
        await conn.execute(
            text(
                "SELECT count(*) AS total, coalesce(sum(CASE WHEN state = 'open' THEN 1 ELSE 0 END), 0) AS open, "
                "coalesce(sum(CASE WHEN state IN ('open', 'late') AND due_at <= :now THEN 1 ELSE 0 END), 0) AS late, "
                "coalesce(sum(CASE WHEN state = 'done' THEN 1 ELSE 0 END), 0) AS done, "
                "coalesce(sum(CASE WHEN choice IN ('help', 'cannot') THEN 1 ELSE 0 END), 0) AS help "
                "FROM task WHERE warning_id = :w AND kind = 'confirm'"
            ),
            {"w": warning, "now": now},
        )
    ).one()
    return Tasks(**row._mapping)


async def count_silent(conn: AsyncConnection, warning: int) -> int:
    """Villages where somebody must confirm and nobody has."""
    found = await conn.scalar(
        text(
            "SELECT count(*) FROM (SELECT a.village_id FROM task t JOIN area a ON a.id = t.area_id "
            "WHERE t.warning_id = :w AND t.kind = 'confirm' AND a.level >= 12 GROUP BY a.village_id "
            "HAVING sum(CASE WHEN t.state = 'done' THEN 1 ELSE 0 END) = 0) AS silent"
        ),
        {"w": warning},
    )
    return int(found or 0)
