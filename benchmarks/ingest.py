"""How fast alerts come in: alerts a second, and the time from the POST to the commit, for each form, beside the ceilings.

    python -m benchmarks ingest [--store sqlite|postgres] [--alerts N] [--at-once C] [--forms a,b] [--json]

Everything is real: HTTP on a socket, the key, the gates, the assessment, the audit chain, a durable commit; the agencies are a
process of their own, each with its connection. The ceilings are of the same run: `parse` reads and gates the same documents in
one thread and keeps nothing; `insert` commits one alert's row after the other and decides nothing. Each alert is another alert
and waits for a person, so that no sending is measured. Beside it: a message of 1.7 MB with a ring of 34,000 points read and
gated, and a polygon of 500 vertices matched to 3,000 grids, 200 times.
"""

import argparse
import asyncio
import contextlib
import io
import json
import math
import os
import platform
import tempfile
import time
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import shapely
import uvicorn
import uvloop
from sqlalchemy import insert

from benchmarks.poster import run_poster
from benchmarks.postgres import postgres_running
from warnhub.alert import Alert, Area, Code, Gate, Level, Original, Polygon, Text
from warnhub.app import create_app
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import make_hub
from warnhub.ingest import read_alerts
from warnhub.logs import set_up
from warnhub.plan.audience import Places
from warnhub.publish.cap import write_cap
from warnhub.publish.national import make_issue, write_national
from warnhub.simulate.county import load_county
from warnhub.simulate.ports import free_port
from warnhub.store import tables
from warnhub.store.agencies import add_agency
from warnhub.store.alerts import alert_digest, make_uid, milliseconds
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store

ZONE = "Asia/Shanghai"
HAZARDS = ("11B03", "11B06", "11B09", "11B14", "11B15", "11B17", "11B19", "11B20", "11B21", "11B31")
CODES = ("990123001", "990123100", "990123200")
GRIDS, VERTICES, LARGE = 3_000, 500, 34_000


def make_alert(number: int) -> Alert:
    """A yellow alert over three towns, of one of ten hazards and with words of its own."""
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=number % 600)
    words = f"过去1小时降雨{number % 90 + 10}毫米,编号{number},预计未来3小时仍有强降雨,发生山洪、滑坡的风险较高。"
    return Alert(
        identifier=f"bench-{number}",
        sender="met.yunling.example",
        sent=now,
        status="actual",
        kind="alert",
        hazard=HAZARDS[number % len(HAZARDS)],
        level=Level.YELLOW,
        urgency="expected",
        severity="moderate",
        certainty="likely",
        effective=now,
        expires=now + timedelta(hours=3),
        areas=[Area(name="三镇", codes=[Code(value=code) for code in CODES])],
        texts=[Text(event="暴雨", headline="云岭县气象台发布暴雨黄色预警", description=words, instruction="停止户外作业。")],
        original=Original(form="native"),
    )


def native(number: int) -> bytes:
    """Our own JSON."""
    return make_alert(number).model_dump_json(exclude={"original"}).encode()


def national(number: int) -> bytes:
    """The national profile."""
    alert = make_alert(number)
    issue = make_issue(alert, f"990123416{number:05}", "云岭县气象台")
    return write_national(alert, issue)


