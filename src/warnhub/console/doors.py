"""Coming in and going out."""

import secrets

from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console import sso
from warnhub.console.me import check_second
from warnhub.console.visit import COOKIE, Visit
from warnhub.store.audits import add_audit
from warnhub.store.sessions import close_session, open_session
from warnhub.store.users import User, read_user

EARLY = "warnhub_login"
"""The cookie that ties a login form to the browser it was given to."""

HOUR = 3_600


async def show_login(visit: Visit) -> Response:
    """The form; whoever is in goes on."""
    if visit.session:
        return visit.go("")
    return await login_page(visit)


async def login_page(visit: Visit, status: int = 200, trouble: str = "", wait: int = 0, name: str = "") -> Response:
    """The form, with what went wrong before."""
    early = visit.request.cookies.get(EARLY) or secrets.token_urlsafe(16)
    nonce = visit.hub.keys.form_nonce(early, await seconds_now(visit))
    going = inside(visit.form.get("next") or visit.request.query_params.get("next", ""))
    page = visit.page("login.html", status, nonce=nonce, trouble=trouble, wait=wait, name=name, next=going)
    page.set_cookie(EARLY, early, HOUR, **visit.cookie())
    return page


async def seconds_now(visit: Visit) -> int:
    """The database's clock."""
    async with visit.hub.store.read() as conn:
        return await visit.hub.store.now(conn) // 1_000


def inside(path: str) -> str:
    """A path of the console to go on to; "" for any that leads elsewhere."""
    plain = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if plain and len(path) < 200 else ""


async def log_in(visit: Visit) -> Response:
    """Check the password and open a session; too many wrong ones have to wait."""
    early = visit.request.cookies.get(EARLY, "")
    age = visit.hub.keys.nonce_age(early, visit.form.get("nonce", ""), await seconds_now(visit)) if early else None
    name = visit.form.get("name", "").strip()[:40]
    if age is None or not 0 <= age <= HOUR:
        return await login_page(visit, 403, "stale", name=name)
    wait = visit.console.guesses.wait(name, visit.address)
    if wait:
        return await login_page(visit, 429, "wait", wait, name)
    user = await visit.console.passwords.check(name, visit.form.get("password", ""))
    if user is None:
        await note_miss(visit, name)
        return await login_page(visit, 401, "wrong", name=name)
    if user.second and not await check_second(visit, user.name, visit.form.get("code", "")):
        await note_miss(visit, name)
        return await login_page(visit, 401, "second", name=name)
    visit.console.guesses.hit(name, visit.address)
    return await let_in(visit, user)


async def note_miss(visit: Visit, name: str) -> None:
    """A wrong password, for the limits and the audit. A name nobody has may be a password: it is not kept."""
    visit.console.guesses.miss(name, visit.address)
    async with visit.hub.store.write() as tx:
        known = await read_user(tx.conn, name)
        await add_audit(tx, "unknown", "user.login.refused", name if known else "", {"from": visit.address})


async def leave_for_provider(visit: Visit) -> Response:
    """On to the identity provider."""
    return await sso.leave(visit)


async def come_from_provider(visit: Visit) -> Response:
    """Back from it, with who they are."""
    response = await let_in(visit, await sso.come_back(visit))
    response.delete_cookie(sso.COOKIE, path=visit.console.base)
    return response


async def let_in(visit: Visit, user: User) -> Response:
    """A session and its cookie, and on to where they wanted to go."""
    hours = visit.hub.settings.session_hours
    async with visit.hub.store.write() as tx:
        key = await open_session(tx, user, hours, visit.address)
    response = visit.go(inside(visit.form.get("next", "")))
    response.set_cookie(COOKIE, key, int(hours * HOUR), **visit.cookie())
    response.delete_cookie(EARLY, path=visit.console.base)
    return response


async def log_out(visit: Visit) -> Response:
    """The session ends here and in the database."""
    if visit.session is None:
        raise HTTPException(403, "there is no session")
    async with visit.hub.store.write() as tx:
        await close_session(tx, visit.session)
    response = visit.go("/login")
    response.delete_cookie(COOKIE, path=visit.console.base)
    return response
