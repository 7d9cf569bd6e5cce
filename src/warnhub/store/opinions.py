"""What experts said of a warning or a proposal (会商意见), with their name and who wrote it down; nothing is changed later."""

from typing import Any, Literal

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.store import works
from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx

Kind = Literal["warning", "proposal"]


async def add_opinion(tx: Tx, kind: Kind, subject: str, expert: str, said: str, actor: str) -> None:
    """Keep it. `subject` is the public id of what it is about."""
    await tx.conn.execute(
        insert(works.opinion).values(kind=kind, subject=subject, expert=expert, text=said, actor=actor, at=tx.now)
    )
    await add_audit(tx, actor, "opinion.add", subject, {"kind": kind, "expert": expert, "text": said})


async def list_opinions(conn: AsyncConnection, kind: Kind, subject: str) -> list[Any]:
    """Every opinion on it, the newest first."""
    query = "SELECT expert, text, actor, at FROM opinion WHERE kind = :k AND subject = :s ORDER BY id DESC LIMIT 100"
    return list((await conn.execute(text(query), {"k": kind, "s": subject})).all())
