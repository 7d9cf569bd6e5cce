"""Twilio's stand-in: the Messages resource, Twilio's magic numbers, and signed call-backs for each status.

https://www.twilio.com/docs/iam/test-credentials
"""

import base64
import hashlib
import hmac
import time
from collections import OrderedDict
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warnhub.simulate.carrier import Carrier, Faults

TO = {
    "+15005550001": (21211, "Invalid 'To' Phone Number: {}"),
    "+15005550002": (21612, "The 'To' phone number {} is not currently reachable"),
    "+15005550003": (21408, "Permission to send an SMS has not been enabled for the region of {}"),
    "+15005550004": (21610, "Attempt to send to unsubscribed recipient {}"),
    "+15005550009": (21614, "'To' number {} is not a valid mobile number"),
}
FROM = {
    "+15005550001": (21212, "The 'From' number {} is not a valid phone number"),
    "+15005550007": (21606, "The 'From' phone number {} is not valid"),
    "+15005550008": (21611, "This 'From' number {} has exceeded the maximum number of queued messages"),
}
ENDS = ("30003", "30005", "30006", "30008")
STOPS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"})
MEMORY = 5_000


class TwilioCarrier(Carrier):
    """One account. `reply_url` gets what people send back; with `shared_key` call-backs are signed the newer way."""

    name = "twilio"

    def __init__(
        self,
        account_sid: str = "AC" + "0" * 32,
        auth_token: str = "token",  # noqa: S107
        reply_url: str = "",
        shared_key_id: str = "",
        shared_key: str = "",
        faults: Faults | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__(faults, seed)
        self.account_sid, self.auth_token, self.reply_url = account_sid, auth_token, reply_url
        self.shared_key_id, self.shared_key = shared_key_id, shared_key
        self.messages: OrderedDict[str, dict[str, Any]] = OrderedDict()
        self.stopped: set[str] = set()

    def routes(self) -> list[Route]:
        """The resource, and a way to let a telephone answer."""
        path = "/2010-04-01/Accounts/{account}/Messages"
        return [
            Route(f"{path}.json", self.create, methods=["POST"]),
            Route(f"{path}.json", self.list, methods=["GET"]),
            Route(path + "/{sid}.json", self.fetch, methods=["GET"]),
            Route("/_sim/reply", self.reply, methods=["POST"]),
        ]

    def forget(self) -> None:
        """Lose everything."""
        super().forget()
        self.messages.clear()
        self.stopped.clear()

    def throttled(self, request: Request) -> Response:
        """429 with a second to wait."""
        return no(429, 20429, "Too Many Requests", {"retry-after": "1"})

    def failed(self, request: Request) -> Response:
        """503."""
        return no(503, 20503, "Service is unavailable. Please try again.")

    async def create(self, request: Request) -> Response:
        """Take one message, and plan its call-backs."""
        if early := await self.gate(request) or self.stranger(request):
            return early
        form = {name: str(value) for name, value in (await request.form()).items()}
        if refused := self.refusal(form):
            self.counts["refused"] += 1
            return no(429 if refused[0] == 21611 else 400, *refused)
        message = self.accept(form)
        for at, status in message["_plan"] if form.get("StatusCallback") else ():
            await self.report(message, form["StatusCallback"], status, at - time.time())
        return await self.settle(request, JSONResponse(shown(message), 201))

    def stranger(self, request: Request) -> Response | None:
        """The answer to a call without the account's credentials."""
        known = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {known}":
            return no(401, 20003, "Authenticate")
        if request.path_params["account"] != self.account_sid:
            return no(404, 20404, "The requested resource was not found")
        return None

    def refusal(self, form: Mapping[str, str]) -> tuple[int, str] | None:
        """Why a message is not taken."""
        to, sender, body = form.get("To", ""), form.get("From", ""), form.get("Body", "")
        if not sender and not form.get("MessagingServiceSid"):
            return 21603, "A 'From' phone number is required."
        if sender in FROM or to in TO:
            code, words = FROM.get(sender) or TO[to]
            return code, words.format(to if sender not in FROM else sender)
        if not to.startswith("+") or not to[1:].isdecimal():
            return 21211, f"Invalid 'To' Phone Number: {to}"
        if to in self.stopped:
            return 21610, f"Attempt to send to unsubscribed recipient {to}"
        if not body or len(body) > 1_600:
            return (21617, "The concatenated message body exceeds the 1600 character limit") if body else (21602, "no body")
        if not 1 <= int(form.get("ValidityPeriod", "36000")) <= 36_000:
            return 21621, "ValidityPeriod is not between 1 and 36000"
        return (21614, f"'To' number {to} is not a valid mobile number") if self.hit(self.faults.refuse) else None

    def accept(self, form: Mapping[str, str]) -> dict[str, Any]:
        """Keep a message, with the times at which its status will change."""
        now, sid, service = time.time(), f"SM{self.random.getrandbits(128):032x}", form.get("MessagingServiceSid")
        lost = self.hit(self.faults.undelivered)
        steps = [*(("queued",) if service else ()), "sending", "sent", "undelivered" if lost else "delivered"]
        message = {
            "sid": sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": form["Body"],
            "to": form["To"],
            "from": form.get("From"),
            "messaging_service_sid": service,
            "direction": "outbound-api",
            "num_segments": "0" if service else str(1 + len(form["Body"]) // 67),
            "num_media": "0",
            "_first": "accepted" if service else "queued",
            "_created": now,
            "_plan": [(now + self.faults.delay * (i + 1) / len(steps), step) for i, step in enumerate(steps)],
            "_code": self.random.choice(ENDS) if lost else "",
        }
        self.messages[sid] = message
        if len(self.messages) > MEMORY:
            self.messages.popitem(last=False)
        self.take(sid=sid, to=form["To"], body=form["Body"], validity=form.get("ValidityPeriod"))
        return message

    async def report(self, message: Mapping[str, Any], url: str, status: str, after: float) -> None:
        """Plan the call-back for one status."""
        form = {
            "AccountSid": self.account_sid,
            "ApiVersion": "2010-04-01",
            "From": message["from"] or "+15005550006",
            "To": message["to"],
            "MessageSid": message["sid"],
            "SmsSid": message["sid"],
            "MessageStatus": status,
            "SmsStatus": status,
        }
        if message["messaging_service_sid"]:
            form["MessagingServiceSid"] = message["messaging_service_sid"]
        if status == "undelivered":
            form |= {"ErrorCode": message["_code"]}
        if status in {"delivered", "undelivered"}:
            form |= {"RawDlrDoneDate": time.strftime("%y%m%d%H%M", time.gmtime())}
        await self.call_back(lambda http: self.post(http, url, form), after)

    async def post(self, http: httpx.AsyncClient, url: str, form: dict[str, str]) -> httpx.Response:
        """Post a signed form."""
        text = url + "".join(name + form[name] for name in sorted(form))
        key, kind = (self.shared_key, hashlib.sha256) if self.shared_key else (self.auth_token, hashlib.sha1)
        signature = base64.b64encode(hmac.new(key.encode(), text.encode(), kind).digest()).decode()
        headers = {"x-twilio-signature": signature}
        if self.shared_key:
            headers["x-twilio-webhooks-signature-settings"] = f"key={self.shared_key_id},algorithm=HMAC_SHA256"
        return await http.post(url, data=form, headers=headers)

    async def list(self, request: Request) -> Response:
        """The newest messages, by To and by DateSent (a day, or the days from one or up to one)."""
        if early := await self.gate(request) or self.stranger(request):
            return early
        query, size = request.query_params, int(request.query_params.get("PageSize", "50"))
        found = [m for m in reversed(self.messages.values()) if query.get("To") in (None, m["to"]) and dated(m, query)]
        page = {"messages": [shown(m) for m in found[:size]], "page": 0, "page_size": size, "next_page_uri": None}
        return JSONResponse(page | {"uri": request.url.path, "first_page_uri": request.url.path, "start": 0, "end": size})

    async def fetch(self, request: Request) -> Response:
        """One message."""
        if early := await self.gate(request) or self.stranger(request):
            return early
        message = self.messages.get(request.path_params["sid"])
        return JSONResponse(shown(message)) if message else no(404, 20404, "The requested resource was not found")

    async def reply(self, request: Request) -> Response:
        """Let the telephone `address` send `text`."""
        if not self.reply_url:
            return JSONResponse({"error": "no reply_url"}, 409)
        said = await request.json()
        if said["text"].strip().upper() in STOPS:
            self.stopped.add(said["address"])
        sid = f"SM{self.random.getrandbits(128):032x}"
        form = {"MessageSid": sid, "SmsMessageSid": sid, "SmsStatus": "received", "AccountSid": self.account_sid}
        form |= {"From": said["address"], "To": "+15005550006", "Body": said["text"], "NumMedia": "0", "NumSegments": "1"}
        await self.call_back(lambda http: self.post(http, self.reply_url, form), 0)
        return JSONResponse({"sid": sid})


def status_of(message: Mapping[str, Any], now: float) -> str:
    """Where a message stands."""
    return str(next((status for at, status in reversed(message["_plan"]) if at <= now), message["_first"]))


def sent_at(message: Mapping[str, Any], now: float) -> float | None:
    """When it left the queue; None if it has not."""
    return next((at for at, status in message["_plan"] if status == "sent" and at <= now), None)


def dated(message: Mapping[str, Any], query: Mapping[str, str]) -> bool:
    """Whether it left within the days of the query; one that still waits is in none."""
    asked = {sign: query[f"DateSent{sign}"][:10] for sign in ("", "<", ">") if f"DateSent{sign}" in query}
    sent = sent_at(message, time.time())
    if not asked or sent is None:
        return not asked
    day = time.strftime("%Y-%m-%d", time.gmtime(sent))
    return asked.get(">", day) <= day <= asked.get("<", day) and day == asked.get("", day)


def shown(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message as Twilio shows it."""
    now = time.time()
    status, sent = status_of(message, now), sent_at(message, now)
    return {name: value for name, value in message.items() if not name.startswith("_")} | {
        "status": status,
        "date_created": formatdate(message["_created"]),
        "date_updated": formatdate(now),
        "date_sent": formatdate(sent) if sent else None,
        "error_code": int(message["_code"]) if status == "undelivered" else None,
        "error_message": None,
        "price": None,
        "price_unit": None,
        "uri": f"/2010-04-01/Accounts/{message['account_sid']}/Messages/{message['sid']}.json",
        "subresource_uris": {},
    }


def no(status: int, code: int, words: str, headers: dict[str, str] | None = None) -> Response:
    """A refusal in Twilio's form."""
    body = {"code": code, "message": words, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}
    return JSONResponse(body, status, headers)
