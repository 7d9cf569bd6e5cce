"""The console's pages: each address, who may open it, and the page behind it."""

import contextlib
from collections.abc import Awaitable, Callable

import structlog
from fastapi import APIRouter, Request
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console import (
    accounts,
    agencies,
    compose,
    decisions,
    details,
    dialing,
    directory,
    doors,
    faults,
    holds,
    ledgers,
    lines,
    lists,
    marks,
    me,
    mine,
    opinions,
    people,
    policies,
    relief,
    reports,
    roster,
    search,
    steer,
    stream,
    unwoken,
    watch,
    works,
)
from warnhub.console.assets import serve_asset
from warnhub.console.hub import Hub
from warnhub.console.visit import Console, Visit
from warnhub.desk import Refusal
from warnhub.store.engine import TROUBLE, is_away

log = structlog.get_logger(__name__)
Page = Callable[[Visit], Awaitable[Response]]


async def show_asset(visit: Visit) -> Response:
    """Style, script, icon."""
    response = serve_asset(visit.argument("name"), visit.request.headers.get("accept-encoding", ""))
    if response is None:
        raise HTTPException(404, "there is no such file")
    return response


async def lose_way(visit: Visit) -> Response:
    """Any other address; the console's own with a stroke too many leads to it."""
    if visit.request.method == "GET" and not visit.argument("rest"):
        return visit.go("")
    raise HTTPException(404, "there is no such page")


OPEN = ""
"""No session is needed."""

ANYBODY = "anybody"
"""Any session, also of a role that sees one part only."""

HOMES = {"agency": mine.AGENCY, "township": mine.TOWN}
"""Where those begin who see one part only."""

WARNING = "/warnings/{uid}"
ROUTES: tuple[tuple[str, str, str, Page], ...] = (
    ("GET", "/static/{name}", OPEN, show_asset),
    ("GET", "/login", OPEN, doors.show_login),
    ("POST", "/login", OPEN, doors.log_in),
    ("GET", "/login/sso", OPEN, doors.leave_for_provider),
    ("GET", "/login/sso/back", OPEN, doors.come_from_provider),
    ("POST", "/logout", ANYBODY, doors.log_out),
    ("GET", "", "viewer", lists.show_list),
    ("GET", "/stream", OPEN, stream.stream_list),
    ("GET", "/wall", "viewer", lists.show_wall),
    ("GET", "/wall/stream", OPEN, stream.stream_wall),
    ("GET", WARNING, "viewer", details.show_warning),
    ("GET", WARNING + "/stream", OPEN, stream.stream_warning),
    ("GET", WARNING + "/people/{person}", "viewer", people.show_person),
    ("POST", WARNING + "/people/{person}", "duty", people.take_word),
    ("GET", WARNING + "/photos/{proof}", "duty", people.show_photo),
    ("GET", "/held", "viewer", holds.show_holds),
    ("GET", WARNING + "/settle", "duty", holds.ask_settle),
    ("POST", WARNING + "/settle", "duty", holds.do_settle),
    ("GET", WARNING + "/attachments/{number}", "viewer", holds.send_attachment),
    ("GET", WARNING + "/faults", "viewer", faults.show_faults),
    ("GET", WARNING + "/speech", "viewer", steer.show_speech),
    *(("GET", f"{WARNING}/{act}", "duty", steer.ask_steer) for act in steer.ACTS),
    *(("POST", f"{WARNING}/{act}", "duty", steer.do_steer) for act in steer.ACTS),
    ("GET", WARNING + "/release", "duty", decisions.ask_release),
    ("POST", WARNING + "/release", "duty", decisions.do_release),
    ("GET", WARNING + "/reject", "duty", decisions.ask_reject),
    ("POST", WARNING + "/reject", "duty", decisions.do_reject),
    ("GET", WARNING + "/cancel", "duty", decisions.ask_cancel),
    ("POST", WARNING + "/cancel", "duty", decisions.do_cancel),
    *relief.ROUTES,
    *works.ROUTES,
    *marks.ROUTES,
    *watch.ROUTES,
    *opinions.ROUTES,
    *roster.ROUTES,
    *unwoken.ROUTES,
    *dialing.ROUTES,
    ("GET", "/me", ANYBODY, me.show_me),
    *(("POST", f"/me/{act}", ANYBODY, me.change_me) for act in ("on", "off", "others")),
    ("GET", "/compose", "duty", compose.show_compose),
    ("POST", "/compose", "duty", compose.take_draft),
    ("GET", "/drills", "viewer", lines.show_drills),
    ("POST", "/drills/add", "duty", lines.add_drill),
    ("GET", "/directory", "viewer", directory.show_directory),
    ("GET", "/directory/people/{person}", "viewer", directory.show_entry),
    ("POST", "/directory/people/{person}", "duty", directory.take_number),
    ("GET", "/search", "viewer", search.show_search),
    ("GET", "/policy", "viewer", policies.show_policy),
    ("POST", "/policy", "admin", policies.change_policy),
    ("GET", "/agencies", "viewer", agencies.show_agencies),
    *(("POST", f"/agencies/{act}", "admin", agencies.change_agency) for act in agencies.ACTS),
    ("GET", "/channels", "viewer", lines.show_channels),
    ("POST", "/channels/close", "duty", lines.close_stop),
    ("GET", "/users", "admin", accounts.show_users),
    *(("POST", f"/users/{act}", "admin", accounts.change_user) for act in accounts.ACTS),
    ("GET", "/reports", "viewer", reports.show_reports),
    ("GET", "/reports/warnings/{uid}", "viewer", reports.show_warning_report),
    ("GET", "/reports/warnings/{uid}/export/{kind}", "viewer", reports.export_report),
    ("GET", "/reports/quarters/{period}", "viewer", reports.show_period_report),
    ("GET", "/reports/quarters/{period}/export/{kind}", "viewer", reports.export_report),
    ("GET", "/reports/years/{period}", "viewer", reports.show_period_report),
    ("GET", "/reports/years/{period}/export/{kind}", "viewer", reports.export_report),
    ("GET", "/audit", "viewer", ledgers.show_audit),
    ("POST", "/audit/verify", "viewer", ledgers.check_audit),
    ("GET", "/mine", "agency", mine.show_agency),
    ("GET", "/mine/{uid}", "agency", mine.show_agency_warning),
    ("GET", "/own", "township", mine.show_town),
    ("GET", "/own/{uid}", "township", mine.show_town_warning),
    ("GET", "/own/{uid}/{person}", "township", mine.show_town_person),
    ("POST", "/own/{uid}/{person}", "township", mine.take_town_word),
    ("GET", "/{rest:path}", OPEN, lose_way),
    ("POST", "/{rest:path}", OPEN, lose_way),
)


