"""`warnhub demo`: a county, its carriers and its agencies on this machine, a red warning, and what becomes of it.

Nothing listens but on 127.0.0.1, nothing is sent to anybody, and everything is gone afterwards.
"""

import asyncio
import contextlib
import json
import os
import secrets
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import httpx
import shapely
import typer
import uvicorn
from rich.live import Live
from rich.table import Table
from sqlalchemy import text

from warnhub.alert import Level
from warnhub.app import create_app
from warnhub.commands import asynchronous, err, fail, out
from warnhub.config import Settings, load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.hub import Hub, make_hub
from warnhub.logs import set_up
from warnhub.monitor.summary import Summary
from warnhub.simulate.carriers import Server
from warnhub.simulate.ports import HOST, free_ports
from warnhub.simulate.scene import make_scene, provider_settings
from warnhub.simulate.story import landslide_cap, rainstorm_xml
from warnhub.store.agencies import add_agency
from warnhub.store.engine import Store
from warnhub.store.users import add_user

QUIET = 2.5
MOVING = {"remaining", "accepted", "delivered", "failed", "unknown"}
PATIENCE = 600.0


@dataclass(slots=True)
class Stage:
    """What one demonstration made."""

    folder: Path
    settings: Settings
    keys: dict[str, str] = field(default_factory=dict)
    password: str = ""
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0


@asynchronous
async def demo(
    residents: Annotated[int, typer.Option(min=1_000, max=10_000_000, help="people in the fictional county")] = 20_000,
    once: Annotated[bool, typer.Option("--once", help="end when the fan-out has settled and some have confirmed")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one closing line of JSON and nothing else")] = False,
    keep: Annotated[Path | None, typer.Option(help="keep the database and the audio in this folder")] = None,
    port: Annotated[int, typer.Option(help="port of the console; 0: a free one")] = 0,
    voice: Annotated[bool, typer.Option(help="make the loudspeakers' speech (some seconds of computing)")] = True,
) -> None:
    """演示:一个县、一次红色暴雨预警 / the main job, end to end, on this machine."""
    say = (lambda *words, **how: None) if as_json else err.print
    with tempfile.TemporaryDirectory(prefix="warnhub-demo-") as made:
        folder = keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        set_up("warning", as_json=False)
        stage = await prepare(folder, residents, port, say, voice)
        async with carriers_running(stage, folder), server_running(stage) as hub:
            await tell(stage, hub, say)
            try:
                summaries = await watch(stage, hub, once, as_json)
            except TimeoutError:
                fail(f"the fan-out did not settle within {PATIENCE:.0f} s", 1)
            line = closing_line(stage, summaries)
    typer.echo(json.dumps(line)) if as_json else out.print(line)


async def prepare(folder: Path, residents: int, port: int, say: Any, voice: bool) -> Stage:
    """A database with a county in it, agencies, a user; settings and a stage that fit."""
    database = folder / "warnhub.sqlite3"
    if database.exists():
        fail(f"{database} exists; give --keep another folder")
    url, key = f"sqlite:///{database}", make_key()
    start = time.monotonic()
    say(f"正在建立虚构的云岭县,居民 {residents:,} 人 / building a fictional county …")
    made = await build_county(url, key, residents)
    say(f"{made}  ({time.monotonic() - start:.1f} s)")
    store = Store(url)
    async with store.read() as conn:
        speakers = await speaker_addresses(conn, KeyRing(key))
    chosen = port or free_ports(["warnhub"])["warnhub"]
    base = f"http://{HOST}:{chosen}"
    scene = make_scene(base, speakers)
    path = folder / "scene.json"
    path.touch(0o600)
    path.write_text(scene.model_dump_json(), "utf-8")
    audio = folder / "audio"
    settings = load_settings(
        database_url=url,
        secret_key=key,
        public_url=base,
        host=HOST,
        port=chosen,
        audio_dir=audio,
        providers=provider_settings(scene, audio if voice else None),
    )
    stage = Stage(folder, settings, password=secrets.token_urlsafe(9))
    async with store.write() as tx:
        for name, classes, title in (
            ("weather", ["meteorological"], "云岭县气象台"),
            ("land", ["geological"], "云岭县自然资源局"),
        ):
            stage.keys[name] = await add_agency(
                tx, "demo", id=name, name=title, classes=classes, areas=["990123"], release=Level.ORANGE, senders=[title]
            )
        await add_user(tx, "demo", name="admin", password=stage.password, role="admin")
    await store.close()
    return stage


async def build_county(url: str, key: str, residents: int) -> str:
    """A new database with the county in it, made by a process that gives its memory back; gives what it says of it."""
    command = [sys.executable, "-m", "warnhub", "simulate", "county", "--new", "--residents", str(residents)]
    given = os.environ | {"WARNHUB_DATABASE_URL": url, "WARNHUB_SECRET_KEY": key}
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, env=given)
    try:
        said, _ = await child.communicate()
    except asyncio.CancelledError:
        child.kill()
        await child.wait()
        raise
    if child.returncode:
        fail(f"the county could not be built: the command above ended with {child.returncode}", 1)
    return "; ".join(said.decode().split("\n")[:2])


