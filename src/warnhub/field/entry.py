"""The second factor: whoever sees households shows that the telephone the link was sent to is theirs, by its last four digits.

Five wrong guesses for one person, or forty from one address, close it for a quarter of an hour; each is audited without the
digits. The pass is a signed cookie for this link alone, good for twelve hours.
"""

import hmac
from dataclasses import dataclass, field

from fastapi import Request
from sqlalchemy import text
from starlette.responses import Response

from warnhub.console.field import Visit
from warnhub.console.origin import origin_of
from warnhub.console.throttle import Clock, Window
from warnhub.crypto import KeyRing
from warnhub.store.audits import add_audit
from warnhub.store.engine import Store

COOKIE = "pass"
HOURS = 12
PERSON, ADDRESS = (5, 900.0), (40, 900.0)


@dataclass(slots=True)
class Entry:
    """Who may see names. `clock` gives seconds since 1970."""

    store: Store
    keys: KeyRing
    clock: Clock
    trusted: tuple[str, ...] = ()
    people: Window = field(init=False)
    addresses: Window = field(init=False)

    def __post_init__(self) -> None:
        self.people = Window(*PERSON, clock=self.clock)
        self.addresses = Window(*ADDRESS, clock=self.clock)

    def is_open(self, request: Request, visit: Visit) -> bool:
        """Whether this browser has shown it already."""
        given = request.cookies.get(COOKIE, "")
        return bool(given) and self.keys.check_pass(pass_name(visit), given, int(self.clock()))

    async def show(self, request: Request, visit: Visit, digits: str) -> str:
        """Judge four digits: "" if they are right, else what is wrong: busy, number (there is none), wrong."""
        address = origin_of(request, self.trusted)
        if self.people.full(visit.recipient) or self.addresses.full(address):
            return "busy"
        async with self.store.read() as conn:
            sealed = await conn.scalar(
                text("SELECT value FROM address WHERE recipient_id = :r AND channel = 'sms'"), {"r": visit.recipient}
            )
        number = self.keys.unseal(bytes(sealed)) if sealed is not None else ""
        if len(number) < 8:
            return "number"
        if hmac.compare_digest(number[-4:].encode(), digits.encode()):
            self.people.clear(visit.recipient)
            return ""
        self.people.mark(visit.recipient)
        self.addresses.mark(address)
        async with self.store.write() as tx:
            await add_audit(tx, "unknown", "pass.refused", f"recipient:{visit.recipient}", {"origin": visit.origin})
        return "wrong"

    def admit(self, response: Response, visit: Visit, path: str, secure: bool) -> Response:
        """Give the pass."""
        until = int(self.clock()) + HOURS * 3_600
        made = self.keys.make_pass(pass_name(visit), until)
        response.set_cookie(COOKIE, made, HOURS * 3_600, path=path, secure=secure, httponly=True, samesite="lax")
        return response


def pass_name(visit: Visit) -> str:
    """What a pass is for: one person by one link."""
    return f"field:{visit.token}"
