"""Messages that the county itself would send, put before the desk. Nothing here ever leaves by itself: each is a pending
warning that waits for people, whatever the policy's green channel says of others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from warnhub.alert import Alert, Area, Code, Kind, Level, Original, Parameter, Reference, Scope, Status, Text
from warnhub.config import Settings
from warnhub.hazards import hazard_class
from warnhub.plan.audience import Places
from warnhub.plan.policy import Policy
from warnhub.store.agencies import COUNTY, ensure_county
from warnhub.store.alerts import add_alert, make_uid
from warnhub.store.audits import add_audit, add_event
from warnhub.store.engine import Tx
from warnhub.store.warnings import Warning, add_warning, warning_alert

LIFE = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Draft:
    """What would be said. `codes`: division codes; `people`: at least so many must release it; `drill`: its list."""

    hazard: str
    level: Level
    headline: str
    description: str
    instruction: str
    codes: Sequence[str]
    why: str
    people: int = 1
    drill: str | None = None
    life: timedelta = LIFE
    facts: Sequence[Parameter] = field(default=())
    scope: Scope = Scope.PUBLIC


@dataclass(slots=True)
class Proposer:
    """Puts drafts before the desk."""

    settings: Settings
    places: Places
    policies: dict[int, Policy]

    async def propose(self, tx: Tx, draft: Draft, actor: str) -> Warning:
        """A pending warning of the bureau's own."""
        now = datetime.fromtimestamp(tx.now / 1000, UTC)
        county = self.settings.county
        alert = Alert(
            identifier=make_uid("prop"),
            sender=county.bureau,
            sent=now,
            status=Status.EXERCISE if draft.drill else Status.ACTUAL,
            kind=Kind.ALERT,
            hazard=draft.hazard,
            level=draft.level,
            effective=now,
            expires=now + draft.life,
            areas=[self.area(draft.codes)],
            texts=[Text(headline=draft.headline, description=draft.description, instruction=draft.instruction)],
            parameters=list(draft.facts) + ([Parameter(name="drill", value=draft.drill)] if draft.drill else []),
            scope=draft.scope,
            restriction="值班人员 / duty only" if draft.scope is Scope.RESTRICTED else "",
            original=Original(form="desk", note=draft.why),
        )
        version = max(self.policies)
        needed = self.policies[version].release.people_needed(draft.level, certified=False)
        return await self.keep(tx, alert, version, max(1, needed, draft.people), draft.drill, actor, None, draft.why)

    async def propose_end(self, tx: Tx, old: Warning, why: str, actor: str) -> Warning:
        """A pending all-clear for a warning of the bureau's own, for whom that one told."""
        said = await warning_alert(tx.conn, old)
        now = datetime.fromtimestamp(tx.now / 1000, UTC)
        alert = said.model_copy(
            update={
                "identifier": make_uid("cancel"),
                "sent": now,
                "kind": Kind.CANCEL,
                "references": [Reference(identifier=said.identifier, sender=said.sender, sent=said.sent)],
                "effective": now,
                "onset": None,
                "expires": now + LIFE,
                "texts": [Text(headline=f"解除:{old.headline}", description=why)],
                "original": Original(form="desk", note=why),
            }
        )
        return await self.keep(tx, alert, old.policy, max(1, old.approvals), old.drill, actor, old.id, why)

    async def keep(
        self, tx: Tx, alert: Alert, version: int, people: int, drill: str | None, actor: str, previous: int | None, why: str
    ) -> Warning:
        """Write it down as pending."""
        await ensure_county(tx, self.settings.county.bureau)
        number, _ = await add_alert(tx, alert, COUNTY, "pending", b"", "application/json", [])
        made = await add_warning(
            tx,
            number,
            alert,
            policy=version,
            hazard_class=hazard_class(alert.hazard),
            agency_id=COUNTY,
            drill=drill,
            approvals=people,
            previous_id=previous,
        )
        await add_event(tx, made.id, "made", actor, {"state": "pending", "why": [why]})
        await add_audit(tx, actor, "warning.proposed", made.uid, {"why": why, "people": people})
        tx.wake("warning")
        return made

    def area(self, codes: Iterable[str]) -> Area:
        """Division codes as an area, with the names people know."""
        names = dict(zip(self.places.codes, self.places.ids, strict=True))
        given = sorted(set(codes))
        said = "、".join(self.places.names[names[code]] for code in given if code in names)
        return Area(name=said[:200], codes=[Code(value=code) for code in given])
