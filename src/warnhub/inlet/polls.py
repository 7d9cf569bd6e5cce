"""Polled sources: feeds and documents of others, fetched under their rules and brought to the door.

What a feed does not say means nothing: an entry that vanished, a 304, an error page with 200, a mirror that is silent end no
alert. Only a Cancel does, or the alert's own expiry. What fails is tried a few times and then parked, where a person sees it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from warnhub.alert import Problem
from warnhub.config import Source
from warnhub.desk import Desk, Refusal
from warnhub.ingest.forms import MEDIA
from warnhub.inlet.door import refused_document, take_each
from warnhub.inlet.entries import Entry, NotAFeed, digest, read_entries
from warnhub.inlet.fetch import Fetched, Fetcher, FetchError
from warnhub.store.agencies import Agency, read_agency
from warnhub.store.engine import Store
from warnhub.store.sources import (
    ATTEMPTS,
    Waiting,
    add_entries,
    claim_entries,
    count_parked,
    forget_entries,
    hold_source,
    list_mirrors,
    note_bad,
    note_good,
    read_mirror,
    settle_entry,
)

AT_ONCE = 5
SILENT = 3  # times in a row that every mirror must fail before an operator is told
LATER = frozenset(("SENT_IN_FUTURE",))  # refusals that time may mend
OVER = frozenset(("EXPIRED",))  # refusals that ask nobody for anything
log = structlog.get_logger(__name__)


class Poller:
    """Polls every source of the settings; of several nodes one at a time polls each."""

    def __init__(self, store: Store, desk: Desk, node: str, fetcher: Fetcher | None = None) -> None:
        self.store = store
        self.desk = desk
        self.node = node
        self.fetcher = fetcher or Fetcher()
        self.sources = desk.settings.sources
        self.notices: list[str] = []

    async def look(self) -> None:
        """See how the sources are, whoever polls them: what an operator must know is in `notices`."""
        if not self.sources:
            return
        async with self.store.read() as conn:
            mirrors, parked = await list_mirrors(conn), await count_parked(conn)
        good = {one.source for one in mirrors if not one.failures}
        bad = [one for one in mirrors if one.failures >= SILENT and one.source not in good and one.source in self.sources]
        self.notices = [
            f"来源 {name} 无法读取 / source {name} cannot be read: {next(one.error for one in bad if one.source == name)}"
            for name in sorted({one.source for one in bad})
        ]
        self.notices += [
            f"来源 {name} 有 {number} 条未能接收 / {number} entries of source {name} were not taken: `warnhub source list`"
            for name, number in sorted(parked.items())
            if name in self.sources
        ]

    async def run(self, name: str, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Poll one source until cancelled."""
        while True:
            await self.poll(name)
            await sleep(self.sources[name].every)

    async def poll(self, name: str) -> bool:
        """Ask every mirror once and bring what is new to the door; False if another node does."""
        source = self.sources[name]
        if not await self.hold(name):
            return False
        for url in source.urls:
            await self.ask(name, url, source)
        async with self.store.read() as conn:
            agency = await read_agency(conn, source.agency)
        if agency is None or agency.disabled_at is not None:
            for url in source.urls:
                await note_bad(self.store, name, url, f"AGENCY_UNKNOWN: {source.agency}")
            return True
        while await self.hold(name) and (entries := await claim_entries(self.store, name, AT_ONCE)):
            for entry in entries:
                await self.bring(name, source, agency, entry)
        await forget_entries(self.store, name)
        return True

    async def hold(self, name: str) -> bool:
        """The lease on a source: long enough for what is in hand."""
        source = self.sources[name]
        lease = source.every + (AT_ONCE + len(source.urls)) * source.timeout
        return await hold_source(self.store, name, self.node, int(lease * 1000))

    async def ask(self, name: str, url: str, source: Source) -> None:
        """Ask one mirror; what is new in it is put down together with its tag, or neither is."""
        async with self.store.read() as conn:
            known = await read_mirror(conn, name, url)
        try:
            found = await self.fetcher.fetch(url, source, known.etag if known else "", known.modified if known else "")
            entries = await asyncio.to_thread(entries_of, found, source)
        except (FetchError, NotAFeed) as error:
            log.warning("source.failed", source=name, why=str(error)[:200])
            await note_bad(self.store, name, url, str(error))
            return
        async with self.store.write() as tx:
            new = await add_entries(tx, name, entries)
            await note_good(tx, name, url, None if found.status == 304 else (found.etag, found.modified))
        if new:
            log.info("source.new", source=name, entries=new)

    async def bring(self, name: str, source: Source, agency: Agency, entry: Waiting) -> None:
        """One entry to the door; what became of it is written down."""
        media: str | None = None
        body = entry.body
        if not body:
            try:
                found = await self.fetcher.fetch(entry.key, source)
            except FetchError as error:
                problem = Problem(path="link", rule=error.rule, message=error.detail, value=entry.key)
                await self.fail(name, entry, Refusal(502, "the entry's document was not fetched", [problem]), again=True)
                return
            body, media = found.body, found.media if found.media in MEDIA else None
        outcome = await take_each(self.desk, agency, body, media, name if source.elsewhere == "pass" else "")
        rules = {problem.rule for problem in outcome.problems}
        if not outcome.refused:
            await settle_entry(
                self.store, entry.id, "elsewhere" if outcome.elsewhere and not outcome.received else "taken", None
            )
        elif rules <= OVER:
            await settle_entry(self.store, entry.id, "over", refused_document(outcome.refused[0]))
        else:
            merged = Refusal(outcome.refused[0].status, outcome.refused[0].title, outcome.problems)
            await self.fail(name, entry, merged, again=bool(rules & LATER))

    async def fail(self, name: str, entry: Waiting, refusal: Refusal, again: bool) -> None:
        """Wait and try again where that may help and some attempts are left, else park it with the reason."""
        waits = again and entry.attempts < ATTEMPTS
        document: dict[str, Any] = refused_document(refusal)
        await settle_entry(self.store, entry.id, "waiting" if waits else "parked", document)
        if not waits:
            log.error("source.parked", source=name, entry=entry.key[:200], rules=[one.rule for one in refusal.problems])


def entries_of(found: Fetched, source: Source) -> list[Entry]:
    """What an answer brings. Raises `NotAFeed`."""
    if found.status == 304:
        return []
    if source.kind == "document":
        mark = digest(found.body)
        return [Entry(f"document:{mark}", mark, body=found.body)]
    return read_entries(found.body, found.url)
