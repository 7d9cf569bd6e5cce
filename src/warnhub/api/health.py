"""Liveness, readiness, metrics, and the loudspeakers' audio."""

import re

import structlog
from fastapi import APIRouter, Response
from fastapi.responses import FileResponse, JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from warnhub.api.auth import HubDep
from warnhub.desk import Refusal
from warnhub.hub import Hub
from warnhub.monitor.metrics import DRIFT, IN_HAND, JOINED, OLDEST, SOURCE_AGE, SOURCE_FAILURES, SOURCE_PARKED, WAITING
from warnhub.monitor.selfcheck import read_health
from warnhub.store.engine import TROUBLE
from warnhub.store.migrate import SchemaError, check_store
from warnhub.store.overview import open_warnings
from warnhub.store.sources import count_parked, list_mirrors

router = APIRouter()
sounds = APIRouter()
log = structlog.get_logger(__name__)
AUDIO = re.compile(r"[0-9a-f]{32,64}\.(wav|mp3)")


@router.get("/healthz", include_in_schema=False)
async def healthz() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", include_in_schema=False)
async def readyz(hub: HubDep) -> Response:
    """The database is there, at the schema we know, the engine runs, and nobody has asked it to end."""
    if hub.worker.draining:
        return unready("this process is ending")
    try:
        await check_store(hub.store)
    except SchemaError as error:
        return unready(str(error))
    except TROUBLE as error:
        return unready(f"the database does not answer: {type(error).__name__}")
    if not hub.running:
        return unready("the engine is not running")
    return JSONResponse({"status": "ready"})


def unready(why: str) -> Response:
    """Not now."""
    return JSONResponse({"status": "not ready", "why": why}, 503)


@router.get("/metrics", include_in_schema=False)
async def metrics(hub: HubDep) -> Response:
    """For Prometheus. What is counted in this process is there also while the database is away."""
    measure_process(hub)
    try:
        await measure_store(hub)
        await measure_sources(hub)
    except TROUBLE as error:
        log.warning("metrics.waits", error=type(error).__name__)
        for gauge in (WAITING, OLDEST, SOURCE_AGE, SOURCE_FAILURES, SOURCE_PARKED):
            gauge.clear()
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def measure_process(hub: Hub) -> None:
    """What this process has in hand, and whether it reads its part of the topics."""
    for name, line in hub.worker.lines.items():
        IN_HAND.labels(name).set(line.running)
    JOINED.set(hub.bus.joined)


async def measure_store(hub: Hub) -> None:
    """What waits, for all processes together."""
    async with hub.store.read() as conn:
        now = await hub.store.now(conn)
        rows = await conn.execute(
            text(
                "SELECT provider, lane, count(*) AS n, min(due_at) AS oldest FROM batch WHERE state = 0 GROUP BY provider, lane"
            )
        )
        DRIFT.set(len((await read_health(conn, await open_warnings(conn), now)).drift))
        WAITING.clear()
        OLDEST.clear()
        for row in rows:
            WAITING.labels(row.provider, str(row.lane)).set(row.n)
            OLDEST.labels(row.provider).set(max(0.0, (now - row.oldest) / 1000))


async def measure_sources(hub: Hub) -> None:
    """How each polled source is; its mirrors are numbered as in the settings, for an address may hold a key."""
    async with hub.store.read() as conn:
        now = await hub.store.now(conn)
        mirrors, parked = await list_mirrors(conn), await count_parked(conn)
    for gauge in (SOURCE_AGE, SOURCE_FAILURES, SOURCE_PARKED):
        gauge.clear()
    for name, source in hub.settings.sources.items():
        own = {one.url: one for one in mirrors if one.source == name and one.url in source.urls}
        good = [one.good_at for one in own.values() if one.good_at is not None]
        SOURCE_AGE.labels(name).set((now - max(good)) / 1000 if good else float("inf"))
        SOURCE_PARKED.labels(name).set(parked.get(name, 0))
        for number, url in enumerate(source.urls):
            SOURCE_FAILURES.labels(name, str(number)).set(own[url].failures if url in own else 0)


@sounds.get("/audio/{name}", include_in_schema=False)
async def audio(name: str, hub: HubDep) -> Response:
    """A warning's speech, by its digest; loudspeakers fetch it."""
    path = hub.settings.audio_dir / name
    if not AUDIO.fullmatch(name) or not path.is_file():
        raise Refusal(404, "there is no such audio")
    return FileResponse(path, headers={"cache-control": "public, max-age=86400, immutable"})
