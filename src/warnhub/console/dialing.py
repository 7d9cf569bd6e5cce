"""Somebody's whole number, for the one call an officer is about to make: asked for person by person, kept in the audit, shown
on the answer to that form and nowhere else."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.details import number as read_number
from warnhub.console.directory import read_person, show_entry
from warnhub.console.mine import find_mine, find_part, part_of, show_town_person
from warnhub.console.people import find_person, person_page
from warnhub.console.visit import Visit
from warnhub.store.audits import add_audit
from warnhub.store.recipients import find_number


async def reveal(visit: Visit, recipient: int, ref: str, subject: str) -> str:
    """The number in E.164, once the audit says who asked for whose; "" where there is none. No number is written anywhere."""
    async with visit.hub.store.write() as tx:
        sealed = await find_number(tx.conn, recipient)
        if sealed is None:
            return ""
        await add_audit(tx, visit.actor, "person.number_shown", subject, {"person": ref})
    return visit.hub.keys.unseal(sealed)


async def show_number(visit: Visit) -> Response:
    """Of somebody who was told of a warning."""
    scene, who = await find_person(visit)
    shown = await reveal(visit, who.recipient, who.ref, scene.warning.uid)
    return await person_page(visit, scene, who, dial=shown or "none")


async def show_known(visit: Visit) -> Response:
    """Of somebody in the directory."""
    async with visit.hub.store.read() as conn:
        who = await read_person(conn, read_number(visit.argument("person")) or 0)
    if who is None or who.kind != "person":
        raise HTTPException(404, "nobody like that is in the directory")
    return await show_entry(visit, dial=await reveal(visit, who.id, who.ref, who.ref) or "none")


async def show_own(visit: Visit) -> Response:
    """Of somebody in the township's own part whom a warning asks; 404 for everybody else."""
    part = part_of(visit)
    warning = await find_part(visit, part)
    who = await find_mine(visit, part, warning)
    return await show_town_person(visit, dial=await reveal(visit, who.recipient, who.ref, warning.uid) or "none")


ROUTES = (
    ("POST", "/warnings/{uid}/people/{person}/number", "duty", show_number),
    ("POST", "/directory/people/{person}/number", "duty", show_known),
    ("POST", "/own/{uid}/{person}/number", "township", show_own),
)
