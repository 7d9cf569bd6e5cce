"""Reports on paper and as files: after-action of one warning, and those of a quarter and a year."""

from typing import Any

from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from warnhub.console import figures, tables
from warnhub.console.charts import draw_curve, draw_months
from warnhub.console.details import area_words, find_frame
from warnhub.console.exports import MEDIA, write_out
from warnhub.console.pace import read_pace
from warnhub.console.scene import Scene
from warnhub.console.visit import Visit
from warnhub.monitor.report import COLUMNS, Report, quarter_of, seal_digest
from warnhub.response.reports import confirm_seconds, period_report, warning_report
from warnhub.store.audits import add_audit
from warnhub.store.overview import agency_names

PATH = "/reports"
FOLDERS = {"warning": "warnings", "quarter": "quarters", "year": "years"}


async def show_reports(visit: Visit) -> Response:
    """What there are reports of: years, quarters, and the warnings that were released."""
    async with visit.hub.store.read() as conn:
        rows = (
            await conn.execute(
                text(
                    "SELECT uid, headline, level, kind, hazard, state, drill, released_at FROM warning "
                    "WHERE released_at IS NOT NULL ORDER BY released_at DESC LIMIT 60"
                )
            )
        ).all()
        first = await conn.scalar(text("SELECT min(released_at) FROM warning"))
    quarters = list_quarters(visit, int(first) if first else visit.now)
    years = list(dict.fromkeys(quarter[:4] for quarter in quarters))
    query = visit.request.query_params
    digest, seal = query.get("digest", "").strip().lower(), query.get("seal", "").strip().lower()
    checked = (seal_digest(visit.hub.keys, digest) == seal) if digest and seal else None
    given: dict[str, Any] = {"warnings": rows, "quarters": quarters, "years": years}
    return visit.page("reports.html", digest=digest, seal=seal, checked=checked, **given)


def list_quarters(visit: Visit, first: int) -> list[str]:
    """From now back to the first warning, at most three years."""
    zone, at = visit.console.zone, visit.now
    found: list[str] = []
    while len(found) < 12:
        quarter = quarter_of(at, zone)
        if quarter not in found:
            found.append(quarter)
        if at < first:
            break
        at -= 80 * 86_400_000
    return found


def weights_of(visit: Visit) -> dict[str, float]:
    """What each indicator counts for in this county."""
    return {str(name): weight for name, weight in visit.hub.settings.weights.items()}


async def find_scene(visit: Visit) -> Scene:
    """The released warning the path names; 404 if there is none."""
    scene = (await find_frame(visit, 5.0)).scene
    assert scene is not None
    if scene.warning.released_at is None:
        raise HTTPException(404, "this warning was not released: there is nothing to report")
    return scene


async def make_warning(visit: Visit, scene: Scene) -> Report:
    """The report of a warning."""
    about = {
        "area": area_words(scene.alert),
        "level": scene.warning.level,
        "hazard": scene.warning.hazard,
        "state": scene.warning.state,
        "drill": scene.drill,
        "released_at": scene.warning.released_at,
        "ended_at": scene.warning.ended_at,
        "latency": {
            f"{channel}.{hop}": [figures.quantile(buckets, share) for share in (0.5, 0.95, 0.99)]
            for channel, hops in scene.summary.latency.items()
            for hop, buckets in hops.items()
        },
    }
    async with visit.hub.store.read() as conn:
        names = await agency_names(conn, [scene.warning.agency_id])
        about["agency"] = names.get(scene.warning.agency_id, "")
        return await warning_report(conn, scene.warning, scene.summary, about, weights_of(visit))


async def make_period(visit: Visit) -> Report:
    """The report of the quarter or year the path names; 404 for what is neither, or the other."""
    name = visit.argument("period")
    try:
        async with visit.hub.store.read() as conn:
            report = await period_report(conn, name, visit.console.zone, visit.now, weights_of(visit))
    except ValueError as error:
        raise HTTPException(404, str(error)) from error
    if f"/{FOLDERS[report.kind]}/" not in visit.path:
        raise HTTPException(404, "there is no such page")
    return report


async def show_warning_report(visit: Visit) -> Response:
    """A warning's, to read and to print."""
    scene = await find_scene(visit)
    report = await make_warning(visit, scene)
    async with visit.hub.store.read() as conn:
        pace = await read_pace(conn, scene.warning.id, scene.warning.released_at or 0)
        seconds = await confirm_seconds(conn, scene.warning.id)
    curve = draw_curve(seconds, scene.summary.tasks.total)
    return report_page(visit, report, scene=scene, pace=pace, curve=curve, months=[])


async def show_period_report(visit: Visit) -> Response:
    """A quarter's or a year's, to read and to print."""
    report = await make_period(visit)
    return report_page(visit, report, scene=None, pace=None, curve=None, months=draw_months(report.tables["months"]))


def report_page(visit: Visit, report: Report, **given: Any) -> Response:
    """The page."""
    digest, seal = report.seal(visit.hub.keys)
    path = f"{PATH}/{FOLDERS[report.kind]}/{report.id}"
    shown: dict[str, Any] = {"report": report, "columns": COLUMNS, "tables": tables, "path": path}
    return visit.page("report.html", digest=digest, seal=seal, **shown, **given)


async def export_report(visit: Visit) -> Response:
    """The same as a file: JSON, CSV or XLSX; who took it is audited."""
    kind = visit.argument("kind")
    if kind not in MEDIA:
        raise HTTPException(404, "there is no such kind of file")
    warning = None
    if "/warnings/" in visit.path:
        scene = await find_scene(visit)
        report, warning = await make_warning(visit, scene), scene.warning.id
    else:
        report = await make_period(visit)
    digest, _ = report.seal(visit.hub.keys)
    async with visit.hub.store.write() as tx:
        await add_audit(tx, visit.actor, "report.export", report.id, {"kind": kind, "digest": digest})
    headers = {"content-disposition": f'attachment; filename="warnhub-{report.id}.{kind}"'}
    return StreamingResponse(write_out(visit, report, warning, kind), media_type=MEDIA[kind], headers=headers)