async def serve(console: Console, request: Request, role: str, page: Page) -> Response:
    """One request, from the door to the answer. Whatever goes wrong ends on a page that says what to do.

    A page whose connection to the database is lost is read once more; a form is not sent twice by us.
    """
    try:
        return await attempt(console, request, role, page)
    except TROUBLE as error:
        if not is_away(error):
            raise
        log.warning("store.away", path=request.url.path, error=type(error).__name__)
    if request.method == "GET":
        with contextlib.suppress(*TROUBLE):
            return await attempt(console, request, role, page)
    visit = Visit(console, request)
    return visit.dress(visit.sorry(503))


async def attempt(console: Console, request: Request, role: str, page: Page) -> Response:
    """The same, once. Raises what a database does that is away."""
    visit = Visit(console, request)
    try:
        await visit.enter()
        if role and visit.session is None:
            return visit.dress(visit.to_login())
        if request.method == "POST":
            await visit.read_post(checked=bool(role))
        if role == "viewer" and not visit.path and visit.session and visit.session.user.role in HOMES:
            return visit.dress(visit.go(HOMES[visit.session.user.role]))
        if role and role != ANYBODY and not visit.may(role):
            raise HTTPException(403, f"this takes the role {role} or above")
        response = await page(visit)
        if request.method == "POST":
            console.forget(visit.argument("uid"))
    except HTTPException as error:
        response = visit.sorry(error.status_code, str(error.detail))
    except Refusal as error:
        response = visit.sorry(error.status, error.title)
    except Exception as error:
        if is_away(error):
            raise
        log.error("console.failed", path=request.url.path, error=type(error).__name__, exc_info=error)
        response = visit.sorry(500)
    return visit.dress(response)


def make_router(hub: Hub) -> APIRouter:
    """Everything under /console."""
    router = APIRouter(prefix="/console", include_in_schema=False)
    console = Console(hub)
    for method, path, role, page in ROUTES:
        router.add_api_route(path, make_endpoint(console, role, page), methods=[method], response_model=None)
    return router


def make_endpoint(console: Console, role: str, page: Page) -> Callable[[Request], Awaitable[Response]]:
    """A page as the framework wants it."""

    async def endpoint(request: Request) -> Response:
        return await serve(console, request, role, page)

    return endpoint
