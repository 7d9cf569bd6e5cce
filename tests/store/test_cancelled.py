"""A long statement that nobody waits for any more: broken off, rolled back, and the store goes on."""

import asyncio
import time

from conftest import Opener
from sqlalchemy import text
from town import Hand

ENDLESS = text(
    "WITH RECURSIVE n(x) AS (SELECT CAST(:a AS bigint) UNION ALL SELECT x + 1 FROM n WHERE x < 2000000000) "
    "SELECT count(*) FROM n"
)


async def test_a_cancelled_statement_ends_before_its_transaction_does(opened: Opener, hand: Hand) -> None:
    store = opened(hand)

    async def run() -> None:
        async with store.write() as tx:
            await tx.conn.execute(text("INSERT INTO meta (key, value) VALUES ('half', 'done')"))
            await tx.run_long(ENDLESS, {"a": 1})

    running = asyncio.create_task(run())
    await asyncio.sleep(0.2)
    started = time.monotonic()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    assert time.monotonic() - started < 5
    async with store.write() as tx:
        assert await tx.conn.scalar(text("SELECT count(*) FROM meta WHERE key = 'half'")) == 0
        await tx.conn.execute(text("INSERT INTO meta (key, value) VALUES ('whole', 'done')"))
