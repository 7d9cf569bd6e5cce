"""A WeChat service account's stand-in: stable token, template messages, and the events it posts to the account's server.

What an openid begins with decides what becomes of it (`FATES`, `ENDS`); every other one gets its message.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warnhub.simulate.carrier import Carrier, Faults
from warnhub.simulate.envelope import Envelope

FATES = {
    "o-invalid": (40003, "invalid openid"),
    "o-unfollowed": (43004, "require subscribe"),
    "o-refused": (43101, "user refuse to accept the msg"),
    "o-often": (43117, "send too frequently"),
}
ENDS = {"o-blocked": "failed:user block", "o-system": "failed: system failed"}
WORDS = {
    40001: "invalid credential, access_token is invalid or not latest",
    40013: "invalid appid",
    40037: "invalid template_id",
    40125: "invalid appsecret",
    41001: "access_token missing",
    42001: "access_token expired",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    47001: "data format error",
}
LONGEST = {"thing": 20, "character_string": 32, "number": 32, "letter": 32, "symbol": 5, "phrase": 5, "name": 10}
MEMORY = 50_000
"""Client message ids remembered, the newest; WeChat promises ten minutes."""


class WechatCarrier(Carrier):
    """One service account. `secret`, `token` and `encoding_aes_key` are what its settings page shows; `life` is in seconds.

    Events go to `report_url`, sealed if there is a key; without a URL there are none.
    """

    name = "wechat"

    def __init__(
        self,
        report_url: str = "",
        appid: str = "wx5a1e0000c0ffee00",
        secret: str = "simulated-appsecret",  # noqa: S107  # a stand-in's own
        token: str = "simulated-callback-token",  # noqa: S107
        encoding_aes_key: str | None = None,
        template_id: str = "",
        faults: Faults | None = None,
        seed: int = 1,
        life: float = 7_200,
    ) -> None:
        super().__init__(faults, seed)
        self.report_url = report_url
        self.appid, self.secret, self.template_id, self.life = appid, secret, template_id, life
        self.envelope = Envelope(token, encoding_aes_key, appid)
        self.tokens: dict[str, float] = {}
        self.current = ""
        self.number = 200_163_836
        self.repeats: OrderedDict[tuple[str, str], int] = OrderedDict()

    def routes(self) -> list[Route]:
        """WeChat's own, and what a person does with the phone."""
        return [
            Route("/cgi-bin/stable_token", self.stable_token, methods=["POST"]),
            Route("/cgi-bin/message/template/send", self.send, methods=["POST"]),
            Route("/_sim/reply", self.replied, methods=["POST"]),
            Route("/_sim/unfollow", self.unfollowed, methods=["POST"]),
            Route("/_sim/expire", self.expired, methods=["POST"]),
        ]

    def throttled(self, request: Request) -> Response:
        """WeChat says it in a 200."""
        return self.no(45011)

    def no(self, code: int, words: str = "") -> Response:
        """A refusal."""
        self.counts[f"errcode {code}"] += 1
        return JSONResponse({"errcode": code, "errmsg": words or WORDS[code]})

    async def stable_token(self, request: Request) -> Response:
        """The same token until five minutes before its end; then a new one beside it. Forced: a new one at once, alone."""
        self.counts["tokens asked"] += 1
        asked = orjson.loads(await request.body())
        if asked.get("appid") != self.appid:
            return self.no(40013)
        if asked.get("secret") != self.secret:
            return self.no(40125)
        now = time.monotonic()
        left = self.tokens.get(self.current, now) - now
        if asked.get("force_refresh"):
            self.tokens.clear()
        if asked.get("force_refresh") or left <= min(300.0, self.life / 2):
            self.counts["tokens made"] += 1
            self.current, left = secrets.token_urlsafe(90), self.life
            self.tokens = {token: ends for token, ends in self.tokens.items() if ends > now - 3_600}
            self.tokens[self.current] = now + left
        return JSONResponse({"access_token": self.current, "expires_in": int(left)})

    def expire(self) -> None:
        """End every token now, as a secret reset on the settings page does."""
        self.tokens = dict.fromkeys(self.tokens, 0.0)
        self.current = ""

    def unknown(self, request: Request) -> Response | None:
        """A refusal, unless the call's token is good."""
        token = request.query_params.get("access_token", "")
        if not token:
            return self.no(41001)
        if token not in self.tokens:
            return self.no(40001)
        return self.no(42001) if time.monotonic() >= self.tokens[token] else None

    async def send(self, request: Request) -> Response:
        """Take one template message, and post the end of it later."""
        early = await self.gate(request) or self.unknown(request)
        if early:
            return early
        try:
            message = orjson.loads(await request.body())
            openid, key = message["touser"], message.get("client_msg_id", "")
            wrong = self.wrong(message)
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.no(47001)
        if wrong:
            return self.no(*wrong)
        number = self.repeats.get((openid, key)) if key else None
        if number is None:
            number = await self.accept(message, openid, key)
        else:
            self.counts["repeats"] += 1
        return await self.settle(request, JSONResponse({"errcode": 0, "errmsg": "ok", "msgid": number}))

    def wrong(self, message: Mapping[str, Any]) -> tuple[int, str] | None:
        """What WeChat would not take about a message."""
        if self.template_id and message["template_id"] != self.template_id:
            return 40037, WORDS[40037]
        for key, entry in message["data"].items():
            value, most = entry["value"], LONGEST.get(key.rstrip("0123456789"), 200)
            if not value or len(value) > most:
                fault = "is empty" if not value else "is too long"
                return 47003, f"argument invalid! data.{key}.value {fault}"
        for start, fate in FATES.items():
            if message["touser"].startswith(start):
                return fate
        return FATES["o-unfollowed"] if self.hit(self.faults.refuse) else None

    async def accept(self, message: Mapping[str, Any], openid: str, key: str) -> int:
        """Number it, remember it against a repeat, and let its end be told."""
        self.number += 1
        number = self.number
        if key:
            self.repeats[openid, key] = number
            if len(self.repeats) > MEMORY:
                self.repeats.popitem(last=False)
        self.take(openid=openid, msgid=number, client_msg_id=key, data=message["data"], url=message.get("url", ""))
        status = next((end for start, end in ENDS.items() if openid.startswith(start)), "success")
        if status == "success" and self.hit(self.faults.undelivered):
            status = "failed:user block"
        await self.tell(openid, "event", {"Event": "TEMPLATESENDJOBFINISH", "MsgID": number, "Status": status})
        return number

    async def tell(self, openid: str, kind: str, said: Mapping[str, str | int], after: float | None = None) -> None:
        """Post an event or a message to the account's server."""
        if not self.report_url:
            return
        letter = self.envelope.letter(openid, kind, said)

        async def post(http: httpx.AsyncClient) -> httpx.Response:
            query, body = self.envelope.closed(letter, openid)
            return await http.post(self.report_url, params=query, content=body, headers={"content-type": "text/xml"})

        await self.call_back(post, self.faults.delay if after is None else after)

    async def reply(self, openid: str, text: str) -> None:
        """A follower writes to the account."""
        self.number += 1
        await self.tell(openid, "text", {"Content": text, "MsgId": self.number}, 0)

    async def unfollow(self, openid: str) -> None:
        """A follower leaves."""
        await self.tell(openid, "event", {"Event": "unsubscribe", "EventKey": ""}, 0)

    async def replied(self, request: Request) -> Response:
        """`{"openid", "text"}`: a follower writes."""
        asked = orjson.loads(await request.body())
        await self.reply(asked["openid"], asked["text"])
        return JSONResponse({})

    async def unfollowed(self, request: Request) -> Response:
        """`{"openid"}`: a follower leaves."""
        await self.unfollow(orjson.loads(await request.body())["openid"])
        return JSONResponse({})

    async def expired(self, request: Request) -> Response:
        """End every token."""
        self.expire()
        return JSONResponse({})
