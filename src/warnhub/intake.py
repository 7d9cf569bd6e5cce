"""The way in: what becomes of an alert when it comes, in one transaction with its audit.

Scope, repeats, its course among the others, the assessment, and the warning that follows. Every door (HTTP, a topic, a polled
feed, a file) comes through `Intake.receive_all` and gets the same answers.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert, Gate, Kind, Model, Problem, Verdict
from warnhub.config import Settings
from warnhub.course import Course, ask_unmet, close_unmet, find_followers, find_replaced, not_over, plot_course
from warnhub.hazards import hazard_class
from warnhub.ingest.findings import Limits
from warnhub.ingest.stations import Stations
from warnhub.plan.assess import DRILLED, Assessment, assess_alert, check_scope
from warnhub.plan.audience import Extent, Places
from warnhub.plan.policy import Policy
from warnhub.store import tables
from warnhub.store.agencies import Agency
from warnhub.store.alerts import (
    Kept,
    add_alert,
    alert_digest,
    find_alert,
    find_referenced,
    milliseconds,
    set_alert_state,
)
from warnhub.store.audits import add_audit, add_event, hold_audit
from warnhub.store.elsewhere import add_elsewhere, known_elsewhere
from warnhub.store.engine import Store, Tx
from warnhub.store.readings import add_reading, add_reissue, as_read, first_alerts, prolong
from warnhub.store.trust import Trust
from warnhub.store.turns import hurry
from warnhub.store.warnings import LIVING, Warning, add_warning, end_warning, read_warning, set_released, warnings_of

ALL_CLEAR = timedelta(hours=2)
PLACED = ("POLYGON_", "CIRCLE_", "GEOCODE_", "GEOMETRY_", "EXCLUSION_", "INVALID_AREA", "AREA_", "TOO_MANY", "INFO_MIXED")
"""Rules by which a part of an alert's place was not read."""


