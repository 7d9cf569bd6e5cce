"""When a warning ends: whom it did not reach is counted so, and what can still be silenced is, on every channel that can be (a
loudspeaker in mid-sentence)."""

import asyncio
from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import text

from warnhub.crypto import KeyRing, make_reference
from warnhub.dispatch.worker import Worker
from warnhub.port import SendError, Sent, Stops
from warnhub.store.audits import add_event
from warnhub.store.engine import Store
from warnhub.store.ledger import stop_people
from warnhub.store.states import Rank

TRIES = 5
log = structlog.get_logger(__name__)


class Silencer:
    """Tells providers to stop what they were given."""

    def __init__(self, store: Store, worker: Worker, keys: KeyRing) -> None:
        self.store = store
        self.worker = worker
        self.keys = keys

    async def silence(self, key: str, data: dict[str, Any]) -> None:
        """The warning with id `key` has ended."""
        await self.close(int(key), Rank.EXPIRED if data.get("state") == "expired" else Rank.SUPERSEDED)
        if data.get("state") not in {"cancelled", "superseded"}:
            return
        for name, sent in (await self.read_sent(int(key))).items():
            left = sent
            for attempt in range(TRIES):
                left = await self.stop(name, left)
                if not left:
                    break
                await asyncio.sleep(0.5 * 2**attempt)
            async with self.store.write() as tx:
                counts = {"provider": name, "told": len(sent) - len(left), "not_told": len(left)}
                await add_event(tx, int(key), "silenced", "policy", counts)

    async def close(self, warning: int, state: Rank) -> None:
        """Nobody waits for it any more; a township at a time, for there may be a million."""
        async with self.store.read() as conn:
            query = "SELECT DISTINCT town_id FROM tally WHERE warning_id = :w AND channel = '' AND state <= 10 AND n > 0"
            towns = [int(row[0]) for row in await conn.execute(text(query), {"w": warning})]
        for town in towns:
            async with self.store.write() as tx:
                await stop_people(tx, warning, town, state)

    async def stop(self, name: str, sent: dict[str, Sent]) -> dict[str, Sent]:
        """One try; gives who was not told."""
        adapter: object = self.worker.lines[name].provider.adapter
        assert isinstance(adapter, Stops)
        try:
            missed = await adapter.stop(sent)
        except SendError as error:
            log.warning("silence.failed", provider=name, reason=error.reason)
            return sent
        return {reference: sent[reference] for reference in missed}

    async def read_sent(self, warning: int) -> dict[str, dict[str, Sent]]:
        """Provider → our reference → where it went, of what was handed over and is not known to be over."""
        able = [name for name, drive in self.worker.lines.items() if isinstance(drive.provider.adapter, Stops)]
        found: dict[str, dict[str, Sent]] = defaultdict(dict)
        for name in able:
            async with self.store.read() as conn:
                rows = await conn.execute(
                    text(
                        "SELECT d.wave_id, d.recipient_id, a.value, d.provider_id FROM batch b "
                        "JOIN delivery d ON d.batch_id = b.id JOIN address a ON a.id = d.address_id "
                        "WHERE b.warning_id = :w AND b.provider = :p "
                        "AND b.state IN (1, 2, 6) AND d.state NOT IN (20, 21, 22, 50, 70, 80)"
                    ),
                    {"w": warning, "p": name},
                )
                for row in rows:
                    sent = Sent(self.keys.unseal(row.value), row.provider_id or "")
                    found[name][make_reference(row.wave_id, row.recipient_id)] = sent
        return found
