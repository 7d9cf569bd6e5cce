"""The dates of the hazard points: what should have been put right by now, or is to be looked at again, is asked of somebody.

What is asked follows from where the point stands, so that no start, crash or second node asks twice: a point that is due has
one open task, keyed by its last step and its date. The next step ends it. What those responsible say is done is asked of the
desk, since only the desk can take that step.
"""

from datetime import timedelta

from warnhub.response.patrol import first_keeper
from warnhub.store.assignments import DESK, Assignment, add_assignment, is_open
from warnhub.store.audits import add_audit
from warnhub.store.engine import Tx
from warnhub.store.points import OPEN, Point, close_idle, due_points, last_move

HOUR = int(timedelta(hours=1).total_seconds() * 1000)
WITHIN = {"now": HOUR, "day": 4 * HOUR, "planned": 24 * HOUR}
"""Milliseconds to answer for a deadline that has passed, by how soon it was to be put right."""
LOOK = 24 * HOUR
TITLES = {"found": "逾期未整改", "rectifying": "逾期未整改完", "rectified": "逾期未验收"}


async def call_due(tx: Tx) -> int:
    """Ask for what is due now, and no more for what is not; gives how many."""
    count = await close_idle(tx)
    for one in await due_points(tx.conn, tx.now):
        count += await ask(tx, one)
    return count


async def ask(tx: Tx, one: Point) -> bool:
    """One point's task: of those responsible; of the desk if nobody is known, has had their say, or it is the desk's turn."""
    late = one.state in OPEN
    at = one.due_at if late else one.recheck_at
    kind = "rectify" if late else "recheck"
    key = f"{kind}:{one.id}:{await last_move(tx.conn, one.id)}:{at}"
    keeper = None if one.state == "rectified" else await first_keeper(tx, one, None)
    title = f"{one.name}{TITLES[one.state] if late else '到期复查'}"
    due = tx.now + (WITHIN[one.urgency] if late else LOOK)
    theirs = Assignment(key, kind, title, "village_head", due, tx.now, "text", point=one.id, town=one.town_id, owner=keeper)
    desks = theirs._replace(key=f"{key}{DESK}", role="county_duty", town=None, owner=None)
    made = keeper is not None and await add_assignment(tx, theirs)
    if not made:
        if await is_open(tx.conn, key):
            return False  # another node has just asked
        made = await add_assignment(tx, desks)
    if made:
        await add_audit(
            tx, "policy", f"point.{kind}", one.ref, {"state": one.state, "at": at, "asked": keeper or "county_duty"}
        )
    return made
