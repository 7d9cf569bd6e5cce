"""What an officer does with a warning while it runs: hold it still, let it go on, say it again to those who have not confirmed.

Each is one transaction with its audit. Nothing here widens an audience: a resend goes to targets of the warning, by the
channels its policy has for them, and stops at the same gate as everything else.
"""

from dataclasses import dataclass

from sqlalchemy import text

from warnhub.alert import Level
from warnhub.plan.cutting import next_round
from warnhub.plan.planner import Planner
from warnhub.plan.policy import match_rule
from warnhub.roles import Role
from warnhub.store.audits import add_audit, add_event, hold_audit
from warnhub.store.engine import Store, Tx
from warnhub.store.ledger import hold_warnings
from warnhub.store.pauses import end_pause, set_pause
from warnhub.store.warnings import LIVING, Warning, find_warning

SPACING = 60_000
"""Milliseconds between two resends of a warning: a second click, or a second officer's, is not a second message."""


class Unfit(Exception):
    """Not done, and nothing changed: the warning does not stand where this can be done."""


@dataclass(slots=True)
class Steering:
    """Works with the store and the planner's way of cutting batches."""

    store: Store
    planner: Planner

    async def pause(self, uid: str, actor: str, why: str) -> None:
        """Nothing more leaves until somebody lets it go on; a batch that is being handed over, half a second of work, ends."""
        async with self.store.write() as tx:
            warning = await self.living(tx, uid)
            if not await set_pause(tx, warning.id, actor, why):
                raise Unfit("this warning is held still already")
            await add_event(tx, warning.id, "paused", actor, {"why": why})
            await add_audit(tx, actor, "warning.pause", uid, {"why": why, "before": "running", "after": "paused"})

    async def resume(self, uid: str, actor: str) -> None:
        """It goes on."""
        async with self.store.write() as tx:
            warning = await self.living(tx, uid)
            if not await end_pause(tx, warning.id):
                raise Unfit("this warning is not held still")
            await add_event(tx, warning.id, "resumed", actor)
            await add_audit(tx, actor, "warning.resume", uid, {"before": "paused", "after": "running"})

    async def resend(self, uid: str, actor: str, village: int | None = None) -> int:
        """One more round to those who must confirm and have not, of one village or of all; gives how many messages."""
        async with self.store.write() as tx:
            warning = await self.living(tx, uid)
            recent = await tx.conn.scalar(
                text("SELECT max(at) FROM wave WHERE warning_id = :w AND cause = 'resend'"), {"w": warning.id}
            )
            if recent is not None and tx.now - int(recent) < SPACING:
                raise Unfit("it was sent again less than a minute ago")
            total = await self.say_again(tx, warning, village)
            if not total:
                raise Unfit("there is nobody left who could be told again")
            data = {"messages": total} | ({"village": village} if village else {})
            await add_event(tx, warning.id, "resent", actor, data)
            await add_audit(tx, actor, "warning.resend", uid, data)
            return total

    async def say_again(self, tx: Tx, warning: Warning, village: int | None) -> int:
        """Cut the round."""
        where = "AND a.village_id = :v" if village else ""
        found = await tx.conn.execute(
            text(
                "SELECT k.recipient_id, k.role, k.town_id FROM task k JOIN area a ON a.id = k.area_id "
                f"WHERE k.warning_id = :w AND k.kind = 'confirm' AND k.state IN ('open', 'late') {where} ORDER BY 2, 3, 1"
            ),
            {"w": warning.id, "v": village},
        )
        groups: dict[tuple[str, int], list[int]] = {}
        for row in found:
            groups.setdefault((row.role, row.town_id), []).append(int(row.recipient_id))
        round_ = await next_round(tx, warning.id)
        policy, total = self.planner.policies[warning.policy], 0
        for (role, town), people in groups.items():
            rule = match_rule(policy, warning.hazard_class, Level(warning.level), Role(role))
            for channel in self.planner.names(rule) if rule else []:
                assert rule is not None
                total += await self.planner.cut_channel(
                    tx, warning, role, town, channel, rule, round_=round_, cause="resend", people=tuple(people),
                    before=self.planner.earlier(rule, channel),
                )  # fmt: skip
        return total

    async def living(self, tx: Tx, uid: str) -> Warning:
        """The warning, held against its end, if it lives; an all-clear cannot be steered."""
        await hold_audit(tx)
        warning = await find_warning(tx.conn, uid)
        if warning is None or warning.state != LIVING or warning.kind == "cancel":
            raise Unfit("only a warning that lives can be steered")
        await hold_warnings(tx, [warning.id])
        return warning
