"""What others may read without a key, and the forms in which an alert leaves."""

from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

from fastapi import APIRouter, Request, Response

from warnhub.alert import Problem
from warnhub.api.auth import CallerDep, HubDep, bearer, get_caller
from warnhub.desk import Refusal
from warnhub.hub import Hub
from warnhub.publish.cap import MEDIA, Unwritable
from warnhub.publish.national import file_name, write_national
from warnhub.publish.outlet import Document, issue_of
from warnhub.store.agencies import read_agency
from warnhub.store.alerts import Kept, read_alert
from warnhub.store.public import is_public

router = APIRouter(tags=["feeds"])
BOTH = ["GET", "HEAD"]
MEDIAS = {"atom": "application/atom+xml", "rss": "application/rss+xml"}
SOON = "public, max-age=5"
LATER = "public, max-age=300"


@router.api_route("/feeds/cap.{form}", methods=BOTH, include_in_schema=False)
async def get_feed(form: str, request: Request, hub: HubDep) -> Response:
    """The living public alerts, as Atom or RSS."""
    if form not in MEDIAS:
        raise Refusal(404, "there is no such feed")
    return deliver(request, await hub.outlet.feed(form), MEDIAS[form], SOON)


@router.get("/v1/alerts/{uid}.cap", response_model=None, response_class=Response, tags=["alerts"])
async def get_cap(uid: str, request: Request, hub: HubDep) -> Response:
    """An alert as OASIS CAP 1.2. One that was told to the public needs no key."""
    async with hub.store.read() as conn:
        kept = await read_alert(conn, uid)
        public = kept is not None and await is_public(conn, kept.id)
    if not public:
        await refuse_stranger(request, hub, kept)
    assert kept is not None
    async with hub.store.read() as conn:
        try:
            document = await hub.outlet.cap(conn, kept)
        except Unwritable as error:
            raise unwritable(error) from error
    return deliver(request, document, MEDIA, LATER if public else "private, no-store")


@router.get("/v1/alerts/{uid}.national", response_model=None, response_class=Response, tags=["alerts"])
async def get_national(uid: str, hub: HubDep, caller: CallerDep) -> Response:
    """An alert in the national profile (国突), under its file name, for the upper level's system."""
    async with hub.store.read() as conn:
        kept = await read_alert(conn, uid)
        if kept is None or (caller.agency and kept.agency != caller.agency.id):
            raise Refusal(404, "there is no such alert")
        agency = await read_agency(conn, kept.agency)
        code = hub.settings.office_code or f"{hub.settings.county.code}00000000"
        issue = await issue_of(conn, kept, code, agency.name if agency else kept.alert.sender)
    try:
        body = write_national(kept.alert, issue)
    except Unwritable as error:
        raise unwritable(error) from error
    named = f'attachment; filename="{file_name(kept.alert, issue)}"'
    return Response(body, media_type="application/xml", headers={"content-disposition": named, "cache-control": "no-store"})


async def refuse_stranger(request: Request, hub: Hub, kept: Kept | None) -> None:
    """404 for whoever may not see it; to nobody is said that it is there."""
    missing = Refusal(404, "there is no such alert")
    if not bearer(request):
        raise missing
    caller = await get_caller(request, hub)
    if kept is None or (caller.agency and kept.agency != caller.agency.id):
        raise missing


def unwritable(error: Unwritable) -> Refusal:
    """409: the form has no words for it."""
    return Refusal(409, "this alert cannot be said in that form", [Problem(path="", rule="UNWRITABLE", message=str(error))])


def deliver(request: Request, document: Document, media: str, keep: str) -> Response:
    """The document, or 304 to who has it already."""
    changed = datetime.fromtimestamp(document.changed // 1000, UTC)
    headers = {"etag": document.etag, "last-modified": format_datetime(changed, usegmt=True), "cache-control": keep}
    if is_known(request, document.etag, changed):
        return Response(status_code=304, headers=headers)
    return Response(document.body, media_type=media, headers=headers)


def is_known(request: Request, etag: str, changed: datetime) -> bool:
    """Whether the caller has this very document: by its tag, else by its time (RFC 9110, 13.2.2)."""
    tags = request.headers.get("if-none-match")
    if tags is not None:
        return "*" in tags or etag in [one.strip().removeprefix("W/") for one in tags.split(",")]
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except ValueError:
        return False
    return since.tzinfo is not None and changed <= since
