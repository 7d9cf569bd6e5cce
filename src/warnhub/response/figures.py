"""The figures a county is judged by: of one warning, and of a quarter or a year by township, agency and channel.

Every figure is made from the ledger's rows when it is asked for; its definition stands in `DEFINITIONS` and beside it on the
page. Drills are never counted with the real thing: how they went is an indicator of its own.
"""

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.engine import run_beside
from warnhub.store.losses import lost_rows
from warnhub.store.states import FAILED_PERSON, Rank

DEFINITIONS = {
    "coverage": ("覆盖率＝已送达的对象 ÷ 目标对象", "coverage = targets delivered ÷ targets"),
    "reach": ("到达率＝已送达 ÷ 通道已受理", "reach = delivered ÷ accepted by a provider"),
    "confirm": ("叫应率＝时限内本人确认 ÷ 要求确认", "confirmation = confirmed by themselves in time ÷ asked to confirm"),
    "median": ("时效＝发布到本人首次确认的中位数（秒）", "time = median seconds from release to a person's first confirmation"),
    "doors": ("敲门率＝见到、转移或写明原因的户 ÷ 户", "doors = reached, moved or explained ÷ households"),
    "tasks": ("任务率＝没有超时的任务 ÷ 任务", "tasks = tasks never late ÷ tasks"),
    "effect": (
        "演练成效＝同期演练中叫应率、敲门率、任务率的平均",
        "drill effect = the mean of confirmation, doors and tasks in the drills of the same time",
    ),
}
WEIGHTS = {"coverage": 0.25, "confirm": 0.35, "median": 0.15, "doors": 0.15, "tasks": 0.10, "effect": 0.10}
"""What each indicator counts for in a ranking, unless the county says otherwise."""

PRACTISED = ("confirm", "doors", "tasks")
"""What a drill is judged by: what people did."""

SLOWEST = 1_800.0
"""Seconds at which the time counts nothing any more; at 0 s it counts whole."""

EMPTY = "''"
QUANTILES = (0.0, 0.5, 0.95, 1.0)


@dataclass(slots=True)
class Sums:
    """What a group's figures are made of."""

    name: str
    warnings: int = 0
    targets: int = 0
    accepted: int = 0
    delivered: int = 0
    asked: int = 0
    in_time: int = 0
    doors: int = 0
    closed: int = 0
    tasks: int = 0
    overdue: int = 0
    effect: float | None = None
    seconds: list[float] = field(default_factory=list)
    causes: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def rates(self) -> dict[str, float | None]:
        """Each indicator; None where there is nothing to divide by."""
        return {
            "coverage": share(self.delivered, self.targets),
            "reach": share(self.delivered, self.accepted),
            "confirm": share(self.in_time, self.asked),
            "median": statistics.median(self.seconds) if self.seconds else None,
            "doors": share(self.closed, self.doors),
            "tasks": share(self.tasks - self.overdue, self.tasks),
            "effect": self.effect,
        }

    def practised(self) -> float | None:
        """How drills went, of sums that are of drills."""
        rates = self.rates()
        known = [rate for name in PRACTISED if (rate := rates[name]) is not None]
        return sum(known) / len(known) if known else None

    def score(self, weights: Mapping[str, float]) -> float | None:
        """0 to 100: the weighted mean of those indicators there are; None where there are none."""
        rates = judge(self.rates())
        known = {name: weight for name, weight in weights.items() if rates.get(name) is not None and weight > 0}
        total = sum(known.values())
        if not total:
            return None
        return 100 * sum(weight * float(rates[name] or 0.0) for name, weight in known.items()) / total

    def pull(self, weights: Mapping[str, float]) -> tuple[str, str, int]:
        """What pulled it down most: the indicator that lost the most points, and the commonest failure behind it with how often
        it was; "" and 0 where there is none."""
        rates = judge(self.rates())
        lost = {name: weights[name] * (1 - rate) for name in weights if (rate := rates.get(name)) is not None}
        worst = max(lost, key=lambda name: lost[name], default="")
        if not worst or lost[worst] < 0.005:
            return "", "", 0
        reason = max(self.causes, key=lambda name: self.causes[name], default="")
        return (worst, reason, self.causes[reason]) if reason and worst in {"coverage", "reach"} else (worst, "", 0)

    def cause(self, weights: Mapping[str, float]) -> str:
        """The same in a word."""
        worst, reason, times = self.pull(weights)
        return f"{worst}: {reason} ×{times}" if reason else worst


def judge(rates: Mapping[str, float | None]) -> dict[str, float | None]:
    """Each indicator as a share of what it could be: 1 is best. Of the time, 0 s is 1 and `SLOWEST` 0."""
    median = rates["median"]
    return {**rates, "median": None if median is None else max(0.0, 1 - median / SLOWEST)}


