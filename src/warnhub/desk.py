"""The desk: what may be done with an alert and a warning, by whom, each in one transaction with its audit.

API, console and command line come through here and nowhere else.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from warnhub.alert import Alert, Area, Kind, Level, Original, Problem, Reference, Text
from warnhub.intake import ALL_CLEAR, Intake, Received, Refusal
from warnhub.plan.assess import DRILLED
from warnhub.plan.holding import Unplaceable, chosen_areas, placeable_areas
from warnhub.store import tables
from warnhub.store.agencies import COUNTY, read_agency
from warnhub.store.alerts import add_alert, make_uid, set_alert_state
from warnhub.store.audits import add_audit, add_event
from warnhub.store.engine import Tx
from warnhub.store.readings import add_reading
from warnhub.store.warnings import LIVING, Warning, add_warning, end_warning, find_warning, set_released, warning_alert
from warnhub.traces import span

__all__ = ["Choice", "Desk", "Received", "Refusal"]


@dataclass(frozen=True, slots=True)
class Choice:
    """What an officer makes of a held alert. `how`: as_is, without (what cannot be placed), areas (`codes`), ends (`ends`, a
    warning's uid). `level` changes the colour; None leaves it."""

    how: str
    why: str
    codes: str = ""
    ends: str = ""
    level: Level | None = None


@dataclass(slots=True)
class Desk(Intake):
    """What officers decide, on top of the way in."""

    async def release(self, uid: str, actor: str) -> Warning:
        """One officer's yes; the warning leaves when enough different officers have said it."""
        return await self.release_as(uid, actor, None)

    async def take(self, uid: str, actor: str, choice: Choice) -> Warning:
        """What an officer makes of a held alert and the same officer's yes to it, both or neither. Refusals as of both."""
        return await self.release_as(uid, actor, choice)

    async def release_as(self, uid: str, actor: str, choice: Choice | None) -> Warning:
        """One officer's yes, after what they make of the alert if it is held."""
        async with self.store.read() as conn:
            known = await find_warning(conn, uid)
        with span("warning.release", parent=known.trace if known else None, warning=uid):
            async with self.deciding() as tx:
                if choice is not None:
                    await self.put_right(tx, uid, actor, choice)
                return await self.approve(tx, uid, actor)

    async def approve(self, tx: Tx, uid: str, actor: str) -> Warning:
        """One officer's yes on the record, with what follows from it."""
        warning = await self.pending(tx, uid)
        if warning.expires_at <= tx.now:
            raise Refusal(409, "this warning has expired; it cannot be released any more")
        if await author_of(tx.conn, warning.alert_id) == actor:
            raise Refusal(409, "nobody releases what they wrote themselves: another officer is needed")
        if warning.drill is None:
            warning = await self.enlist(tx, warning)
        await tx.conn.execute(
            text("INSERT INTO approval (warning_id, actor, at) VALUES (:w, :a, :at) ON CONFLICT DO NOTHING"),
            {"w": warning.id, "a": actor, "at": tx.now},
        )
        count = await tx.conn.scalar(text("SELECT count(*) FROM approval WHERE warning_id = :w"), {"w": warning.id})
        enough = int(count or 0) >= max(1, warning.approvals)
        after = LIVING if enough else warning.state
        said = {"before": warning.state, "after": after, "yes": count, "of": warning.approvals}
        await add_audit(tx, actor, "warning.release", uid, said)
        if enough:
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
        drill = await self.drill_list(tx.conn, alert)
        if drill is None:
            raise Refusal(409, "a drill needs a list of participants: make one with `warnhub drill add`")
        await tx.conn.execute(text("UPDATE warning SET drill = :d WHERE id = :id"), {"d": drill, "id": warning.id})
        return await self.again(tx, warning)

    async def settle(self, uid: str, actor: str, choice: Choice) -> Warning:
        """What an officer makes of a held alert; it then waits for its release like any other. The alert itself stays as said.

        Refusals: 409 if it is not held (any more) or nobody would be told, 422 for a choice that cannot be.
        """
        async with self.deciding() as tx:
            return await self.put_right(tx, uid, actor, choice)

    async def put_right(self, tx: Tx, uid: str, actor: str, choice: Choice) -> Warning:
        """The same within a transaction."""
        warning = await self.pending(tx, uid)
        state = await tx.conn.scalar(text("SELECT state FROM alert WHERE id = :id"), {"id": warning.alert_id})
        if state != "held":
            raise Refusal(409, "this alert is not held any more")
        said = await warning_alert(tx.conn, warning)
        changes, columns = await self.weigh(tx, warning, said, choice)
        if changes:
            await add_reading(tx, warning.alert_id, changes, actor, choice.why)
        await self.rewrite(tx, warning, columns)
        await set_alert_state(tx, warning.alert_id, "pending")
        data = {"how": choice.how, "why": choice.why, "changes": changes}
        await add_event(tx, warning.id, "settled", actor, data)
        was = {"level": said.level.value, "areas": [area.model_dump(mode="json") for area in said.areas]}
        before = {name: was.get(name) for name in changes if name in was} | {"state": "held"}
        await add_audit(tx, actor, "alert.settled", uid, data | {"before": before, "after": {**changes, "state": "pending"}})
        return await self.again(tx, warning)

    async def weigh(self, tx: Tx, warning: Warning, said: Alert, choice: Choice) -> tuple[dict[str, Any], dict[str, Any]]:
        """(how the alert is read by this choice, what changes of its warning)."""
        changes: dict[str, Any] = {}
        columns: dict[str, Any] = {}
        areas = said.areas
        if choice.how == "ends":
            changes, columns = await self.lift(tx, warning, said, choice.ends)
        elif choice.how == "without":
            areas = placeable_areas(said, self.places.select(said.areas))
        elif choice.how == "areas":
            areas = self.choose(choice.codes)
        if areas is not said.areas:
            changes["areas"] = [area.model_dump(mode="json") for area in areas]
        if choice.how != "ends" and said.kind is not Kind.CANCEL and self.places.select(areas).empty:
            raise Refusal(409, "nobody in this county would be told: choose the area")
        if choice.level and choice.level is not said.level:
            changes["level"] = choice.level.value
            columns |= await self.relevel(tx, warning, choice.level)
        return changes, columns

    def choose(self, codes: str) -> list[Area]:
        """The areas an officer named; 422 for none, or one that is not in the directory."""
        try:
            areas = chosen_areas(self.places, codes)
        except Unplaceable as error:
            problem = Problem(path="codes", rule="UNKNOWN_AREA", message="本县没有此区划代码 / no such place", value=str(error))
            raise Refusal(422, f"{error}: no such place in the county", [problem]) from None
        if not areas:
            raise Refusal(422, "name at least one place")
        return areas

    async def relevel(self, tx: Tx, warning: Warning, level: Level) -> dict[str, Any]:
        """Another level, within what the agency may say, and the officers that it takes."""
        agency = await read_agency(tx.conn, warning.agency_id)
        if agency is None or level.lane < agency.highest.lane:
            raise Refusal(422, f"this agency may warn up to {agency.highest if agency else 'nothing'}")
        needed = self.policies[warning.policy].release.people_needed(level, certified=False)
        return {"level": level.value, "approvals": max(1, needed)}

    async def lift(self, tx: Tx, warning: Warning, said: Alert, uid: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The alert read as the end of one of its sender's own living warnings."""
        old = await find_warning(tx.conn, uid)
        told = await warning_alert(tx.conn, old) if old and old.state == LIVING and old.kind != "cancel" else None
        own = told and old and old.agency_id == warning.agency_id and (told.sender, told.status) == (said.sender, said.status)
        if old is None or told is None or not own:
            raise Refusal(422, "it can end only a living warning of the same sender and status")
        named = [Reference(identifier=told.identifier, sender=told.sender, sent=told.sent).model_dump(mode="json")]
        expires = max(warning.expires_at, tx.now + int(ALL_CLEAR.total_seconds() * 1_000))
        columns = {"kind": Kind.CANCEL.value, "previous_id": old.id, "expires_at": expires}
        return {"kind": Kind.CANCEL.value, "references": named}, columns

    async def rewrite(self, tx: Tx, warning: Warning, columns: dict[str, Any]) -> None:
        """Change a pending warning; whoever has agreed to what it was before has not agreed to this."""
        values = columns | {"version": warning.version + 1}
        await tx.conn.execute(update(tables.warning).where(tables.warning.c.id == warning.id).values(**values))
        await tx.conn.execute(text("DELETE FROM approval WHERE warning_id = :w"), {"w": warning.id})

    async def reject(self, uid: str, actor: str, why: str) -> Warning:
        """A pending warning does not leave."""
        async with self.deciding() as tx:
            warning = await self.pending(tx, uid)
            await end_warning(tx, warning, "rejected", actor, {"why": why})
            await set_alert_state(tx, warning.alert_id, "ended")
            await add_audit(tx, actor, "warning.reject", uid, {"why": why, "before": warning.state, "after": "rejected"})
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
            said = {"why": why, "stopped": stopped, "all_clear": all_clear, "before": warning.state, "after": "cancelled"}
            await add_audit(tx, actor, "warning.cancel", uid, said)
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


async def author_of(conn: AsyncConnection, alert: int) -> str | None:
    """Who wrote an alert of the county's own at the desk, as the audit names people; None for any other alert."""
    key = await conn.scalar(text("SELECT key FROM repeat WHERE agency_id = :a AND alert_id = :id"), {"a": COUNTY, "id": alert})
    return str(key).partition(" ")[0] if key else None
