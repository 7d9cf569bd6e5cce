"""`warnhub drill run`: a scripted drill, in fast motion on a county of its own, or in real time with a registered list."""

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from warnhub.commands import asynchronous, err, fail, open_store, out
from warnhub.commands.desk import drill
from warnhub.logs import set_up
from warnhub.plan.loading import PolicyError
from warnhub.simulate.rehearsal import NoList, rehearse
from warnhub.simulate.script import Script, find_script, read_script
from warnhub.simulate.theatre import perform


@drill.command("run")
@asynchronous
async def drill_run(
    script: Annotated[str, typer.Argument(help="typhoon, or a YAML file")],
    fast: Annotated[bool, typer.Option("--fast", help="in fast motion, with simulated people, touching nothing else")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print one closing line of JSON and nothing else")] = False,
    list_id: Annotated[str, typer.Option("--list", help="in real time: the registered list it runs with")] = "",
    speed: Annotated[float, typer.Option(min=1, help="in real time: times faster than the script")] = 1.0,
) -> None:
    """按脚本演练 / a scripted drill: --fast plays days in a minute; with --list the real desk plays it with its people."""
    try:
        found = read_script(find_script(script))
    except PolicyError as error:
        fail(f"{script} is no script\n{error}")
    set_up("warning", as_json=False)
    if fast:
        with tempfile.TemporaryDirectory(prefix="warnhub-drill-") as folder:
            line = await perform(found, Path(folder))
    else:
        line = await play(found, list_id, speed, as_json)
    typer.echo(json.dumps(line, ensure_ascii=False)) if as_json else show(line)
    if line["leaked"]:
        raise typer.Exit(1)


async def play(script: Script, list_id: str, speed: float, quiet: bool) -> dict[str, Any]:
    """In real time, on the database of a running server."""
    if not list_id:
        fail("--list: a drill in real time needs a registered list (`warnhub drill add`); --fast needs none")
    async with open_store() as (settings, store, _):
        try:
            return await rehearse(script, store, settings, list_id, speed, asyncio.sleep, None if quiet else err.print)
        except NoList as error:
            fail(str(error))


def show(line: dict[str, Any]) -> None:
    """The closing line for people."""
    words = {
        "participants": "参演 / participants",
        "confirmed": "叫应 / confirmed",
        "escalated": "升级 / escalated",
        "doors": "住户 / doors",
        "doors_closed": "完成的住户 / doors closed",
        "tasks": "任务 / tasks",
        "overdue": "超时 / overdue",
        "leaked": "名单外被触达 / reached outside the list",
    }
    for key, said in words.items():
        out.print(f"{said}: {line[key]}")
