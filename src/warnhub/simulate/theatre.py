"""A drill in fast motion: the real desk, planner, worker, ladder, doors and plans, on a clock that jumps from one thing that is
due to the next. The people are simulated, and so are the carriers, which keep whom they reached."""

import asyncio
import contextlib
import heapq
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import insert, text

from warnhub.alert import Alert, Area, Code, Gate, Kind, Level, Original, Reference, Status, Text, Verdict
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.desk import Refusal
from warnhub.hub import Hub, make_hub
from warnhub.simulate.actors import Actors
from warnhub.simulate.county import load_county
from warnhub.simulate.hands import Hands, hands_of, make_hands
from warnhub.simulate.script import Event, Said, Script
from warnhub.store import tables
from warnhub.store.agencies import add_agency, read_agency
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store
from warnhub.store.policies import load_policies

BEGIN = datetime(2036, 9, 14, 0, 0, tzinfo=UTC)
"""Ahead of any real clock: no carrier takes a message whose time is over."""

STEP = 60_000
"""What is due within a minute is done together."""

WEATHER = "云岭县气象台"
DRILL = "script"
PATIENCE = 60.0


class Clock:
    """The theatre's clock, milliseconds; it only goes on."""

    def __init__(self, now: int) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@dataclass(slots=True)
class Stage:
    """What one performance works with."""

    script: Script
    clock: Clock
    hub: Hub
    actors: Actors
    cast: frozenset[int]
    begin: int
    rng: random.Random
    queue: list[tuple[int, int, Callable[[], Awaitable[None]]]] = field(default_factory=list)
    order: "itertools.count[int]" = field(default_factory=itertools.count)
    warnings: dict[str, str] = field(default_factory=dict)
    said: dict[str, Alert] = field(default_factory=dict)

    def later(self, at: int, act: Callable[[], Awaitable[None]]) -> None:
        """Do something at a time."""
        heapq.heappush(self.queue, (at, next(self.order), act))

    async def ask(self, query: str, **bind: Any) -> list[Any]:
        """Rows of the ledger."""
        async with self.hub.store.read() as conn:
            return list((await conn.execute(text(query), bind)).all())


async def perform(script: Script, folder: Path, residents: int = 1_000) -> dict[str, Any]:
    """Play a script in a county of its own, in `folder`; gives the closing line."""
    async with set_stage(script, folder, residents) as stage:
        for event in script.events:
            stage.later(stage.begin + milliseconds(event.at), make_act(stage, event))
        end = stage.begin + script.hours * 3_600_000
        steps = 0
        while stage.clock.now < end:
            await play_due(stage)
            steps += 1
            stage.clock.now = min(end, max(await next_due(stage, end), stage.clock.now + STEP))
        await play_due(stage)
        return await closing_line(stage) | {"steps": steps}


@contextlib.asynccontextmanager
async def set_stage(script: Script, folder: Path, residents: int) -> AsyncIterator[Stage]:
    """A county in a file, with a list of participants, and the engine's loops that need no clock running."""
    clock, key = Clock(int(BEGIN.timestamp() * 1000)), make_key()
    url = f"sqlite:///{folder / 'drill.sqlite3'}"
    store = Store(url, clock)
    await upgrade_store(store)
    await load_county(store, KeyRing(key), residents, script.seed)
    await load_policies(store)
    async with store.write() as tx:
        given = {"name": WEATHER, "areas": ["990123"], "release": Level.BLUE, "senders": [WEATHER]}
        await add_agency(tx, "drill", id="weather", **given)  # type: ignore[arg-type]  # a table of arguments
        cast = await list_cast(tx, script)
    await store.close()
    actors = Actors(script.people, random.Random(script.seed))
    providers = make_hands(actors.hear)
    hub = await make_hub(load_settings(database_url=url, secret_key=key, providers={}), clock=clock, providers=providers)
    stage = Stage(script, clock, hub, actors, cast, clock.now, random.Random(script.seed))
    actors.stage = stage
    parts = [hub.bus.run(), hub.worker.run(), hub.living.run(hub.bus)]
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        yield stage
    finally:
        await hub.worker.drain()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await hub.close()


