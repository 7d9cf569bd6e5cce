"""The desk: what may be done with an alert and a warning, by whom, each in one transaction with its audit.

API, console and command line come through here and nowhere else.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import text

from warnhub.alert import Kind, Original, Reference, Text
from warnhub.intake import ALL_CLEAR, Intake, Received, Refusal
from warnhub.plan.assess import DRILLED
from warnhub.store.agencies import COUNTY
from warnhub.store.alerts import add_alert, make_uid, set_alert_state
from warnhub.store.audits import add_audit, add_event
from warnhub.store.engine import Tx
from warnhub.store.warnings import LIVING, Warning, add_warning, end_warning, find_warning, set_released, warning_alert

__all__ = ["Desk", "Received", "Refusal"]


@dataclass(slots=True)
class Desk(Intake):
    """What officers decide, on top of the way in."""

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
