"""Accounts of the console: who may work here, as what, and who is in now."""

from starlette.exceptions import HTTPException
from starlette.responses import Response

from warnhub.console.sheets import Act, Cell, Field, Sheet, Table, number, show
from warnhub.console.strings import say
from warnhub.console.visit import Visit
from warnhub.store.sessions import close_sessions, count_sessions
from warnhub.store.users import (
    ROLES,
    AccountError,
    User,
    add_user,
    disable_user,
    drop_secret,
    enable_user,
    list_users,
    set_password,
    set_role,
)

PATH = "/users"


async def show_users(visit: Visit, status: int = 200, trouble: str = "") -> Response:
    """The page."""
    lang = visit.lang
    async with visit.hub.store.read() as conn:
        users, sessions = await list_users(conn), await count_sessions(conn, visit.now)
    heads = [say(key, lang) for key in ("login.name", "col.role", "user.scope", "user.second", "user.sessions", "col.state")]
    rows = [user_row(visit, user, sessions.get(user.name, 0)) for user in users]
    sheet = Sheet(say("menu.users", lang), trouble=trouble, lead=say("user.lead", lang))
    sheet.tables.append(Table(say("user.all", lang), [*heads, ""], rows))
    roles = {role: say(f"role.{role}", lang) for role in ROLES}
    names = [
        Field("name", say("login.name", lang), needed=True),
        Field("password", say("login.password", lang), kind="password"),
    ]
    scope = Field("scope", say("user.scope.help", lang))
    sheet.acts.append(
        Act(
            say("user.add", lang),
            f"{PATH}/add",
            [*names, Field("role", say("col.role", lang), "viewer", roles), scope],
            kind="primary",
            title=say("user.add", lang),
        )
    )
    known = {user.name: user.name for user in users}
    chosen = Field("name", say("login.name", lang), "", known)
    sheet.acts.append(
        Act(
            say("user.role.set", lang),
            f"{PATH}/role",
            [chosen, Field("role", say("col.role", lang), "viewer", roles), scope],
            title=say("user.role.set", lang),
            note=say("user.ends", lang),
        )
    )
    sheet.acts.append(
        Act(
            say("user.password.set", lang),
            f"{PATH}/password",
            [chosen, Field("password", say("user.password.new", lang), kind="password")],
            title=say("user.password.set", lang),
            note=say("user.ends", lang),
        )
    )
    return show(visit, sheet, status)


def user_row(visit: Visit, user: User, sessions: int) -> list[Cell]:
    """One account, with what can be done to it."""
    lang = visit.lang
    scope = visit.hub.places.title(user.scope) if user.role == "township" and user.scope else user.scope or ""
    state = Cell(say("user.off", lang), chip="late") if user.disabled_at else Cell(say("user.on", lang), chip="done")
    acts = [("logout", "user.logout")] if sessions else []
    acts += [("unsecond", "user.unsecond")] if user.second else []
    acts += [("enable", "user.enable")] if user.disabled_at else [("disable", "user.disable")]
    forms = tuple((f"{PATH}/{act}", say(words, lang), {"name": user.name}) for act, words in acts)
    second = Cell(say("user.second.on" if user.second else "user.second.off", lang), chip="done" if user.second else "")
    return [
        Cell(user.name, say("user.oidc", lang) if user.subject else ""),
        Cell(say(f"role.{user.role}", lang)),
        Cell(scope),
        second,
        number(sessions),
        state,
        Cell("", forms=forms if user.name != visit.name else ()),
    ]


async def change_user(visit: Visit) -> Response:
    """One change; every one is audited, with what was before."""
    act, name = visit.path.rpartition("/")[2], visit.form.get("name", "").strip()
    if name == visit.name and act in {"disable", "role"}:
        raise HTTPException(409, "nobody changes their own account's role, or closes it")
    try:
        async with visit.hub.store.write() as tx:
            if act == "add":
                given = {"name": name, "password": visit.form.get("password", ""), "role": visit.form.get("role", "")}
                await add_user(tx, visit.actor, **given, scope=visit.form.get("scope", "").strip() or None)
            elif act == "role":
                scope = visit.form.get("scope", "").strip() or None
                known = await set_role(tx, visit.actor, name, visit.form.get("role", ""), scope)
            elif act == "password":
                known = await set_password(tx, visit.actor, name, visit.form.get("password", ""))
            elif act == "logout":
                known = bool(await close_sessions(tx, visit.actor, name))
            else:
                change = {"disable": disable_user, "enable": enable_user, "unsecond": drop_secret}[act]
                known = await change(tx, visit.actor, name)
    except AccountError as error:
        return await show_users(visit, 422, str(error))
    if act != "add" and not known:
        raise HTTPException(404, "there is no such account")
    return visit.go(PATH)


ACTS = ("add", "role", "password", "logout", "disable", "enable", "unsecond")