async def list_cast(tx: Any, script: Script) -> frozenset[int]:
    """Enlist everybody responsible in the first townships and at the county, and some residents there."""
    towns = [row.id for row in await tx.conn.execute(text("SELECT id FROM area WHERE level = 9 ORDER BY code"))]
    chosen = ", ".join(str(town) for town in towns[: script.cast.towns]) or "0"
    roles = ", ".join(f"'{role.value}'" for role in script.cast.roles)
    staff = await tx.conn.execute(
        text(
            "SELECT r.id FROM recipient r JOIN area a ON a.id = r.area_id "
            f"WHERE r.role IN ({roles}) AND (a.level = 6 OR a.town_id IN ({chosen}))"
        )
    )
    people = [row.id for row in staff]
    public = await tx.conn.execute(
        text(
            "SELECT r.id FROM recipient r JOIN area a ON a.id = r.area_id WHERE r.role = 'resident' AND NOT r.opt_out "
            f"AND a.town_id IN ({chosen}) ORDER BY r.id LIMIT {script.cast.residents}"
        )
    )
    people += [row.id for row in public]
    values = {"id": DRILL, "name": script.name, "created_at": tx.now, "created_by": "drill"}
    await tx.conn.execute(insert(tables.drill).values(**values))
    await tx.conn.execute(insert(tables.participant), [{"drill_id": DRILL, "recipient_id": one} for one in people])
    await add_audit(tx, "drill", "drill.add", DRILL, {"people": len(people)})
    return frozenset(people)


def make_act(stage: Stage, event: Event) -> Callable[[], Awaitable[None]]:
    """What one event of the script does."""

    async def act() -> None:
        if event.alert is not None:
            await say(stage, event.alert)
        elif event.cancel is not None:
            await lift(stage, event.cancel.of, event.cancel.why)
        elif event.fault is not None:
            cut(stage, event.fault.channel, True)
            stage.later(stage.clock.now + milliseconds(event.fault.lasts), make_cut(stage, event.fault.channel))
        elif event.silent is not None:
            await stage.actors.hush(event.silent.villages, stage.clock.now + milliseconds(event.silent.lasts))

    return act


def cut(stage: Stage, channel: str, down: bool) -> None:
    """A channel goes down, or comes back."""
    for hands in hands_of(stage.hub.providers, channel):
        hands.down = down


def make_cut(stage: Stage, channel: str) -> Callable[[], Awaitable[None]]:
    """The channel comes back."""

    async def act() -> None:
        cut(stage, channel, False)

    return act


async def say(stage: Stage, said: Said) -> None:
    """The weather office says it, as an exercise."""
    alert = make_alert(stage, said)
    stage.said[said.id] = alert
    async with stage.hub.store.read() as conn:
        agency = await read_agency(conn, "weather")
    assert agency is not None
    received = await stage.hub.desk.receive(agency, Verdict(gate=Gate.ACCEPT, alert=alert), b"{}", "application/json")
    if received.warning is None:
        raise RuntimeError(f"{said.id}: {received.state} {received.reasons}")
    stage.warnings[said.id] = received.warning


def make_alert(stage: Stage, said: Said) -> Alert:
    """An exercise alert over the whole county."""
    now = datetime.fromtimestamp(stage.clock.now / 1000, UTC)
    before = stage.said.get(said.after)
    references = [Reference(identifier=before.identifier, sender=before.sender, sent=before.sent)] if before else []
    return Alert(
        identifier=said.id,
        sender=WEATHER,
        sent=now,
        status=Status.EXERCISE,
        kind=Kind.UPDATE if before else Kind.ALERT,
        references=references,
        hazard=said.hazard,
        level=said.level,
        effective=now,
        onset=now + said.onset,
        expires=now + said.life,
        areas=[Area(name="云岭县", codes=[Code(value="990123000000")])],
        texts=[Text(headline=said.headline, description=f"{said.headline}。", instruction="请按预案行动。")],
        original=Original(form="drill"),
    )


async def lift(stage: Stage, name: str, why: str) -> None:
    """An officer ends it."""
    with contextlib.suppress(Refusal):  # it may have expired by itself
        await stage.hub.desk.cancel(stage.warnings[name], "user:officer-1", why)


