"""`warnhub report`: the figures of a quarter or a year, a drill beside the real thing, and what the last warnings suggest."""

import json
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import orjson
import typer
from rich.table import Table

from warnhub.commands import actor, asynchronous, fail, open_store, out, settings
from warnhub.crypto import KeyRing
from warnhub.monitor.report import period_bounds
from warnhub.monitor.trailer import Verdict, check_file
from warnhub.response.figures import DEFINITIONS, Sums, period_sums
from warnhub.response.lessons import decide_lesson, keep_lessons, learn, list_lessons
from warnhub.response.rehearsals import compare_drills

report = typer.Typer(help="通报与总评 / reports: quarters, years, drills, suggestions.", no_args_is_help=True)
GROUPS = ("town", "agency", "channel", "all")
AsJson = Annotated[bool, typer.Option("--json", help="one line of JSON")]


def span_of(period: str, zone: str) -> tuple[int, int]:
    """(from, to) in milliseconds of `2026Q4` or `2026`, by the county's clock."""
    try:
        return period_bounds(period, ZoneInfo(zone))
    except ValueError as error:
        fail(f"period: {error}")


def line_of(one: Sums, weights: dict[str, float]) -> dict[str, Any]:
    """A group as a line."""
    rates = {name: round(value, 4) if value is not None else None for name, value in one.rates().items()}
    score = one.score(weights)
    counts = {name: getattr(one, name) for name in ("warnings", "targets", "delivered", "asked", "in_time", "doors", "closed")}
    more = {"tasks_all": one.tasks, "overdue": one.overdue}
    return {"name": one.name, "score": round(score, 1) if score is not None else None} | rates | counts | more


def ranked(groups: list[Sums], weights: dict[str, float]) -> list[dict[str, Any]]:
    """The groups by their score, the best first, each with what pulled it down."""
    lines = [line_of(one, weights) | {"cause": one.cause(weights)} for one in groups]
    lines.sort(key=lambda line: (line["score"] is None, -(line["score"] or 0.0), line["name"]))
    return [{"rank": number} | line for number, line in enumerate(lines, 1)]


@report.command("period")
@asynchronous
async def report_period(
    period: Annotated[str, typer.Argument(help="2026Q4 or 2026")],
    by: Annotated[str, typer.Option(help="town, agency, channel or all")] = "town",
    drills: Annotated[bool, typer.Option("--drills", help="drills in place of the real thing")] = False,
    as_json: AsJson = False,
) -> None:
    """季度通报、年度总评 / a quarter or a year, ranked, with what pulled each down."""
    if by not in GROUPS:
        fail(f"--by: {by!r} is not one of {', '.join(GROUPS)}")
    async with open_store() as (settings, store, _), store.read() as conn:
        since, until = span_of(period, settings.county.zone)
        groups = await period_sums(conn, by, since, until, drill=drills)
    weights = {str(name): weight for name, weight in settings.weights.items()}
    lines = ranked(groups, weights)
    if as_json:
        typer.echo(json.dumps({"period": period, "by": by, "weights": weights, "groups": lines}, ensure_ascii=False))
        return
    names = ("rank", "name", "score", "coverage", "reach", "confirm", "median", "doors", "tasks", "effect", "cause")
    table = Table(*names, title=f"{period} · {by}{' · 演练 / drills' if drills else ''}")
    for line in lines:
        table.add_row(*("–" if line[name] in (None, "") else str(line[name]) for name in names))
    out.print(table)
    for zh, en in DEFINITIONS.values():
        out.print(f"{zh} / {en}", markup=False)
    out.print("权重 / weights: " + ", ".join(f"{name} {weight:g}" for name, weight in weights.items()))


