"""`warnhub plan`: the response plans in force."""

import difflib
from pathlib import Path
from typing import Annotated

import typer

from warnhub.commands import actor, asynchronous, err, fail, open_store, out
from warnhub.plan.loading import PolicyError
from warnhub.response.plans import add_plans, newest_plans, read_plans

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
    written = file.read_text("utf-8")
    try:
        read_plans(written)
    except PolicyError as error:
        fail(f"{file} is no plan; nothing was changed\n{error}")
    async with open_store() as (_, store, _):
        version, old = await newest_plans(store)
        for line in difflib.unified_diff(old.splitlines(), written.splitlines(), f"version {version}", str(file), lineterm=""):
            out.print(line, markup=False, soft_wrap=True)
        if not yes and not typer.confirm("更换为新预案? / put it in force?"):
            raise typer.Exit(1)
        async with store.write() as tx:
            fresh = await add_plans(tx, written, actor(), note)
    out.print(f"version {fresh}; a running server takes it within seconds; runs that began before keep theirs")
