"""A warning's timeline in words: what happened to many at once is one line."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.console.strings import has_words, say
from warnhub.roles import Role

PERSONAL = ("escalated", "unanswered", "unwoken", "answer", "report")
FOLDED = PERSONAL[:3]
TOGETHER = 5_000
"""Milliseconds within which the same thing is one line."""

COLUMNS = "e.id, e.at, e.kind, e.actor, e.data, r.name FROM event e LEFT JOIN recipient r ON r.id = e.recipient_id"


@dataclass(slots=True)
class Line:
    """One line. `people`: how many it happened to, 0 if to nobody in particular; `actor`: an officer, or ""."""

    id: int
    at: int
    kind: str
    actor: str
    data: dict[str, Any] = field(default_factory=dict)
    name: str = ""
    people: int = 0

    def words(self, lang: str) -> str:
        """What happened."""
        step = str(self.data.get("step", ""))
        key = f"event.{self.kind}.{step}" if has_words(f"event.{self.kind}.{step}") else f"event.{self.kind}"
        if not has_words(key):
            return self.kind
        return say(key, lang, **self.details(lang))

    def details(self, lang: str) -> dict[str, Any]:
        """What its sentence may name."""
        said = {
            "why": "",
            "stopped": 0,
            "messages": 0,
            "number": 0,
            "provider": "",
            "told": 0,
            "of": 0,
            "text": "",
            "choice": "",
        } | self.data
        said["choice"] = say(f"choice.{said['choice']}", lang) if has_words(f"choice.{said['choice']}") else ""
        role = said.get("role")
        said["role"] = Role(role).name_in(lang) if isinstance(role, str) and role in set(Role) else ""
        said["why"] = f"：{said['why']}" if isinstance(said["why"], str) and said["why"] else ""
        said["text"] = f"：{said['text']}" if said["text"] else ""
        return said


async def read_timeline(conn: AsyncConnection, warning: int, most: int = 60) -> list[Line]:
    """The newest lines. What concerns the warning itself is never pushed off by what happened to single people."""
    names = ", ".join(f"'{kind}'" for kind in PERSONAL)
    own = text(f"SELECT {COLUMNS} WHERE e.warning_id = :w AND e.kind NOT IN ({names}) ORDER BY e.id DESC LIMIT {most}")
    single = text(f"SELECT {COLUMNS} WHERE e.warning_id = :w AND e.kind IN ({names}) ORDER BY e.id DESC LIMIT 300")
    rows = [*(await conn.execute(own, {"w": warning})).all(), *(await conn.execute(single, {"w": warning})).all()]
    return fold_events(sorted(rows, key=lambda row: -int(row.id)))[:most]


def fold_events(rows: Iterable[Any]) -> list[Line]:
    """Rows, the newest first, with the same thing at nearly the same time as one line."""
    lines: list[Line] = []
    last: dict[tuple[str, str], Line] = {}
    for row in rows:
        data = row.data if isinstance(row.data, dict) else orjson.loads(row.data)
        key = (row.kind, str(data.get("step") or data.get("role") or ""))
        before = last.get(key)
        if before and row.kind in FOLDED and before.at - row.at <= TOGETHER:
            before.people += 1
            continue
        who, _, actor = row.actor.partition(":")
        line = Line(row.id, row.at, row.kind, actor if who == "user" else "", data, row.name or "", int(bool(row.name)))
        last[key] = line
        lines.append(line)
    return lines
