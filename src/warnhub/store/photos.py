"""Photographs of hazard points and of dangers that were seen: made anew before they come here, bounded in number."""

from collections.abc import Sequence
from typing import Any, Literal

from sqlalchemy import bindparam, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store import works
from warnhub.store.engine import Tx

Kind = Literal["point", "sighting"]
MOST = 20
"""Photographs of one thing; a further one of a danger is not kept, of a point takes the place of the oldest."""


async def add_photo(tx: Tx, kind: Kind, subject: int, body: bytes, note: str, actor: str) -> bool:
    """Keep it; False if there are as many of this danger as are kept."""
    asked = {"k": kind, "s": subject}
    count = await tx.conn.scalar(text("SELECT count(*) FROM photo WHERE kind = :k AND subject_id = :s"), asked)
    if int(count or 0) >= MOST:
        if kind == "sighting":
            return False
        oldest = "SELECT min(id) FROM photo WHERE kind = :k AND subject_id = :s"
        await tx.conn.execute(text(f"DELETE FROM photo WHERE id = ({oldest})"), asked)
    values = {"kind": kind, "subject_id": subject, "body": body, "note": note, "actor": actor, "at": tx.now}
    await tx.conn.execute(insert(works.photo).values(**values))
    return True


async def list_photos(conn: AsyncConnection, kind: Kind, subjects: Sequence[int]) -> list[Any]:
    """(id, subject_id, note, actor, at, size) of the photographs of these, the newest first."""
    query = text(
        "SELECT id, subject_id, note, actor, at, length(body) AS size FROM photo WHERE kind = :k AND subject_id IN :s "
        "ORDER BY id DESC LIMIT 200"
    ).bindparams(bindparam("s", expanding=True))
    return list((await conn.execute(query, {"k": kind, "s": list(subjects) or [0]})).all())


async def find_photo(conn: AsyncConnection, kind: Kind, subjects: Sequence[int], number: int) -> bytes | None:
    """One photograph of these; None if there is none of that number."""
    query = text("SELECT body FROM photo WHERE kind = :k AND subject_id IN :s AND id = :id").bindparams(
        bindparam("s", expanding=True)
    )
    found = await conn.scalar(query, {"k": kind, "s": list(subjects) or [0], "id": number})
    return bytes(found) if found is not None else None
