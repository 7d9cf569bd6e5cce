"""Two processes on one PostgreSQL: a provider's rate is one, the urgent have their reserve, and each row is worked on once."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from town import County

from warnhub.store.batches import claim_batch
from warnhub.store.engine import Store
from warnhub.store.timers import set_timer

pytestmark = pytest.mark.postgres
SECOND = str(Path(__file__).with_name("second.py"))


@pytest.fixture
def backend() -> str:
    """One process has nobody beside it."""
    return "postgres"


async def run_together(url: str, *works: tuple[str, ...]) -> list[dict[str, Any]]:
    """A process for each, all begun at once; what each says it did."""
    pipe = asyncio.subprocess.PIPE
    children = [
        await asyncio.create_subprocess_exec(sys.executable, SECOND, name, url, *more, stdin=pipe, stdout=pipe)
        for name, *more in works
    ]
    for child in children:
        assert child.stdout is not None
        assert await child.stdout.readline() == b"ready\n"
    said = await asyncio.gather(*(child.communicate(b"go\n") for child in children))
    return [json.loads(out.splitlines()[-1]) for out, _ in said]


async def test_two_workers_keep_one_rate_and_the_urgent_wait_for_no_one(store: Store, url: str) -> None:
    """Two processes want all that there is for blue, a third a little for red: together they keep to the rate, and red never
    waits for what blue has emptied."""
    rate, seconds = 60, 4
    blue = ("call", "4", str(rate), str(seconds))
    one, two, red = await run_together(url, blue, blue, ("call", "1", str(rate), str(seconds)))
    made = one["made"] + two["made"] + red["made"]
    assert rate * seconds * 0.5 <= made <= rate * seconds + rate / 4 + 1
    assert min(one["made"], two["made"], red["made"]) > 0
    assert red["longest"] < max(one["longest"], two["longest"], 0.5)
    async with store.read() as conn:
        assert await conn.scalar(text("SELECT count(*) FROM quota")) == 1


async def test_two_clocks_serve_each_timer_and_each_lost_lease_once(county: County, url: str) -> None:
    """No leader: whoever comes first to a row has it, and the other does not wait for it."""
    warning = await county.plan(await county.warn())
    async with county.store.write() as tx:
        await tx.conn.execute(text("DELETE FROM timer"))
        await tx.conn.execute(text("DELETE FROM outbox"))
        for number in range(1_000):
            await set_timer(tx, "note", None, 0, {"n": number})
        held = 0
        for provider in county.providers:
            while await claim_batch(tx, provider, (1, 2, 3, 4), "dead", 0):
                held += 1
    assert held > 5
    one, two = await run_together(url, ("tick",), ("tick",))
    assert one["timers"] + two["timers"] == 1_000
    assert one["leases"] + two["leases"] == held
    noted = [row[0] for row in await county.rows("SELECT key FROM outbox WHERE topic = 'noted'")]
    assert sorted(map(int, noted)) == list(range(1_000))
    unknown = [row[0] for row in await county.rows("SELECT key FROM outbox WHERE topic = 'delivery.unknown'")]
    assert len(unknown) == len(set(unknown)) == held
    await county.sound(warning)
