"""What field pages show, in memory: a GET of `/a/{token}` reads nothing from the database."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert
from warnhub.bus.signals import Bus, wait_for
from warnhub.roles import RESPONSIBLE
from warnhub.store.engine import Store
from warnhub.store.warnings import Warning, read_warning, warning_alert

KEPT = 2_000
COUNTED = 10.0
"""Seconds after which it is looked again who answers for others: whoever has a task may be told later than the rest."""


@dataclass(frozen=True, slots=True)
class Card:
    """A warning as its recipients see it. `state`: released, cancelled, superseded, expired. `newer`: the headline of what
    took its place. `asks`: whether this channel's recipients are asked to confirm."""

    warning: str
    state: str
    level: str
    drill: bool
    kind: str
    headline: str
    agency: str
    what_to_do: str
    description: str
    sent: str
    expires: str
    newer: str
    language: str
    asks: bool


class Board:
    """Cards by wave. A wave's card is read once and again whenever its warning changes."""

    def __init__(self, store: Store, zone: str, advise: Callable[[Alert], str]) -> None:
        self.store = store
        self.zone = ZoneInfo(zone)
        self.advise = advise
        self.waves: OrderedDict[int, int] = OrderedDict()
        self.cards: dict[int, Card] = {}
        self.versions: dict[int, int] = {}
        self.workers: dict[str, frozenset[int]] = {}
        self.counted = 0.0

    def is_worker(self, card: Card, recipient: int) -> bool:
        """Whether somebody answers for others in this warning; known a few seconds after they were first told."""
        return recipient in self.workers.get(card.warning, frozenset())

    async def look(self, wave: int) -> Card | None:
        """The card behind a link; None if no message of ours has this number."""
        warning = self.waves.get(wave)
        if warning is None:
            async with self.store.read() as conn:
                found = await conn.scalar(text("SELECT warning_id FROM wave WHERE id = :v"), {"v": wave})
            if found is None:
                return None
            warning = self.waves[wave] = int(found)
            while len(self.waves) > KEPT:
                self.waves.popitem(last=False)
        if warning not in self.cards:
            await self.load(warning)
        return self.cards[warning]

    async def load(self, number: int) -> None:
        """Read one warning's card."""
        async with self.store.read() as conn:
            warning = await read_warning(conn, number)
            assert warning is not None
            alert = await warning_alert(conn, warning)
            newer = await conn.scalar(
                text("SELECT headline FROM warning WHERE previous_id = :w AND state = 'released' ORDER BY id DESC LIMIT 1"),
                {"w": number},
            )
            workers = await find_workers(conn, number)
        self.workers[warning.uid] = workers
        self.versions[number] = warning.version
        self.cards[number] = make_card(warning, alert, self.advise(alert), str(newer or ""), self.zone)

    async def refresh(self) -> None:
        """Read again what has changed."""
        if not self.versions:
            return
        async with self.store.read() as conn:
            ids = ", ".join(str(number) for number in self.versions)
            rows = (await conn.execute(text(f"SELECT id, version FROM warning WHERE id IN ({ids})"))).all()
        for row in rows:
            if self.versions[row.id] != row.version:
                await self.load(row.id)
        if time.monotonic() - self.counted >= COUNTED:
            self.counted = time.monotonic()
            living = {number: card.warning for number, card in self.cards.items() if card.state == "released"}
            async with self.store.read() as conn:
                for number, uid in living.items():
                    self.workers[uid] = await find_workers(conn, number)

    async def run(self, bus: Bus) -> None:
        """Keep up with the warnings until cancelled."""
        signal = bus.signal("warning")
        while True:
            signal.clear()
            await self.refresh()
            await wait_for(signal, 2.0)


async def find_workers(conn: AsyncConnection, number: int) -> frozenset[int]:
    """Those who were told of a warning and answer for others; by township, so that its residents are not read."""
    query = text(
        "SELECT recipient_id FROM target WHERE warning_id = :w AND town_id IN (SELECT DISTINCT town_id FROM area) "
        "AND role IN :roles"
    ).bindparams(bindparam("roles", expanding=True))
    rows = await conn.execute(query, {"w": number, "roles": sorted(role.value for role in RESPONSIBLE)})
    return frozenset(int(row[0]) for row in rows)


def make_card(warning: Warning, alert: Alert, advice: str, newer: str, zone: ZoneInfo) -> Card:
    """A card in the alert's first language."""
    said = alert.text()
    return Card(
        warning.uid,
        warning.state,
        warning.level,
        warning.drill is not None,
        warning.kind,
        said.headline or warning.headline,
        alert.sender,
        advice,
        said.description,
        local_time(int(alert.sent.timestamp() * 1000), zone),
        local_time(warning.expires_at, zone),
        newer,
        said.language,
        warning.kind != "cancel",
    )


def local_time(at: int, zone: ZoneInfo) -> str:
    """6月12日 16:20, in the county's zone."""
    moment = datetime.fromtimestamp(at / 1000, UTC).astimezone(zone)
    return f"{moment.month}月{moment.day}日 {moment:%H:%M}"