async def speaker_addresses(conn: Any, keys: KeyRing) -> list[str]:
    """Where the county's loudspeakers listen."""
    rows = await conn.execute(text("SELECT value FROM address WHERE channel = 'loudspeaker'"))
    return [keys.unseal(row[0]) for row in rows]


@contextlib.asynccontextmanager
async def carriers_running(stage: Stage, folder: Path) -> AsyncIterator[None]:
    """The simulators, in a process of their own as carriers are."""
    command = [sys.executable, "-m", "warnhub.simulate.scene", str(folder / "scene.json")]
    child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    assert child.stdout is not None
    try:
        async with asyncio.timeout(60):
            if not await child.stdout.readline():
                fail("the simulated carriers did not start", 1)
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.terminate()
        try:
            async with asyncio.timeout(10):
                await child.wait()
        except TimeoutError:
            child.kill()


@contextlib.asynccontextmanager
async def server_running(stage: Stage) -> AsyncIterator[Hub]:
    """WarnHub itself, in this process, on its real port."""
    hub = await make_hub(stage.settings)
    config = uvicorn.Config(
        create_app(stage.settings, hub=hub),
        host=HOST,
        port=stage.settings.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            fail("the server did not start", 1)
        await asyncio.sleep(0.02)
    try:
        yield hub
    finally:
        server.should_exit = True
        await task


async def tell(stage: Stage, hub: Hub, say: Any) -> None:
    """The agencies say what they have to say, over HTTP, with their keys."""
    now = datetime.now(UTC)
    rows = [(code, hub.places.names[place]) for place, code in zip(hub.places.ids, hub.places.codes, strict=True)]
    towns = [(f"{code}000", name) for code, name in rows if len(code) == 9]
    async with httpx.AsyncClient(base_url=stage.settings.public_url, timeout=30) as client:
        stage.seconds = time.monotonic()
        red = rainstorm_xml(now, "990123", towns)
        stage.warnings += await post(client, stage.keys["weather"], red, "application/xml", say)
        ring = await hazard_ring(hub)
        first = landslide_cap(now - timedelta(minutes=30), "land-1", "Moderate", ring)
        await post(client, stage.keys["land"], first, "application/cap+xml", say)
        sent = (now - timedelta(minutes=30)).astimezone(UTC).isoformat(timespec="seconds")
        worse = landslide_cap(now, "land-2", "Severe", ring, f"云岭县自然资源局,land-1,{sent}")
        stage.warnings += await post(client, stage.keys["land"], worse, "application/cap+xml", say)
    link = await sample_link(stage, hub)
    say(f"控制台 / console   {stage.settings.public_url}/console   admin / {stage.password}")
    say(f"网格员链接 / a gridworker's link   {link}", soft_wrap=True)


async def post(client: httpx.AsyncClient, key: str, body: bytes, media: str, say: Any) -> list[str]:
    """One POST; the warning's id if it was released."""
    answer = await client.post("/v1/alerts", content=body, headers={"authorization": f"Bearer {key}", "content-type": media})
    if answer.status_code != 201:
        fail(f"the server answered {answer.status_code}: {answer.text}", 1)
    said = answer.json()
    say(f"POST /v1/alerts → {answer.status_code} {said['state']} {said['warning']}")
    return [said["warning"]] if said["state"] == "released" else []


async def hazard_ring(hub: Hub) -> list[tuple[float, float]]:
    """A closed ring of some 3 km about a grid."""
    centre = shapely.centroid(hub.places.tree.geometries[0])
    turns = [(-0.03, -0.02), (0.03, -0.02), (0.03, 0.02), (-0.03, 0.02), (-0.03, -0.02)]
    return [(round(centre.x + x, 5), round(centre.y + y, 5)) for x, y in turns]


async def sample_link(stage: Stage, hub: Hub) -> str:
    """The page of a gridworker who was told; waits for the first batch to be cut."""
    query = text(
        "SELECT d.wave_id, d.recipient_id FROM batch b JOIN delivery d ON d.batch_id = b.id "
        "WHERE b.role = 'gridworker' ORDER BY b.id LIMIT 1"
    )
    for _ in range(200):
        async with hub.store.read() as conn:
            row = (await conn.execute(query)).first()
        if row:
            return f"{stage.settings.public_url}/a/{hub.keys.link_token(row.wave_id, row.recipient_id)}"
        await asyncio.sleep(0.05)
    return "(none)"


async def watch(stage: Stage, hub: Hub, once: bool, as_json: bool) -> list[Summary]:
    """Show the figures until it has settled (`once`), or until the terminal says stop."""
    end = time.monotonic() + PATIENCE
    last, since = "", time.monotonic()
    screen = contextlib.nullcontext() if as_json else Live(console=err, refresh_per_second=2)
    with screen as live:
        while True:
            quiet = once and time.monotonic() - since > QUIET and await settled(hub)
            summaries = [s for uid in stage.warnings if (s := await hub.monitor.summary(uid, 0.0 if quiet else 1.0))]
            if live is not None:
                live.update(table_of(summaries))
            shown = json.dumps([s.people.model_dump(include=MOVING) for s in summaries])
            if shown != last:
                last, since = shown, time.monotonic()
            elif quiet and any(s.people.confirmed for s in summaries):
                stage.seconds = time.monotonic() - stage.seconds
                return summaries
            if once and time.monotonic() > end:
                raise TimeoutError
            await asyncio.sleep(0.5)


async def settled(hub: Hub) -> bool:
    """Every warning is planned, and nothing that is due waits or is in hand; figures are to be read after this."""
    async with hub.store.read() as conn:
        now = await hub.store.now(conn)
        unplanned = await conn.scalar(text("SELECT count(*) FROM warning WHERE state = 'released' AND planned_at IS NULL"))
        waiting = "SELECT count(*) FROM batch WHERE state = 1 OR (state = 0 AND (attempt > 0 OR due_at <= :soon))"
        busy = await conn.scalar(text(waiting), {"soon": now + 2_000})
    return not unplanned and not busy


def table_of(summaries: list[Summary]) -> Table:
    """The live table: one line a channel."""
    table = Table(title="WarnHub 演示 / demo")
    for title in ("预警 / warning", "渠道 / channel", "计划", "已受理", "已送达", "已读/播放", "失败", "未知", "待发"):
        table.add_column(title, justify="left" if title[0] in "预渠" else "right")
    for summary in summaries:
        parts = [("人与设备 / people", summary.people)] + [(part.key, part.funnel) for part in summary.channels]
        for name, funnel in parts:
            cells = (
                funnel.total,
                funnel.accepted,
                funnel.delivered,
                funnel.read,
                funnel.failed,
                funnel.unknown,
                funnel.remaining,
            )
            table.add_row(summary.headline if name.startswith("人") else "", name, *(f"{cell:,}" for cell in cells))
        done = f"叫应 {summary.tasks.done}/{summary.tasks.total}  无人确认的村 {summary.silent_villages}"
        table.add_row("", done, end_section=True)
    return table


def closing_line(stage: Stage, summaries: list[Summary]) -> dict[str, Any]:
    """People and devices over all warnings; `accepted`, `delivered` and `confirmed` are nested."""
    keys = {"targeted": "total"} | {name: name for name in ("accepted", "delivered", "confirmed", "unknown", "failed")}
    line: dict[str, Any] = {key: sum(getattr(s.people, name) for s in summaries) for key, name in keys.items()}
    others = ("read", "remaining", "suppressed", "stopped")
    line |= {"seconds": round(stage.seconds, 2), "warnings": len(summaries), "messages": sum(s.planned for s in summaries)}
    return line | {name: sum(getattr(s.people, name) for s in summaries) for name in others}
