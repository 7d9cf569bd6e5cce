"""What people send with an answer: where they are, and what they photographed."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store.duty import proof
from warnhub.store.engine import Tx


@dataclass(frozen=True, slots=True)
class Proof:
    """One of them, without its photograph. `lon` and `lat` are degrees."""

    id: int
    at: int
    lon: float | None
    lat: float | None
    photo: bool


async def add_proofs(tx: Tx, warning: int, sent: Iterable[tuple[int, tuple[float, float] | None, bytes]]) -> None:
    """Keep (recipient, place, photograph) of those who sent either."""
    rows = [
        {
            "warning_id": warning,
            "recipient_id": recipient,
            "lon": place[0] if place else None,
            "lat": place[1] if place else None,
            "photo": photo or None,
            "media": "image/jpeg" if photo else None,
            "at": tx.now,
        }
        for recipient, place, photo in sent
        if place or photo
    ]
    if rows:
        await tx.conn.execute(insert(proof), rows)


async def list_proofs(conn: AsyncConnection, warning: int, recipient: int) -> list[Proof]:
    """Everything one person sent with answers to a warning, in order."""
    rows = await conn.execute(
        text(
            "SELECT id, at, lon, lat, photo IS NOT NULL AS photo FROM proof "
            "WHERE warning_id = :w AND recipient_id = :r ORDER BY id LIMIT 50"
        ),
        {"w": warning, "r": recipient},
    )
    return [Proof(int(row.id), int(row.at), row.lon, row.lat, bool(row.photo)) for row in rows]


async def read_photo(conn: AsyncConnection, warning: int, number: int) -> bytes | None:
    """A photograph of a warning; None if there is none of that number."""
    found = await conn.scalar(text("SELECT photo FROM proof WHERE id = :id AND warning_id = :w"), {"id": number, "w": warning})
    return bytes(found) if found is not None else None
