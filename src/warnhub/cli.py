"""The command line: `warnhub …`."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from warnhub.commands import err, fail, out
from warnhub.commands import rehearse as rehearse
from warnhub.commands.demo import demo
from warnhub.commands.desk import audit, drill, incident, policy
from warnhub.commands.directory import imports
from warnhub.commands.letters import letters
from warnhub.commands.people import user
from warnhub.commands.report import report
from warnhub.commands.response import linkage, plan
from warnhub.commands.send import send
from warnhub.commands.serving import channels, db, key, serve, worker
from warnhub.commands.simulate import simulate
from warnhub.commands.sources import source
from warnhub.commands.trust import trusted
from warnhub.config import ConfigError
from warnhub.ingest import Limits
from warnhub.ingest.check import check_files, exit_code
from warnhub.ingest.scales import check_tables
from warnhub.ingest.stations import load_stations

app = typer.Typer(
    help="WarnHub 预警叫应平台 / the warning desk of a county emergency bureau.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
groups = {
    "db": db,
    "import": imports,
    "agency": trusted,
    "user": user,
    "drill": drill,
    "policy": policy,
    "plan": plan,
    "linkage": linkage,
    "report": report,
    "incident": incident,
    "audit": audit,
    "source": source,
    "dead-letter": letters,
    "simulate": simulate,
}
for name, group in groups.items():
    app.add_typer(group, name=name)
for command in (serve, send, worker, demo, key, channels):
    app.command()(command)


@app.command()
def check(
    files: Annotated[list[Path], typer.Argument(help="alert files in any form")],
    as_json: Annotated[bool, typer.Option("--json", help="one JSON line for each alert")] = False,
    stations: Annotated[Path | None, typer.Option(help="the county's table of stations and hazard points")] = None,
    tables: Annotated[Path | None, typer.Option(help="a folder of the county's own level tables")] = None,
) -> None:
    """检查预警文件 / what would become of these files: accept, hold or refuse, and why. Exit 0, 1 or 2 by the worst."""
    try:
        check_tables(tables)
        limits = Limits(stations=load_stations(stations), tables=tables)
    except ConfigError as error:
        fail(str(error))
    lines = []
    for line in check_files(files, limits):
        lines.append(line)
        if as_json:
            typer.echo(orjson.dumps(line))
            continue
        out.print(f"{line['verdict']:7} {line['file']} [{line['index']}]", markup=False, soft_wrap=True)
        for problem in line["problems"]:
            shown = f"        {problem['rule']} {problem['path']}: {problem['message']} ({problem['value']})"
            err.print(shown, markup=False, soft_wrap=True)
    raise typer.Exit(exit_code(lines))


def main() -> None:
    """The entry point."""
    app()


if __name__ == "__main__":
    main()
