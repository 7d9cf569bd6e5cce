"""Planning a released warning: extent → targets → batches, responsible people first, each step visible as it is cut."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import LANES, Level
from warnhub.channels import Provider
from warnhub.plan.audience import Places
from warnhub.plan.cutting import Cut, copy_targets, cut_batches, cut_targets, hold_plan, open_step, open_wave
from warnhub.plan.policy import Policy, Rule, quiet_until, rules_for
from warnhub.roles import Role
from warnhub.store import tables
from warnhub.store.audits import add_event
from warnhub.store.engine import Store, Tx
from warnhub.store.timers import set_timer
from warnhub.store.turns import hurry
from warnhub.store.warnings import LIVING, Warning, read_warning, warning_alert
from warnhub.traces import carried, span

AGAIN = 250
FIRST = -1
EVERYWHERE = 0
"""In place of a township, what is one step for all of them."""
RANKS = {role: number for number, role in enumerate(Role)}


@dataclass(slots=True)
class Planner:
    """Plans warnings with what the composition root gives it: places, policies by version, providers by channel."""

    store: Store
    places: Places
    policies: dict[int, Policy]
    channels: dict[str, list[Provider]]
    ahead: Callable[[Tx, Warning], Awaitable[int]] | None = None
    """Cuts the messages of those who must hear before everybody else."""

    async def plan(self, key: str, data: dict[str, Any]) -> None:
        """Plan the warning with id `key`; a plan that was broken off goes on where it was.

        An all-clear is planned again while a worker still has a part of what it ends: who hears that meanwhile is told too.
        """
        async with self.store.read() as conn:
            warning = await read_warning(conn, int(key))
            if warning is None or warning.state != LIVING or warning.planned_at is not None:
                return
        with (
            span("warning.plan", "consumer", warning.trace, warning=warning.uid, level=warning.level),
            hurry(warning.lane == 1),
        ):
            await self.carry_out(warning)

    async def carry_out(self, warning: Warning) -> None:
        """The plan of a living warning, or what is left of it."""
        async with self.store.read() as conn:
            alert = await warning_alert(conn, warning)
            previous = await read_warning(conn, ended_by(warning) or 0)
            held = previous is not None and await is_held(conn, previous.id)
        rules = self.rules(previous or warning)
        async with self.store.write() as tx:
            await hold_plan(tx, warning.id)
            towns = await self.lay_extent(tx, warning, alert.areas)
            if self.ahead is not None and await is_living(tx, warning.id):
                await self.ahead(tx, warning)
        for role, rule in rules.items():
            groups = [[town] for town in towns] if role is Role.RESIDENT else [towns]
            for group in groups:
                async with self.store.write() as tx:
                    await hold_plan(tx, warning.id)
                    if not await is_living(tx, warning.id):
                        return
                    for town in group:
                        await self.cut(tx, warning, role, rule, town)
        async with self.store.write() as tx:
            if held:
                await set_timer(tx, "plan", warning.id, tx.now + AGAIN, {})
                return
            first = text("UPDATE warning SET planned_at = :now WHERE id = :id AND planned_at IS NULL RETURNING id")
            if await tx.conn.scalar(first, {"now": tx.now, "id": warning.id}) is None:
                return
            await add_event(tx, warning.id, "planned", "policy", {"policy": warning.policy, "roles": [r.value for r in rules]})
            await tx.publish("warning.planned", str(warning.id), lane=warning.lane)

    def rules(self, warning: Warning) -> dict[Role, Rule]:
        """The rules of this warning's audience; a restricted one stays with those who answer for others."""
        rules = rules_for(self.policies[warning.policy], warning.hazard_class, Level(warning.level))
        return {role: rule for role, rule in rules.items() if role.responsible or not warning.restricted}

    async def lay_extent(self, tx: Tx, warning: Warning, areas: Sequence[Any]) -> list[int]:
        """Keep the places of a warning; gives its townships."""
        if (previous := ended_by(warning)) is not None:
            source, bind = "SELECT DISTINCT town_id FROM target WHERE warning_id = :p ORDER BY town_id", {"p": previous}
            return [int(row[0]) for row in await tx.conn.execute(text(source), bind)]
        rows = self.places.rows(self.places.select(areas))
        known = await tx.conn.scalar(text("SELECT count(*) FROM extent WHERE warning_id = :w"), {"w": warning.id})
        if rows and not known:
            await tx.conn.execute(
                insert(tables.extent),
                [{"warning_id": warning.id, "area_id": a, "town_id": t, "home": h} for a, t, h in rows],
            )
        return sorted({town for _, town, _ in rows})

    async def cut(self, tx: Tx, warning: Warning, role: Role, rule: Rule, town: int) -> None:
        """One role of one township: targets, then batches by channel, then what each person must confirm."""
        if (previous := ended_by(warning)) is not None:
            await self.cut_clear(tx, warning, previous, role, rule, town)
            return
        channels = {channel: self.carried(channel) for channel in self.names(rule)}
        if not channels:
            return
        await cut_targets(tx, warning.id, role.value, town, channels, warning.drill)
        for channel in channels:
            await self.cut_channel(tx, warning, role.value, town, channel, rule, before=self.earlier(rule, channel))
        if warning.kind != "cancel":
            await self.set_tasks(tx, warning, role, rule, town)

    async def cut_ahead(self, tx: Tx, warning: Warning, role: Role, rule: Rule, town: int, people: tuple[int, ...]) -> None:
        """The first round of some people of one role of one township, before all others: what is cut of that role later leaves
        them out."""
        channels = {channel: self.carried(channel) for channel in self.names(rule)}
        if not channels:
            return
        await cut_targets(tx, warning.id, role.value, town, channels, warning.drill)
        for channel in channels:
            before = self.earlier(rule, channel)
            await self.cut_channel(
                tx, warning, role.value, town, channel, rule, part=":ahead", rank=FIRST, before=before, people=people
            )

    async def cut_clear(self, tx: Tx, warning: Warning, previous: int, role: Role, rule: Rule, town: int) -> None:
        """Those of one role of one township whom the earlier warning told, each by the channels that told them.

        Each run is a step of its own, for there may be more of them by then; nobody is told twice, whatever runs again.
        """
        assert warning.previous_id is not None
        await copy_targets(tx, warning.id, warning.previous_id, role.value, town)
        for channel in self.channels:
            await self.cut_channel(tx, warning, role.value, town, channel, rule, told_by=warning.previous_id, part=f":{tx.now}")

    def names(self, rule: Rule) -> list[str]:
        """The channels of a rule that somebody provides, in its order."""
        return [channel.value for channel in rule.channels if channel.value in self.channels]

    def earlier(self, rule: Rule, channel: str) -> dict[str, tuple[str, ...]]:
        """The channels that take a person before this one does, with the kinds of address they carry: none in mode `all`."""
        names = self.names(rule)
        return {name: self.carried(name) for name in names[: names.index(channel)]} if rule.mode == "first" else {}

    def carried(self, channel: str) -> tuple[str, ...]:
        """The kinds of address that the providers of a channel carry between them; () is all."""
        routes = [provider.settings.routes for provider in self.channels.get(channel, [])]
        return tuple(sorted({route for kinds in routes for route in kinds})) if all(routes) else ()

    async def cut_channel(
        self,
        tx: Tx,
        warning: Warning,
        role: str,
        town: int,
        channel: str,
        rule: Rule,
        *,
        round_: int = 1,
        cause: str = "plan",
        part: str = "",
        rank: int | None = None,
        **only: Any,
    ) -> int:
        """The batches of one channel, one step for each provider that carries it; none once the warning has ended."""
        if not await is_living(tx, warning.id):
            return 0
        wave = await open_wave(tx, warning.id, channel, round_, cause)
        due = due_time(warning, rule, self.policies[warning.policy].zone, tx.now)
        total = 0
        for provider in self.channels.get(channel, []):
            total += await cut_batches(
                tx,
                Cut(
                    warning.id,
                    wave,
                    channel,
                    round_,
                    provider.name,
                    provider.settings.routes,
                    role,
                    town,
                    LANES[Level(warning.level)],
                    RANKS[Role(role)] if rank is None else rank,
                    provider.batch_size,
                    due,
                    part=part,
                    trace=carried() or warning.trace,
                    **only,
                ),
            )
        return total

    async def set_tasks(self, tx: Tx, warning: Warning, role: Role, rule: Rule, town: int) -> None:
        """What each of these people must confirm and by when, and when they are told again."""
        if rule.confirm is not None:
            within = int(rule.confirm.within.total_seconds() * 1000)
            await tx.conn.execute(
                text(
                    "INSERT INTO task (warning_id, recipient_id, kind, role, town_id, area_id, state, rung, due_at) "
                    "SELECT t.warning_id, t.recipient_id, 'confirm', t.role, t.town_id, r.area_id, 'open', 0, :due "
                    "FROM target t JOIN recipient r ON r.id = t.recipient_id "
                    "WHERE t.warning_id = :w AND t.town_id = :town AND t.role = :role ON CONFLICT DO NOTHING"
                ),
                {"due": tx.now + within, "w": warning.id, "town": town, "role": role.value},
            )
            tx.wake("timer")
        if rule.repeat is not None and rule.repeat.times > 1:
            wave = await open_wave(tx, warning.id, self.names(rule)[0], 1, "plan")
            if await open_step(tx, wave, role.value, EVERYWHERE, "repeat") is not None:
                await set_repeat(tx, warning.id, role.value, rule, 2)


