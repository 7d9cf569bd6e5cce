"""Reports on paper and as files: after-action of one warning, and the quarter's."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson
import xlsxwriter
from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.responses import Response, StreamingResponse

from warnhub.console import figures
from warnhub.console.details import area_words, find_frame
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.monitor.report import STAGES, Report, quarter_of, quarter_report, seal_digest, warning_report
from warnhub.roles import Role
from warnhub.store.audits import add_audit
from warnhub.store.overview import agency_names
from warnhub.store.people import list_deliveries

PATH = "/reports"
CHUNK = 1_000
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
BOM = "\ufeff"


async def show_reports(visit: Visit) -> Response:
    """What there are reports of: quarters, and the warnings that were released."""
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
    query = visit.request.query_params
    digest, seal = query.get("digest", "").strip().lower(), query.get("seal", "").strip().lower()
    checked = (seal_digest(visit.hub.keys, digest) == seal) if digest and seal else None
    return visit.page("reports.html", warnings=rows, quarters=quarters, digest=digest, seal=seal, checked=checked)


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


async def make_warning(visit: Visit) -> Report:
    """The report of the warning the path names."""
    scene = (await find_frame(visit, 5.0)).scene
    assert scene is not None
    if scene.warning.released_at is None:
        raise HTTPException(404, "this warning was not released: there is nothing to report")
    async with visit.hub.store.read() as conn:
        names = await agency_names(conn, [scene.warning.agency_id])
    about = {
        "agency": names.get(scene.warning.agency_id, ""),
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
    return warning_report(scene.summary, about)


async def make_quarter(visit: Visit) -> Report:
    """The report of the quarter the path names."""
    try:
        async with visit.hub.store.read() as conn:
            return await quarter_report(conn, visit.argument("quarter"), visit.console.zone, visit.now)
    except ValueError as error:
        raise HTTPException(404, str(error)) from error


async def show_warning_report(visit: Visit) -> Response:
    """A warning's, to read and to print."""
    report, scene = await make_warning(visit), (await find_frame(visit, 5.0)).scene
    assert scene is not None
    async with visit.hub.store.read() as conn:
        pace = await visit.console.paces.look(conn, scene.warning.id, scene.warning.released_at, scene.summary.planned)
    return report_page(visit, report, scene=scene, pace=pace)


async def show_quarter_report(visit: Visit) -> Response:
    """A quarter's, to read and to print."""
    return report_page(visit, await make_quarter(visit), scene=None, pace=None)


def report_page(visit: Visit, report: Report, **given: Any) -> Response:
    """The page."""
    digest, seal = report.seal(visit.hub.keys)
    path = "warnings" if report.kind == "warning" else "quarters"
    return visit.page("report.html", report=report, digest=digest, seal=seal, path=f"{PATH}/{path}/{report.id}", **given)


async def export_report(visit: Visit) -> Response:
    """The same as a file: JSON, CSV or XLSX; who took it is audited."""
    kind = visit.argument("kind")
    if kind not in MEDIA:
        raise HTTPException(404, "there is no such kind of file")
    report = await make_warning(visit) if "/warnings/" in visit.path else await make_quarter(visit)
    digest, _ = report.seal(visit.hub.keys)
    async with visit.hub.store.write() as tx:
        await add_audit(tx, visit.actor, "report.export", report.id, {"kind": kind, "digest": digest})
    number = (await find_frame(visit, 5.0)).scene if report.kind == "warning" else None
    warning = number.warning.id if number else None
    writers: dict[str, Callable[[Visit, Report, int | None], AsyncIterator[bytes]]]
    writers = {"json": stream_json, "csv": stream_csv, "xlsx": stream_book}
    body = writers[kind](visit, report, warning)
    headers = {"content-disposition": f'attachment; filename="warnhub-{report.id}.{kind}"'}
    return StreamingResponse(body, media_type=MEDIA[kind], headers=headers)


