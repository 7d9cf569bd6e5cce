"""敲门行动: doors are opened when a warning has its audience, and every knock is judged before it is kept."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from warnhub.alert import Level, Model, Problem
from warnhub.desk import Refusal
from warnhub.store.audits import add_audit, add_event
from warnhub.store.doors import CHOICES, UNDO, Knock, close_list, door_figures, open_doors, take_knocks
from warnhub.store.engine import Store, Tx
from warnhub.store.warnings import LIVING, Warning, read_warning

CLIENT = re.compile(r"[A-Za-z0-9._:-]{8,80}")
MOST = 500
"""Knocks in one message: a day of a telephone without a line."""

LONGEST = 120


class Count(Model):
    """Doors of a warning, or of one township. `settled` were reached or moved; `explained` are the others whose knocker gave a
    reason; `closed` = settled + explained; people are counted the same way."""

    name: str = ""
    doors: int = 0
    open: int = 0
    reached: int = 0
    moved: int = 0
    absent: int = 0
    refused: int = 0
    help: int = 0
    explained: int = 0
    people: int = 0
    people_moved: int = 0

    @property
    def settled(self) -> int:
        """Doors where somebody spoke with the people."""
        return self.reached + self.moved

    @property
    def closed(self) -> int:
        """Doors that need nothing more."""
        return self.settled + self.explained


@dataclass(slots=True)
class Action:
    """The doors of every warning. `levels`: the colours that send people to doors."""

    store: Store
    levels: frozenset[Level] = field(default=frozenset({Level.RED, Level.ORANGE}))

    async def open(self, tx: Tx, warning: Warning) -> int:
        """The doors of a warning that has its audience; 0 for one that sends nobody to doors."""
        if warning.state != LIVING or warning.kind == "cancel" or warning.restricted:
            return 0
        if Level(warning.level) not in self.levels:
            return 0
        count = await open_doors(tx, warning)
        if count:
            await add_event(tx, warning.id, "doors", "policy", {"doors": count})
        return count

    async def knock(self, warning: int, recipient: int, knocks: Sequence[Knock], actor: str) -> dict[str, str]:
        """Keep what one person did at doors; client → kept, known or stranger. 409 once the warning is over."""
        if len(knocks) > MOST:
            raise Refusal(413, "too much at once", [bad("knocks", "TOO_MANY", f"at most {MOST}", str(len(knocks)))])
        async with self.store.write() as tx:
            found = await self.living(tx, warning)
            outcome = await take_knocks(tx, found.id, recipient, knocks, actor)
            for one in knocks:
                if one.choice == "help" and outcome[one.client] == "kept":
                    await add_event(tx, found.id, "door.help", "recipient", {"door": one.door, "text": one.note}, recipient)
        return outcome

    async def close(self, warning: int, recipient: int, reasons: Mapping[int, str], actor: str) -> list[int]:
        """Close one person's list; gives the doors that still need a reason, and then it is not closed."""
        async with self.store.write() as tx:
            found = await self.living(tx, warning)
            missing = await close_list(tx, found.id, recipient, dict(reasons), actor)
            if not missing:
                await add_audit(tx, actor, "doors.close", found.uid, {"reasons": len(reasons)})
        return missing

    async def living(self, tx: Tx, number: int) -> Warning:
        """The warning, or a refusal: what is over takes no knocks."""
        found = await read_warning(tx.conn, number)
        if found is None:
            raise Refusal(404, "there is no such warning")
        if found.state != LIVING:
            raise Refusal(409, f"this warning is {found.state}; its doors are closed")
        return found


def read_knock(item: Any, now: int) -> Knock:
    """A knock as a telephone tells it: `ago` is milliseconds since it was made, by its own clock. Raises Refusal."""
    if not isinstance(item, dict):
        raise refused("knock", "OBJECT", "must be an object", type(item).__name__)
    client, choice = item.get("client"), item.get("choice")
    if not isinstance(client, str) or not CLIENT.fullmatch(client):
        raise refused("client", "FORM", "8 to 80 letters, digits and . _ : -", str(client)[:80])
    if choice not in (*CHOICES, UNDO):
        raise refused("choice", "UNKNOWN", f"one of {', '.join((*CHOICES, UNDO))}", str(choice)[:40])
    numbers = {}
    for name, least in (("door", 1), ("ago", 0), ("shelter", 1)):
        value = item.get(name, 0 if name == "ago" else None)
        if value is None and name == "shelter":
            continue
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value < 2**53:
            raise refused(name, "NUMBER", f"a whole number from {least}", str(value)[:40])
        numbers[name] = value
    note, undoes = item.get("note", ""), item.get("undoes", "")
    if not isinstance(note, str) or not isinstance(undoes, str) or (choice == UNDO) != bool(undoes):
        raise refused("undoes", "UNDO", "an undo names the knock it takes back, and nothing else does", str(undoes)[:80])
    said = " ".join(note.split())[:LONGEST]
    return Knock(client, numbers["door"], choice, now - numbers["ago"], numbers.get("shelter"), said, undoes[:80])


def bad(path: str, rule: str, message: str, value: str) -> Problem:
    """One thing wrong with what a telephone sent."""
    return Problem(path=path, rule=rule, message=message, value=value)


def refused(path: str, rule: str, message: str, value: str) -> Refusal:
    """422 for one knock."""
    return Refusal(422, "this knock cannot be taken", [bad(path, rule, message, value)])


async def count_doors(conn: Any, warning: int) -> tuple[Count, list[Count]]:
    """(all doors of a warning, the same by township)."""
    towns: dict[str, dict[str, int]] = {}
    whole: dict[str, int] = {}
    for row in await door_figures(conn, warning):
        for part in (whole, towns.setdefault(row.town, {})):
            part["doors"] = part.get("doors", 0) + int(row.doors)
            part["people"] = part.get("people", 0) + int(row.people)
            part[row.state] = part.get(row.state, 0) + int(row.doors)
            if row.state == "moved":
                part["people_moved"] = part.get("people_moved", 0) + int(row.people)
            elif row.explained:
                part["explained"] = part.get("explained", 0) + int(row.doors)
    return Count(**whole), [Count(name=name, **part) for name, part in sorted(towns.items())]
