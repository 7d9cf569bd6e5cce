"""`warnhub agency pin | unpin | trust | secret`: how far an agency's word is taken."""

import secrets
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.commands import actor, asynchronous, err, fail, open_store, out
from warnhub.commands.desk import agency
from warnhub.ingest.datum import DATUMS
from warnhub.store.agencies import read_agency
from warnhub.store.trust import fingerprint, pin_certificate, read_trust, set_trust, unpin_certificate

trusted = agency
"""The group with these commands in it."""

PEM = "-----BEGIN CERTIFICATE-----"


async def known(conn: AsyncConnection, id: str) -> None:
    """End unless there is such an agency."""
    if await read_agency(conn, id) is None:
        unknown(id)


def unknown(id: str) -> NoReturn:
    """Say that there is none."""
    fail(f"there is no agency {id}")


@agency.command("pin")
@asynchronous
async def agency_pin(
    id: Annotated[str, typer.Argument(help="the agency")],
    file: Annotated[Path, typer.Argument(help="its certificate, PEM")],
) -> None:
    """登记其签名证书 / pin a certificate the agency signs with: only pinned ones count."""
    pem = file.read_text("ascii", errors="replace")
    if pem.count(PEM) != 1:
        fail(f"{file}: must hold exactly one certificate in PEM form")
    try:
        name = fingerprint(pem)
    except ValueError as error:
        fail(f"{file}: is not a certificate: {error}")
    async with open_store() as (_, store, _), store.write() as tx:
        await known(tx.conn, id)
        await pin_certificate(tx, actor(), id, pem)
    out.print(f"{id}: SHA-256 {name}", soft_wrap=True)


@agency.command("unpin")
@asynchronous
async def agency_unpin(
    id: Annotated[str, typer.Argument(help="the agency")],
    prefix: Annotated[str, typer.Argument(help="the fingerprint, or at least its first 8 characters")],
) -> None:
    """撤销其签名证书 / trust a certificate no longer."""
    if len(prefix) < 8:
        fail("at least 8 characters of the fingerprint")
    async with open_store() as (_, store, _), store.write() as tx:
        await known(tx.conn, id)
        gone = await unpin_certificate(tx, actor(), id, prefix)
    if not gone:
        fail(f"{id} has no certificate whose fingerprint begins with {prefix}")
    out.print(f"{id}: {gone} unpinned")


@agency.command("trust")
@asynchronous
async def agency_trust(
    id: Annotated[str, typer.Argument(help="the agency")],
    signed: Annotated[bool | None, typer.Option("--signed/--unsigned", help="its alerts must be signed, or need not")] = None,
    datum: Annotated[str | None, typer.Option(help=f"of its coordinates: {' or '.join(DATUMS)}")] = None,
) -> None:
    """签名要求与坐标系;不带选项则显示 / must it sign, and on which maps does it draw; without options, how it stands."""
    if datum is not None and datum not in DATUMS:
        fail(f"--datum: {datum} is not {' or '.join(DATUMS)}")
    given = {name: value for name, value in (("signed", signed), ("datum", datum)) if value is not None}
    async with open_store() as (_, store, _), store.write() as tx:
        await known(tx.conn, id)
        if given:
            await set_trust(tx, actor(), id, **given)
        trust = await read_trust(tx.conn, id)
    must = "must be signed" if trust.signed else "need not be signed"
    out.print(f"{id}: {must}; {trust.datum}; request secret {'set' if trust.secret else 'not set'}")
    for pem in trust.certificates:
        out.print(f"    SHA-256 {fingerprint(pem)}", soft_wrap=True)
    if trust.signed and not trust.certificates and not trust.secret:
        err.print("尚无证书或密钥,其来文将全部被拒 / no certificate and no secret: everything it sends is refused")


@agency.command("secret")
@asynchronous
async def agency_secret(
    id: Annotated[str, typer.Argument(help="the agency")],
    drop: Annotated[bool, typer.Option("--drop", help="take it away")] = False,
) -> None:
    """请求签名密钥,只显示一次 / a secret to sign requests with, shown once; the one before stops at once."""
    secret = None if drop else f"whs_{secrets.token_urlsafe(32)}"
    async with open_store() as (_, store, keys), store.write() as tx:
        await known(tx.conn, id)
        await set_trust(tx, actor(), id, secret=keys.seal(secret) if secret else None)
    out.print(secret or f"{id}: secret taken away", soft_wrap=True)