@report.command("verify")
@asynchronous
async def report_verify(
    file: Annotated[Path, typer.Argument(help="a report as it was exported: CSV, XLSX or JSON")], as_json: AsJson = False
) -> None:
    """核对导出的报告 / whether an exported file is as this installation made it. Exit code 0 if it is, 1 if not, 2 if it
    cannot be read."""
    keys = KeyRing(settings().secret_key.get_secret_value())
    found = check_file(file, keys)
    said = verdict_words(found)
    if as_json:
        typer.echo(json.dumps(found._asdict() | {"file": str(file), "fits": found.fits}, ensure_ascii=False))
    else:
        out.print(f"{file}: {said}", markup=False, soft_wrap=True)
    if not found.fits:
        raise typer.Exit(1)


def verdict_words(found: Verdict) -> str:
    """What is to be said of a file."""
    if not found.kind:
        return "没有签章:不是导出的报告,或被截断 / no seal: not an exported report, or cut off"
    if not found.whole:
        return "内容被改动过 / it was changed after it was exported"
    if not found.ours:
        return "不是本系统签章的 / it was sealed by another installation, or not at all"
    return f"签章相符,没有改动 / as it was exported · SHA-256 {found.digest}"


@report.command("compare")
@asynchronous
async def report_compare(
    drill: Annotated[str, typer.Option("--list", help="drills of this list alone")] = "", as_json: AsJson = False
) -> None:
    """演练评估 / the last drill beside the drill before it and the last real warning of its kind."""
    async with open_store() as (settings, store, _), store.read() as conn:
        weights = {str(name): weight for name, weight in settings.weights.items()}
        found = await compare_drills(conn, drill or None)
    if not found:
        fail("there was no drill yet" + (f" with the list {drill}" if drill else ""))
    lines = [line_of(one.sums, weights) | {"kind": one.kind, "name": one.name, "warnings": one.warnings} for one in found]
    first = lines[0]
    for line in lines:
        rates = ("coverage", "confirm", "doors", "tasks", "median")
        line["better"] = {name: gain(name, first[name], line[name]) for name in rates} if line is not first else {}
    if as_json:
        typer.echo(json.dumps({"compared": lines}, ensure_ascii=False))
        return
    names = ("kind", "name", "score", "coverage", "confirm", "median", "doors", "tasks")
    table = Table(*names)
    for line in lines:
        table.add_row(*("–" if line[name] is None else str(line[name]) for name in names))
    out.print(table)


def gain(name: str, now: float | None, then: float | None) -> float | None:
    """By how much the last drill did better; for the time, by how many seconds it was faster. None where one has no figure."""
    if now is None or then is None:
        return None
    return round(then - now if name == "median" else now - then, 4)


@report.command("suggest")
@asynchronous
async def report_suggest(as_json: AsJson = False) -> None:
    """优化建议 / what the last warnings teach; nothing is changed."""
    async with open_store() as (_, store, _):
        async with store.read() as conn:
            lessons = await learn(conn)
        async with store.write() as tx:
            await keep_lessons(tx, lessons)
        async with store.read() as conn:
            rows = await list_lessons(conn)
    for row in rows:
        data = row.data if isinstance(row.data, dict) else orjson.loads(row.data)
        line = {"id": row.id, "kind": row.kind, "state": row.state, "data": data}
        if as_json:
            typer.echo(json.dumps(line, ensure_ascii=False))
        else:
            out.print(f"{row.id}\t{row.state}\t{row.kind}\t{data}", markup=False, soft_wrap=True)


async def decide(number: int, state: str) -> None:
    """One decision, with a name."""
    async with open_store() as (_, store, _), store.write() as tx:
        if not await decide_lesson(tx, number, state, actor()):
            fail(f"there is no open suggestion {number}")


@report.command("accept")
@asynchronous
async def report_accept(number: Annotated[int, typer.Argument(help="from `warnhub report suggest`")]) -> None:
    """采纳建议 / the county will do it; recorded with your name, and done by people, not by this command."""
    await decide(number, "accepted")


@report.command("dismiss")
@asynchronous
async def report_dismiss(number: Annotated[int, typer.Argument(help="from `warnhub report suggest`")]) -> None:
    """不采纳 / it is not followed; recorded with your name."""
    await decide(number, "dismissed")