class Refusal(Exception):
    """Not done, and nothing changed. `status` is the HTTP status; `problems` name field, rule and value."""

    def __init__(self, status: int, title: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.problems = list(problems)


class Received(Model):
    """What became of an alert. `state`: released, pending, held, kept or ended."""

    alert: str
    state: str
    warning: str | None = None
    repeated: bool = False
    reasons: list[str] = Field(default_factory=list)
    problems: list[Problem] = Field(default_factory=list)


@dataclass(slots=True)
class Intake:
    """What the way in works with. `policy` is the newest; warnings keep the version they were made under."""

    store: Store
    settings: Settings
    places: Places
    policies: dict[int, Policy] = field(default_factory=dict)
    stations: Stations = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The newest policy's number."""
        return max(self.policies)

    @asynccontextmanager
    async def deciding(self) -> AsyncIterator[Tx]:
        """A transaction that decides something: one at a time in the whole installation, so that two officers' yes, a repeat
        and a second cancel see what the first has done."""
        with hurry():
            async with self.store.write() as tx:
                await hold_audit(tx)
                yield tx

    def limits(self, agency: Agency, trust: Trust | None = None, proven: bool = False) -> Limits:
        """What the gates are told of what an agency sends. `proven`: the request itself was signed."""
        given, trust = self.settings.limits, trust or Trust()
        return Limits(
            max_bytes=given.max_bytes,
            max_polygons=given.max_polygons,
            max_points=given.max_points,
            zone=agency.zone,
            home=self.places.box,
            datum=trust.datum,
            signed=trust.signed and not proven,
            certificates=trust.certificates,
            sender=next(iter(agency.senders), agency.name),
            stations=self.stations,
            tables=self.settings.tables_dir,
        )

    async def receive(self, agency: Agency, verdict: Verdict, raw: bytes, media: str, key: str | None = None) -> Received:
        """Keep one alert and decide about it."""
        return (await self.receive_all(agency, [verdict], raw, media, key))[0]

    async def receive_all(
        self, agency: Agency, verdicts: Sequence[Verdict], raw: bytes, media: str, key: str | None = None
    ) -> list[Received]:
        """Keep the alerts of one document and decide about them, all or none. Refusals: 403 out of scope, 409 other content,
        422 unreadable."""
        verdicts = [one for one in verdicts if one.alert or one.gate is not Gate.ACCEPT]  # a reading may well be no alert
        alerts = [verdict.alert for verdict in verdicts if verdict.alert and verdict.gate is not Gate.REFUSE]
        if len(alerts) < len(verdicts):
            raise Refusal(422, "the alert cannot be taken", [problem for verdict in verdicts for problem in verdict.problems])
        extents = [self.places.select(alert.areas) for alert in alerts]
        await self.check_scopes(agency, alerts, extents)
        received = []
        async with self.deciding() as tx:
            for number, (verdict, alert, extent) in enumerate(zip(verdicts, alerts, extents, strict=True)):
                own = f"{key}\n{number}" if key and number else key  # one header for the document, a row for each alert
                again = await self.repeated(tx, agency, alert, own)
                received.append(again or await self.keep(tx, agency, alert, verdict.problems, extent, raw, media, own))
        return received

    async def pass_by(self, agency: Agency, verdict: Verdict, source: str) -> bool:
        """Whether an alert of a polled source surely concerns other counties alone; then it is put down as seen, and no more.

        One whose place was not read whole is not sure, and one that follows an alert which is here concerns those it told.
        """
        alert = verdict.alert
        if alert is None or any(one.gate is Gate.HOLD and one.rule.startswith(PLACED) for one in verdict.problems):
            return False
        extent = self.places.select(alert.areas)
        async with self.store.write() as tx:
            found, unknown = await find_referenced(tx.conn, alert, agency.id)
            if found:
                return False
            if not any(area.placeable for area in alert.areas):  # an end may name no place, and only what it ends
                known = await known_elsewhere(tx.conn, agency.id, alert.sender, unknown)
                if alert.kind is not Kind.CANCEL or not unknown or not known.issuperset(unknown):
                    return False
            elif not self.places.elsewhere(alert.areas, extent):
                return False
            await add_elsewhere(tx, source, agency.id, alert)
        return True

    async def check_scopes(self, agency: Agency, alerts: Sequence[Alert], extents: Sequence[Extent]) -> None:
        """403 for a document of which anything is out of scope, on the record."""
        found: list[Problem] = []
        entries = []
        for number, (alert, extent) in enumerate(zip(alerts, extents, strict=True)):
            out = check_scope(alert, agency, extent, self.touched(extent))
            place = f"[{number}]." if len(alerts) > 1 else ""
            found += [problem.model_copy(update={"path": place + problem.path}) for problem in out]
            if out:
                entries.append((alert.identifier, {"rules": [problem.rule for problem in out]}))
        if not found:
            return
        async with self.deciding() as tx:
            for identifier, data in entries:
                await add_audit(tx, f"agency:{agency.id}", "alert.refused", identifier, data)
        raise Refusal(403, "out of this agency's scope", found)

    def touched(self, extent: Extent) -> list[str]:
        """The division codes of the places an extent holds."""
        codes = dict(zip(self.places.ids, self.places.codes, strict=True))
        return sorted(codes[place] for place in extent.home)

    async def repeated(self, tx: Tx, agency: Agency, alert: Alert, key: str | None) -> Received | None:
        """The first answer, if this was said before; 409 or 422 if something else was said under its name."""
        digest = alert_digest(alert)
        if key is not None:
            row = (
                await tx.conn.execute(
                    text("SELECT digest FROM repeat WHERE agency_id = :a AND key = :k"), {"a": agency.id, "k": key}
                )
            ).first()
            if row and row.digest != digest:
                said, message = key.partition("\n")[0], "use a new key for a new alert"
                problem = Problem(path="Idempotency-Key", rule="KEY_REUSED", message=message, value=said)
                raise Refusal(422, "this Idempotency-Key was used for another alert", [problem])
        known = await find_alert(tx.conn, alert)
        if known is None:
            return None
        if known.digest != digest or known.agency != agency.id:
            message = "the same sender, identifier and sent came before with other content; send an update instead"
            raise Refusal(
                409,
                "conflict with an earlier alert",
                [Problem(path="identifier", rule="SAME_ID_OTHER_CONTENT", message=message, value=alert.identifier)],
            )
        return await self.answer(tx, known)

    async def answer(self, tx: Tx, known: Kept) -> Received:
        """The answer to a repeat, as things stand."""
        made = await warnings_of(tx.conn, await first_alerts(tx.conn, [known.id]))
        return Received(alert=known.uid, state=known.state, warning=made[0].uid if made else None, repeated=True)

    async def keep(
        self,
        tx: Tx,
        agency: Agency,
        alert: Alert,
        problems: Sequence[Problem],
        extent: Extent,
        raw: bytes,
        media: str,
        key: str | None,
    ) -> Received:
        """Store the alert, assess it, and make the warning that follows from it."""
        course = await plot_course(tx.conn, self.places, agency.id, alert, extent)
        drill = await self.drill_list(tx.conn, alert)
        noted = course.settle([*problems, *course.placing(extent)])
        assessment = self.assess(course, noted, agency, extent, drill)
        number, uid = await add_alert(tx, alert, agency.id, assessment.state, raw, media, noted)
        if course.changes:
            await add_reading(tx, number, course.changes, "policy", "; ".join(one.rule for one in course.notes))
        if key is not None:
            await tx.conn.execute(
                insert(tables.repeat).values(
                    agency_id=agency.id, key=key, digest=alert_digest(alert), alert_id=number, at=tx.now
                )
            )
        if assessment.state != "kept":
            assessment = await self.let_follow(tx, agency, number, course.alert, assessment)
        await add_audit(
            tx, f"agency:{agency.id}", "alert.received", uid, {"state": assessment.state, "why": assessment.reasons}
        )
        made = course.first
        if made:
            await self.say_again(tx, agency, number, alert, made)
        elif assessment.state not in {"kept", "ended"}:
            made = await self.warn(tx, agency, number, course.alert, assessment, drill, course.referenced)
            if course.alert.kind is Kind.CANCEL:
                await ask_unmet(tx, number, course.alert, course.lost)
        return Received(
            alert=uid,
            state=assessment.state if made or assessment.state == "kept" else "ended",
            warning=made.uid if made else None,
            reasons=assessment.reasons,
            problems=noted,
        )

    def assess(self, course: Course, noted: Sequence[Problem], agency: Agency, extent: Extent, drill: str | None) -> Assessment:
        """What policy decides about an alert; one that says again what people know is kept and not told again."""
        if course.first is None:
            policy = self.policies[self.version]
            return assess_alert(course.alert, noted, agency, policy, extent, course.unknown, drill)
        return Assessment("kept", reasons=[f"与 {course.first.uid} 内容相同,不再重复发布 / says again what is told already"])

    async def say_again(self, tx: Tx, agency: Agency, number: int, alert: Alert, first: Warning) -> None:
        """Another issue of a warning under a new identifier: it lives as long as it is now said to, and is not told again."""
        await add_reissue(tx, number, first.alert_id)
        longer = await prolong(tx, first.id, milliseconds(alert.expires))
        data = {"by": alert.identifier, "longer": longer}
        await add_event(tx, first.id, "reissued", f"agency:{agency.id}", data)

    async def let_follow(self, tx: Tx, agency: Agency, number: int, alert: Alert, assessment: Assessment) -> Assessment:
        """Apply what was waiting for this alert, in the order it was sent. One that is over before it came is never told."""
        for kept, warning in await find_followers(tx.conn, agency.id, alert):
            said = await as_read(tx.conn, kept.id, kept.alert)
            ending = said.kind is Kind.CANCEL
            state = kept.state
            if state == "held" and warning and warning.state == "pending":
                state = await self.take_up(tx, agency, kept, said, warning)
            if state == "held" and ending:
                why = f"它的解除 {kept.alert.identifier} 正待人工处理 / a cancel of it waits for a person"
                assessment = Assessment("held", max(1, assessment.people), [*assessment.reasons, why])
            rejected = warning is not None and warning.state == "rejected"
            if state == "released" or (ending and state == "pending") or (state == "ended" and not rejected):
                await set_alert_state(tx, number, "ended")
                await close_unmet(tx, agency.id, kept.id, said)
                why = f"先收到的 {kept.alert.identifier} 已更新或解除它 / was updated or cancelled before it came"
                return Assessment("ended", reasons=[why])
        await set_alert_state(tx, number, assessment.state)
        return assessment

    async def take_up(self, tx: Tx, agency: Agency, kept: Kept, said: Alert, warning: Warning) -> str:
        """Assess again an alert that was parked until what it refers to came; gives its state."""
        found, unknown = await find_referenced(tx.conn, said, agency.id)
        problems = [Problem.model_validate(one) for one in kept.problems]
        drill = await self.drill_list(tx.conn, said)
        extent = self.places.select(said.areas)
        policy = self.policies[self.version]
        result = assess_alert(said, problems, agency, policy, extent, [] if found else unknown, drill)
        if result.state == "held":
            return "held"
        actor = f"agency:{agency.id}"
        await tx.conn.execute(
            text("UPDATE warning SET approvals = :n, drill = :d WHERE id = :w"),
            {"n": result.people, "d": drill, "w": warning.id},
        )
        warning = await self.again(tx, warning)
        await add_audit(tx, actor, "alert.unparked", kept.uid, {"state": result.state, "why": result.reasons})
        if said.kind is Kind.CANCEL:
            await ask_unmet(tx, kept.id, said, unknown)
        told = await self.stop_cancelled(tx, said, found, actor) if said.kind is Kind.CANCEL else [warning]
        if not told:
            await end_warning(tx, warning, "cancelled", actor, {"why": "nobody was told"})
            await set_alert_state(tx, kept.id, "ended")
            return "ended"
        if said.kind is Kind.CANCEL:
            previous = {"p": max(one.id for one in told), "id": warning.id}
            await tx.conn.execute(text("UPDATE warning SET previous_id = :p WHERE id = :id"), previous)
        elif warning.expires_at <= tx.now:
            return "held"
        await set_alert_state(tx, kept.id, result.state)
        if result.state == "released":
            await self.set_free(tx, await self.again(tx, warning), said, "policy")
        return result.state

    async def stop_cancelled(self, tx: Tx, alert: Alert, referenced: Sequence[int], actor: str) -> list[Warning]:
        """End what a cancel refers to; gives what of it people were told."""
        earlier = await not_over(tx.conn, referenced)
        for old in earlier:
            await end_warning(tx, old, "cancelled", actor, {"by": alert.identifier})
        return [old for old in earlier if old.state == LIVING]

    async def drill_list(self, conn: AsyncConnection, alert: Alert) -> str | None:
        """The list a drill or test runs with: the one its parameter `drill` names, else the newest."""
        if alert.status not in DRILLED:
            return None
        named = next((p.value for p in alert.parameters if p.name == "drill"), None)
        where = "WHERE id = :id" if named else ""
        bind = {"id": named} if named else {}
        found = await conn.scalar(text(f"SELECT id FROM drill {where} ORDER BY created_at DESC LIMIT 1"), bind)
        return str(found) if found else None

    async def warn(
        self,
        tx: Tx,
        agency: Agency,
        number: int,
        alert: Alert,
        assessment: Assessment,
        drill: str | None,
        referenced: Sequence[int],
    ) -> Warning | None:
        """The warning an alert leads to. A cancel stops its warnings now, one that is held once a person has let it pass; the
        all-clear goes to whom they told, and where nobody was told there is none."""
        actor = f"agency:{agency.id}"
        told = [old for old in await not_over(tx.conn, referenced) if old.state == LIVING]
        if alert.kind is Kind.CANCEL and assessment.state != "held":
            await self.stop_cancelled(tx, alert, referenced, actor)
            if not told:
                await set_alert_state(tx, number, "ended")
                return None
        given: dict[str, Any] = {
            "policy": self.version,
            "hazard_class": hazard_class(alert.hazard),
            "agency_id": agency.id,
            "drill": drill if alert.status in DRILLED else None,
            "approvals": assessment.people,
            "previous_id": max((w.id for w in told), default=None),
        }
        if alert.kind is Kind.CANCEL:
            given["expires_at"] = max(int(alert.expires.timestamp() * 1000), tx.now + int(ALL_CLEAR.total_seconds() * 1000))
        made = await add_warning(tx, number, alert, **given)
        await add_event(tx, made.id, "made", actor, {"state": assessment.state, "why": assessment.reasons})
        if assessment.state == "released":
            await self.set_free(tx, made, alert, "policy")
        return made

    async def set_free(self, tx: Tx, warning: Warning, alert: Alert, actor: str) -> None:
        """Release, and stop what the new warning takes the place of."""
        await set_released(tx, warning, actor)
        if alert.kind is Kind.CANCEL:
            await self.end_referenced(tx, warning, alert, actor)
            return
        for old in await find_replaced(tx.conn, self.places, warning, alert):
            stopped = await end_warning(tx, old, "superseded", actor, {"by": warning.uid})
            said = {"by": warning.uid, "before": old.state, "after": "superseded", "stopped": stopped}
            await add_audit(tx, actor, "warning.superseded", old.uid, said)

    async def end_referenced(self, tx: Tx, warning: Warning, alert: Alert, actor: str) -> None:
        """End what a cancel refers to and what still lives, and clear whom the newest of it told."""
        referenced, _ = await find_referenced(tx.conn, alert, warning.agency_id)
        told = max((old.id for old in await self.stop_cancelled(tx, alert, referenced, actor)), default=None)
        if told is None and warning.previous_id is None:
            raise Refusal(409, "this cancel names no warning that lives here: nobody was told what it lifts; reject it")
        query = text("UPDATE warning SET previous_id = coalesce(:p, previous_id) WHERE id = :id")
        await tx.conn.execute(query, {"p": told, "id": warning.id})

    async def again(self, tx: Tx, warning: Warning) -> Warning:
        """The warning as it now stands."""
        fresh = await read_warning(tx.conn, warning.id)
        assert fresh is not None
        return fresh
