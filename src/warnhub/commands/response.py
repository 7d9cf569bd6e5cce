"""`warnhub plan | linkage`: the response plans and the linkage rules in force."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import text

from warnhub.commands import actor, ask_change, asynchronous, err, open_store, out, read_written
from warnhub.response.linkage import add_linkage, judge, newest_linkage, read_linkage
from warnhub.response.plans import add_plans, newest_plans, read_plans

linkage = typer.Typer(help="研判联动规则 / the linkage rules that propose warnings.", no_args_is_help=True)
NO_RULES = "holds no linkage rules"
plan = typer.Typer(help="应急预案 / the response plans.", no_args_is_help=True)


@plan.command("show")
@asynchronous
async def plan_show() -> None:
    """显示现行预案 / the plans in force, as YAML."""
    async with open_store() as (_, store, _):
        version, written = await newest_plans(store)
    err.print(f"# version {version}")
    out.print(written, soft_wrap=True, markup=False)


@plan.command("set")
@asynchronous
async def plan_set(
    file: Path,
    note: Annotated[str, typer.Option(help="why it is changed")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """更换预案(先显示差异) / put other plans in force; shows what changes and asks. Runs that have begun keep theirs."""
    written, _ = read_written(file, read_plans, "is no plan")
    async with open_store() as (_, store, _):
        version, old = await newest_plans(store)
        ask_change(old, written, (f"version {version}", str(file)), "更换为新预案? / put it in force?", yes)
        async with store.write() as tx:
            fresh = await add_plans(tx, written, actor(), note)
    out.print(f"version {fresh}; a running server takes it within seconds; runs that began before keep theirs")


@linkage.command("show")
@asynchronous
async def linkage_show() -> None:
    """显示现行研判规则 / the rules in force, as YAML, with who put them in force."""
    async with open_store() as (_, store, _):
        row = await newest_linkage(store)
    at = datetime.fromtimestamp(row.at / 1000, UTC)
    err.print(f"# version {row.version}, {row.author}, {at:%Y-%m-%d %H:%M} UTC: {row.note}", markup=False)
    out.print(row.text, soft_wrap=True, markup=False)


@linkage.command("check")
@asynchronous
async def linkage_check(
    file: Path,
    now: Annotated[bool, typer.Option("--now", help="hold them against the readings that are there, changing nothing")] = False,
) -> None:
    """检查规则文件 / whether a file can be put in force; --now: which rules would fire, where, and by which readings."""
    _, rules = read_written(file, read_linkage, NO_RULES)
    out.print(f"{rules.name}: {len(rules.rules)} rules", markup=False)
    if not now:
        return
    async with open_store() as (_, store, _), store.read() as conn:
        at = await store.now(conn)
        for link in rules.rules:
            level = 12 if link.scope == "village" else 9
            areas = (await conn.execute(text("SELECT id, name FROM area WHERE level = :l ORDER BY code"), {"l": level})).all()
            for area in areas:
                for fact in await judge(conn, link, area.id, at) or ():
                    out.print(
                        f"{link.key}\t{area.name}\t{fact.measure} {fact.value:g}{fact.unit}\t{fact.station}", markup=False
                    )


@linkage.command("set")
@asynchronous
async def linkage_set(
    file: Path,
    note: Annotated[str, typer.Option(help="why they are changed")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """更换规则(先显示差异) / put other rules in force; shows what changes and asks. A proposal names its version."""
    written, _ = read_written(file, read_linkage, NO_RULES)
    async with open_store() as (_, store, _):
        old = await newest_linkage(store)
        names = f"version {old.version}, {old.author}", str(file)
        ask_change(old.text, written, names, "更换为新规则? / put them in force?", yes)
        async with store.write() as tx:
            fresh = await add_linkage(tx, written, actor(), note)
    out.print(f"version {fresh}; a running server takes it within seconds")
