"""How fast a warning goes out: recipients a second from the POST to the last recorded hand-off.

    python -m benchmarks bulk   [--recipients N] [--store sqlite|postgres] [--workers W]   one call for a thousand (Aliyun)
    python -m benchmarks single [--recipients N] [--store sqlite|postgres]                 one call for each (Twilio)

The carrier is an nginx that answers at once with fixed bytes. Everything of WarnHub's is real: HTTP ingest, assessment,
planning, batches, adapter, signatures, the ledger, durable. The ceiling of `bulk` is ready-made bodies posted by the raw client
and rows of the ledger's width written by the store's fastest way (COPY, or one executemany), no engine; that of `single` is the
raw client alone with a ready-made body, as many at once. Both are measured in the same run, after the engine.
"""

import asyncio
import contextlib
import resource
import sqlite3
import time
from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
import uvloop
from pyreqwest.client import ClientBuilder
from sqlalchemy import text

from benchmarks.postgres import postgres_running
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import Sink, sink_running
from benchmarks.stage import CARRIERS, FOLDER, Carrier, Desk, Stage
from warnhub.logs import set_up
from warnhub.monitor.auditor import check_ledger

ROWS = 50_000
TABLE = "CREATE TABLE ceiling (a INT, b INT, c, d, e, f, g, h TEXT, i, j, PRIMARY KEY (a, b)) WITHOUT ROWID"
BUSY = text(
    "SELECT (SELECT planned_at FROM warning WHERE uid = :u) AS planned, "
    "(SELECT count(*) FROM batch b JOIN warning w ON w.id = b.warning_id WHERE w.uid = :u AND b.state IN (0, 1)) AS busy"
)


async def run_desk(desk: Desk) -> tuple[int, float, float]:
    """POST once; (messages, seconds from the POST to the last recorded hand-off, processor seconds of this process)."""
    pause, cpu, start = 0.02, time.process_time(), time.perf_counter()
    uid = await desk.post()
    while True:
        async with desk.hub.store.read() as conn:
            row = (await conn.execute(BUSY, {"u": uid})).one()
        if row.planned and not row.busy:
            break
        await asyncio.sleep(pause)
        pause = min(0.1, pause * 1.2)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    async with desk.hub.store.read() as conn:
        number = await conn.scalar(text("SELECT id FROM warning WHERE uid = :u"), {"u": uid})
        rows = await conn.execute(
            text("SELECT state, sum(n) FROM tally WHERE warning_id = :w AND channel <> '' GROUP BY state"), {"w": number}
        )
        states = {int(state): int(n) for state, n in rows if n}
        assert set(states) == {40}, f"not every message was accepted: {states}"
        assert not await check_ledger(conn, int(number or 0)), "the counts differ from the rows"
    return states[40], seconds, cpu


async def post_ready(carrier: Carrier, messages: int, sink: Sink) -> None:
    """The raw client posts ready-made bodies for as many recipients."""
    client = ClientBuilder().no_proxy().build()
    query = "?PhoneNumbers=" + "%2C".join(["14500000000"] * carrier.group) if carrier.group > 1 else ""
    body = b"x" * 430 if carrier.group == 1 else b""
    head = {"content-type": "application/x-www-form-urlencoded", "authorization": "Basic " + "x" * 90}
    left = iter(range(-(-messages // carrier.group)))

    async def post() -> None:
        for _ in left:
            answer = await client.post(sink.url + "/" + query).headers(head).body_bytes(body).build().send()
            await answer.bytes()

    await asyncio.gather(*(post() for _ in range(carrier.section.get("parallel", 20))))


def make_rows(messages: int) -> Iterator[list[tuple[Any, ...]]]:
    """Rows as wide as a delivery, in groups."""
    for start in range(0, messages, ROWS):
        yield [(7, n, 3, n, 40, None, None, "900619746936498440^0", 1, 1) for n in range(start, min(messages, start + ROWS))]


async def write_rows(server: str, messages: int) -> None:
    """The store takes a row for each by its fastest way."""
    if server:
        conn = await asyncpg.connect(f"{server}/run")
        await conn.execute("CREATE TABLE ceiling (LIKE delivery INCLUDING INDEXES)")
        for rows in make_rows(messages):
            await conn.copy_records_to_table("ceiling", records=rows)
        await conn.close()
        return
    file = FOLDER / "ceiling.sqlite3"
    for old in FOLDER.glob("ceiling.sqlite3*"):
        old.unlink()
    with contextlib.closing(sqlite3.connect(file)) as plain:
        plain.execute("PRAGMA journal_mode=WAL")
        plain.execute("PRAGMA synchronous=FULL")
        plain.execute(TABLE)
        for rows in make_rows(messages):
            with plain:
                plain.executemany("INSERT INTO ceiling VALUES (?,?,?,?,?,?,?,?,?,?)", rows)


async def run_ceiling(carrier: Carrier, messages: int, sink: Sink, server: str) -> float:
    """Seconds for the same work without an engine."""
    start = time.perf_counter()
    await post_ready(carrier, messages, sink)
    if carrier.group > 1:
        await write_rows(server, messages)
    return time.perf_counter() - start


@contextlib.contextmanager
def store_running(kind: str) -> Iterator[str]:
    """The URL of a PostgreSQL, or "" for SQLite."""
    if kind == "sqlite":
        yield ""
        return
    with postgres_running() as server:
        yield server


async def measure(kind: str, recipients: int, store: str, runs: int, workers: int = 1) -> dict[str, Any]:
    """The figures of `bulk` or `single`."""
    carrier = CARRIERS[kind]
    values, ceilings, cpus, count = [], [], [], 0
    with store_running(store) as server, sink_running(carrier.status, carrier.answer) as sink:
        stage = Stage(recipients, server)
        for _ in range(runs):
            async with stage.desk(carrier, sink, workers) as desk:
                count, seconds, cpu = await run_desk(desk)
            values.append(count / seconds)
            cpus.append(cpu / count * 1e6)
            ceilings.append(count / await run_ceiling(carrier, count, sink, server))
    return summed_up(
        kind,
        "recipients/s",
        values,
        ceilings,
        ceiling_runs=[round(one) for one in ceilings],
        cpu_us=[round(one, 1) for one in cpus],
        messages=count,
        recipients=recipients,
        store=store,
        workers=workers,
        provider=carrier.name,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    )


def main(kind: str, argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser(kind, __doc__, recipients=100_000 if kind == "bulk" else 20_000)
    asked.add_argument("--workers", type=int, default=1, help="more than one needs --store postgres")
    given = asked.parse_args(argv)
    if given.workers > 1 and given.store == "sqlite":
        asked.error("SQLite is one process: --workers needs --store postgres")
    set_up("error")
    return show(uvloop.run(measure(kind, given.recipients, given.store, given.runs, given.workers)), given.json)
