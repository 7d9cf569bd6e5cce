"""The desk: what may be done with an alert and a warning, by whom, each in one transaction with its audit.

API, console and command line come through here and nowhere else.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import insert, text

from warnhub.alert import Alert, Gate, Kind, Model, Original, Problem, Reference, Text, Verdict
from warnhub.config import Settings
from warnhub.hazards import hazard_class
from warnhub.plan.assess import DRILLED, Assessment, assess_alert, check_scope
from warnhub.plan.audience import Extent, Places
from warnhub.plan.policy import Policy
from warnhub.store import tables
from warnhub.store.agencies import COUNTY, Agency
from warnhub.store.alerts import (
    Kept,
    add_alert,
    alert_digest,
    find_alert,
    find_referenced,
    make_uid,
    set_alert_state,
)
from warnhub.store.audits import add_audit, add_event, hold_audit
from warnhub.store.engine import Store, Tx
from warnhub.store.warnings import (
    LIVING,
    Warning,
    add_warning,
    end_warning,
    find_warning,
    read_warning,
    set_released,
    warning_alert,
    warnings_of,
)

ALL_CLEAR = timedelta(hours=2)


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
class Desk:
    """What the desk works with. `policy` is the newest; warnings keep the version they were made under."""

    store: Store
    settings: Settings
    places: Places
    policies: dict[int, Policy] = field(default_factory=dict)

    @property
    def version(self) -> int:
        """The newest policy's number."""
        return max(self.policies)

    @asynccontextmanager
    async def deciding(self) -> AsyncIterator[Tx]:
        """A transaction that decides something: one at a time in the whole installation, so that two officers' yes, a repeat
        and a second cancel see what the first has done."""
        async with self.store.write() as tx:
            await hold_audit(tx)
            yield tx

    async def receive(self, agency: Agency, verdict: Verdict, raw: bytes, media: str, key: str | None = None) -> Received:
        """Keep one alert and decide about it."""
        return (await self.receive_all(agency, [verdict], raw, media, key))[0]

    async def receive_all(
        self, agency: Agency, verdicts: Sequence[Verdict], raw: bytes, media: str, key: str | None = None
    ) -> list[Received]:
        """Keep the alerts of one document and decide about them, all or none. Refusals: 403 out of scope, 409 other content,
        422 unreadable."""
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
        made = await warnings_of(tx.conn, [known.id])
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
        found, unknown = await find_referenced(tx.conn, alert, agency.id)
        drill = await self.drill_list(tx, alert)
        noted = [*problems, *extent.problems]
        policy = self.policies[self.version]
        assessment = assess_alert(alert, noted, agency, policy, extent, unknown, drill)
        number, uid = await add_alert(tx, alert, agency.id, assessment.state, raw, media, noted)
        if key is not None:
            await tx.conn.execute(
                insert(tables.repeat).values(
                    agency_id=agency.id, key=key, digest=alert_digest(alert), alert_id=number, at=tx.now
                )
            )
        await add_audit(
            tx, f"agency:{agency.id}", "alert.received", uid, {"state": assessment.state, "why": assessment.reasons}
        )
        made = None
        if assessment.state != "kept":
            made = await self.warn(tx, agency, number, alert, assessment, drill, found)
        return Received(
            alert=uid,
            state=assessment.state if made or assessment.state == "kept" else "ended",
            warning=made.uid if made else None,
            reasons=assessment.reasons,
            problems=noted,
        )

    async def drill_list(self, tx: Tx, alert: Alert) -> str | None:
        """The list a drill or test runs with: the one its parameter `drill` names, else the newest."""
        if alert.status not in DRILLED:
            return None
        named = next((p.value for p in alert.parameters if p.name == "drill"), None)
        where = "WHERE id = :id" if named else ""
        bind = {"id": named} if named else {}
        found = await tx.conn.scalar(text(f"SELECT id FROM drill {where} ORDER BY created_at DESC LIMIT 1"), bind)
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
        earlier = await self.not_over(tx, referenced)
        told = [w for w in earlier if w.state == LIVING]
        actor = f"agency:{agency.id}"
        if alert.kind is Kind.CANCEL and assessment.state != "held":
            for old in earlier:
                await end_warning(tx, old, "cancelled", actor, {"by": alert.identifier})
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
        for old in await self.replaced(tx, warning, alert):
            await end_warning(tx, old, "superseded", actor, {"by": warning.uid})

    async def end_referenced(self, tx: Tx, warning: Warning, alert: Alert, actor: str) -> None:
        """End what a cancel refers to and what still lives, and clear whom the newest of it told."""
        referenced, _ = await find_referenced(tx.conn, alert, warning.agency_id)
        earlier = await self.not_over(tx, referenced)
        for old in earlier:
            await end_warning(tx, old, "cancelled", actor, {"by": alert.identifier})
        told = max((old.id for old in earlier if old.state == LIVING), default=None)
        if told is None and warning.previous_id is None:
            raise Refusal(409, "this cancel names no warning that lives here: nobody was told what it lifts; reject it")
        query = text("UPDATE warning SET previous_id = coalesce(:p, previous_id) WHERE id = :id")
        await tx.conn.execute(query, {"p": told, "id": warning.id})

    async def not_over(self, tx: Tx, alerts: Sequence[int]) -> list[Warning]:
        """The warnings of these alerts that wait or live; an all-clear is not one."""
        found = await warnings_of(tx.conn, list(alerts))
        return [w for w in found if w.state in {"pending", LIVING} and w.kind != "cancel"]

    async def replaced(self, tx: Tx, warning: Warning, alert: Alert) -> list[Warning]:
        """The warnings a new one takes the place of: those it refers to, and the same agency's for the same hazard and area."""
        referenced, _ = await find_referenced(tx.conn, alert, warning.agency_id)
        found = {w.id: w for w in await warnings_of(tx.conn, referenced)}
        rows = await tx.conn.execute(
            text(
                "SELECT id FROM warning WHERE state IN ('pending', 'released') AND hazard = :h AND agency_id = :a "
                "AND id <> :id AND kind <> 'cancel' AND coalesce(drill, '') = :d"
            ),
            {"h": warning.hazard, "a": warning.agency_id, "id": warning.id, "d": warning.drill or ""},
        )
        home = self.places.select(alert.areas).home
        for number in [int(row[0]) for row in rows]:
            other = await read_warning(tx.conn, number)
            if other and number not in found:
                said = await warning_alert(tx.conn, other)
                if self.places.select(said.areas).home <= home:
                    found[number] = other
        found.pop(warning.id, None)
        return [w for w in found.values() if w.state in {"pending", LIVING}]

    async def release(self, uid: str, actor: str) -> Warning:
        """One officer's yes; the warning leaves when enough different officers have said it."""
        async with self.deciding() as tx:
            warning = await self.pending(tx, uid)
            if warning.expires_at <= tx.now:
                raise Refusal(409, "this warning has expired; it cannot be released any more")
            if warning.drill is None:
                warning = await self.enlist(tx, warning)
            await tx.conn.execute(
                text("INSERT INTO approval (warning_id, actor, at) VALUES (:w, :a, :at) ON CONFLICT DO NOTHING"),
                {"w": warning.id, "a": actor, "at": tx.now},
            )
            await add_audit(tx, actor, "warning.release", uid)
            count = await tx.conn.scalar(text("SELECT count(*) FROM approval WHERE warning_id = :w"), {"w": warning.id})
            if int(count or 0) >= max(1, warning.approvals):
                await self.set_free(tx, warning, await warning_alert(tx.conn, warning), actor)
                await set_alert_state(tx, warning.alert_id, "released")
            else:
                await add_event(tx, warning.id, "approved", actor, {"of": warning.approvals})
            return await self.again(tx, warning)

    async def enlist(self, tx: Tx, warning: Warning) -> Warning:
        """The warning with the list that was made for it since it came, if it is a drill; a refusal where there is none."""
        alert = await warning_alert(tx.conn, warning)
        if alert.status not in DRILLED:
            return warning
        drill = await self.drill_list(tx, alert)
        if drill is None:
            raise Refusal(409, "a drill needs a list of participants: make one with `warnhub drill add`")
        await tx.conn.execute(text("UPDATE warning SET drill = :d WHERE id = :id"), {"d": drill, "id": warning.id})
        return await self.again(tx, warning)

    async def reject(self, uid: str, actor: str, why: str) -> Warning:
        """A pending warning does not leave."""
        async with self.deciding() as tx:
            warning = await self.pending(tx, uid)
            await end_warning(tx, warning, "rejected", actor, {"why": why})
            await set_alert_state(tx, warning.alert_id, "ended")
            await add_audit(tx, actor, "warning.reject", uid, {"why": why})
            return await self.again(tx, warning)

    async def cancel(self, uid: str, actor: str, why: str, all_clear: bool = True) -> Warning:
        """Stop a living warning now; the all-clear goes to exactly those whom it told."""
        async with self.deciding() as tx:
            warning = await find_warning(tx.conn, uid)
            if warning is None:
                raise Refusal(404, "there is no such warning")
            if warning.state != LIVING:
                raise Refusal(409, f"this warning is {warning.state}; only a released one can be cancelled")
            stopped = await end_warning(tx, warning, "cancelled", actor, {"why": why})
            await add_audit(tx, actor, "warning.cancel", uid, {"why": why, "stopped": stopped, "all_clear": all_clear})
            if all_clear and warning.kind != "cancel":
                await self.clear(tx, warning, actor, why)
            return await self.again(tx, warning)

    async def clear(self, tx: Tx, warning: Warning, actor: str, why: str) -> None:
        """An alert of the bureau's own that says it is over, released at once."""
        said = await warning_alert(tx.conn, warning)
        now = datetime.fromtimestamp(tx.now / 1000, UTC)
        county = self.settings.county
        alert = said.model_copy(
            update={
                "identifier": make_uid("cancel"),
                "sender": county.bureau,
                "sent": now,
                "kind": Kind.CANCEL,
                "references": [Reference(identifier=said.identifier, sender=said.sender, sent=said.sent)],
                "effective": now,
                "onset": None,
                "expires": now + ALL_CLEAR,
                "texts": [Text(headline=f"{county.bureau}解除:{warning.headline}", description=why)],
                "spoken": [],
                "original": Original(form="desk", note=why),
            }
        )
        number, _ = await add_alert(tx, alert, COUNTY, "released", b"", "application/json", [])
        made = await add_warning(
            tx,
            number,
            alert,
            policy=warning.policy,
            hazard_class=warning.hazard_class,
            agency_id=COUNTY,
            drill=warning.drill,
            approvals=0,
            previous_id=warning.id,
        )
        await set_released(tx, made, actor)

    async def pending(self, tx: Tx, uid: str) -> Warning:
        """The pending warning with this id, or a refusal."""
        warning = await find_warning(tx.conn, uid)
        if warning is None:
            raise Refusal(404, "there is no such warning")
        if warning.state != "pending":
            raise Refusal(409, f"this warning is {warning.state}; only a pending one can be decided about")
        return warning

    async def again(self, tx: Tx, warning: Warning) -> Warning:
        """The warning as it now stands."""
        fresh = await read_warning(tx.conn, warning.id)
        assert fresh is not None
        return fresh