async def play_due(stage: Stage) -> None:
    """Everything that is due now, and what follows from it at once, until nothing is left."""
    for _ in range(50):
        acted = 0
        while stage.queue and stage.queue[0][0] <= stage.clock.now:
            await heapq.heappop(stage.queue)[2]()
            acted += 1
        acted += await stage.hub.clock.tick()
        while await stage.hub.escalation.tick():
            acted += 1
        acted += await stage.hub.responder.tick()
        await settle(stage)
        acted += await stage.actors.look()
        if not acted:
            return


async def settle(stage: Stage) -> None:
    """Wait until the bus and the worker have nothing in hand that is due."""
    due = "SELECT count(*) FROM batch WHERE state = 1 OR (state = 0 AND due_at <= :now)"
    busy = f"SELECT (SELECT count(*) FROM outbox) + ({due}) AS n"
    async with asyncio.timeout(PATIENCE):
        while (await stage.ask(busy, now=stage.clock.now))[0].n:  # noqa: ASYNC110 - the ledger alone knows, and is asked
            await asyncio.sleep(0.005)


async def next_due(stage: Stage, end: int) -> int:
    """When the next thing is due."""
    (row,) = await stage.ask(
        "SELECT (SELECT min(due_at) FROM timer) AS a, (SELECT min(due_at) FROM task WHERE state = 'open') AS b, "
        "(SELECT min(due_at) FROM assignment WHERE state = 'open') AS c, (SELECT min(due_at) FROM batch WHERE state = 0) AS d, "
        "(SELECT min(onset_at) - 172800000 FROM run WHERE state = 'waiting') AS e, "
        "(SELECT min(next_at) FROM assignment WHERE state IN ('open', 'late')) AS f"
    )
    times = [int(at) for at in row if at is not None]
    if stage.queue:
        times.append(stage.queue[0][0])
    return min([*times, end])


async def closing_line(stage: Stage) -> dict[str, Any]:
    """What came of it. `leaked`: people outside the list whom a carrier reached, by what the carriers took."""
    hub = stage.hub
    reached = {address for one in hub.providers.values() if isinstance(one.adapter, Hands) for address in one.adapter.reached}
    owners: dict[str, set[int]] = {}
    for row in await stage.ask("SELECT recipient_id, value FROM address"):
        owners.setdefault(hub.keys.unseal(bytes(row.value)), set()).add(row.recipient_id)
    leaked = sum(not owners.get(address, set()) & stage.cast for address in reached)
    (row,) = await stage.ask(
        "SELECT (SELECT count(DISTINCT recipient_id) FROM ack WHERE human) AS confirmed, "
        "(SELECT count(DISTINCT recipient_id) FROM task WHERE kind = 'confirm') AS asked, "
        "(SELECT count(*) FROM event WHERE kind = 'escalated') AS escalated, (SELECT count(*) FROM door) AS doors, "
        "(SELECT count(*) FROM door WHERE state IN ('reached', 'moved') OR reason IS NOT NULL) AS doors_closed, "
        "(SELECT count(*) FROM assignment WHERE warning_id IS NOT NULL) AS tasks, "
        "(SELECT count(*) FROM assignment WHERE warning_id IS NOT NULL AND late_at IS NOT NULL) AS overdue, "
        "(SELECT count(*) FROM warning) AS warnings, (SELECT count(*) FROM stoporder) AS orders"
    )
    hands = [one.adapter for one in hub.providers.values() if isinstance(one.adapter, Hands)]
    line: dict[str, Any] = {"drill": stage.script.name, "participants": len(stage.cast)}
    line |= {name: int(value) for name, value in row._mapping.items()}
    return line | {
        "leaked": leaked,
        "messages": sum(one.counts["sent"] for one in hands),
        "refused": sum(one.counts["down"] for one in hands),
        "unmarked": sum(one.unmarked for one in hands),
        "hours": stage.script.hours,
    }


def milliseconds(span: timedelta) -> int:
    """A time span as the tables keep it."""
    return int(span.total_seconds() * 1000)
