"""Readings and sightings come in, rules are held against them, and the desk is told. One click makes a pending warning of a
proposal; a person releases it, or does not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import text

from warnhub.alert import Level, Parameter
from warnhub.desk import Refusal
from warnhub.feedback.replies import STRAY, TAKEN
from warnhub.hazards import hazard_name
from warnhub.response.linkage import Linkage, default_linkage, judge, load_linkages
from warnhub.response.proposing import Draft, Proposer
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store, Tx
from warnhub.store.photos import add_photo
from warnhub.store.points import Point, points_in
from warnhub.store.proposals import (
    TOGETHER,
    Gauge,
    Sighting,
    add_gauges,
    add_sighting,
    decide,
    find_proposal,
    gather,
)
from warnhub.store.rows import pack_rows, rows_table
from warnhub.store.warnings import Warning, warning_alert

GROUND = "ground"
DAY = 24 * 3_600_000
TURN = 100
"""Messages read in one go."""
OVERLAP = 10 * 60_000
"""Milliseconds that are read once more: what was said in a transaction that took so long to end is not missed."""

STRAYS = text(
    "SELECT r.id, r.reply, r.at, p.id AS person, p.area_id FROM receipt r JOIN recipient p ON p.id = ("
    "SELECT min(q.id) FROM address d JOIN recipient q ON q.id = d.recipient_id AND q.gone_at IS NULL WHERE d.blind = r.blind) "
    f"WHERE r.joined = {STRAY} AND r.at >= :since ORDER BY r.id LIMIT {TURN}"
)
REPLIES = text(
    "SELECT k.id, k.text, k.at, k.recipient_id, k.warning_id, r.area_id FROM ack k JOIN recipient r ON r.id = k.recipient_id "
    "LEFT JOIN sighting s ON s.client = 'ack:' || k.id WHERE k.evidence = 'report' AND k.text IS NOT NULL AND s.id IS NULL "
    f"AND k.at >= :since AND k.id > :after ORDER BY k.id LIMIT {TURN}"
)
WORDS = (
    ("11D02", ("泥石流",)),
    ("11D01", ("滑坡", "裂缝", "塌方", "崩塌", "山体")),
    ("11A51", ("山洪",)),
    ("11A03", ("水库", "溃坝", "管涌", "大坝")),
    ("11A02", ("积水", "内涝", "进水", "被淹")),
    ("11A01", ("漫堤", "决口", "涨水", "河水", "漫水")),
    ("12P08", ("停电", "断电")),
)
CALLS = ("险", "报险", "险情")
HELP = ("求助", "求救", "救命", "救援", "被困", "需要帮助", "needhelp", "sos")
OTHER = "11Y99"
"""A danger that fits no code yet, and whoever asks for help: shown as another hazard; the officer chooses."""


def name_danger(said: str) -> str | None:
    """The hazard that words speak of; None for words that report no danger and ask for no help."""
    for hazard, words in WORDS:
        if any(word in said for word in words):
            return hazard
    plain = "".join(said.lower().split())
    return OTHER if plain.startswith(CALLS) or any(word in plain for word in HELP) else None


@dataclass(slots=True)
class Watch:
    """Takes in what is measured and seen."""

    store: Store
    proposer: Proposer
    linkages: dict[int, Linkage] = field(default_factory=dict)
    heard: int = 0

    @property
    def linkage(self) -> Linkage:
        """The rules in force; those that ship until the store has been read."""
        return self.linkages[max(self.linkages)] if self.linkages else default_linkage()

    async def reload(self) -> None:
        """Take in rules that were put in force meanwhile."""
        async with self.store.read() as conn:
            version = await conn.scalar(text("SELECT max(version) FROM linkage"))
        if version is None or version not in self.linkages:
            self.linkages.update(await load_linkages(self.store))

    async def measure(self, given: Sequence[Gauge]) -> int:
        """Keep readings and hold the rules against where they were made; gives how many were new."""
        await self.reload()
        async with self.store.write() as tx:
            fresh = await add_gauges(tx, given)
            await self.hold(tx, {one.area for one in fresh})
        return len(fresh)

    async def hear(self, tx: Tx, warning: Warning) -> None:
        """A released real warning: its measured values are readings of its townships, and the rules are held against those."""
        if warning.drill is not None or warning.kind == "cancel":
            return
        alert = await warning_alert(tx.conn, warning)
        towns = await tx.conn.execute(
            text("SELECT DISTINCT town_id FROM extent WHERE warning_id = :w AND home"), {"w": warning.id}
        )
        areas = [int(row[0]) for row in towns]
        gauges = []
        for one in alert.parameters:
            try:
                value = float(one.value)
            except ValueError:
                continue
            gauges += [
                Gauge(
                    f"alert:{warning.uid}:{one.name}:{area}"[:200],
                    alert.sender,
                    one.name,
                    value,
                    one.unit,
                    area,
                    tx.now,
                    "alert",
                )
                for area in areas
            ]
        await add_gauges(tx, gauges)
        await self.hold(tx, set(areas))

    async def hold(self, tx: Tx, areas: set[int]) -> None:
        """Hold every rule against these areas."""
        places = self.proposer.places
        for link in self.linkage.rules:
            of = places.villages if link.scope == "village" else places.towns
            for area in sorted({of[one] for one in areas if one in of}):
                facts = await judge(tx.conn, link, area, tx.now)
                if facts is not None:
                    await gather(
                        tx,
                        rule=link.key,
                        source="rule",
                        hazard=link.hazard,
                        level=link.level.value,
                        area=area,
                        facts=[fact.model_dump() for fact in facts],
                        drill=False,
                        version=max(self.linkages, default=None),
                    )

    async def see(self, one: Sighting, photo: bytes = b"") -> bool:
        """Somebody has seen something; False if it was told before. What is near and soon after is one proposal. `photo` was
        made anew by `clean_photo`."""
        async with self.store.write() as tx:
            if not await add_sighting(tx, one):
                return False
            drill = False
            if one.warning is not None:
                drill = await tx.conn.scalar(text("SELECT drill FROM warning WHERE id = :w"), {"w": one.warning}) is not None
            late = tx.now - one.said_at > TOGETHER
            fact = {"text": one.text, "source": one.source, "at": one.said_at, "late": late}
            area = self.proposer.places.villages.get(one.area, one.area)
            number, _ = await gather(
                tx,
                rule=GROUND,
                source="ground",
                hazard=one.hazard,
                level=Level.ORANGE.value,
                area=area,
                facts=[fact],
                drill=drill,
                lon=one.lon,
                lat=one.lat,
            )
            kept = await tx.conn.scalar(
                text("UPDATE sighting SET proposal_id = :p WHERE client = :c RETURNING id"), {"p": number, "c": one.client}
            )
            if photo:
                await add_photo(tx, "sighting", int(kept or 0), photo, one.text[:120], one.source)
            await add_audit(tx, f"recipient:{one.recipient}" if one.recipient else one.source, "sighting", one.client, {})
        return True

    async def points(self, conn: Any, proposal: Any) -> list[Point]:
        """The hazard points in a proposal's area."""
        places = self.proposer.places
        inside = [place for place in places.ids if proposal.area_id in {place, places.villages[place], places.towns[place]}]
        return await points_in(conn, inside)

    async def accept(self, uid: str, actor: str, level: Level, hazard: str, opinion: str) -> Warning:
        """Make a pending warning of it: it waits for release like any other. 409 if it was decided about."""
        async with self.store.write() as tx:
            found = await find_proposal(tx.conn, uid)
            if found is None:
                raise Refusal(404, "there is no such proposal")
            link = self.linkages.get(found.version, self.linkage).named(found.rule)
            facts = found.facts if isinstance(found.facts, list) else orjson.loads(found.facts)
            drill = await self.drill_of(tx, found.id) if found.drill else None
            draft = self.draft(found, link.say if link else "", link.advise if link else "", facts, level, hazard, drill)
            made = await self.proposer.propose(tx, draft, actor)
            if not await decide(tx, found.id, "proposed", actor, opinion, made.id):
                raise Refusal(409, f"this proposal is {found.state}; somebody was first")
            await add_audit(
                tx,
                actor,
                "proposal.accept",
                uid,
                {"warning": made.uid, "opinion": opinion, "before": "open", "after": "proposed"},
            )
        return made

    def draft(self, found: Any, say: str, advise: str, facts: list[Any], level: Level, hazard: str, drill: str | None) -> Draft:
        """The words of a proposal."""
        colour = {Level.RED: "红色", Level.ORANGE: "橙色", Level.YELLOW: "黄色", Level.BLUE: "蓝色"}[level]
        what = hazard_name(hazard, "zh").removesuffix("事件")
        said = ";".join(str(fact.get("text") or f"{fact.get('measure')} {fact.get('value')}") for fact in facts[-5:])
        return Draft(
            hazard,
            level,
            f"{self.proposer.settings.county.bureau}发布{what}{colour}预警",
            f"{found.area}{say or '有险情报告'}。依据:{said}"[:1_000],
            advise or "请立即远离危险地带。",
            [found.code],
            f"研判 {found.rule} / linkage or ground report",
            drill=drill,
            facts=[
                Parameter(name=str(fact["measure"])[:256], value=str(fact["value"]), unit=str(fact.get("unit", ""))[:64])
                for fact in facts
                if "measure" in fact
            ],
        )

    async def drill_of(self, tx: Tx, proposal: int) -> str | None:
        """The list of the drill in which it was seen."""
        query = "SELECT w.drill FROM sighting s JOIN warning w ON w.id = s.warning_id WHERE s.proposal_id = :p LIMIT 1"
        found = await tx.conn.scalar(text(query), {"p": proposal})
        return str(found) if found else None

    async def dismiss(self, uid: str, actor: str, opinion: str) -> None:
        """An officer sees no danger; the reason stays. 409 if it was decided about."""
        async with self.store.write() as tx:
            found = await find_proposal(tx.conn, uid)
            if found is None:
                raise Refusal(404, "there is no such proposal")
            if not await decide(tx, found.id, "dismissed", actor, opinion, None):
                raise Refusal(409, f"this proposal is {found.state}; somebody was first")
            await add_audit(tx, actor, "proposal.dismiss", uid, {"opinion": opinion, "before": "open", "after": "dismissed"})

    async def read_messages(self) -> int:
        """Words that came by short message and are no answer, if they speak of a danger or ask for help: of those who were told
        of a warning, and of anybody else whom the directory knows; gives how many. However much harmless talk comes before
        them, they are read."""
        return await self.read_replies() + await self.read_strays()

    async def read_strays(self) -> int:
        """Words of people whom no living warning was told to, the oldest first; each is put down as looked at."""
        async with self.store.read() as conn:
            rows = (await conn.execute(STRAYS, {"since": await self.store.now(conn) - DAY})).all()
        count = await self.see_dangers(
            Sighting(f"sms:{r.id}", "sms", "", r.reply[:500], r.area_id, r.at, recipient=r.person) for r in rows
        )
        if rows:
            async with self.store.write() as tx:
                source = rows_table(tx.conn.dialect.name == "sqlite", id="int")
                looked = text(f"UPDATE receipt SET joined = {TAKEN} WHERE id IN (SELECT id FROM {source} AS k)")
                await tx.conn.execute(looked, {"rows": pack_rows((row.id,) for row in rows)})
        return count

    async def read_replies(self) -> int:
        """Words of people who were told of a warning, since they were read last."""
        async with self.store.read() as conn:
            now = await self.store.now(conn)
        since, after, count = max(now - DAY, self.heard - OVERLAP), 0, 0
        while True:
            async with self.store.read() as conn:
                rows = (await conn.execute(REPLIES, {"since": since, "after": after})).all()
            count += await self.see_dangers(
                Sighting(f"ack:{r.id}", "sms", "", r.text[:500], r.area_id, r.at, None, None, r.recipient_id, r.warning_id)
                for r in rows
            )
            if len(rows) < TURN:
                self.heard = now
                return count
            after = rows[-1].id

    async def see_dangers(self, heard: Iterable[Sighting]) -> int:
        """See those whose words speak of a danger; gives how many were new."""
        count = 0
        for one in heard:
            if (hazard := name_danger(one.text)) is not None:
                count += await self.see(one._replace(hazard=hazard))
        return count
