"""Twilio Voice's stand-in: the Calls resource, and telephones that are busy, not answered, answered by a machine, hung up,
heard to the end, or answered with a key; each call's end, each key and, beside the call, who answered it is called back, signed
as Twilio signs. A recording that a call is to play is fetched, and a call whose recording is not there ends.

What a number does is said by `POST /_sim/outcome` (`{"+86145…": "busy"}`, `*` for all others), else drawn from `mix`.
https://www.twilio.com/docs/voice/api/call-resource
"""

import asyncio
import base64
import hashlib
import hmac
import time
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import httpx
from lxml import etree
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warnhub.simulate.carrier import Carrier, Faults

TO = {
    "+15005550001": (21217, "Phone number {} does not appear to be valid"),
    "+15005550002": (21214, "{} cannot be reached"),
    "+15005550003": (21215, "Account not authorized to call {}"),
    "+15005550004": (21216, "Account not allowed to call {}"),
}
FROM = {"+15005550001": (21212, "Invalid From number {}")}
OUTCOMES: Mapping[str, tuple[str, int, str]] = {
    "busy": ("busy", 0, ""),
    "no-answer": ("no-answer", 0, ""),
    "failed": ("failed", 0, ""),
    "machine": ("completed", 24, "machine_start"),
    "hang-up": ("completed", 6, "human"),
    "heard": ("completed", 42, "human"),
    "press": ("completed", 33, "human"),
}
"""What a telephone does → (the call's status at its end, seconds, who answered). `press` may name a key: `press 3`."""

MIX = {"press": 0.6, "heard": 0.1, "hang-up": 0.05, "busy": 0.05, "no-answer": 0.15, "machine": 0.05}