async def stream_deliveries(visit: Visit, warning: int | None) -> AsyncIterator[list[dict[str, Any]]]:
    """A warning's deliveries, a thousand at a time; addresses by their last four characters."""
    after = (0, 0)
    while warning is not None:
        async with visit.hub.store.read() as conn:
            found = await list_deliveries(conn, warning, after, CHUNK)
        if not found:
            return
        yield found
        batch, _, person = found[-1]["cursor"].partition(".")
        after = int(batch), int(person)


async def stream_json(visit: Visit, report: Report, warning: int | None) -> AsyncIterator[bytes]:
    """The figures with their definitions and seal, then the deliveries, one object."""
    digest, seal = report.seal(visit.hub.keys)
    said = {figure.key: say(f"define.{figure.key}", visit.lang) for figure in report.figures}
    head = orjson.dumps({"digest": digest, "seal": seal, "definitions": said})
    yield b'{"report":' + report.packed() + b"," + head[1:-1] + b',"deliveries":['
    comma = b""
    async for rows in stream_deliveries(visit, warning):
        yield comma + orjson.dumps(rows)[1:-1]
        comma = b","
    yield b"]}"


def plain_cell(value: Any) -> Any:
    """A cell a spreadsheet takes for text, not for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in "=+-@\t\r" and value[:1] else value


def report_rows(visit: Visit, report: Report) -> Iterator[list[Any]]:
    """The figures and tables as rows."""
    lang = visit.lang
    yield [report.title, report.id]
    yield []
    yield [say(key, lang) for key in ("report.figure", "report.value", "report.share", "report.definition")]
    for figure in report.figures:
        share = figures.percent(figure.value, figure.whole) if figure.whole else ""
        yield [say(f"figure.{figure.key}", lang), figure.value, share, say(f"define.{figure.key}", lang)]
    for name, rows in report.tables.items():
        yield []
        yield [say(f"report.{name}", lang), *(say(f"figure.{stage}", lang) for stage in STAGES)]
        for row in rows:
            yield [table_name(visit, name, row.key, row.name), *(row.funnel.get(stage, 0) for stage in STAGES)]
    digest, seal = report.seal(visit.hub.keys)
    yield []
    yield ["SHA-256", digest]
    yield [say("report.seal", lang), seal]


def table_name(visit: Visit, table: str, key: str, name: str) -> str:
    """What a line is about, in the reader's language."""
    if table == "roles":
        return Role(key).name_in("zh" if visit.lang == "zh" else "en")
    return name


async def stream_csv(visit: Visit, report: Report, warning: int | None) -> AsyncIterator[bytes]:
    """The rows, then the deliveries, with the mark that spreadsheets want for UTF-8."""

    def line(cells: list[Any]) -> bytes:
        buffer = io.StringIO()
        csv.writer(buffer).writerow([plain_cell(cell) for cell in cells])
        return buffer.getvalue().encode()

    yield BOM.encode()
    for row in report_rows(visit, report):
        yield line(row)
    heads: list[str] = []
    async for rows in stream_deliveries(visit, warning):
        if not heads:
            heads = [name for name in rows[0] if name not in {"cursor", "waiting"}]
            yield line([]) + line(heads)
        yield b"".join(line([row[name] for name in heads]) for row in rows)


async def stream_book(visit: Visit, report: Report, warning: int | None) -> AsyncIterator[bytes]:
    """A workbook: the figures on one sheet, the deliveries on another (a sheet holds a million)."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet(say("menu.reports", visit.lang)[:31])
    for place, row in enumerate(report_rows(visit, report)):
        sheet.write_row(place, 0, row)
    if warning is not None:
        detail, place = book.add_worksheet(say("report.deliveries", visit.lang)[:31]), 0
        async for rows in stream_deliveries(visit, warning):
            heads = [name for name in rows[0] if name not in {"cursor", "waiting"}]
            if place == 0:
                detail.write_row(0, 0, heads)
            for found in rows:
                place += 1
                if place < 1_000_000:
                    detail.write_row(place, 0, [found[name] for name in heads])
    await asyncio.to_thread(book.close)
    yield buffer.getvalue()
