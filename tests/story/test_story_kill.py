"""The process is killed in the middle of a fan-out and started again: nobody is lost, and who may be told twice is counted."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import text
from townhall import Heard, Opener, Town, make_alert

from warnhub.crypto import KeyRing
from warnhub.monitor.auditor import check_batches, check_ledger
from warnhub.store.assignments import TASK
from warnhub.store.audits import verify_audit
from warnhub.store.engine import Store

SLOW = {"wechat.template": {"rate": 60, "parallel": 10}, "sms.aliyun": {"parallel": 4}, "push.jpush": {"parallel": 2}}
LOST = 6


class Served:
    """`warnhub serve` in a process of its own."""

    def __init__(self, town: Town, folder: Path) -> None:
        given = town.settings
        self.town = town
        self.log = folder / "serve.log"
        self.env = os.environ | {
            "WARNHUB_DATABASE_URL": given.database_url,
            "WARNHUB_SECRET_KEY": given.secret_key.get_secret_value(),
            "WARNHUB_PUBLIC_URL": given.public_url,
            "WARNHUB_PORT": str(given.port),
            "WARNHUB_PROVIDERS": json.dumps(given.providers),
        }

    async def start(self) -> asyncio.subprocess.Process:
        """Begin, and wait until it is ready."""
        with self.log.open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "warnhub", "serve", env=self.env, stdout=log, stderr=log
            )
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                if (await self.town.http.get("/readyz")).status_code == 200:
                    return child
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        raise AssertionError(self.log.read_text("utf-8")[-3_000:])


async def wait_until(reached: Any, what: str, seconds: float = 30) -> None:
    """Ask until it is so."""
    end = time.monotonic() + seconds
    while not await reached():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.1)


async def settled(store: Store) -> bool:
    """Planned, nothing waits or is in hand, nothing is to be looked into, and whatever reports has reported."""
    async with store.read() as conn:
        row = (
            await conn.execute(
                text(
                    "SELECT (SELECT count(*) FROM warning WHERE state = 'released' AND planned_at IS NULL) AS unplanned, "
                    "(SELECT count(*) FROM batch WHERE state IN (0, 1)) AS busy, "
                    "(SELECT count(*) FROM outbox) AS entries, "
                    "(SELECT count(*) FROM timer WHERE kind = 'resolve') AS open"
                )
            )
        ).one()
    return not (row.unplanned or row.busy or row.entries or row.open)


async def owners_of(store: Store, keys: KeyRing) -> dict[tuple[str, str], set[int]]:
    """(channel, address) → people."""
    found: dict[tuple[str, str], set[int]] = {}
    async with store.read() as conn:
        for owner, channel, value in await conn.execute(text("SELECT recipient_id, channel, value FROM address")):
            found.setdefault((channel, keys.unseal(value)), set()).add(owner)
    return found


async def test_killed_in_the_middle(visit: Opener, tmp_path: Path) -> None:
    async with visit(started=False, providers=SLOW) as town:
        for name in ("wechat", "aliyun", "jpush", "fcm"):
            town.fault(name, latency=0.25, delay=0.1)
        served = Served(town, tmp_path)
        first = await served.start()
        await town.release(make_alert("k-1"))

        async def in_the_middle() -> bool:
            return len(town.watchman.messages()) >= 150

        await wait_until(in_the_middle, "no fan-out to kill")
        first.send_signal(signal.SIGKILL)
        await first.wait()
        before = len(town.watchman.messages())
        second = await served.start()
        store = Store(town.settings.database_url)
        try:
            await wait_until(lambda: settled(store), "it did not settle after the crash", 60)
            await check_nobody_lost(store, town, before)
        finally:
            second.terminate()
            await second.wait()
            await store.close()


async def ledger_sound(store: Store) -> list[Any]:
    """Every count is what the rows are and the audit is whole; gives each delivery with its batch's stage. Receipts may still
    come between the counts and the rows: what differs for ten seconds differs."""

    async def sound() -> bool:
        async with store.read() as conn:
            for number in (await conn.execute(text("SELECT id FROM warning"))).all():
                if await check_ledger(conn, number[0]) or await check_batches(conn, number[0]):
                    return False
        return True

    await wait_until(sound, "the counts differ from the rows", 10)
    async with store.read() as conn:
        assert (await verify_audit(conn))[1] is None
        rows = await conn.execute(
            text(
                "SELECT d.recipient_id, b.channel, d.state, b.state AS stage, v.cause FROM batch b "
                "JOIN delivery d ON d.batch_id = b.id JOIN wave v ON v.id = b.wave_id"
            )
        )
        return list(rows.all())


async def check_nobody_lost(store: Store, town: Town, before: int) -> None:
    """The ledger is sound, everybody who could be told was, and each possible double is one the ledger knows of."""
    owners = await owners_of(store, KeyRing(town.base.key))
    heard = town.watchman.messages()
    assert len(heard) > before
    rows = await ledger_sound(store)
    assert any(row.stage == LOST for row in rows), "nothing was in hand when it was killed"
    check_told(rows, heard, owners)
    check_doubles(rows, heard, owners)


def people_of(heard: Heard, owners: dict[tuple[str, str], set[int]]) -> set[tuple[int, str]]:
    """(person, channel) of one message."""
    return {(person, heard.channel) for person in owners[heard.channel, heard.address]}


def check_told(rows: list[Any], heard: list[Heard], owners: dict[tuple[str, str], set[int]]) -> None:
    """A red warning: every planned delivery was heard of by its carrier, in one round or another."""
    told = set().union(*(people_of(one, owners) for one in heard))
    planned = {(row.recipient_id, row.channel) for row in rows if row.state != 20}
    assert planned - told == set()


def check_doubles(rows: list[Any], heard: list[Heard], owners: dict[tuple[str, str], set[int]]) -> None:
    """Who was told twice on a channel was in hand at the crash, and so unknown, in the ledger; or has a task besides."""
    times = Counter(place for one in heard for place in people_of(one, owners))
    lost = {(row.recipient_id, row.channel) for row in rows if row.stage == LOST or row.cause.startswith(("resend", TASK))}
    shared = {place for people in owners.values() if len(people) > 1 for place in ((p, c) for p in people for c in ("sms",))}
    doubled = {place for place, n in times.items() if n > 1} - shared
    assert doubled <= lost
