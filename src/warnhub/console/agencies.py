"""Partner agencies: what each may say, and its key, which is shown once."""

from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.alert import Level
from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.hazards import HazardClass
from warnhub.store.agencies import COUNTY, Agency, add_agency, disable_agency, list_agencies, rotate_key

PATH = "/agencies"
ACTS = ("add", "rotate", "disable")


async def show_agencies(visit: Visit, status: int = 200, trouble: str = "", key: str = "") -> Response:
    """The page; `key` is a new one, shown now and never again."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        agencies = [agency for agency in await list_agencies(conn) if agency.id != COUNTY]
    heads = (
        "agency.id",
        "agency",
        "agency.classes",
        "agency.areas",
        "agency.highest",
        "agency.green",
        "agency.key",
        "col.state",
    )
    rows = [agency_row(visit, agency) for agency in agencies]
    sheet = Sheet(say("menu.agencies", lang), trouble=trouble, lead=say("agency.lead", lang))
    if key:
        sheet.secret = (say("agency.key.new", lang), key)
    sheet.tables.append(Table(say("agency.all", lang), [*(say(head, lang) for head in heads), ""], rows))
    if visit.may("admin"):
        levels = {level.value: say(f"level.{level.value}", lang) for level in Level}
        classes = " ".join(HazardClass)
        fields = [
            Field("id", say("agency.id", lang), needed=True),
            Field("name", say("agency", lang), needed=True),
            Field("classes", say("agency.classes.help", lang, classes=classes)),
            Field("areas", say("agency.areas.help", lang)),
            Field("highest", say("agency.highest", lang), "red", levels),
            Field("release", say("agency.green", lang), "", {"": say("agency.green.never", lang)} | levels),
        ]
        sheet.acts.append(Act(say("agency.add", lang), f"{PATH}/add", fields, kind="primary", title=say("agency.add", lang)))
    return show(visit, sheet, status)


def agency_row(visit: Visit, agency: Agency) -> list[Cell]:
    """One agency."""
    lang = visit.lang
    everything = say("agency.everything", lang)
    state = Cell(say("user.off", lang), chip="late") if agency.disabled_at else Cell(say("user.on", lang), chip="done")
    acts = (("rotate", "agency.rotate"), ("disable", "user.disable")) if visit.may("admin") and not agency.disabled_at else ()
    green = say(f"level.{agency.release.value}", lang) if agency.release else say("agency.green.never", lang)
    return [
        Cell(agency.id),
        Cell(agency.name),
        Cell(" ".join(say(f"class.{one}", lang) for one in agency.classes) or everything),
        Cell(" ".join(visit.hub.places.title(code) for code in agency.areas) or everything),
        Cell(say(f"level.{agency.highest.value}", lang)),
        Cell(green),
        Cell(f"…{agency.key_tail}"),
        state,
        Cell("", forms=tuple((f"{PATH}/{act}", say(words, lang), {"id": agency.id}) for act, words in acts)),
    ]


async def change_agency(visit: Visit) -> Response:
    """A new agency, another key, or none any more."""
    act, id = visit.path.rpartition("/")[2], visit.form.get("id", "").strip()
    if act == "add":
        return await take_agency(visit, id)
    key = ""
    async with visit.hub.store.write() as tx:
        if act == "rotate":
            key = await rotate_key(tx, visit.actor, id) or ""
            if not key:
                raise HTTPException(404, "there is no such agency")
        elif not await disable_agency(tx, visit.actor, id):
            raise HTTPException(404, "there is no such agency, or it is disabled already")
    return await show_agencies(visit, key=key) if act == "rotate" else visit.go(PATH)


async def take_agency(visit: Visit, id: str) -> Response:
    """A new one."""
    lang, form = visit.lang, visit.form
    classes = form.get("classes", "").split()
    strange = [name for name in classes if name not in set(HazardClass)]
    if not id or not form.get("name", "").strip() or strange:
        words = say("agency.strange", lang, what=strange[0] if strange else id or "id")
        return await show_agencies(visit, 422, words)
    try:
        async with visit.hub.store.write() as tx:
            key = await add_agency(
                tx,
                visit.actor,
                id=id[:40],
                name=form["name"].strip()[:80],
                classes=classes,
                areas=form.get("areas", "").split(),
                highest=Level(form.get("highest", "red")),
                release=Level(form["release"]) if form.get("release") else None,
            )
    except (IntegrityError, ValueError):
        return await show_agencies(visit, 422, say("agency.taken", lang, what=id))
    return await show_agencies(visit, key=key)
