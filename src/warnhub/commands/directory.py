"""`warnhub import areas | people | devices | shelters | households | points | roster`."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from warnhub.commands import asynchronous, err, fail, open_store, out
from warnhub.directory.hazardous import import_points
from warnhub.directory.homes import import_households, import_shelters
from warnhub.directory.people import import_devices, import_people
from warnhub.directory.places import import_areas
from warnhub.directory.report import Report
from warnhub.directory.roster import import_roster
from warnhub.directory.sheet import Unreadable
from warnhub.store.rosters import find_gaps, list_shifts

imports = typer.Typer(
    help="导入通讯录 / import areas, people, devices, shelters, households and hazard points (CSV or GeoJSON).",
    no_args_is_help=True,
)

SHOWN = 50
AHEAD = 7 * 24 * 3_600_000
File = Annotated[Path, typer.Argument(help="CSV (UTF-8, GB18030) or GeoJSON", exists=True, dir_okay=False)]
RosterFile = Annotated[Path, typer.Argument(help="CSV (UTF-8, GB18030) or iCalendar", exists=True, dir_okay=False)]
Partial = Annotated[bool, typer.Option("--partial", help="keep the good lines when some are bad; default: all or nothing")]


async def run_import(read: Callable[..., Awaitable[Report]], partial: bool) -> None:
    """Run one import with a bar, and report each bad line."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("导入 / importing", total=None)

        def progress(stage: str, done: int, total: int | None) -> None:
            bar.update(task, description=stage, completed=done, total=total)

        try:
            report = await read(partial=partial, progress=progress)
        except Unreadable as error:
            fail(str(error))
    for bad in report.bad[:SHOWN]:
        err.print(str(bad), markup=False, soft_wrap=True)
    if len(report.bad) > SHOWN:
        err.print(f"… {len(report.bad) - SHOWN} more")
    for warning in report.warnings[:SHOWN]:
        err.print(f"注意 / note: {warning}", markup=False, soft_wrap=True)
    kept = f"added {report.added}, updated {report.updated}, unchanged {report.unchanged}"
    if report.bad and not partial:
        fail(f"{len(report.bad)} bad lines; nothing was saved. Mend them, or use --partial to keep the good ones", 1)
    out.print(f"{kept}, bad {len(report.bad)}")
    if report.bad:
        raise typer.Exit(1)


@imports.command("areas")
@asynchronous
async def areas(file: File, partial: Partial = False) -> None:
    """区划与网格 / divisions and grids."""
    async with open_store() as (_, store, _):
        await run_import(lambda **more: import_areas(store, file, **more), partial)


@imports.command("people")
@asynchronous
async def people(file: File, partial: Partial = False) -> None:
    """人员 / people."""
    async with open_store() as (_, store, keys):
        await run_import(lambda **more: import_people(store, keys, file, **more), partial)


@imports.command("devices")
@asynchronous
async def devices(file: File, partial: Partial = False) -> None:
    """设备 / loudspeakers and displays."""
    async with open_store() as (_, store, keys):
        await run_import(lambda **more: import_devices(store, keys, file, **more), partial)


@imports.command("shelters")
@asynchronous
async def shelters(file: File, partial: Partial = False) -> None:
    """安置点:容量与路线 / shelters, how many they hold and the way there."""
    async with open_store() as (_, store, _):
        await run_import(lambda **more: import_shelters(store, file, **more), partial)


@imports.command("households")
@asynchronous
async def households(file: File, partial: Partial = False) -> None:
    """住户:谁要先敲门 / households, and who must be helped first."""
    async with open_store() as (_, store, keys):
        await run_import(lambda **more: import_households(store, keys, file, **more), partial)


@imports.command("points")
@asynchronous
async def points(file: File, partial: Partial = False) -> None:
    """隐患点台账 / hazard points: slopes, river sections, reservoirs, forest, mines, works."""
    async with open_store() as (_, store, _):
        await run_import(lambda **more: import_points(store, file, **more), partial)


@imports.command("roster")
@asynchronous
async def roster(file: RosterFile, partial: Partial = False) -> None:
    """值班表:CSV 或 iCalendar,并指出无人值班的时段 / rosters, and the times at which nobody is on duty."""
    async with open_store() as (settings, store, _):
        county = settings.county
        await run_import(lambda **more: import_roster(store, file, county.zone, county.code, **more), partial)
        async with store.read() as conn:
            now = await store.now(conn)
            end = now + AHEAD
            gaps = find_gaps(await list_shifts(conn, now, end), now, end)
    for gap in gaps[:SHOWN]:
        start, until = (datetime.fromtimestamp(at / 1_000, ZoneInfo(county.zone)) for at in (gap.start, gap.end))
        err.print(f"注意 / note: {gap.place} {start:%m-%d %H:%M} – {until:%m-%d %H:%M} 无人值班 / nobody on duty", markup=False)
