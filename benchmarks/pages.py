"""How long a page takes when a warning has ten million deliveries.

    python -m benchmarks console [--deliveries N] [--recipients N] [--store sqlite|postgres] [--rounds R]

One warning over a whole county is written by sets (nothing is sent), the desk runs over it with its engine, and each page
is asked for over HTTP by an officer who has logged in and looked at a small warning: once for the first time, then `--rounds`
times with what is kept for a moment gone. The value is the slowest of a warning's own page, in milliseconds; `pages` has for
each page (first, median of the others, slowest). `stream_ms` is what one tick of an open page costs the process. Every count
is held to the rows afterwards, unless `--no-check`.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import Any

import httpx
import uvloop
from sqlalchemy import text

from benchmarks.fanout import store_running
from benchmarks.ledger import fill_ledger
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import Sink
from benchmarks.stage import CARRIERS, Desk, Stage
from warnhub.logs import set_up
from warnhub.monitor.auditor import check_ledger
from warnhub.simulate.ports import free_port
from warnhub.store.agencies import COUNTY, ensure_county
from warnhub.store.engine import Store
from warnhub.store.policies import load_policies
from warnhub.store.users import add_user, make_token

PASSWORD = "a long enough one"
PAUSE = 1.6
"""Seconds after which nothing that a page keeps for a moment is used again."""

Page = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


async def log_in(client: httpx.AsyncClient, name: str = "officer") -> None:
    """An officer's session."""
    page = (await client.get("/console/login")).text
    found = re.search(r'name="nonce" value="([^"]*)"', page)
    assert found
    form = {"name": name, "password": PASSWORD, "nonce": found[1]}
    answer = await client.post("/console/login", data=form)
    assert answer.status_code == 303, answer.text


class Filled(Stage):
    """A county with the warning in it."""

    def __init__(self, recipients: int, server: str, deliveries: int) -> None:
        super().__init__(recipients, server)
        self.deliveries = deliveries
        self.warning = ("", 0, 0)
        self.small = ""
        self.seconds = 0.0

    async def prepare(self) -> tuple[str, str]:
        """A copy with the warning and an officer."""
        url, secret = await super().prepare()
        store, start = Store(url), time.perf_counter()
        policies = await load_policies(store)
        async with store.write() as tx:
            await ensure_county(tx, "气象台")
            await add_user(tx, "benchmark", name="officer", password=PASSWORD, role="duty")
        self.small = (await fill_ledger(store, 1, max(policies), COUNTY, "990123001"))[0]
        self.warning = await fill_ledger(store, self.deliveries, max(policies), COUNTY)
        async with store.write() as tx:
            if not store.sqlite:
                for name in ("target", "delivery", "batch", "tally", "task", "ack"):
                    await tx.conn.execute(text(f"ANALYZE {name}"))
        await store.close()
        self.seconds = time.perf_counter() - start
        return url, secret


async def pages_of(desk: Desk, uid: str, number: int) -> dict[str, str]:
    """What is asked for, by name."""
    async with desk.hub.store.read() as conn:
        query = "SELECT recipient_id FROM task WHERE warning_id = :w AND state = 'late' ORDER BY id LIMIT 1"
        person = await conn.scalar(text(query), {"w": number})
        village = await conn.scalar(
            text("SELECT a.village_id FROM task k JOIN area a ON a.id = k.area_id WHERE k.recipient_id = :r"), {"r": person}
        )
        query = "SELECT id FROM batch WHERE warning_id = :w ORDER BY id DESC LIMIT 1"
        last = await conn.scalar(text(query), {"w": number})
        town = await conn.scalar(text("SELECT max(town_id) FROM extent WHERE warning_id = :w"), {"w": number})
    page = f"/console/warnings/{uid}"
    return {
        "warning": page,
        "now": "/console",
        "wall": "/console/wall",
        "map": f"{page}?place={town}",
        "person": f"{page}/people/{person}",
        "unconfirmed": f"{page}?village={village}",
        "faults": f"{page}/faults?provider=sms.aliyun&code=MOBILE_NOT_ON_SERVICE",
        "figures": f"{page}/figures",
        "report": f"/console/reports/warnings/{uid}",
        "summary": f"/v1/warnings/{uid}/summary",
        "unconfirmed_api": f"/v1/warnings/{uid}/unconfirmed?most=500",
        "deliveries_first": f"/v1/warnings/{uid}/deliveries?most=500",
        "deliveries_last": f"/v1/warnings/{uid}/deliveries?most=500&after={int(last or 0) - 1}.0",
    }


async def time_pages(desk: Desk, paths: dict[str, str], small: str, token: str, rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each page: the first time, then `rounds` more."""
    took: dict[str, list[float]] = {name: [] for name in paths}
    async with httpx.AsyncClient(base_url=desk.base, timeout=600) as client:
        await log_in(client)
        for path in (f"/console/warnings/{small}", f"/console/reports/warnings/{small}"):  # templates, outlines
            assert (await client.get(path)).status_code == 200
        for turn in range(rounds + 1):
            for name, path in paths.items():
                head = {"authorization": f"Bearer {token}"} if path.startswith("/v1/") else {}
                start = time.perf_counter()
                answer = await client.get(path, headers=head)
                took[name].append((time.perf_counter() - start) * 1000)
                assert answer.status_code == 200, f"{path}: {answer.status_code}"
            if turn < rounds:
                await asyncio.sleep(PAUSE)
    return took


async def time_stream(desk: Desk, uid: str, seconds: float = 12.0) -> float:
    """Milliseconds of the process for each tick of an open page, over what it costs when nobody looks."""

    async def burn() -> float:
        before = time.process_time()
        await asyncio.sleep(seconds)
        return time.process_time() - before

    idle = await burn()
    async with httpx.AsyncClient(base_url=desk.base, timeout=600) as client:
        await log_in(client)
        async with client.stream("GET", f"/console/warnings/{uid}/stream") as answer:
            reading = asyncio.create_task(answer.aread())
            looked = await burn()
            reading.cancel()
    return max(0.0, looked - idle) / (seconds / 1.5) * 1000


async def measure(given: Any) -> dict[str, Any]:
    """The figures."""
    worst: list[float] = []
    more: dict[str, Any] = {}
    with store_running(given.store) as server:
        stage = Filled(given.recipients, server, given.deliveries)
        for _ in range(given.runs):
            async with stage.desk(CARRIERS["bulk"], Sink(free_port(), None)) as desk:
                uid, number, count = stage.warning
                async with desk.hub.store.write() as tx:
                    token = await make_token(tx, "benchmark", "officer")
                took = await time_pages(desk, await pages_of(desk, uid, number), stage.small, str(token), given.rounds)
                tick = await time_stream(desk, uid)
                async with desk.hub.store.read() as conn:
                    assert not given.check or not await check_ledger(conn, number), "the counts differ from the rows"
            worst.append(max(took["warning"]))
            pages = {name: [round(all_[0]), round(median(all_[1:] or all_)), round(max(all_))] for name, all_ in took.items()}
            more = {"pages": pages, "stream_ms": round(tick, 1), "deliveries": count, "fill_s": round(stage.seconds)}
    return summed_up("console", "ms", worst, [], reach=200, recipients=given.recipients, store=given.store, **more)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser("console", __doc__, recipients=1_000_000)
    asked.add_argument("--deliveries", type=int, default=10_000_000)
    asked.add_argument("--rounds", type=int, default=5)
    asked.add_argument("--no-check", dest="check", action="store_false", help="do not hold the counts to the rows at the end")
    given = asked.parse_args(argv)
    set_up("error")
    return show(uvloop.run(measure(given)), given.json)
