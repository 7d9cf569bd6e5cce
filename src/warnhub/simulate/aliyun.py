"""Alibaba Cloud SMS's stand-in: signed calls of up to a thousand numbers, and receipts posted in arrays.

It must keep up with a county: nothing here is done number by number but what a receipt needs.
"""

import asyncio
import heapq
import itertools
import json
import re
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warnhub.simulate.acs import check_signature
from warnhub.simulate.carrier import Carrier, Faults

CHINA = timezone(timedelta(hours=8))
DELIVERED = ("DELIVERED", "用户接收成功")
ENDS = (("MK:0001", "空号"), ("UNDELIV", "关机"), ("MOBILE_NOT_ON_SERVICE", "停机"), ("MI:0013", "黑名单"), ("EXPIRED", "超时"))
ENDED = (DELIVERED, *ENDS)
FATES = {
    "17000000001": ("isv.BUSINESS_LIMIT_CONTROL", "触发天级流控Permits:50"),
    "17000000002": ("isv.MOBILE_NUMBER_ILLEGAL", "非法手机号"),
}
"""Numbers that have their whole call refused, as one bad number does."""
MOST = 200
"""Receipts in one post."""
TICK = 0.05
"""Seconds within which receipts go out together."""
NUMBERS = 300_000
CALLS = 5_000
"""What is remembered, the newest: a county's numbers, in not more calls than are quickly searched."""
HOME = re.compile(r"1[3-9]\d{9}")
ABROAD = re.compile(r"[1-9]\d{6,14}")


@dataclass(slots=True)
class Sent:
    """One call that was taken: its numbers as they came, with commas, and a byte for the fate of each in `ENDED` (0: none yet).

    A county's worth of them is kept, so nothing here is an object for each number.
    """

    biz_id: str
    out_id: str
    template: str
    content: str
    at: str
    numbers: str
    fates: bytearray

    def phones(self) -> list[str]:
        """The numbers."""
        return self.numbers.split(",")

    def fate(self, phone: str) -> tuple[str, str] | None:
        """What became of one number's message; None while it waits for its carrier."""
        code = self.fates[self.phones().index(phone)]
        return ENDED[code - 1] if code else None


