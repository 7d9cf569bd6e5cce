"""Alibaba Cloud SMS: a thousand numbers a call. There is no key against repeats, so a lost answer is looked up.

https://www.alibabacloud.com/help/en/sms/developer-reference/api-dysmsapi-2017-05-25-sendsms
"""

import asyncio
import hmac
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

import httpx

from warnhub.port import Answer, Callback, ChannelSettings, Crowd, Outgoing, Reason, Receipt, Refused, Report, SendError, Words
from warnhub_sms.details import find_sent
from warnhub_sms.dysms import PERSONAL, Dysms
from warnhub_sms.groups import HOME, LINK_CODE, OWN, Group, Kind, grouped, national, packed, values
from warnhub_sms.receipts import read_posts
from warnhub_sms.settings import AliyunSettings

SPLITS = 32
"""Calls of a batch that may be cut in two to find the number that spoils them."""


class Aliyun:
    """SMS through one Alibaba Cloud account."""

    Settings: ClassVar[type[ChannelSettings]] = AliyunSettings
    most: ClassVar[int] = 1_000

    def __init__(
        self, settings: AliyunSettings, http: httpx.AsyncClient, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.settings = settings
        self.now = now
        self.dysms = Dysms(settings, http, now)
        self.slots = asyncio.Semaphore(settings.parallel)

    async def send(self, message: Outgoing) -> Receipt:
        """Send one."""
        (result,) = await self.send_many([message])
        if isinstance(result, SendError):
            raise result
        return result

    async def send_many(self, messages: Sequence[Outgoing]) -> Sequence[Receipt | SendError]:
        """One call for each kind and thousand; `parallel` at a time. Those with their own link are calls of their own."""
        if isinstance(messages, Crowd) and (plain := self.plain(messages)):
            return await self.hand(*plain, iter(range(SPLITS)))
        results: dict[int, Receipt | SendError] = {}
        kinds: dict[Kind, list[int]] = defaultdict(list)
        known: dict[Hashable, str] = {}
        for place, message in enumerate(messages):
            try:
                kinds[self.kind(message, known)].append(place)
            except SendError as error:
                results[place] = error
        cuts = [(k, places[i : i + self.most]) for k, places in kinds.items() for i in range(0, len(places), self.most)]
        spare = iter(range(SPLITS))
        said = await asyncio.gather(*(self.hand(kind, grouped([messages[p] for p in places]), spare) for kind, places in cuts))
        for (_, places), outcomes in zip(cuts, said, strict=True):
            results |= zip(places, outcomes, strict=True)
        return [results[place] for place in range(len(messages))]

    def plain(self, crowd: Crowd) -> "tuple[Kind, Group] | None":
        """A crowd of mainland numbers, which is one call; None for any other."""
        phones = [found[1] for found in map(HOME.fullmatch, crowd.addresses) if found]
        if not 0 < len(phones) == len(crowd) <= self.most or crowd.common.link:
            return None
        try:
            return self.kind(crowd[0], {}), Group(crowd.references, phones)
        except SendError:
            return None

    def kind(self, message: Outgoing, known: dict[Hashable, str]) -> Kind:
        """Which call it belongs to; raises `SendError` if to none. `known` keeps the variables of words that many share."""
        if message.left < 1:
            raise SendError(Reason.REJECTED, "expired", "it expired before it could be sent")
        _, abroad = national(message.address)
        settings, linked = self.settings, self.linked(message)
        public = settings.template_international if abroad else ""
        about = (id(message.words), message.drill, message.link if linked else "")
        if about not in known:
            names = {key: name for key, name in settings.params.items() if linked or name != LINK_CODE}
            known[about] = packed(values(names, message, settings.longest))
        return Kind(settings.template_link if linked else public or settings.template_public, known[about], abroad)

    async def hand(self, kind: Kind, part: Group, spare: Iterator[int]) -> Sequence[Receipt | SendError]:
        """One call; if one number may have spoiled it for the others, two of half the size, while there are `spare` ones."""
        try:
            async with self.slots:
                return [await self.post(kind, part)] * len(part.phones)
        except SendError as error:
            if len(part.phones) == 1 or error.code not in PERSONAL:
                return [error] * len(part.phones)
            if next(spare, None) is None:
                return [SendError(Reason.REJECTED, error.code, error.detail)] * len(part.phones)
        first, second = await asyncio.gather(*(self.hand(kind, half, spare) for half in part.halves()))
        return [*first, *second]

    async def post(self, kind: Kind, part: Group) -> Receipt:
        """Give a group to the provider. Two people with one telephone get one message."""
        phones = list(dict.fromkeys(part.phones))
        query = {
            "OutId": part.references[0],
            "PhoneNumbers": ",".join(phones),
            "SignName": self.settings.sign_name,
            "SmsUpExtendCode": self.settings.extend_code,
            "TemplateCode": kind.template,
            "TemplateParam": kind.values,
        }
        said = await self.dysms.call("SendSms", {k: v for k, v in query.items() if v}, phones)
        number = said.get("BizId")
        if not isinstance(number, str) or not number:
            raise SendError(Reason.UNEXPECTED, "BizId", "a yes without a BizId")
        return Receipt(number)

    async def find(self, message: Outgoing) -> Receipt | None:
        """What the provider shows of it. A message may take some seconds to be shown."""
        return await find_sent(self.dysms, message, self.linked(message), self.now())

    def crowded(self, words: Words) -> Sequence[str]:
        """What the templates' variables have no room for."""
        said = {name: " ".join(words.fields.get(name, "").split()) for name in self.settings.params.values() if name in OWN}
        return [name for name, value in said.items() if len(value) > self.settings.longest or not value]

    def linked(self, message: Outgoing) -> bool:
        """Whether it carries its recipient's own link, and so goes in a call of its own."""
        return bool(message.link and self.settings.template_link)

    def read(self, call: Callback) -> Sequence[Report]:
        """The receipts or replies of one post, if it knows the key."""
        if not hmac.compare_digest(call.query.get("key", "").encode(), self.settings.report_key.get_secret_value().encode()):
            raise Refused("the call-back does not carry the key")
        return read_posts(call.body)

    def answer(self, call: Callback) -> Answer:
        """What stops it from posting again."""
        return Answer('{"code":0,"msg":"接收成功"}'.encode(), "application/json")
