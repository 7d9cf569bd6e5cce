"""`warnhub source`: how the polled sources are, and what of them was not taken."""

from datetime import UTC, datetime

import typer
from rich.table import Table

from warnhub.commands import actor, asynchronous, err, fail, open_store, out
from warnhub.store.audits import add_audit
from warnhub.store.elsewhere import list_elsewhere
from warnhub.store.sources import list_mirrors, list_parked, retry_parked

source = typer.Typer(help="轮询来源 / polled sources.", no_args_is_help=True)


@source.command("list")
@asynchronous
async def source_list() -> None:
    """来源状态与未能接收的条目 / how each source is, and the entries that were not taken, with the reason."""
    table = Table("source", "address", "last good", "failures", "error")
    async with open_store() as (_, store, _), store.read() as conn:
        mirrors, parked = await list_mirrors(conn), await list_parked(conn)
    for one in mirrors:
        good = f"{datetime.fromtimestamp(one.good_at / 1000, UTC):%Y-%m-%d %H:%M:%SZ}" if one.good_at else "never"
        table.add_row(one.source, one.url.partition("?")[0], good, str(one.failures), one.error)
    out.print(table)
    for row in parked:
        out.print(f"{row.source}  {row.key[:120]}", markup=False, soft_wrap=True)
        for problem in (row.problem or {}).get("errors", []):
            said = f"    {problem['rule']} {problem['path']}: {problem['message']} ({problem['value']})"
            err.print(said, markup=False, soft_wrap=True)


@source.command("elsewhere")
@asynchronous
async def source_elsewhere(name: str) -> None:
    """只涉及外县、未进入值班台的预警 / what was seen of a source and concerns other counties alone, the newest first."""
    table = Table("sent", "kind", "level", "identifier", "headline", "place")
    async with open_store() as (_, store, _), store.read() as conn:
        for row in await list_elsewhere(conn, name):
            sent = f"{datetime.fromtimestamp(row.sent / 1000, UTC):%Y-%m-%d %H:%M:%SZ}"
            table.add_row(sent, row.kind, row.level, row.identifier, row.headline, row.place)
    out.print(table)


@source.command("retry")
@asynchronous
async def source_retry(name: str) -> None:
    """重新接收 / try a source's parked entries again."""
    async with open_store() as (_, store, _), store.write() as tx:
        count = await retry_parked(tx, name)
        if count:
            await add_audit(tx, actor(), "source.retry", name, {"entries": count})
    if not count:
        fail(f"source {name} has no parked entries")
    out.print(f"{count} entries will be tried again")
