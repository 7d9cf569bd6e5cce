"""The nightly self-drill: a test to the duty's own telephones, so that a dead line is found before it is needed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import text

from warnhub.alert import Level, Scope
from warnhub.response.proposing import Draft, Proposer
from warnhub.store.engine import Store, Tx
from warnhub.store.warnings import set_released

HAZARD = "11Y99"
"""No hazard's plan, no point's patrol: only the lines are tried."""


@dataclass(slots=True)
class Canary:
    """Sings once a night, at `at` (HH:MM by the county's clock), to the registered list `drill`; "" never."""

    store: Store
    proposer: Proposer
    at: str
    drill: str

    async def tick(self) -> str | None:
        """The warning, if it is time and no node was first."""
        if not self.at or not self.drill:
            return None
        zone = ZoneInfo(self.proposer.settings.county.zone)
        async with self.store.read() as conn:
            local = datetime.fromtimestamp(await self.store.now(conn) / 1000, UTC).astimezone(zone)
        due = local.replace(hour=int(self.at[:2]), minute=int(self.at[3:]), second=0, microsecond=0)
        if not due <= local < due + timedelta(minutes=10):
            return None
        async with self.store.write() as tx:
            return await self.sing(tx, local)

    async def sing(self, tx: Tx, local: datetime) -> str | None:
        """Release tonight's test to the list, once."""
        listed = "SELECT 1 FROM participant WHERE drill_id = :d LIMIT 1"
        if await tx.conn.scalar(text(listed), {"d": self.drill}) is None:
            return None
        night = await tx.conn.execute(
            text("INSERT INTO meta (key, value) VALUES (:k, :d) ON CONFLICT DO NOTHING"),
            {"k": f"canary:{local:%Y-%m-%d}", "d": self.drill},
        )
        if not night.rowcount:
            return None
        draft = Draft(
            HAZARD,
            Level.ORANGE,
            f"{self.proposer.settings.county.bureau}夜间通道自检",
            "这是每晚一次的通道自检，请确认收到。",
            "请确认收到。",
            [self.proposer.settings.county.code],
            "夜间自检 / nightly self-drill",
            drill=self.drill,
            life=timedelta(hours=1),
            scope=Scope.RESTRICTED,
        )
        made = await self.proposer.propose(tx, draft, "canary")
        await set_released(tx, made, "canary")
        return made.uid
