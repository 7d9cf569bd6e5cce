"""Several processes on PostgreSQL and Kafka: one is killed, one is ended, one joins; the database or the broker goes away."""

import asyncio
import itertools
import json
import os
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from broker import Broker
from sqlalchemy import text
from test_story_kill import (
    SLOW,
    check_doubles,
    check_nobody_lost,
    check_told,
    ledger_sound,
    owners_of,
    settled,
    wait_until,
)
from townhall import TOWNS, Base, Opener, Town, make_alert, open_town

from warnhub.crypto import KeyRing
from warnhub.simulate.ports import free_port
from warnhub.store.engine import Store

pytestmark = pytest.mark.timeout(420)
LEASE = 3.0
START = 150
UNPLANNED = "SELECT count(*) FROM warning WHERE state = 'released' AND planned_at IS NULL"


class Processes:
    """`warnhub serve` and any number of `warnhub worker`, each a process."""

    def __init__(self, town: Town, folder: Path) -> None:
        given = town.settings
        self.town = town
        self.folder = folder
        # Three processes that each compile everything anew are ten seconds of two cores.
        self.env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | {
            "PYTHONPYCACHEPREFIX": str(folder.parent / "bytecode"),
            "WARNHUB_DATABASE_URL": given.database_url,
            "WARNHUB_SECRET_KEY": given.secret_key.get_secret_value(),
            "WARNHUB_PUBLIC_URL": given.public_url,
            "WARNHUB_PORT": str(given.port),
            "WARNHUB_PROVIDERS": json.dumps(given.providers),
            "WARNHUB_LEASE_SECONDS": str(given.lease_seconds),
            "WARNHUB_KAFKA": str(given.kafka),
            "WARNHUB_KAFKA_PREFIX": given.kafka_prefix,
            "WARNHUB_KAFKA_PARTITIONS": str(given.kafka_partitions),
        }
        self.numbers = itertools.count()
        self.running: list[asyncio.subprocess.Process] = []

    def log(self, number: int) -> Path:
        """What a process said."""
        return self.folder / f"process-{number}.log"

    async def start(self, command: str, sign: str, *more: str) -> asyncio.subprocess.Process:
        """Begin one, and wait until its log says `sign`."""
        number = next(self.numbers)
        with self.log(number).open("ab") as log:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "warnhub", command, *more, env=self.env, stdout=log, stderr=log
            )
        self.running.append(child)

        async def signed() -> bool:
            assert child.returncode is None, self.log(number).read_text("utf-8")[-3_000:]
            return sign in self.log(number).read_text("utf-8")

        await wait_until(signed, f"{command} did not start", START)
        return child

    async def serve(self) -> asyncio.subprocess.Process:
        """The API and the console, without a worker."""
        child = await self.start("serve", "")

        async def ready() -> bool:
            assert child.returncode is None, "the server has ended"
            try:
                return (await self.town.http.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await wait_until(ready, "the server did not start", START)
        return child

    async def worker(self) -> asyncio.subprocess.Process:
        """One more worker, with its part of the topics."""
        return await self.start("worker", "bus.assigned", "--metrics-port", "0")

    async def window(self, number: int, path: str) -> httpx.Response:
        """What a worker answers to those who watch it."""
        said = [json.loads(line) for line in self.log(number).read_text("utf-8").splitlines() if "worker.window" in line]
        return await self.town.http.get(f"http://127.0.0.1:{said[0]['port']}{path}")

    async def rejoined(self) -> None:
        """Wait until some worker has its part of the topics again, after a broker that forgot them."""
        logs = list(self.folder.glob("process-*.log"))
        before = sum(path.read_text("utf-8").count("bus.assigned") for path in logs)

        async def again() -> bool:
            return sum(path.read_text("utf-8").count("bus.assigned") for path in logs) > before

        await wait_until(again, "no worker came back", 90)

    async def end(self) -> None:
        """End whoever still runs."""
        for child in self.running:
            if child.returncode is None:
                child.kill()
                await child.wait()


@asynccontextmanager
async def processes(town: Town, folder: Path) -> AsyncIterator[tuple[Processes, Store]]:
    """Processes, and a store to look on with."""
    made, store = Processes(town, folder), Store(town.settings.database_url)
    try:
        yield made, store
    finally:
        await made.end()
        await store.close()


def slow_town(town: Town) -> None:
    """Carriers that take their time, so that there is a middle."""
    for name in ("wechat", "aliyun", "jpush", "fcm"):
        town.fault(name, latency=0.25, delay=0.1)


async def heard(town: Town, number: int) -> bool:
    """Whether the carriers have had so many messages."""
    return len(town.watchman.messages()) >= number


async def test_killed_in_the_middle_of_a_batch(visit: Opener, tmp_path: Path) -> None:
    """One of two workers dies by SIGKILL: whom it had in hand is unknown, then looked into by the other; nobody is lost."""
    async with visit(started=False, providers=SLOW, lease_seconds=LEASE) as town, processes(town, tmp_path) as (run, store):
        slow_town(town)
        _, doomed, _ = await asyncio.gather(run.serve(), run.worker(), run.worker())
        await town.release(make_alert("wk-1"))
        await wait_until(partial(heard, town, 150), "no fan-out to kill", 60)
        doomed.send_signal(signal.SIGKILL)
        await doomed.wait()
        before = len(town.watchman.messages())
        await wait_until(partial(settled, store), "it did not settle after the crash", 90)
        await check_nobody_lost(store, town, before)


async def test_one_joins_and_one_is_ended_in_the_middle_of_a_red_fan_out(visit: Opener, tmp_path: Path) -> None:
    """Two rebalances: everybody is told once, nobody is unknown, and who is ended is gone within ten seconds."""
    async with visit(started=False, providers=SLOW, lease_seconds=60) as town, processes(town, tmp_path) as (run, store):
        slow_town(town)
        _, first = await asyncio.gather(run.serve(), run.worker())
        await town.release(make_alert("wj-1"))
        await wait_until(partial(heard, town, 50), "no fan-out to join", 60)
        assert (await run.window(1, "/readyz")).json() == {"status": "ready"}
        seen = (await run.window(1, "/metrics")).text
        assert "warnhub_bus_joined 1.0" in seen
        assert re.search(r'warnhub_batches_in_hand\{provider="wechat.template"\} [1-4]\.0', seen)
        assert (await run.window(1, "/console")).status_code == 404
        await run.worker()
        await wait_until(partial(heard, town, 150), "no fan-out to leave", 60)
        start = time.monotonic()
        first.terminate()
        await wait_until(partial(is_ending, run), "it does not say that it ends", 5)
        assert await first.wait() == 0
        assert time.monotonic() - start < 10
        await wait_until(partial(settled, store), "it did not settle", 90)
        assert await count(store, "SELECT count(*) FROM batch WHERE state = 6") == 0, "nobody is unknown"
        assert await count(store, "SELECT count(*) FROM batch WHERE state = 1") == 0, "a lease was not given back"
        await ledger_sound(store)
        await told_once(town, store)


@pytest.mark.long
async def test_the_database_is_restarted_in_the_middle(visit: Opener, base: Base, tmp_path: Path) -> None:
    """Under every process at once. What was handed over and could not be recorded meanwhile is recorded afterwards, or is
    unknown and looked into; nobody is lost, and nobody told twice without the ledger's knowing."""
    assert base.server is not None
    async with visit(started=False, providers=SLOW, lease_seconds=LEASE) as town, processes(town, tmp_path) as (run, store):
        slow_town(town)
        await asyncio.gather(run.serve(), run.worker(), run.worker())
        await town.release(make_alert("wd-1"))
        await wait_until(partial(heard, town, 60), "a fan-out has begun", 60)
        await asyncio.to_thread(base.server.restart)
        assert len(town.watchman.messages()) < 1_000, "it was over before the restart"
        await wait_until(partial(settled, store), "it did not settle after the restart", 90)
        assert all(child.returncode is None for child in run.running), "a process ended with its database"
        rows = await ledger_sound(store)
        owners = await owners_of(store, KeyRing(town.base.key))
        check_told(rows, town.watchman.messages(), owners)
        check_doubles(rows, town.watchman.messages(), owners)
        after = await town.release(make_alert("wd-2", areas=TOWNS[:1], hazard="11B09"))
        assert await count(store, f"SELECT count(*) FROM warning WHERE uid = '{after}'") == 1


@pytest.mark.long
async def test_the_broker_is_away_for_twenty_seconds(base: Base, tmp_path: Path) -> None:
    """It stops in the middle of a fan-out, which goes on; an alert that comes meanwhile is planned and sent without it; when it
    is back, with nothing left of what it had, the next goes its way again. Everybody is told once."""
    assert base.broker is not None
    own = Broker(free_port(), base.broker.program, tmp_path / "broker.log")
    own.start()
    async with AsyncExitStack() as stack:
        stack.callback(own.stop)
        opened = open_town(replace(base, broker=own), tmp_path, providers=SLOW, started=False)
        town = await stack.enter_async_context(opened)
        run, store = await stack.enter_async_context(processes(town, tmp_path))
        slow_town(town)
        await asyncio.gather(run.serve(), run.worker(), run.worker())
        await town.release(make_alert("wb-1", areas=TOWNS[:1]))
        await wait_until(partial(heard, town, 20), "a fan-out has begun", 60)
        await asyncio.to_thread(own.stop)
        stopped = time.monotonic()
        await town.release(make_alert("wb-2", areas=TOWNS[1:2], hazard="11B09"))
        await asyncio.sleep(max(0.0, 20 - (time.monotonic() - stopped)))
        assert await count(store, UNPLANNED) == 0, "one waits for the broker"
        await asyncio.to_thread(own.start)
        await run.rejoined()
        await town.release(make_alert("wb-3", areas=TOWNS[2:3], hazard="11B09"))
        await wait_until(partial(settled, store), "it did not settle", 120)
        await ledger_sound(store)
        assert await count(store, "SELECT count(*) FROM warning WHERE planned_at IS NOT NULL") == 3
        assert await count(store, "SELECT count(*) FROM batch WHERE state = 6") == 0, "nobody is unknown"
        await told_once(town, store)


async def is_ending(run: Processes) -> bool:
    """Whether the first worker says so, or is gone."""
    try:
        said = await run.window(1, "/readyz")
    except httpx.TransportError:
        return True
    return said.status_code == 503 and "ending" in said.text


async def told_once(town: Town, store: Store) -> None:
    """Each address has heard each text once, and every delivery that was handed over has been heard of."""
    told = Counter((one.channel, one.address, one.text) for one in town.watchman.messages())
    assert set(told.values()) == {1}
    assert sum(told.values()) == await count(store, "SELECT count(*) FROM delivery WHERE state >= 40")


async def count(store: Store, query: str) -> int:
    """One number of the ledger."""
    async with store.read() as conn:
        return int(await conn.scalar(text(query)) or 0)
