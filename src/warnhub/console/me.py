"""One's own account: the second factor, switched on with a code that proves it works, and the sessions that are open."""

import base64

import pyotp
import segno
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.store.sessions import close_others, list_sessions
from warnhub.store.users import drop_secret, keep_secret, take_step

ISSUER = "WarnHub"


def fresh_secret(visit: Visit) -> str:
    """The secret a session is offered: the same until it is taken, kept nowhere."""
    assert visit.session is not None
    material = visit.hub.keys.blind("totp", f"{visit.session.id} {visit.session.user.name}")
    return base64.b32encode(material + visit.hub.keys.blind("totp2", visit.session.id)[:4]).decode().rstrip("=")


def draw_code(uri: str) -> Markup:
    """The address of a secret as a QR code, dark on white by day and by night, with the margin that readers want."""
    code = segno.make(uri, micro=False, error="m")
    drawn = code.svg_inline(border=4, dark="#000", light="#fff", svgclass="qr", lineclass=None, omitsize=True)
    return Markup(drawn)  # noqa: S704 - paths and colours alone, by the library


async def show_me(visit: Visit, status: int = 200, trouble: str = "", done: str = "") -> Response:
    """The page."""
    assert visit.session is not None
    user = visit.session.user
    secret = "" if user.second else fresh_secret(visit)
    uri = pyotp.TOTP(secret).provisioning_uri(name=user.name, issuer_name=ISSUER) if secret else ""
    async with visit.hub.store.read() as conn:
        sessions = await list_sessions(conn, user.name, visit.now)
    shown = " ".join(secret[n : n + 4] for n in range(0, len(secret), 4))
    code = draw_code(uri) if uri else ""
    return visit.page("me.html", status, secret=shown, uri=uri, code=code, sessions=sessions, trouble=trouble, done=done)


async def change_me(visit: Visit) -> Response:
    """Switch the second factor on or off, or end the other sessions."""
    assert visit.session is not None
    act, user = visit.path.rpartition("/")[2], visit.session.user
    if act == "others":
        async with visit.hub.store.write() as tx:
            await close_others(tx, visit.session)
        return visit.go("/me")
    if act == "on":
        if user.second:
            raise HTTPException(409, "the second factor is on already")
        secret = fresh_secret(visit)
        step = valid_step(secret, visit.form.get("code", ""), visit.now)
        if step is None:
            return await show_me(visit, 422, say("second.wrong", visit.lang))
        async with visit.hub.store.write() as tx:
            await keep_secret(tx, visit.actor, user.name, visit.hub.keys.seal(secret), step)
        return visit.go("/me")
    if not await check_second(visit, user.name, visit.form.get("code", "")):
        return await show_me(visit, 422, say("second.wrong", visit.lang))
    async with visit.hub.store.write() as tx:
        await drop_secret(tx, visit.actor, user.name)
    return visit.go("/me")


def valid_step(secret: str, code: str, now: int) -> int | None:
    """The half minute a code is of, this one or a neighbour; None for a wrong code. `now`: milliseconds."""
    totp, plain = pyotp.TOTP(secret), "".join(code.split())
    current = now // 30_000
    return next(
        (step for step in (current, current - 1, current + 1) if pyotp.utils.strings_equal(plain, totp.generate_otp(step))),
        None,
    )


async def check_second(visit: Visit, name: str, code: str) -> bool:
    """Whether a code is this account's, of now, and was not used before."""
    async with visit.hub.store.write() as tx:
        return await take_step(tx, name, lambda sealed: valid_step(visit.hub.keys.unseal(sealed), code, tx.now))