class AliyunCarrier(Carrier):
    """One account. Receipts go to `report_url`, replies to `reply_url`; `templates` (code to text) are checked if given."""

    name = "aliyun"

    def __init__(
        self,
        report_url: str = "",
        reply_url: str = "",
        access_key_id: str = "testid",
        access_key_secret: str = "testsecret",  # noqa: S107
        templates: Mapping[str, str] | None = None,
        faults: Faults | None = None,
        seed: int = 1,
    ) -> None:
        super().__init__(faults, seed)
        self.report_url, self.reply_url = report_url, reply_url or report_url
        self.key, self.secret = access_key_id, access_key_secret
        self.templates = dict(templates or {})
        self.sent: deque[Sent] = deque()
        self.held = 0
        self.queue: list[tuple[float, int, Sent, int]] = []
        self.order = itertools.count()
        self.pumping = False

    def routes(self) -> list[Route]:
        """Everything is at `/`; the action is a header. And a way to let a telephone answer."""
        return [Route("/", self.call, methods=["POST"]), Route("/_sim/reply", self.reply, methods=["POST"])]

    def forget(self) -> None:
        """Lose everything."""
        super().forget()
        self.sent.clear()
        self.queue.clear()
        self.held = 0

    def throttled(self, request: Request) -> Response:
        """The gateway's refusal, which is a 400."""
        return no(400, "Throttling.User", "Request was denied due to user flow control.")

    def failed(self, request: Request) -> Response:
        """503."""
        return no(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server.")

    async def call(self, request: Request) -> Response:
        """One call of either action."""
        if early := await self.gate(request):
            return early
        if refused := check_signature(request, await request.body(), self.key, self.secret):
            self.counts["refused"] += 1
            return no(*refused)
        action = request.headers["x-acs-action"]
        if action == "SendSms":
            return await self.send(request)
        if action == "QuerySendDetails":
            return JSONResponse(self.details(request.query_params))
        return no(404, "InvalidAction.NotFound", "Specified api is not found.")

    async def send(self, request: Request) -> Response:
        """Take one text for many numbers."""
        query = request.query_params
        phones = query.get("PhoneNumbers", "").split(",")
        if refused := self.refusal(query, phones):
            self.counts["refused"] += 1
            return no(200, *refused)
        sent = Sent(
            f"{self.random.getrandbits(59):018d}^0",
            query.get("OutId", ""),
            query["TemplateCode"],
            f"【{query['SignName']}】{self.rendered(query)}",
            china(time.time()),
            query["PhoneNumbers"],
            bytearray(len(phones)),
        )
        self.remember(sent, phones[0])
        await self.plan(sent)
        return await self.settle(request, JSONResponse(answer("OK", "OK") | {"BizId": sent.biz_id}))

    def refusal(self, query: Mapping[str, str], phones: Sequence[str]) -> tuple[str, str] | None:
        """Why a call is not taken."""
        if len(phones) > 1_000:
            return "isv.MOBILE_COUNT_OVER_LIMIT", "手机号码数量超过限制"
        home = sum(1 for phone in phones if HOME.fullmatch(phone))
        if home != len(phones) and (home or not all(ABROAD.fullmatch(phone) for phone in phones)):
            return "isv.MOBILE_NUMBER_ILLEGAL", "非法手机号"
        if fated := FATES.keys() & set(phones):
            return FATES[min(fated)]
        if not query.get("SignName"):
            return "isv.SMS_SIGNATURE_ILLEGAL", "短信签名不合法"
        code = query.get("TemplateCode", "")
        if not code or (self.templates and code not in self.templates):
            return "isv.SMS_TEMPLATE_ILLEGAL", "短信模板不合法"
        if refused := self.bad_values(query.get("TemplateParam", "{}"), self.templates.get(code, "")):
            return refused
        return ("isv.BUSINESS_LIMIT_CONTROL", "触发分钟级流控Permits:1") if self.hit(self.faults.refuse) else None

    def bad_values(self, text: str, template: str) -> tuple[str, str] | None:
        """Why the template's values are refused."""
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
            return "isv.INVALID_JSON_PARAM", "JSON参数不合法,只接受字符串值"
        if any("://" in value for value in said.values()):
            return "isv.PARAM_NOT_SUPPORT_URL", "变量不支持传入URL"
        if any(len(value) > 35 for value in said.values()):
            return "isv.PARAM_LENGTH_LIMIT", "参数超出长度限制"
        if set(re.findall(r"\$\{(\w+)\}", template)) - said.keys():
            return "isv.TEMPLATE_MISSING_PARAMETERS", "模板缺少变量"
        return None

    def rendered(self, query: Mapping[str, str]) -> str:
        """The text a telephone would show."""
        said = json.loads(query.get("TemplateParam", "{}"))
        template = self.templates.get(query["TemplateCode"])
        return re.sub(r"\$\{(\w+)\}", lambda m: said[m[1]], template) if template else " ".join(said.values())

    def remember(self, sent: Sent, first: str) -> None:
        """Keep a call, and not more numbers than there is room for."""
        numbers = len(sent.fates)
        self.take(biz_id=sent.biz_id, out_id=sent.out_id, numbers=numbers, first=first, content=sent.content)
        self.counts["numbers"] += numbers
        self.sent.append(sent)
        self.held += numbers
        while self.held > NUMBERS or len(self.sent) > CALLS:
            self.held -= len(self.sent.popleft().fates)

    async def plan(self, sent: Sent) -> None:
        """Queue the receipts of a call by slices; those of the early share go out before the call is answered."""
        if not self.report_url:
            return
        now, delay = asyncio.get_running_loop().time(), self.faults.delay
        for start in range(0, len(sent.fates), MOST):
            if self.hit(self.faults.early):
                await self.deliver(self.poster(self.report_url, self.receipts(sent, start)))
                continue
            late = delay * 3 if self.hit(self.faults.reorder) else 0
            due = now + delay * (0.5 + self.random.random() / 2) + late
            heapq.heappush(self.queue, (due, next(self.order), sent, start))
        if self.queue and not self.pumping:
            self.pumping = True
            self.spawn(self.pump())

    async def pump(self) -> None:
        """Post receipts as they fall due, many calls' together, until there are none."""
        loop = asyncio.get_running_loop()
        while self.queue:
            await asyncio.sleep(max(TICK, self.queue[0][0] - loop.time()))
            ready: list[dict[str, Any]] = []
            while self.queue and self.queue[0][0] <= loop.time():
                _, _, sent, start = heapq.heappop(self.queue)
                ready += self.receipts(sent, start)
            for start in range(0, len(ready), MOST):
                self.spawn(self.deliver(self.poster(self.report_url, ready[start : start + MOST])))
        self.pumping = False

    def receipts(self, sent: Sent, start: int) -> list[dict[str, Any]]:
        """What the carriers say of `MOST` numbers of a call."""
        faults, now, out = self.faults, china(time.time()), []
        for place, phone in enumerate(sent.phones()[start : start + MOST], start):
            fate = self.random.choice(ENDS) if self.hit(faults.undelivered) else DELIVERED
            sent.fates[place] = ENDED.index(fate) + 1
            if self.hit(faults.drop):
                self.counts["callbacks_dropped"] += 1
                continue
            receipt = {
                "phone_number": phone,
                "send_time": sent.at,
                "report_time": now,
                "success": fate is DELIVERED,
                "err_code": fate[0],
                "err_msg": fate[1],
                "sms_size": "1",
                "biz_id": sent.biz_id,
                "out_id": sent.out_id,
            }
            out += [receipt] * (2 if self.hit(faults.duplicate) else 1)
        self.counts["receipts"] += len(out)
        return out

    def poster(self, url: str, posts: Sequence[Mapping[str, Any]]) -> Any:
        """A call-back with an array."""
        body, headers = orjson.dumps(posts), {"content-type": "application/json;charset=UTF-8"}

        async def post(http: httpx.AsyncClient) -> httpx.Response:
            return await http.post(url, content=body, headers=headers)

        return post

    def details(self, query: Mapping[str, str]) -> dict[str, Any]:
        """What was sent to a number on a day."""
        phone, day = query.get("PhoneNumber", ""), query.get("SendDate", "")
        rows = [
            row(one, phone)
            for one in reversed(self.sent)
            if f",{phone}," in f",{one.numbers}," and one.at[:10].replace("-", "") == day
        ]
        size, page = int(query.get("PageSize", "10")), int(query.get("CurrentPage", "1"))
        found = rows[(page - 1) * size : page * size]
        return answer("OK", "OK") | {"TotalCount": len(rows), "SmsSendDetailDTOs": {"SmsSendDetailDTO": found}}

    async def reply(self, request: Request) -> Response:
        """Let the telephone `address` (E.164) send `text`."""
        if not self.reply_url:
            return JSONResponse({"error": "no reply_url"}, 409)
        said = await request.json()
        phone = said["address"].removeprefix("+86").lstrip("+")
        up = {"phone_number": phone, "send_time": china(time.time()), "content": said["text"], "sign_name": "云岭应急"}
        up |= {"dest_code": "90999", "sequence_id": self.random.getrandbits(40)}
        await self.call_back(self.poster(self.reply_url, [up]), 0)
        return JSONResponse({"sequence_id": up["sequence_id"]})


def row(sent: Sent, phone: str) -> dict[str, Any]:
    """One line of QuerySendDetails."""
    fate = sent.fate(phone)
    status = 1 if fate is None else 3 if fate is DELIVERED else 2
    return {
        "PhoneNum": phone,
        "SendStatus": status,
        "ErrCode": fate[0] if fate else "",
        "SendDate": sent.at,
        "ReceiveDate": sent.at if fate else "",
        "TemplateCode": sent.template,
        "Content": sent.content,
        "OutId": sent.out_id,
    }


def china(stamp: float) -> str:
    """A time as Alibaba Cloud writes it."""
    return datetime.fromtimestamp(stamp, UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")


def answer(code: str, words: str) -> dict[str, Any]:
    """The frame of every answer."""
    return {"Code": code, "Message": words, "RequestId": "819BE656-D2E0-4858-8B21-B2E477085AAF"}


def no(status: int, code: str, words: str) -> Response:
    """A refusal."""
    return JSONResponse(answer(code, words), status)
