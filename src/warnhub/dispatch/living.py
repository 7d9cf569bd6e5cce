"""Which warnings may still be sent, known in memory and checked as the last thing before each call.

Refreshed on every commit that ends a warning and, for other processes' commits, every quarter of a second: a cancel stops
what is not yet submitted within a second of its answer.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy import text

from warnhub.bus.signals import Bus, wait_for
from warnhub.store.engine import Store
from warnhub.store.states import Rank
from warnhub.store.warnings import LIVING

POLL = 0.25
ON_ITS_WAY = 1_500
"""Milliseconds a message must have left when it is handed over, or it would arrive expired."""

ENDINGS = {"expired": Rank.EXPIRED}
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Life:
    """What the gate asks of a warning. `participants`: None for the real thing, a drill's list otherwise."""

    state: str
    expires_at: int
    participants: frozenset[int] | None


class Living:
    """The gate. It opens only for what it knows to be alive."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.lives: dict[int, Life] = {}

    def stop_rank(self, warning: int, recipient: int, now: int) -> Rank | None:
        """None if this person may be told now; otherwise the state that says why not. `now`: milliseconds."""
        life = self.lives.get(warning)
        if life is None:
            return Rank.SUPPRESSED
        if life.participants is not None and recipient not in life.participants:
            return Rank.SUPPRESSED
        if life.state != LIVING:
            return ENDINGS.get(life.state, Rank.SUPERSEDED)
        return Rank.EXPIRED if now + ON_ITS_WAY >= life.expires_at else None

    async def learn(self, warning: int) -> Life:
        """Read one warning, with its drill's list."""
        async with self.store.read() as conn:
            row = (
                await conn.execute(
                    text(
                        "SELECT w.state, w.expires_at, w.drill, a.status FROM warning w "
                        "JOIN alert a ON a.id = w.alert_id WHERE w.id = :w"
                    ),
                    {"w": warning},
                )
            ).one()
            participants = None
            if row.drill is not None or row.status != "actual":
                found = await conn.execute(text("SELECT recipient_id FROM participant WHERE drill_id = :d"), {"d": row.drill})
                participants = frozenset(int(number[0]) for number in found)
        life = self.lives[warning] = Life(row.state, row.expires_at, participants)
        return life

    async def refresh(self) -> None:
        """Learn what has ended since."""
        known = [warning for warning, life in self.lives.items() if life.state == LIVING]
        if not known:
            return
        async with self.store.read() as conn:
            rows = await conn.execute(
                text(f"SELECT id, state, expires_at FROM warning WHERE id IN ({', '.join(map(str, known))})")
            )
            for row in rows:
                old = self.lives[row.id]
                if (old.state, old.expires_at) != (row.state, row.expires_at):
                    self.lives[row.id] = Life(row.state, row.expires_at, old.participants)

    async def run(self, bus: Bus) -> None:
        """Keep up to date until cancelled."""
        signal = bus.signal("living")
        while True:
            signal.clear()
            await self.refresh()
            await wait_for(signal, POLL)