def ended_by(warning: Warning) -> int | None:
    """The earlier warning of an all-clear, which is for whom that one told and for nobody else."""
    return warning.previous_id if warning.kind == "cancel" else None


async def is_held(conn: AsyncConnection, warning: int) -> bool:
    """Whether a worker has a part of a warning in its hand."""
    found = await conn.scalar(text("SELECT 1 FROM batch WHERE warning_id = :w AND state = 1 LIMIT 1"), {"w": warning})
    return found is not None


async def set_repeat(tx: Tx, warning: int, role: str, rule: Rule, number: int) -> None:
    """Wake up when it is time to say it again to `role`. The caller sees to it that this is once for the whole warning: a timer
    that has gone off leaves nothing to find."""
    assert rule.repeat is not None
    due = tx.now + int(rule.repeat.every.total_seconds() * 1000)
    await set_timer(tx, "repeat", warning, due, {"role": role, "number": number})


async def is_living(tx: Tx, warning: int) -> bool:
    """Whether the warning is still released; it stays so until this transaction, which would add to it, is committed."""
    lock = "" if tx.conn.dialect.name == "sqlite" else "FOR SHARE"
    state = await tx.conn.scalar(text(f"SELECT state FROM warning WHERE id = :w {lock}"), {"w": warning})
    return bool(state == LIVING)


def due_time(warning: Warning, rule: Rule, zone: str, now: int) -> int:
    """When batches may leave: now, or after the quiet hours if it lives that long."""
    until = quiet_until(rule, datetime.fromtimestamp(now / 1000, UTC), zone)
    due = int(until.timestamp() * 1000) if until else now
    return due if due < warning.expires_at else now
