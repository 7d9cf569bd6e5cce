"""JPush 极光: up to a thousand devices a call, one text for all of them; what became of each is asked for later.

https://docs.jiguang.cn/jpush/server/push/rest_api_v3_push
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import httpx

from warnhub.port import ChannelSettings, Outgoing, Reason, Receipt, SendError, Take, unsent
from warnhub_push.batch import grouped, push
from warnhub_push.cids import Cids
from warnhub_push.receipts import reports
from warnhub_push.rest import JpushSettings, Rest
from warnhub_push.watch import Watch, Watched

STOPS = frozenset({Reason.CONFIG, Reason.THROTTLED, Reason.UNREACHABLE, Reason.UNKNOWN})
"""After these the rest is not tried now."""

DEPTH = 12
"""How often a batch is halved to find the device that spoils it: ten times find one in a thousand."""

MORE = 20
"""… and how often more, once a part has passed. Until then the fault may be in the text, which no halving cures."""

log = logging.getLogger(__name__)


class Jpush:
    """A push by registration id. A batch is one call a text; personal links make every text its own."""

    Settings: ClassVar[type[ChannelSettings]] = JpushSettings
    most: ClassVar[int] = 1_000
    repeatable: ClassVar[bool] = True

    def __init__(
        self,
        settings: JpushSettings,
        http: httpx.AsyncClient,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.settings = settings
        self.rest = Rest(settings, http)
        self.now = now
        self.sleep = sleep
        self.cids = Cids(self.fetch, now)
        self.watch = Watch()

    async def send(self, message: Outgoing) -> Receipt:
        """A batch of one."""
        outcome = (await self.send_many([message]))[0]
        if isinstance(outcome, SendError):
            raise outcome
        return outcome

    async def send_many(self, messages: Sequence[Outgoing]) -> Sequence[Receipt | SendError]:
        """One call for each text among them. A call spoilt by one device is halved until that one stands alone."""
        outcomes: dict[int, Receipt | SendError] = {}
        work, spare, more = grouped(messages), DEPTH, MORE
        stopped: SendError | None = None
        while work:
            group = work.pop()
            outcome = stopped or await self.outcome([messages[index] for index in group])
            if isinstance(outcome, Receipt):
                spare, more = spare + more, 0
            elif outcome.code == "1003" and len(group) > 1:
                if spare:
                    spare, middle = spare - 1, len(group) // 2
                    work += [group[middle:], group[:middle]]
                    continue
                outcome = SendError(Reason.REJECTED, outcome.code, outcome.detail)
            elif outcome.reason in STOPS:
                stopped = unsent(outcome)
            outcomes.update(dict.fromkeys(group, outcome))
        return [outcomes[index] for index in range(len(messages))]

    async def outcome(self, messages: Sequence[Outgoing]) -> Receipt | SendError:
        """What became of one call."""
        devices = [message.address for message in messages]
        try:
            cid = await self.cids.get(message.reference for message in messages)
            body = push(messages[0], devices, cid, self.settings)
            said = await self.rest.call("POST", f"{self.settings.base_url}/v3/push", *devices, json=body)
        except SendError as error:
            return error
        number = str(said.get("msg_id", ""))
        if not number.isdecimal():
            return SendError(Reason.UNEXPECTED, "msg_id", "a yes without a msg_id")
        now = self.now()
        day = (datetime.fromtimestamp(now, UTC) + timedelta(hours=8)).date().isoformat()
        self.watch.add(number, devices, day, now)
        return Receipt(number)

    async def fetch(self) -> list[str]:
        """New cids."""
        url, params = f"{self.settings.base_url}/v3/push/cid", {"count": str(self.settings.batch), "type": "push"}
        said = await self.rest.call("GET", url, params=params)
        cids = said.get("cidlist")
        if not isinstance(cids, list) or not cids or not all(isinstance(cid, str) for cid in cids):
            raise SendError(Reason.UNEXPECTED, "cidlist", "a yes without a cid")
        return cids

    async def listen(self, take: Take) -> None:
        """Ask, every `poll` seconds, about the devices that have not reported; a message is asked about for half an hour."""
        while True:
            await self.sleep(self.settings.poll)
            for entry in self.watch.turn(self.settings.asks, self.now()):
                try:
                    await self.ask(entry, take)
                except SendError as error:
                    log.warning("JPush does not say how message %s fared: %s", entry.number, error)
                    if error.reason in STOPS:
                        break

    async def ask(self, entry: Watched, take: Take) -> None:
        """Ask about one message, and forget the devices whose reports were taken."""
        devices = sorted(entry.devices)[: self.most]
        body = {"msg_id": int(entry.number), "registration_ids": devices, "date": entry.day}
        said = await self.rest.call("POST", f"{self.settings.report_url}/v3/status/message", *devices, json=body)
        if found := reports(entry.number, said):
            await take(found)
            self.watch.settle(entry.number, [report.address for report in found])