def share(part: int, whole: int) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


def quantiles(seconds: Iterable[float], asked: int) -> dict[str, float | None]:
    """Seconds until the first, half, 95 % and all of those who were asked had confirmed; None where it has not come so far."""
    ordered = sorted(seconds)
    found: dict[str, float | None] = {}
    for quantile in QUANTILES:
        needed = max(1, -(-asked * quantile // 1)) if asked else 1
        name = "first" if quantile == 0 else f"p{quantile * 100:.0f}"
        found[name] = ordered[int(needed) - 1] if asked and len(ordered) >= needed else None
    return found


@dataclass(frozen=True, slots=True)
class Group:
    """One role, township or channel of a warning: how many were asked, and when they confirmed."""

    kind: str
    name: str
    asked: int
    confirmed: int
    times: dict[str, float | None]


ASKED = (
    "SELECT k.role, t.name AS town, k.due_at, w.released_at, "
    "(SELECT min(c.at) FROM ack c WHERE c.warning_id = k.warning_id AND c.recipient_id = k.recipient_id AND c.human) AS at, "
    "(SELECT v.channel FROM ack c JOIN wave v ON v.id = c.wave_id WHERE c.warning_id = k.warning_id "
    "AND c.recipient_id = k.recipient_id AND c.human ORDER BY c.id LIMIT 1) AS channel, "
    "w.id AS warning_id, w.agency_id, k.town_id FROM task k JOIN warning w ON w.id = k.warning_id "
    "JOIN area t ON t.id = k.town_id "
    "WHERE k.kind = 'confirm' AND w.released_at IS NOT NULL "
)


async def confirm_times(conn: AsyncConnection, warning: int) -> list[Group]:
    """When those who were asked confirmed: all of them, by role, by township, and by the channel that they answered from."""
    rows = (await conn.execute(text(ASKED + "AND k.warning_id = :w"), {"w": warning})).all()
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for row in rows:
        groups["all", ""].append(row)
        groups["role", row.role].append(row)
        groups["town", row.town].append(row)
        if row.channel is not None:
            groups["channel", row.channel].append(row)
    found = []
    for (kind, name), members in groups.items():
        seconds = [(row.at - row.released_at) / 1000 for row in members if row.at is not None]
        found.append(Group(kind, name, len(members), len(seconds), quantiles(seconds, len(members))))
    return found


async def warning_sums(conn: AsyncConnection, warning: int) -> Sums:
    """The sums of one warning."""
    found = await period_sums(conn, "all", 0, 2**62, only=warning, why=False)
    return found[0] if found else Sums("")


async def period_sums(
    conn: AsyncConnection,
    by: str,
    since: int,
    until: int,
    only: int | tuple[int, ...] | None = None,
    drill: bool = False,
    why: bool = True,
) -> list[Sums]:
    """The sums of warnings released in a time, by `town`, `agency`, `channel` or `all`; an all-clear is no warning. `only`: of
    these warnings, drills or not. With `why` the reasons of what failed are counted too."""
    named = ", ".join(str(int(one)) for one in (only if isinstance(only, tuple) else (only,)) if one is not None)
    own = f"AND w.id IN ({named})" if named else f"AND w.drill IS {'NOT ' if drill else ''}NULL"
    where = f"w.released_at >= :since AND w.released_at < :until AND w.kind <> 'cancel' {own}"
    bind: dict[str, Any] = {"since": since, "until": until}
    groups: dict[str, Sums] = {}

    def group(name: str) -> Sums:
        return groups.setdefault(name, Sums(name))

    if by == "channel":
        await add_channels(conn, group, where, bind)
    else:
        await add_people(conn, group, by, where, bind)
        await add_answers(conn, group, by, where, bind)
        await add_work(conn, group, by, where, bind)
    if why:
        await add_causes(conn, group, by, where, bind)
    if only is None and not drill and by != "channel":
        for practice in await period_sums(conn, by, since, until, drill=True, why=False):
            if practice.name in groups:
                groups[practice.name].effect = practice.practised()
    return sorted(groups.values(), key=lambda one: one.name)


def label(by: str, town: str = "t.name") -> str:
    """The SQL of a group's name."""
    return {"town": town, "agency": "g.name", "channel": "y.channel"}.get(by, "''")


async def add_people(conn: AsyncConnection, group: Any, by: str, where: str, bind: dict[str, Any]) -> None:
    """Targets by the best state of any of their messages."""
    rows = await conn.execute(
        text(
            f"SELECT {label(by)} AS name, y.state, sum(y.n) AS n, count(DISTINCT w.id) AS warnings FROM tally y "
            "JOIN warning w ON w.id = y.warning_id JOIN agency g ON g.id = w.agency_id JOIN area t ON t.id = y.town_id "
            f"WHERE y.channel = '' AND {where} GROUP BY 1, y.state"
        ),
        bind,
    )
    for row in rows:
        count_state(group(row.name), int(row.state), int(row.n), int(row.warnings))


async def add_channels(conn: AsyncConnection, group: Any, where: str, bind: dict[str, Any]) -> None:
    """Deliveries by channel."""
    rows = await conn.execute(
        text(
            "SELECT y.channel AS name, y.state, sum(y.n) AS n, count(DISTINCT w.id) AS warnings FROM tally y "
            f"JOIN warning w ON w.id = y.warning_id WHERE y.channel <> '' AND {where} GROUP BY 1, y.state"
        ),
        bind,
    )
    for row in rows:
        count_state(group(row.name), int(row.state), int(row.n), int(row.warnings))


def count_state(one: Sums, state: int, n: int, warnings: int) -> None:
    """So many are in a state."""
    one.warnings = max(one.warnings, warnings)
    one.targets += n
    if state >= Rank.ACCEPTED and state not in {int(Rank.FAILED), int(FAILED_PERSON)}:
        one.accepted += n
    if state >= Rank.DELIVERED and state not in {int(Rank.FAILED), int(FAILED_PERSON)}:
        one.delivered += n


async def add_answers(conn: AsyncConnection, group: Any, by: str, where: str, bind: dict[str, Any]) -> None:
    """Who was asked, and when they answered."""
    names = await agency_names(conn)
    rows = await conn.execute(text(f"{ASKED} AND {where}"), bind)
    for row in rows:
        one = group(row.town if by == "town" else names[row.agency_id] if by == "agency" else "")
        one.asked += 1
        if row.at is not None:
            one.in_time += row.at <= row.due_at
            one.seconds.append((row.at - row.released_at) / 1000)


async def add_work(conn: AsyncConnection, group: Any, by: str, where: str, bind: dict[str, Any]) -> None:
    """Doors and tasks."""
    joined = "JOIN warning w ON w.id = y.warning_id JOIN agency g ON g.id = w.agency_id LEFT JOIN area t ON t.id = y.town_id"
    source = f"FROM {{table}} y {joined}"
    name = label(by, "coalesce(t.name, '')")
    done = "sum(CASE WHEN y.state IN ('reached', 'moved') OR y.reason IS NOT NULL THEN 1 ELSE 0 END)"
    query = f"SELECT {name} AS name, count(*) AS n, {done} AS done {source.format(table='door')} WHERE {where} GROUP BY 1"
    for row in await conn.execute(text(query), bind):
        one = group(row.name)
        one.doors, one.closed = int(row.n), int(row.done)
    late = "sum(CASE WHEN y.late_at IS NULL THEN 0 ELSE 1 END)"
    query = f"SELECT {name} AS name, count(*) AS n, {late} AS late {source.format(table='assignment')} WHERE {where} GROUP BY 1"
    for row in await conn.execute(text(query), bind):
        if row.name or by != "town":
            one = group(row.name)
            one.tasks, one.overdue = int(row.n), int(row.late)


async def add_causes(conn: AsyncConnection, group: Any, by: str, where: str, bind: dict[str, Any]) -> None:
    """Why messages failed, from the index of what did; the township is the batch's, which is looked up once for all of it."""
    lost = f"FROM warning w JOIN wave v ON v.warning_id = w.id CROSS JOIN {lost_rows(conn)} "
    only = f"WHERE d.wave_id = v.id AND d.reason IS NOT NULL AND {where}"
    names = {"channel": "v.channel", "agency": "w.agency_id"}
    if by == "town":
        query = (
            f"SELECT t.name AS name, x.reason, sum(x.n) AS n FROM (SELECT d.batch_id, d.reason, count(*) AS n {lost} {only} "
            "GROUP BY d.batch_id, d.reason) AS x JOIN batch y ON y.id = x.batch_id JOIN area t ON t.id = y.town_id "
            "GROUP BY t.name, x.reason"
        )
    else:
        query = f"SELECT {names.get(by, EMPTY)} AS name, d.reason, count(*) AS n {lost} {only} GROUP BY 1, d.reason"
    agencies = await agency_names(conn) if by == "agency" else {}
    for row in await run_beside(conn, text(query), bind):
        group(agencies.get(row.name, row.name)).causes[row.reason] += int(row.n)


async def agency_names(conn: AsyncConnection) -> dict[str, str]:
    """Every agency's name."""
    return {str(row.id): str(row.name) for row in await conn.execute(text("SELECT id, name FROM agency"))}