def geojson(number: int) -> bytes:
    """The weather service's form: one feature, as its interface gives it."""
    alert = make_alert(number)
    ring = [[117.3, 26.6], [117.5, 26.6], [117.5, 26.8], [117.3, 26.8], [117.3, 26.6]]
    properties = {
        "id": f"urn:oid:2.49.0.1.840.0.{number}.1",
        "areaDesc": "Yunling County",
        "geocode": {"SAME": ["099123"], "UGC": ["XXC123"]},
        "sent": alert.sent.isoformat(),
        "effective": alert.sent.isoformat(),
        "expires": alert.expires.isoformat(),
        "status": "Actual",
        "messageType": "Alert",
        "category": "Met",
        "severity": "Moderate",
        "certainty": "Likely",
        "urgency": "Expected",
        "event": "Flood Warning",
        "sender": "w-nws.webmaster@weather.example",
        "senderName": "NWS Yunling",
        "headline": f"Flood Warning {number}",
        "description": alert.texts[0].description,
        "instruction": "Move to higher ground.",
        "response": "Avoid",
        "parameters": {},
    }
    feature = {"id": properties["id"], "type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}}
    return json.dumps({"type": "FeatureCollection", "features": [feature | {"properties": properties}]}).encode()


def hydrology(number: int) -> bytes:
    """A reading of a water station above its warning stage."""
    alert = make_alert(number)
    reading = {"station": f"6230{number:04}", "station_name": f"站{number}", "river": "云溪", "stage": 26.1, "warning": 25.5}
    more = {"guaranteed": 26.5, "area_codes": list(CODES)}
    return json.dumps({"sender": "云岭县水文站", "time": alert.sent.isoformat(), "readings": [reading | more]}).encode()


def table(number: int) -> bytes:
    """The same as a table."""
    at = make_alert(number).sent.isoformat()
    head = "站码,站名,河名,时间,水位(m),警戒水位,保证水位,影响区划代码"
    return f"{head}\n6230{number:04},站{number},云溪,{at},26.10,25.50,26.50,{';'.join(CODES)}\n".encode()


def geology(number: int) -> bytes:
    """An alarm of a monitored hazard point."""
    alarm = {"point": f"990123-D-{number:04}", "hazard": "11D01", "time": make_alert(number).sent.isoformat()}
    alarm |= {"parameter": "位移", "value": 28.0, "unit": "mm", "thresholds": {"yellow": 10, "orange": 20, "red": 40}}
    return json.dumps({"sender": "云岭县自然资源局", "alarms": [alarm | {"area_codes": list(CODES)}]}).encode()


def listing(number: int) -> bytes:
    """A public list of one warning."""
    alert = make_alert(number)
    entry = {
        "headline": "云岭县气象台发布暴雨橙色预警/II/严重",
        "identifier": f"99012341600000_{alert.sent:%Y%m%d%H%M%S}_{number}",
        "description": alert.texts[0].description,
        "sendTime": f"{alert.sent.astimezone(ZoneInfo(ZONE)):%Y-%m-%d %H:%M:%S}",
    }
    return json.dumps({"alertData": [entry]}).encode()


def package(number: int) -> bytes:
    """The national profile in a package."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("alert.xml", national(number))
    return held.getvalue()


FORMS: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "native": ("application/json", native),
    "cap": ("application/cap+xml", lambda number: write_cap(make_alert(number), ZONE)),
    "national": ("application/xml", national),
    "geojson": ("application/geo+json", geojson),
    "hydrology": ("application/json", hydrology),
    "table": ("text/csv", table),
    "geology": ("application/json", geology),
    "list": ("application/json", listing),
    "package": ("application/zip", package),
}


@contextlib.contextmanager
def store_url(kind: str, folder: str) -> Iterator[str]:
    """Where a database is."""
    if kind == "sqlite":
        yield f"sqlite:///{folder}/bench.sqlite3"
    else:
        with postgres_running() as base:
            yield f"{base}/postgres"


@contextlib.asynccontextmanager
async def desk_running(url: str, folder: str) -> AsyncIterator[tuple[Store, str, str]]:
    """WarnHub on a port with its engine at work; gives (store, base URL, agency key)."""
    secret, port = make_key(), free_port()
    store = Store(url)
    await upgrade_store(store)
    await load_county(store, KeyRing(secret), 200)
    async with store.write() as tx:
        key = await add_agency(tx, "benchmark", id="bench", name="气象台")
    base = f"http://127.0.0.1:{port}"
    settings = load_settings(database_url=url, secret_key=secret, public_url=base, port=port, audio_dir=folder)
    app = create_app(settings, hub=await make_hub(settings))
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_config=None, access_log=False))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.02)
    try:
        yield store, base, key
    finally:
        server.should_exit = True
        await task
        await store.close()


async def post_all(base: str, key: str, media: str, bodies: Sequence[bytes], at_once: int) -> tuple[float, list[float]]:
    """(seconds in all, seconds of each) for POSTs, so many at once; each is answered 201, or this is no figure."""
    headers = {"authorization": f"Bearer {key}", "content-type": media}
    port = int(base.rpartition(":")[2])
    found = await asyncio.to_thread(run_poster, port, "/v1/alerts", headers, bodies, at_once)
    for status, said in found["answers"]:
        assert status == 201, said
        assert json.loads(said).get("state", "held") in {"pending", "held"}, said
    return found["seconds"], found["times"]


def parse_all(media: str, bodies: Sequence[bytes]) -> float:
    """Alerts a second read and gated in one thread, and nothing else."""
    now = datetime.now(UTC)
    start = time.perf_counter()
    for body in bodies:
        assert read_alerts(body, media, now=now)[0].alert is not None
    return len(bodies) / (time.perf_counter() - start)


async def insert_all(store: Store, count: int) -> float:
    """Rows a second, each of an alert and in a commit of its own, and nothing else."""
    alerts = [make_alert(10**6 + number) for number in range(count)]
    start = time.perf_counter()
    for alert in alerts:
        row = {"uid": make_uid("al"), "agency_id": "bench", "sender": "ceiling", "identifier": alert.identifier}
        row |= {"sent": milliseconds(alert.sent), "digest": alert_digest(alert), "status": "actual", "kind": "alert"}
        row |= {"hazard": alert.hazard, "level": "yellow", "expires": milliseconds(alert.expires), "state": "kept"}
        async with store.write() as tx:
            more = {"body": alert.model_dump(mode="json"), "raw": b"", "media": "", "problems": [], "received_at": tx.now}
            await tx.conn.execute(insert(tables.alert).values(**row, **more))
    return count / (time.perf_counter() - start)


async def measure(kind: str, forms: Sequence[str], alerts: int, at_once: int) -> list[dict[str, Any]]:
    """The figures of each form."""
    found = []
    with tempfile.TemporaryDirectory() as folder, store_url(kind, folder) as url:
        async with desk_running(url, folder) as (store, base, key):
            ceiling = await insert_all(store, min(alerts, 300))
            for place, form in enumerate(forms):
                media, make = FORMS[form]
                bodies = [make(place * 20_000 + number) for number in range(2 * alerts)]
                parse = parse_all(media, bodies[:alerts])
                _, alone = await post_all(base, key, media, bodies[:alerts], 1)
                seconds, times = await post_all(base, key, media, bodies[alerts:], at_once)
                line = {"form": form, "value": round(alerts / seconds), "unit": "alerts/s", "at_once": at_once}
                line |= {"p50_ms": share(alone, 0.5), "p99_ms": share(alone, 0.99), "p99_at_once_ms": share(times, 0.99)}
                line |= {
                    "parse": round(parse),
                    "insert": round(ceiling),
                    "ratio": round(alerts / seconds / min(parse, ceiling), 3),
                }
                found.append(line | {"bytes": len(bodies[0]), "store": kind, "alerts": alerts})
    return found


def share(values: Sequence[float], part: float) -> float:
    """The value below which this part of them lies, in milliseconds."""
    return round(sorted(values)[min(len(values) - 1, int(len(values) * part))] * 1000, 2)


def circle(points: int, x: float = 117.4, y: float = 26.7, radius: float = 0.2) -> list[tuple[float, float]]:
    """A ring with a wavy edge."""
    turns = [2 * math.pi * at / points for at in range(points)]
    wide = [radius * (1 + 0.1 * math.sin(9 * turn)) for turn in turns]
    ring = [(x + w * math.cos(turn), y + w * math.sin(turn)) for w, turn in zip(wide, turns, strict=True)]
    assert len(set(ring)) == points
    return [*ring, ring[0]]


def measure_large() -> dict[str, Any]:
    """A message of 1.7 MB with one large ring: read and gated, the middle of five."""
    alert = make_alert(1).model_copy(update={"areas": [Area(name="x", polygons=[Polygon(rings=[circle(LARGE)])])]})
    body = write_cap(alert, ZONE)
    body = body.replace(b"</description>", b" " * (1_700_000 - len(body)) + b"</description>")
    times, work = [], []
    for _ in range(5):
        start, spent = time.perf_counter(), time.process_time()
        verdict = read_alerts(body, "application/cap+xml")[0]
        times.append(time.perf_counter() - start)
        work.append(time.process_time() - spent)
        assert verdict.gate is not Gate.REFUSE
        assert verdict.alert
        assert len(verdict.alert.areas[0].polygons[0].rings[0]) == LARGE + 1
    figures = {"seconds": round(sorted(times)[2], 3), "cpu_seconds": round(sorted(work)[2], 3), "most": 1.0}
    return {"name": "large", "points": LARGE, "bytes": len(body)} | figures


def grid_rows() -> list[Any]:
    """A county of 60 by 50 grids."""
    county = SimpleNamespace(id=1, code="990123", name="县", level=3, parent_id=None, town_id=0, village_id=0, shape=None)
    rows = [county]
    for number in range(GRIDS):
        west, south = 117.1 + number % 60 * 0.01, 26.45 + number // 60 * 0.01
        shape = shapely.to_wkb(shapely.box(west, south, west + 0.01, south + 0.01))
        code = f"990123001001{number:03}" if number < 1_000 else f"9901230{number // 1000 + 1:02}001{number % 1000:03}"
        more = {"level": 6, "parent_id": 1, "town_id": 1, "village_id": 1, "shape": shape}
        rows.append(SimpleNamespace(id=number + 2, code=code, name=code, **more))
    return rows


def measure_match() -> dict[str, Any]:
    """A polygon of 500 vertices against 3,000 grids, at 200 places."""
    places = Places(grid_rows())
    times, work, hits = [], [], 0
    for number in range(200):
        ring = circle(VERTICES, 117.2 + number * 0.002, 26.6 + number * 0.001)
        area = Area(name="x", polygons=[Polygon(rings=[ring])])
        start, spent = time.perf_counter(), time.process_time()
        hits += len(places.select([area]).home)
        times.append(time.perf_counter() - start)
        work.append(time.process_time() - spent)
    assert hits > 10_000
    return {
        "name": "match",
        "vertices": VERTICES,
        "grids": GRIDS,
        "p50_ms": share(times, 0.5),
        "p99_ms": share(times, 0.99),
        "cpu_p99_ms": share(work, 0.99),
        "most_ms": 10.0,
    }


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        prog="benchmarks ingest", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--store", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--alerts", type=int, default=500)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    asked = parser.parse_args(argv)
    set_up("error")
    forms = uvloop.run(measure(asked.store, asked.forms.split(","), asked.alerts, asked.at_once))
    result = {"name": "ingest", "forms": forms, "large": measure_large(), "match": measure_match()}
    result |= {"python": platform.python_version(), "cores": os.cpu_count()}
    if asked.json:
        print(json.dumps(result))
        return result
    for line in [*forms, result["large"], result["match"]]:
        print("  ".join(f"{key} {value}" for key, value in line.items()))
    return result
