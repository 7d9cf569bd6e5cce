"""`warnhub agency | drill | policy | audit`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from sqlalchemy import insert, select, text
from sqlalchemy.exc import IntegrityError

from warnhub.alert import Level
from warnhub.commands import actor, ask_change, asynchronous, err, fail, open_store, out, read_written
from warnhub.dispatch.failover import close_incident
from warnhub.monitor.auditor import check_batches, check_ledger
from warnhub.plan.changes import explain_texts
from warnhub.plan.loading import read_policy
from warnhub.store import tables
from warnhub.store.agencies import add_agency, disable_agency, list_agencies, rotate_key
from warnhub.store.audits import add_audit, verify_audit
from warnhub.store.policies import add_policy, load_policies, newest_policy

agency = typer.Typer(help="合作单位 / partner agencies.", no_args_is_help=True)
drill = typer.Typer(help="演练名单 / drills and their lists of participants.", no_args_is_help=True)
policy = typer.Typer(help="发布策略 / the policy.", no_args_is_help=True)
incident = typer.Typer(help="停用的通道 / providers that stopped, and why.", no_args_is_help=True)
audit = typer.Typer(help="审计 / the audit chain and the ledger's counts.", no_args_is_help=True)

CLASSES = ("meteorological", "hydrological", "geological", "other")


@agency.command("add")
@asynchronous
async def agency_add(
    id: Annotated[str, typer.Argument(help="short name, e.g. weather")],
    name: Annotated[str, typer.Option(help="the agency's name as people read it")],
    classes: Annotated[str, typer.Option(help=f"hazard classes, comma separated: {', '.join(CLASSES)}; empty for all")] = "",
    areas: Annotated[str, typer.Option(help="division-code prefixes it may warn, comma separated; empty for all")] = "",
    highest: Annotated[Level, typer.Option(help="the highest level it may use")] = Level.RED,
    release: Annotated[
        Level | None, typer.Option(help="green channel: its alerts at this level or above leave at once")
    ] = None,
    senders: Annotated[str, typer.Option(help="names it may sign as, comma separated; empty for any")] = "",
    zone: Annotated[str | None, typer.Option(help="its time zone, for times that have none")] = None,
) -> None:
    """登记合作单位,密钥只显示一次 / register an agency; its key is shown once."""
    named = split(classes)
    strange = [name for name in named if name not in CLASSES]
    if strange:
        fail(f"--classes: {strange[0]} is not one of {', '.join(CLASSES)}")
    async with open_store() as (_, store, _):
        try:
            async with store.write() as tx:
                key = await add_agency(
                    tx,
                    actor(),
                    id=id,
                    name=name,
                    classes=named,
                    areas=split(areas),
                    highest=highest,
                    release=release,
                    senders=split(senders),
                    zone=zone,
                )
        except IntegrityError:
            fail(f"there is an agency {id} already; `warnhub agency rotate {id}` gives it a new key")
    err.print("密钥只显示这一次 / this key is shown only now:")
    out.print(key, soft_wrap=True)


def split(words: str) -> list[str]:
    """Comma separated words."""
    return [word.strip() for word in words.split(",") if word.strip()]


@agency.command("list")
@asynchronous
async def agency_list() -> None:
    """列出 / all agencies."""
    table = Table("id", "name", "classes", "areas", "highest", "green channel", "key", "state")
    async with open_store() as (_, store, _), store.read() as conn:
        for found in await list_agencies(conn):
            state = "disabled" if found.disabled_at else "active"
            release = found.release.value if found.release else "never"
            scope = (", ".join(found.classes) or "all", ", ".join(found.areas) or "all")
            table.add_row(found.id, found.name, *scope, found.highest.value, release, f"…{found.key_tail}", state)
    out.print(table)


@agency.command("rotate")
@asynchronous
async def agency_rotate(id: str) -> None:
    """换密钥,旧密钥立即失效 / a new key; the old one stops at once."""
    async with open_store() as (_, store, _), store.write() as tx:
        key = await rotate_key(tx, actor(), id)
    if key is None:
        fail(f"there is no agency {id}")
    out.print(key, soft_wrap=True)


@agency.command("disable")
@asynchronous
async def agency_disable(id: str) -> None:
    """停用 / its key opens nothing any more."""
    async with open_store() as (_, store, _), store.write() as tx:
        done = await disable_agency(tx, actor(), id)
    if not done:
        fail(f"there is no active agency {id}")


@drill.command("add")
@asynchronous
async def drill_add(
    id: Annotated[str, typer.Argument(help="short name, e.g. 2026-flood")],
    people: Annotated[str, typer.Option(help="participants' refs, comma separated, or @FILE with one a line")],
    name: Annotated[str, typer.Option(help="the drill's name")] = "",
) -> None:
    """登记演练名单 / a drill and who takes part: nobody else is ever reached by it."""
    refs = Path(people[1:]).read_text("utf-8").split() if people.startswith("@") else split(people)
    async with open_store() as (_, store, _):
        async with store.read() as conn:
            query = select(tables.recipient.c.id, tables.recipient.c.ref).where(tables.recipient.c.ref.in_(refs))
            known = {row.ref: row.id for row in await conn.execute(query)}
        missing = sorted(set(refs) - set(known))
        if missing or not known:
            fail(f"nobody in the directory has the ref {', '.join(missing[:5]) or people!r}; nothing was saved")
        try:
            async with store.write() as tx:
                values = {"id": id, "name": name or id, "created_at": tx.now, "created_by": actor()}
                await tx.conn.execute(insert(tables.drill).values(**values))
                rows = [{"drill_id": id, "recipient_id": number} for number in known.values()]
                await tx.conn.execute(insert(tables.participant), rows)
                await add_audit(tx, actor(), "drill.add", id, {"people": len(rows)})
        except IntegrityError:
            fail(f"there is a drill {id} already")
    out.print(f"{id}: {len(known)} participants")


@drill.command("list")
@asynchronous
async def drill_list() -> None:
    """列出 / all drills."""
    async with open_store() as (_, store, _), store.read() as conn:
        rows = await conn.execute(
            text(
                "SELECT d.id, d.name, count(p.recipient_id) AS n FROM drill d LEFT JOIN participant p ON p.drill_id = d.id "
                "GROUP BY d.id, d.name ORDER BY d.id"
            )
        )
        for row in rows:
            out.print(f"{row.id}\t{row.name}\t{row.n}")


@policy.command("show")
@asynchronous
async def policy_show() -> None:
    """显示现行策略 / the policy in force, as YAML."""
    async with open_store() as (_, store, _):
        await load_policies(store)
        version, written = await newest_policy(store)
    err.print(f"# version {version}")
    out.print(written, soft_wrap=True, markup=False)


@policy.command("set")
@asynchronous
async def policy_set(
    file: Path,
    note: Annotated[str, typer.Option(help="why it is changed")],
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
) -> None:
    """更换策略(先显示差异) / put a new policy in force; shows what changes and asks."""
    written, _ = read_written(file, read_policy, "is not a policy")
    async with open_store() as (_, store, _):
        await load_policies(store)
        version, old = await newest_policy(store)
        names, explained = (f"version {version}", str(file)), explain_texts(old, written)
        ask_change(old, written, names, "更换为新策略? / put it in force?", yes, explained)
        async with store.write() as tx:
            fresh = await add_policy(tx, written, actor(), note)
    out.print(f"version {fresh}; a running server takes it within seconds; warnings made before keep theirs")


@audit.command("verify")
@asynchronous
async def audit_verify() -> None:
    """校验审计链 / check the chain of decisions; exit 1 if an entry was changed."""
    async with open_store() as (_, store, _), store.read() as conn:
        count, wrong = await verify_audit(conn)
    if wrong is not None:
        fail(f"entry {wrong} does not follow from the one before it: {count} entries before it are whole", 1)
    out.print(f"{count} entries, all whole")


@audit.command("ledger")
@asynchronous
async def audit_ledger() -> None:
    """核对台账与计数 / check every count against the rows; exit 1 if one differs."""
    wrong = 0
    async with open_store() as (_, store, _), store.read() as conn:
        for number, uid in (await conn.execute(text("SELECT id, uid FROM warning ORDER BY id"))).all():
            for drift in await check_ledger(conn, number):
                wrong += 1
                out.print(f"{uid} {drift.cell}: counted {drift.counted}, found {drift.found}")
            for batch in await check_batches(conn, number):
                wrong += 1
                out.print(f"{uid} batch {batch}: open count differs")
    if wrong:
        fail(f"{wrong} counts differ from the rows", 1)
    out.print("planned = sum of states, everywhere")


@incident.command("list")
@asynchronous
async def incident_list() -> None:
    """未处理的 / those that are open."""
    async with open_store() as (_, store, _), store.read() as conn:
        rows = await conn.execute(text("SELECT id, provider, code, detail FROM incident WHERE closed_at IS NULL ORDER BY id"))
        for row in rows:
            out.print(f"{row.id}\t{row.provider}\t{row.code}\t{row.detail}", markup=False)


@incident.command("close")
@asynchronous
async def incident_close(number: Annotated[int, typer.Argument(help="from `warnhub incident list`")]) -> None:
    """已修复,恢复该通道 / it is put right: the provider works again within seconds."""
    async with open_store() as (_, store, _), store.write() as tx:
        provider = await close_incident(tx, number, actor())
    if provider is None:
        fail(f"there is no open incident {number}")
    out.print(f"{provider}: 恢复 / works again")
