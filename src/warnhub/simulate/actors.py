"""The people of a fast drill: they hear, answer or do not, knock on doors, do their tasks, and release what waits for two."""

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from warnhub.feedback.acks import Ack, Evidence
from warnhub.simulate.script import People
from warnhub.store.doors import SETTLED, Knock

if TYPE_CHECKING:
    from warnhub.simulate.theatre import Stage

OUTCOMES = ("reached", "reached", "moved", "moved", "moved", "reached", "absent", "refused", "help", "moved")
OFFICERS = ("user:officer-1", "user:officer-2")
MINUTE = 60_000


@dataclass(slots=True)
class Actors:
    """Everybody who takes part. `silent`: person → until when nothing is heard of them."""

    people: People
    rng: random.Random
    stage: "Stage" = field(init=False)
    heard: list[tuple[int, int]] = field(default_factory=list)
    silent: dict[int, int] = field(default_factory=dict)
    answered: set[tuple[int, int]] = field(default_factory=set)
    knocking: set[tuple[int, int]] = field(default_factory=set)
    working: set[tuple[int, str]] = field(default_factory=set)
    reading: set[str] = field(default_factory=set)

    def hear(self, wave: int, recipient: int, channel: str) -> None:
        """A carrier has taken a message for somebody."""
        self.heard.append((wave, recipient))

    async def hush(self, villages: int, until: int) -> None:
        """Nothing is heard of the people of some villages."""
        rows = await self.stage.ask(
            "SELECT r.id, a.village_id FROM recipient r JOIN area a ON a.id = r.area_id "
            "JOIN participant p ON p.recipient_id = r.id WHERE a.level >= 12 ORDER BY a.code"
        )
        chosen = list(dict.fromkeys(row.village_id for row in rows))[:villages]
        self.silent |= {row.id: until for row in rows if row.village_id in chosen}

    def is_silent(self, person: int | None) -> bool:
        """Whether nothing is heard of this person now."""
        return person is not None and self.silent.get(person, 0) > self.stage.clock.now

    async def look(self) -> int:
        """Take in what has come, and decide when to act on it; gives how much that was."""
        return await self.read_messages() + await self.take_tasks() + await self.read_desk()

    async def read_messages(self) -> int:
        """Who was told answers after a while, or does not; a knocker sets out."""
        heard, self.heard = self.heard, []
        for wave, person in heard:
            if self.is_silent(person):
                continue
            if (wave, person) not in self.answered and self.rng.random() < self.people.answers:
                self.answered.add((wave, person))
                after = int(self.rng.expovariate(1 / self.people.slow.total_seconds()) * 1000)
                self.stage.later(self.stage.clock.now + after, self.answer(wave, person))
            rows = await self.stage.ask(
                "SELECT DISTINCT d.warning_id FROM door d JOIN wave v ON v.warning_id = d.warning_id "
                "WHERE v.id = :v AND d.worker_id = :r",
                v=wave,
                r=person,
            )
            for row in rows:
                if (row.warning_id, person) not in self.knocking:
                    self.knocking.add((row.warning_id, person))
                    await self.set_out(row.warning_id, person)
        return len(heard)

    def answer(self, wave: int, person: int) -> Any:
        """Confirm."""

        async def act() -> None:
            if not self.is_silent(person):
                choice = self.rng.choice(("received", "received", "received", "moved", "help"))
                await self.stage.hub.acks.take(Ack(wave, person, Evidence.HUMAN, choice=choice))

        return act

    async def set_out(self, warning: int, person: int) -> None:
        """From door to door, and then the list is closed with a reason for each that was not answered."""
        rows = await self.stage.ask(
            "SELECT d.id, s.id AS shelter FROM door d JOIN household h ON h.id = d.household_id "
            "LEFT JOIN shelter s ON s.ref = h.shelter WHERE d.warning_id = :w AND d.worker_id = :r "
            "AND d.state = 'open' ORDER BY d.weight DESC, h.ref",
            w=warning,
            r=person,
        )
        pace, at = int(self.people.knock.total_seconds() * 1000), self.stage.clock.now + 10 * MINUTE
        for row in rows:
            at += int(pace * (0.5 + self.rng.random()))
            self.stage.later(at, self.knock(warning, person, row.id, row.shelter))
        self.stage.later(at + 5 * MINUTE, self.close(warning, person))

    def knock(self, warning: int, person: int, door: int, shelter: int | None) -> Any:
        """At one door."""

        async def act() -> None:
            if self.is_silent(person) or not await self.lives(warning):
                return
            choice = self.rng.choice(OUTCOMES)
            knock = Knock(f"drill-{warning}-{door}", door, choice, self.stage.clock.now, shelter)
            await self.stage.hub.responder.action.knock(warning, person, [knock], f"recipient:{person}")

        return act

    def close(self, warning: int, person: int) -> Any:
        """The list is closed."""

        async def act() -> None:
            if self.is_silent(person) or not await self.lives(warning):
                return
            rows = await self.stage.ask(
                "SELECT id, state FROM door WHERE warning_id = :w AND worker_id = :r", w=warning, r=person
            )
            reasons = {row.id: "已报村里处理" for row in rows if row.state not in SETTLED}
            await self.stage.hub.responder.action.close(warning, person, reasons, f"recipient:{person}")

        return act

    async def lives(self, warning: int) -> bool:
        """Whether a warning is still in force."""
        return bool(await self.stage.ask("SELECT 1 FROM warning WHERE id = :w AND state = 'released'", w=warning))

    async def take_tasks(self) -> int:
        """Most tasks are done in time; a late one is seen to by whom it was raised to."""
        rows = await self.stage.ask(
            "SELECT id, state, owner_id, raised_id, begin_at, due_at FROM assignment "
            "WHERE warning_id IS NOT NULL AND state IN ('open', 'late')"
        )
        fresh = [row for row in rows if (row.id, row.state) not in self.working]
        for row in fresh:
            self.working.add((row.id, row.state))
            person = row.owner_id if row.state == "open" else row.raised_id
            if person is None or self.is_silent(person) or self.rng.random() > self.people.works:
                continue
            span = max(MINUTE, row.due_at - row.begin_at)
            at = (
                row.begin_at + int(span * 0.8 * self.rng.random())
                if row.state == "open"
                else self.stage.clock.now + 30 * MINUTE
            )
            self.stage.later(max(at, self.stage.clock.now), self.work(row.id, person))
        return len(fresh)

    def work(self, number: int, person: int) -> Any:
        """The task is done, unless it was closed or another has done it."""

        async def act() -> None:
            if self.is_silent(person):
                return
            alive = "SELECT 1 FROM assignment WHERE id = :id AND state IN ('open', 'late')"
            if await self.stage.ask(alive, id=number):
                await self.stage.hub.responder.done(number, f"recipient:{person}", "已完成,情况正常", person)

        return act

    async def read_desk(self) -> int:
        """What waits for officers is released by as many of them as it takes, one after the other."""
        rows = await self.stage.ask("SELECT uid, approvals FROM warning WHERE state = 'pending'")
        fresh = [row for row in rows if row.uid not in self.reading]
        for row in fresh:
            self.reading.add(row.uid)
            for number, officer in enumerate(OFFICERS[: max(1, row.approvals)], 1):
                self.stage.later(self.stage.clock.now + number * 5 * MINUTE, self.release(row.uid, officer))
        return len(fresh)

    def release(self, uid: str, officer: str) -> Any:
        """One officer's yes, if it still waits."""

        async def act() -> None:
            if await self.stage.ask("SELECT 1 FROM warning WHERE uid = :u AND state = 'pending'", u=uid):
                await self.stage.hub.desk.release(uid, officer)

        return act
