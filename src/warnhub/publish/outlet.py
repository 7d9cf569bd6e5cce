"""The public documents, rendered once: a feed when what lives has changed, a CAP document never twice.

An alert does not change, so its CAP is kept as long as there is room for it; a feed is made again only when another set of
warnings lives, and the ledger is asked at most once a second however many ask us.
"""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert
from warnhub.config import Settings
from warnhub.hazards import hazard_name
from warnhub.publish.cap import write_cap
from warnhub.publish.feeds import Entry, Head, write_atom, write_rss
from warnhub.publish.national import Issue, make_issue
from warnhub.publish.signature import Signer
from warnhub.store.alerts import Kept, find_referenced
from warnhub.store.engine import Store
from warnhub.store.public import Living, living_public, read_living
from warnhub.store.tables import alert as alerts

MOST_ENTRIES = 200
ROOM = 32_000_000  # bytes of CAP kept in memory
FRESH = 1.0
FORMS: dict[str, Callable[[Head, Sequence[Entry]], bytes]] = {"atom": write_atom, "rss": write_rss}


@dataclass(frozen=True, slots=True)
class Document:
    """Bytes with what a cache asks about them. `changed` is in milliseconds."""

    body: bytes
    etag: str
    changed: int


@dataclass(slots=True)
class Outlet:
    """What one process publishes."""

    store: Store
    settings: Settings
    signer: Signer | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    checked: float = -1e9
    living: Living | None = None
    feeds: dict[str, Document] = field(default_factory=dict)
    caps: OrderedDict[int, Document] = field(default_factory=OrderedDict)
    rendered: int = 0

    async def feed(self, form: str) -> Document:
        """The feed in this form, as of the last second."""
        async with self.lock:
            if time.monotonic() - self.checked >= FRESH:
                await self.look()
            if form not in self.feeds:
                await self.render(form)
            return self.feeds[form]

    async def look(self) -> None:
        """Ask what lives; what was rendered stays if that has not changed."""
        async with self.store.read() as conn:
            living = await living_public(conn, await self.store.now(conn), MOST_ENTRIES)
        if living != self.living:
            self.living = living
            self.feeds.clear()
        self.checked = time.monotonic()

    async def render(self, form: str) -> None:
        """Write one feed."""
        assert self.living is not None
        async with self.store.read() as conn:
            rows = await read_living(conn, [number for number, _, _ in self.living.rows])
        entries = sorted((self.entry(row) for row in rows), key=lambda entry: entry.updated, reverse=True)
        county = self.settings.county
        head = Head(
            f"{self.settings.public_url}/feeds/cap.{form}",
            f"{county.name}预警信息 / {county.name} alerts",
            county.bureau,
            "zh-CN",
            moment(self.living.changed),
        )
        body = FORMS[form](head, entries)
        self.rendered += 1
        self.feeds[form] = Document(body, tag(body), self.living.changed)

    def entry(self, row: Any) -> Entry:
        """One alert in a list."""
        alert = Alert.model_validate(row.body)
        words = alert.text("zh")
        return Entry(
            link=self.link(row.uid),
            title=words.headline or f"{row.name}{hazard_name(alert.hazard)}",
            summary=words.description,
            author=words.sender_name or row.name,
            category=hazard_name(alert.hazard),
            published=alert.sent,
            updated=max(alert.sent, moment(row.released_at)),
        )

    def link(self, uid: str) -> str:
        """Where an alert's CAP is."""
        return f"{self.settings.public_url}/v1/alerts/{uid}.cap"

    async def cap(self, conn: AsyncConnection, kept: Kept) -> Document:
        """An alert as CAP, signed if the county signs."""
        found = self.caps.get(kept.id)
        if found is None:
            known = await known_times(conn, kept)
            found = await asyncio.to_thread(self.write, kept, known)
            self.caps[kept.id] = found
            while sum(len(one.body) for one in self.caps.values()) > ROOM and len(self.caps) > 1:
                self.caps.popitem(last=False)
        self.caps.move_to_end(kept.id)
        return found

    def write(self, kept: Kept, known: dict[str, datetime]) -> Document:
        """Render and sign; the tag is of what was signed, for a signature may differ each time."""
        body = write_cap(kept.alert, self.settings.county.zone, known)
        self.rendered += 1
        mark = self.signer.fingerprint if self.signer else ""
        return Document(self.signer.sign(body) if self.signer else body, tag(body + mark.encode()), kept.received_at)


def tag(body: bytes) -> str:
    """A strong entity tag."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def moment(milliseconds: int) -> datetime:
    """A ledger's time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


async def known_times(conn: AsyncConnection, kept: Kept) -> dict[str, datetime]:
    """When the alerts were sent that it names by their identifier alone."""
    names = [one.identifier for one in kept.alert.references if one.sent is None]
    if not names:
        return {}
    query = select(alerts.c.identifier, alerts.c.sent).where(alerts.c.agency_id == kept.agency, alerts.c.identifier.in_(names))
    return {row.identifier: moment(row.sent) for row in await conn.execute(query.order_by(alerts.c.id))}


async def issue_of(conn: AsyncConnection, kept: Kept, code: str, sender: str) -> Issue:
    """Under which national name an alert is passed on, and which message began its row."""
    query = text("SELECT count(*) FROM alert WHERE sent BETWEEN :low AND :high AND id < :id")
    second = int(kept.alert.sent.timestamp()) * 1000
    serial = await conn.scalar(query, {"low": second, "high": second + 999, "id": kept.id})
    first = ""
    chain, _ = await find_referenced(conn, kept.alert, kept.agency)
    row = (
        await conn.execute(select(alerts).where(alerts.c.id.in_(chain), alerts.c.id < kept.id).order_by(alerts.c.id))
    ).first()
    if row is not None:
        other = Kept(row.id, row.uid, row.agency_id, row.state, row.digest, Alert.model_validate(row.body), [], row.received_at)
        earlier = await issue_of(conn, other, code, sender)
        first = earlier.first or earlier.identifier
    return make_issue(kept.alert, code, sender, int(serial or 0), first)