class VoiceCarrier(Carrier):
    """One account with `lines` calls at once; `faults.delay` is how long a call takes, in seconds of the simulation."""

    name = "voice"

    def __init__(
        self,
        account_sid: str = "AC" + "0" * 32,
        auth_token: str = "token",  # noqa: S107
        lines: int = 1_000,
        mix: Mapping[str, float] = MIX,
        faults: Faults | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__(faults, seed)
        self.account_sid, self.auth_token, self.lines, self.mix = account_sid, auth_token, lines, dict(mix)
        self.outcomes: dict[str, str] = {}
        self.calls: dict[str, dict[str, Any]] = {}
        self.busy = self.most_busy = 0

    def routes(self) -> list[Route]:
        """The resource, and what telephones do."""
        path = "/2010-04-01/Accounts/{account}/Calls"
        return [
            Route(f"{path}.json", self.create, methods=["POST"]),
            Route(f"{path}.json", self.list, methods=["GET"]),
            Route(path + "/{sid}.json", self.change, methods=["POST"]),
            Route("/_sim/outcome", self.decide, methods=["POST"]),
        ]

    def forget(self) -> None:
        """Lose everything."""
        super().forget()
        self.outcomes.clear()
        self.calls.clear()

    def throttled(self, request: Request) -> Response:
        """429 with a second to wait."""
        return no(429, 20429, "Too Many Requests", {"retry-after": "1"})

    def failed(self, request: Request) -> Response:
        """503."""
        return no(503, 20503, "Service is unavailable. Please try again.")

    def stranger(self, request: Request) -> Response | None:
        """The answer to a call without the account's credentials."""
        known = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {known}":
            return no(401, 20003, "Authenticate")
        if request.path_params["account"] != self.account_sid:
            return no(404, 20404, "The requested resource was not found")
        return None

    async def decide(self, request: Request) -> Response:
        """What numbers do from now on."""
        said = await request.json()
        if not isinstance(said, dict) or any(str(one).partition(" ")[0] not in OUTCOMES for one in said.values()):
            return JSONResponse({"error": f"number → one of {', '.join(OUTCOMES)}"}, 422)
        self.outcomes |= said
        return JSONResponse(self.outcomes)

    def outcome_of(self, number: str) -> str:
        """What this telephone does."""
        said = self.outcomes.get(number) or self.outcomes.get("*")
        return said or self.random.choices(list(self.mix), list(self.mix.values()))[0]

    async def create(self, request: Request) -> Response:
        """Take one call, and let the telephone do what it does."""
        if early := await self.gate(request) or self.stranger(request):
            return early
        form = await request.form()
        values = {name: str(form[name]) for name in form}
        if refused := self.refusal(values):
            self.counts["refused"] += 1
            return no(429 if refused[0] == 10004 else 400, *refused)
        sid = f"CA{self.random.getrandbits(128):032x}"
        call = {"sid": sid, "to": values["To"], "from": values["From"], "status": "queued", "ended": asyncio.Event()}
        call |= {"date_created": formatdate(time.time()), "duration": None, "answered_by": None}
        self.calls[sid] = call
        self.take(sid=sid, to=values["To"], twiml=values.get("Twiml", ""), machines="MachineDetection" in values)
        self.busy += 1
        self.most_busy = max(self.most_busy, self.busy)
        self.spawn(self.play(call, values, self.outcome_of(values["To"])))
        return await self.settle(request, JSONResponse(self.shown(call), 201))

    def refusal(self, form: Mapping[str, str]) -> tuple[int, str] | None:
        """Why a call is not made."""
        to, sender, script = form.get("To", ""), form.get("From", ""), form.get("Twiml", "")
        if sender in FROM or not sender:
            return (FROM[sender][0], FROM[sender][1].format(sender)) if sender else (21213, "'From' is required")
        if to in TO:
            return TO[to][0], TO[to][1].format(to)
        if not to.startswith("+") or not to[1:].isdecimal():
            return 21211, f"Invalid 'To' Phone Number: {to}"
        if not script or len(script) > 4_000 or say_of(script) is None or form.get("AsyncAmd", "true") != "true":
            return 21218, "the document is missing, too long or not TwiML"
        if self.busy >= self.lines:
            return 10004, "Call concurrency limit exceeded"
        return (21216, f"Account not allowed to call {to}") if self.hit(self.faults.refuse) else None

    async def play(self, call: dict[str, Any], form: Mapping[str, str], outcome: str) -> None:
        """One call, from ringing to its end."""
        kind, _, key = outcome.partition(" ")
        status, seconds, answered = OUTCOMES[kind]
        if answered and not await self.listen(call, form, answered):
            seconds = 0
        try:
            async with asyncio.timeout(self.faults.delay / 2):
                await call["ended"].wait()
        except TimeoutError:
            if kind == "press":
                await self.press(call, form, key or "1")
            await asyncio.sleep(self.faults.delay / 2)
        if call["ended"].is_set():
            status, seconds = ("completed", 3) if answered else ("canceled", 0)
        call |= {"status": status, "duration": str(seconds), "answered_by": answered if "MachineDetection" in form else None}
        self.busy -= 1
        self.counts[kind] += 1
        if url := form.get("StatusCallback"):
            told = self.told(call, status) | {"CallDuration": str(seconds), "CallbackSource": "call-progress-events"}
            told |= {"AnsweredBy": answered} if answered and "MachineDetection" in form and "AsyncAmd" not in form else {}
            await self.call_back(lambda http: self.post(http, url, told), 0)

    async def listen(self, call: dict[str, Any], form: Mapping[str, str], answered: str) -> bool:
        """Somebody, or something, takes the call: who it was is told beside it, and what it plays is fetched; False if there is
        nothing to play."""
        assert self.http is not None
        if form.get("AsyncAmd") == "true" and (url := form.get("AsyncAmdStatusCallback")):
            told = self.told(call, "in-progress") | {"AnsweredBy": answered, "MachineDetectionDuration": "3200"}
            await self.call_back(lambda http: self.post(http, url, told), 0)
        for recording in plays_of(form["Twiml"]):
            try:
                got = await self.http.get(recording)
            except httpx.HTTPError:
                return False
            self.counts["played" if got.is_success and got.content[:4] == b"RIFF" else "unplayable"] += 1
            if not got.is_success:
                return False
            call["heard"] = len(got.content)
        return True

    async def press(self, call: dict[str, Any], form: Mapping[str, str], digit: str) -> None:
        """The person presses a key; what they are told then is kept."""
        action = action_of(form["Twiml"])
        assert self.http is not None
        if action:
            told = self.told(call, "in-progress") | {"Digits": digit, "FinishedOnKey": "", "msg": "Gather End"}
            try:
                call["said"] = (await self.post(self.http, action, told)).text
            except httpx.HTTPError:
                self.counts["callbacks_lost"] += 1

    def told(self, call: Mapping[str, Any], status: str) -> dict[str, str]:
        """What every call-back has."""
        return {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "CallSid": call["sid"],
            "CallStatus": status,
            "Direction": "outbound-api",
            "From": call["from"],
            "To": call["to"],
        }

    async def list(self, request: Request) -> Response:
        """The newest calls to a number and from a caller."""
        if early := await self.gate(request) or self.stranger(request):
            return early
        query, size = request.query_params, int(request.query_params.get("PageSize", "50"))
        wanted = {"to": query.get("To"), "from": query.get("From"), "status": query.get("Status")}
        found = [c for c in reversed(self.calls.values()) if all(value in (None, c[name]) for name, value in wanted.items())]
        following = f"{request.url.path}?Page=1" if len(found) > size else None
        page = {"calls": [self.shown(call) for call in found[:size]], "page": 0, "page_size": size}
        return JSONResponse(page | {"uri": request.url.path, "next_page_uri": following, "start": 0, "end": size})

    async def change(self, request: Request) -> Response:
        """Hang up."""
        if early := await self.gate(request) or self.stranger(request):
            return early
        call = self.calls.get(request.path_params["sid"])
        if call is None:
            return no(404, 20404, "The requested resource was not found")
        if call["status"] != "queued":
            return no(400, 21220, "Call is not in-progress. Cannot redirect.")
        call["ended"].set()
        return JSONResponse(self.shown(call))

    def shown(self, call: Mapping[str, Any]) -> dict[str, Any]:
        """A call as Twilio shows it."""
        keep = ("sid", "to", "from", "status", "date_created", "duration", "answered_by")
        return {name: call[name] for name in keep} | {"account_sid": self.account_sid, "direction": "outbound-api"}

    async def post(self, http: httpx.AsyncClient, url: str, form: dict[str, str]) -> httpx.Response:
        """Post a signed form."""
        text = url + "".join(name + form[name] for name in sorted(form))
        signature = base64.b64encode(hmac.new(self.auth_token.encode(), text.encode(), hashlib.sha1).digest()).decode()
        return await http.post(url, data=form, headers={"x-twilio-signature": signature})


def tree_of(script: str) -> Any:
    """A TwiML document; None for what is none."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        root = etree.fromstring(script.encode(), parser)
    except etree.XMLSyntaxError:
        return None
    return root if root.tag == "Response" else None


def say_of(script: str) -> str | None:
    """All a document says; None if it is none."""
    root = tree_of(script)
    return None if root is None else "".join(root.itertext()).strip()


def action_of(script: str) -> str:
    """Where the first key of a document goes."""
    root = tree_of(script)
    found = root.find("Gather") if root is not None else None
    return str(found.get("action", "")) if found is not None else ""


def plays_of(script: str) -> list[str]:
    """The recordings a document plays, each once."""
    root = tree_of(script)
    return [] if root is None else sorted({str(one.text).strip() for one in root.iter("Play")})


def no(status: int, code: int, words: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal in Twilio's form."""
    body = {"code": code, "message": words, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    return JSONResponse(body, status, headers)
