"""What is agreed with an agency about signatures and coordinates; every change is a person's and on the record."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509 import load_pem_x509_certificate
from sqlalchemy import delete, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store import gates
from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx

NONCE_LIFE = 3_600_000
"""Milliseconds a used nonce is remembered: far longer than a request's time may differ from ours."""


@dataclass(frozen=True, slots=True)
class Trust:
    """`signed`: its alerts must be. `datum`: of its coordinates. `secret`: sealed, for signed requests. `certificates`: PEM."""

    signed: bool = False
    datum: str = "wgs84"
    secret: bytes | None = None
    certificates: tuple[str, ...] = ()


def fingerprint(pem: str) -> str:
    """SHA-256 of a certificate, in hex. Raises ValueError for what is none."""
    return load_pem_x509_certificate(pem.encode()).fingerprint(SHA256()).hex()


async def read_trust(conn: AsyncConnection, agency: str) -> Trust:
    """What is agreed with an agency; nothing is demanded of one that was never asked."""
    pems = select(gates.certificate.c.pem).where(gates.certificate.c.agency_id == agency).order_by(gates.certificate.c.id)
    found = (await conn.execute(select(gates.trust).where(gates.trust.c.agency_id == agency))).first()
    certificates = tuple(str(row.pem) for row in await conn.execute(pems))
    if found is None:
        return Trust(certificates=certificates)
    return Trust(bool(found.signed), str(found.datum), found.secret, certificates)


async def set_trust(tx: Tx, actor: str, agency: str, **given: object) -> None:
    """Change some of `signed`, `datum`, `secret` (sealed bytes, or None to take it away)."""
    before = await read_trust(tx.conn, agency)
    values = {"signed": before.signed, "datum": before.datum, "secret": before.secret} | given
    await tx.conn.execute(delete(gates.trust).where(gates.trust.c.agency_id == agency))
    await tx.conn.execute(insert(gates.trust).values(agency_id=agency, **values))
    was = {"signed": before.signed, "datum": before.datum, "secret": before.secret}
    told = [{name: bool(one[name]) if name == "secret" else one[name] for name in given} for one in (was, given)]
    await add_audit(tx, actor, "agency.trust", agency, {"before": told[0], "after": told[1]})


async def pin_certificate(tx: Tx, actor: str, agency: str, pem: str) -> str:
    """Pin a certificate; gives its fingerprint. A second time it changes nothing."""
    name = fingerprint(pem)
    values = {"agency_id": agency, "fingerprint": name, "pem": pem, "added_at": tx.now}
    known = select(gates.certificate.c.id).where(
        gates.certificate.c.agency_id == agency, gates.certificate.c.fingerprint == name
    )
    if (await tx.conn.execute(known)).first() is None:
        before = await pinned(tx, agency)
        await tx.conn.execute(insert(gates.certificate).values(**values))
        await add_audit(tx, actor, "agency.pin", agency, {"fingerprint": name, "before": before, "after": [*before, name]})
    return name


async def pinned(tx: Tx, agency: str) -> list[str]:
    """The fingerprints of an agency's certificates, in the order they were pinned."""
    names = select(gates.certificate.c.fingerprint).where(gates.certificate.c.agency_id == agency)
    return [str(row.fingerprint) for row in await tx.conn.execute(names.order_by(gates.certificate.c.id))]


async def unpin_certificate(tx: Tx, actor: str, agency: str, prefix: str) -> int:
    """Trust no longer the certificates whose fingerprints begin so; gives how many."""
    rows = await tx.conn.execute(
        select(gates.certificate.c.id, gates.certificate.c.fingerprint).where(gates.certificate.c.agency_id == agency)
    )
    gone = [row for row in rows if prefix and str(row.fingerprint).startswith(prefix.lower())]
    for row in gone:
        before = await pinned(tx, agency)
        await tx.conn.execute(delete(gates.certificate).where(gates.certificate.c.id == row.id))
        said = {"fingerprint": row.fingerprint, "before": before, "after": await pinned(tx, agency)}
        await add_audit(tx, actor, "agency.unpin", agency, said)
    return len(gone)


async def use_nonce(tx: Tx, agency: str, value: str) -> bool:
    """Whether this is the first time; old ones are forgotten on the way."""
    await tx.conn.execute(text("DELETE FROM nonce WHERE at < :old"), {"old": tx.now - NONCE_LIFE})
    result = await tx.conn.execute(
        text("INSERT INTO nonce (agency_id, value, at) VALUES (:a, :v, :at) ON CONFLICT DO NOTHING"),
        {"a": agency, "v": value, "at": tx.now},
    )
    return bool(result.rowcount)
