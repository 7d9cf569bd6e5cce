"""Assessment: is this agency allowed to say it, does it leave at once, and who has to agree. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from warnhub.alert import Alert, Gate, Kind, Problem, Status
from warnhub.hazards import hazard_class
from warnhub.plan.audience import Extent, code_prefix
from warnhub.plan.policy import Policy
from warnhub.store.agencies import Agency

DRILLED = {Status.EXERCISE, Status.TEST}


@dataclass(frozen=True, slots=True)
class Assessment:
    """`state`: released (leaves now), pending (people decide), held (people must look first), kept (never leaves).

    `people` is how many officers must agree; `reasons` says why it does not leave at once, for the page.
    """

    state: str
    people: int = 0
    reasons: list[str] = field(default_factory=list)


def check_scope(alert: Alert, agency: Agency, extent: Extent, codes: Sequence[str]) -> list[Problem]:
    """What of an alert is outside what the agency may say. `codes` are the division codes of the places it touches."""
    found: list[Problem] = []
    if agency.senders and alert.sender not in agency.senders:
        found.append(scope_problem("sender", "SENDER_NOT_YOURS", f"may sign as {', '.join(agency.senders)}", alert.sender))
    kind = hazard_class(alert.hazard)
    if agency.classes and kind not in agency.classes:
        found.append(scope_problem("hazard", "HAZARD_NOT_YOURS", f"may warn of {', '.join(agency.classes)}", alert.hazard))
    if alert.level.lane < agency.highest.lane:
        found.append(scope_problem("level", "LEVEL_NOT_YOURS", f"may warn up to {agency.highest}", alert.level))
    if agency.areas:
        prefixes = tuple(code_prefix(area) for area in agency.areas)
        strange = next((code for code in codes if not code.startswith(prefixes)), None)
        if strange is not None:
            found.append(scope_problem("areas", "AREA_NOT_YOURS", f"may warn {', '.join(agency.areas)}", strange))
    return found


def scope_problem(path: str, rule: str, message: str, value: str) -> Problem:
    """A refusal by scope."""
    return Problem(path=path, rule=rule, message=f"this agency {message}", value=value)


def assess_alert(
    alert: Alert,
    problems: Sequence[Problem],
    agency: Agency,
    policy: Policy,
    extent: Extent,
    unknown: Sequence[str],
    drill: str | None,
) -> Assessment:
    """Decide about an alert that is in scope. `unknown` are references nobody knows; `drill` is the list it would run with."""
    if alert.kind in {Kind.ACK, Kind.ERROR} or alert.status in {Status.SYSTEM, Status.DRAFT}:
        return Assessment("kept", reasons=[f"{alert.kind}/{alert.status}: 只留存,不发布 / kept, never dispatched"])
    reasons = [f"{p.path}: {p.message} ({p.value})" for p in problems if p.gate is Gate.HOLD]
    reasons += [f"引用的预警不存在: {name} / refers to an alert nobody knows" for name in unknown]
    if alert.kind in {Kind.UPDATE, Kind.CANCEL} and not alert.references:
        reasons.append("更新或解除没有引用原预警 / update or cancel without a reference")
    if extent.empty and alert.kind is not Kind.CANCEL:
        reasons.append("影响区域不在本县或无法定位 / its area is not in this county, or cannot be placed")
    if alert.status in DRILLED and drill is None:
        reasons.append("演练或测试消息,没有演练名单 / a drill without a list of participants")
    needed = policy.release.people_needed(alert.level, certified=agency.release is not None, green=agency.release)
    if reasons:
        return Assessment("held", max(1, needed), reasons)
    if needed:
        return Assessment("pending", needed, [f"需 {needed} 人签发 / {needed} to release"])
    return Assessment("released")
