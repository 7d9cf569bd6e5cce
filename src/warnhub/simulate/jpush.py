"""JPush's stand-in: cids, pushes by registration id, and what became of each device.

What a registration id begins with decides what becomes of it: `bad` spoils the call (1003), `gone` is no target, `foreign`
is another app's, `offline` is never reached, `untargeted` is reported as such; every other one gets its push.
"""

import base64
import time
import uuid
import zlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from warnhub.simulate.carrier import Carrier, Faults

WORDS = {
    1002: (400, "缺少了必须的参数"),
    1003: (400, "参数值不合法"),
    1004: (401, "验证失败"),
    1011: (400, "没有满足条件的推送目标"),
    1030: (503, "内部服务超时"),
    2002: (429, "API 调用频率超出该应用的限制"),
}
STATUSES = {"foreign": 2, "gone": 2, "untargeted": 3, "offline": 1}
MEMORY = 5_000
"""Messages and cids remembered, the newest."""


@dataclass(slots=True)
class Pushed:
    """One message: whom it was for, and when."""

    devices: frozenset[str]
    at: float


class JpushCarrier(Carrier):
    """One app. A cid that was used answers as the first time; a device is reached `faults.delay` seconds after the call."""

    name = "jpush"

    def __init__(
        self,
        app_key: str = "5a1e00000000000000000000",
        master_secret: str = "simulated-mastersecret",  # noqa: S107  # a stand-in's own
        faults: Faults | None = None,
        seed: int = 1,
        vip: bool = False,
    ) -> None:
        super().__init__(faults, seed)
        self.app_key, self.vip = app_key, vip
        self.auth = "Basic " + base64.b64encode(f"{app_key}:{master_secret}".encode()).decode()
        self.number = 18_100_287_008_546_512
        self.results: OrderedDict[str, dict[str, str]] = OrderedDict()
        self.pushed: OrderedDict[str, Pushed] = OrderedDict()

    def routes(self) -> list[Route]:
        """JPush's own; the report host's beside the push host's."""
        return [
            Route("/v3/push/cid", self.cids),
            Route("/v3/push", self.push, methods=["POST"]),
            Route("/v3/status/message", self.status, methods=["POST"]),
        ]

    def throttled(self, request: Request) -> Response:
        """429 with the seconds until the window begins anew."""
        headers = {"x-rate-limit-limit": "600", "x-rate-limit-remaining": "0", "x-rate-limit-reset": "11"}
        return self.no(2002, headers=headers)

    def failed(self, request: Request) -> Response:
        """503 of its own."""
        return self.no(1030)

    def no(self, code: int, words: str = "", headers: dict[str, str] | None = None) -> Response:
        """A refusal."""
        self.counts[f"code {code}"] += 1
        status, usual = WORDS[code]
        return JSONResponse({"error": {"code": code, "message": words or usual}}, status, headers)

    async def cids(self, request: Request) -> Response:
        """`count` new cids; ten at most without a VIP contract."""
        self.counts["cids asked"] += 1
        if request.headers.get("authorization") != self.auth:
            return self.no(1004)
        count = min(int(request.query_params.get("count", "1")), 1_000 if self.vip else 10)
        return JSONResponse(
            {"cidlist": [f"{self.app_key}-{uuid.UUID(int=self.random.getrandbits(128))}" for _ in range(count)]}
        )

    async def push(self, request: Request) -> Response:
        """Take one push, or give the first result of its cid again."""
        if early := await self.gate(request):
            return early
        if request.headers.get("authorization") != self.auth:
            return self.no(1004)
        try:
            body = orjson.loads(await request.body())
            cid, devices = body.get("cid", ""), body["audience"]["registration_id"]
            body["platform"], body["notification"]
        except (ValueError, KeyError, TypeError, AttributeError):
            return self.no(1002)
        if result := self.results.get(cid):
            self.counts["repeats"] += 1
            return await self.settle(request, JSONResponse(result))
        if wrong := self.wrong(cid, devices):
            return wrong
        return await self.settle(request, JSONResponse(self.accept(cid, devices, body)))

    def wrong(self, cid: str, devices: list[str]) -> Response | None:
        """What JPush would not take."""
        if not 1 <= len(devices) <= 1_000 or (cid and not cid.startswith(f"{self.app_key}-")):
            return self.no(1003)
        if any(device.startswith("bad") for device in devices):
            return self.no(1003, "registration_id 参数值不合法")
        if all(device.startswith("gone") for device in devices) or self.hit(self.faults.refuse):
            return self.no(1011)
        return None

    def accept(self, cid: str, devices: list[str], body: dict[str, Any]) -> dict[str, str]:
        """Number it and remember it."""
        self.number += 1
        result = {"sendno": str(body.get("options", {}).get("sendno", 0)), "msg_id": str(self.number)}
        self.pushed[result["msg_id"]] = Pushed(frozenset(devices), time.monotonic())
        if cid:
            self.results[cid] = result
        for memory in (self.pushed, self.results):
            if len(memory) > MEMORY:
                memory.popitem(last=False)
        self.counts["devices"] += len(devices)
        said = body["notification"]
        text = said.get("alert", "") if isinstance(said, dict) else ""
        self.take(msg_id=result["msg_id"], cid=cid, devices=len(devices), text=text, body=body if len(devices) <= 10 else None)
        return result

    async def status(self, request: Request) -> Response:
        """How a message fared on each device asked about."""
        if early := await self.gate(request):
            return early
        if request.headers.get("authorization") != self.auth:
            return self.no(1004)
        body = orjson.loads(await request.body())
        number, devices = str(body["msg_id"]), body["registration_ids"]
        if number not in self.pushed or len(devices) > 1_000:
            return self.no(1003)
        return JSONResponse({device: {"status": self.fared(number, device)} for device in devices})

    def fared(self, number: str, device: str) -> int:
        """0 reached, 1 not yet, 2 another app's, 3 not a target."""
        pushed = self.pushed[number]
        fate = next((status for start, status in STATUSES.items() if device.startswith(start)), None)
        if fate is not None or device not in pushed.devices:
            return 3 if fate is None else fate
        lost = zlib.crc32(f"{number}{device}".encode()) % 10_000 < self.faults.undelivered * 10_000
        return int(lost or time.monotonic() - pushed.at < self.faults.delay)
