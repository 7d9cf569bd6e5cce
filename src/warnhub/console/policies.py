"""The policy at the desk: who is told how, as a table; its text, with what a change would mean before it is kept."""

from sqlalchemy import text
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.alert import Level
from warnhub.console.details import number as read_number
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.hazards import HazardClass
from warnhub.plan.changes import diff_policies, explain_texts
from warnhub.plan.loading import PolicyError, read_policy
from warnhub.plan.policy import Policy, match_rule
from warnhub.roles import Role
from warnhub.store.policies import add_policy, newest_policy

LONGEST = 120_000


def table_of(policy: Policy, hazard: HazardClass) -> list[tuple[Role, list[tuple[Level, list[str], float, bool]]]]:
    """Each role's channels, and seconds to confirm in, at each level, for one class of hazards."""
    rows = []
    for role in Role:
        cells = []
        for level in Level:
            rule = match_rule(policy, hazard, level, role)
            within = rule.confirm.within.total_seconds() if rule and rule.confirm else 0.0
            cells.append(
                (
                    level,
                    [channel.value for channel in rule.channels] if rule else [],
                    within,
                    bool(rule and rule.mode == "first"),
                )
            )
        if any(channels for _, channels, *_ in cells):
            rows.append((role, cells))
    return rows


async def show_policy(
    visit: Visit, status: int = 200, trouble: str = "", written: str = "", changes: list[str] | None = None
) -> Response:
    """The page. `?version=` shows an earlier one beside the one in force."""
    version, current = await newest_policy(visit.hub.store)
    asked = read_number(visit.request.query_params.get("version", ""))
    async with visit.hub.store.read() as conn:
        versions = (
            await conn.execute(text("SELECT version, author, note, at FROM policy ORDER BY version DESC LIMIT 30"))
        ).all()
        earlier = await conn.scalar(text("SELECT text FROM policy WHERE version = :v"), {"v": asked}) if asked else None
    if asked and earlier is None:
        raise HTTPException(404, "there is no such version")
    named = visit.request.query_params.get("hazard", HazardClass.METEOROLOGICAL.value)
    hazard = HazardClass(named) if named in set(HazardClass) else HazardClass.METEOROLOGICAL
    policy = read_policy(current)
    return visit.page(
        "policy.html",
        status,
        version=version,
        written=written or current,
        policy=policy,
        rows=table_of(policy, hazard),
        hazard_class=hazard,
        classes=list(HazardClass),
        levels=list(Level),
        versions=versions,
        trouble=trouble,
        changes=changes,
        diff=diff_policies(current, written) if written else diff_policies(earlier, current) if earlier else [],
        earlier=asked,
    )


async def change_policy(visit: Visit) -> Response:
    """First shows what would change and for whom; kept only when that was seen, with a note, on top of the same version."""
    written = visit.form.get("text", "").replace("\r\n", "\n").strip() + "\n"
    version, current = await newest_policy(visit.hub.store)
    if len(written) > LONGEST:
        raise HTTPException(413, "the policy is too long")
    try:
        changes = explain_texts(current, written)
    except PolicyError as error:
        return await show_policy(visit, 422, str(error), written)
    seen = visit.form.get("seen") == str(version) and visit.form.get("was", "") == written
    note = visit.form.get("note", "").strip()[:200]
    if not seen or not note:
        trouble = say("policy.note.needed", visit.lang) if seen else ""
        return await show_policy(visit, 422 if seen else 200, trouble, written, changes)
    async with visit.hub.store.write() as tx:
        newest = await tx.conn.scalar(text("SELECT max(version) FROM policy"))
        if newest != version:
            raise HTTPException(409, "somebody has changed the policy meanwhile")
        await add_policy(tx, written, visit.actor, note)
    return visit.go("/policy")
