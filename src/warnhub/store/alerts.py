"""Alerts as they came: never changed, never dropped."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert, Problem
from warnhub.store import tables
from warnhub.store.agencies import COUNTY
from warnhub.store.engine import Tx, new_id

PART = -1
"""The position of the reference by which a part names its message; those an alert makes itself count from 0."""


@dataclass(frozen=True, slots=True)
class Kept:
    """An alert in the store. `state`: released, pending, held, kept (never dispatched), ended."""

    id: int
    uid: str
    agency: str
    state: str
    digest: str
    alert: Alert
    problems: list[dict[str, Any]]
    received_at: int


def alert_digest(alert: Alert) -> str:
    """What makes two alerts the same content: SHA-256 over the normalised form."""
    fields = alert.model_dump(mode="json")
    for area in fields["areas"]:
        if not area["excluded"]:
            del area["excluded"]  # alerts were kept before areas had such a part, and one said again is the same still
    packed = orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(packed).hexdigest()


def make_uid(prefix: str) -> str:
    """A public identifier: it tells nothing and is hard to guess."""
    return f"{prefix}_{secrets.token_hex(10)}"


def milliseconds(moment: Any) -> int:
    """An aware datetime as the tables keep it."""
    return int(moment.timestamp() * 1000)


async def find_alert(conn: AsyncConnection, alert: Alert) -> Kept | None:
    """The alert with the same sender, identifier and sent."""
    query = select(tables.alert).where(
        tables.alert.c.sender == alert.sender,
        tables.alert.c.identifier == alert.identifier,
        tables.alert.c.sent == milliseconds(alert.sent),
    )
    row = (await conn.execute(query)).first()
    return to_kept(row) if row else None


async def read_alert(conn: AsyncConnection, uid: str) -> Kept | None:
    """An alert by its public id."""
    row = (await conn.execute(select(tables.alert).where(tables.alert.c.uid == uid))).first()
    return to_kept(row) if row else None


async def list_alerts(conn: AsyncConnection, agency: str | None, before: int | None, most: int) -> list[Kept]:
    """The newest alerts, of one agency or of all, older than id `before`."""
    query = select(tables.alert).order_by(tables.alert.c.id.desc()).limit(most)
    if agency is not None:
        query = query.where(tables.alert.c.agency_id == agency)
    if before is not None:
        query = query.where(tables.alert.c.id < before)
    return [to_kept(row) for row in await conn.execute(query)]


async def read_raw(conn: AsyncConnection, number: int) -> bytes:
    """The bytes an alert came in; b"" of one that was written here."""
    return bytes(await conn.scalar(select(tables.alert.c.raw).where(tables.alert.c.id == number)) or b"")


def to_kept(row: Any) -> Kept:
    """A row as an object."""
    return Kept(
        row.id, row.uid, row.agency_id, row.state, row.digest, Alert.model_validate(row.body), row.problems, row.received_at
    )


async def add_alert(
    tx: Tx, alert: Alert, agency: str, state: str, raw: bytes, media: str, problems: Sequence[Problem]
) -> tuple[int, str]:
    """Keep an alert with the bytes it came in; gives (id, uid)."""
    uid = make_uid("al")
    result = await tx.conn.execute(
        insert(tables.alert).values(
            uid=uid,
            agency_id=agency,
            sender=alert.sender,
            identifier=alert.identifier,
            sent=milliseconds(alert.sent),
            digest=alert_digest(alert),
            status=alert.status.value,
            kind=alert.kind.value,
            hazard=alert.hazard,
            level=alert.level.value,
            expires=milliseconds(alert.expires),
            state=state,
            body=alert.model_dump(mode="json"),
            raw=raw,
            media=media,
            problems=[problem.model_dump(mode="json") for problem in problems],
            received_at=tx.now,
        )
    )
    number = new_id(result)
    references = [
        {"alert_id": number, "position": place, "identifier": reference.identifier, "target_id": None}
        for place, reference in enumerate(alert.references)
    ]
    if alert.original.part_of:  # so that what refers to the whole message finds each of its parts
        references.append({"alert_id": number, "position": PART, "identifier": alert.original.part_of, "target_id": None})
    if references:
        await tx.conn.execute(insert(tables.reference), references)
    return number, uid


async def set_alert_state(tx: Tx, number: int, state: str) -> None:
    """Where an alert stands."""
    await tx.conn.execute(text("UPDATE alert SET state = :s WHERE id = :id"), {"s": state, "id": number})


def is_part(identifier: str, alert: Alert) -> bool:
    """Whether this is the message the alert came in, or a part of it: never what the alert follows."""
    return identifier == alert.message or identifier.startswith(f"{alert.message}#")


async def find_referenced(conn: AsyncConnection, alert: Alert, agency: str) -> tuple[list[int], list[str]]:
    """(ids of the alerts it refers to, identifiers nobody knows): the same agency's and sender's, in the same status.

    The county's own desk may take up what any agency said. The national profile refers to the first-issued alert only, CAP
    often to the last: whatever follows from it counts too.
    """
    found: dict[int, None] = {}
    unknown: list[str] = []
    own = "a.sender = :s AND a.status = :t" + (" AND a.agency_id = :a" if agency != COUNTY else "")
    query = text(
        f"WITH RECURSIVE chain (identifier, id) AS (SELECT CAST(:i AS text), CAST(NULL AS bigint) UNION "
        f"SELECT a.identifier, a.id FROM alert a WHERE {own} AND a.identifier = :i UNION "
        "SELECT a.identifier, a.id FROM chain c JOIN reference r ON r.identifier = c.identifier "
        f"JOIN alert a ON a.id = r.alert_id WHERE {own}) SELECT id, identifier FROM chain WHERE id IS NOT NULL ORDER BY id"
    )
    for reference in alert.references:
        sender = reference.sender if agency == COUNTY and reference.sender else alert.sender
        bind = {"i": reference.identifier, "s": sender, "t": alert.status.value} | ({"a": agency} if agency != COUNTY else {})
        rows = (await conn.execute(query, bind)).all()
        found |= dict.fromkeys(int(row.id) for row in rows if not is_part(row.identifier, alert))
        if not any(row.identifier == reference.identifier for row in rows):
            unknown.append(reference.identifier)
    return list(found), unknown
