"""WeChat: a template message of a service account, one openid a call.

https://developers.weixin.qq.com/doc/service/api/notify/template/api_sendtemplatemessage.html
"""

import hashlib
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import httpx
from pydantic import AfterValidator, Field, SecretStr, field_validator

from warnhub.port import Answer, Callback, ChannelSettings, Outgoing, Reason, Receipt, Refused, Report, SendError, Words
from warnhub_wechat.codes import EXPIRED, TAKEN_BEFORE, ask, refusal
from warnhub_wechat.crypto import check, opened
from warnhub_wechat.events import parsed, reports
from warnhub_wechat.fields import checked, crowded, values
from warnhub_wechat.token import stable_token


class TemplateSettings(ChannelSettings):
    """`fields` says which of our words fills which key of the template, e.g. `thing1: headline`.

    `token` and `encoding_aes_key` are those of the account's message-push page; with the key only sealed call-backs are
    taken. A call-back signed more than `max_age` seconds ago, or ahead, is refused.
    """

    base_url: str = "https://api.weixin.qq.com"
    appid: str
    secret: SecretStr
    template_id: str
    fields: Annotated[Mapping[str, str], AfterValidator(checked)] = Field(min_length=1)
    token: SecretStr
    encoding_aes_key: SecretStr | None = None
    max_age: float = 300.0

    @field_validator("encoding_aes_key")
    @classmethod
    def whole(cls, value: SecretStr | None) -> SecretStr | None:
        """43 letters and digits."""
        if value and not re.fullmatch("[0-9A-Za-z]{43}", value.get_secret_value()):
            raise ValueError("encoding_aes_key has 43 letters and digits")
        return value


class Template:
    """A template message. A repeat within ten minutes is known by its `client_msg_id` and not shown twice."""

    Settings: ClassVar[type[ChannelSettings]] = TemplateSettings
    repeatable: ClassVar[bool] = True

    def __init__(self, settings: TemplateSettings, http: httpx.AsyncClient, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.http = http
        self.now = now
        self.url = f"{settings.base_url}/cgi-bin/message/template/send"
        self.token = stable_token(http, settings.base_url, settings.timeout, settings.appid, settings.secret)

    async def send(self, message: Outgoing) -> Receipt:
        """Post it; with a fresh token, once more, if WeChat says that ours has ended."""
        ticket = await self.token.get()
        said = await self.post(message, ticket.value)
        if said["errcode"] in EXPIRED:
            ticket = await self.token.renew(ticket)
            said = await self.post(message, ticket.value)
        if said["errcode"] not in {0, TAKEN_BEFORE}:
            raise refusal(said, ticket.value, message.address)
        number = said.get("msgid", said.get("msg_id"))
        if number is None and said["errcode"] == 0:
            raise SendError(Reason.UNEXPECTED, "msgid", "a yes without a msgid")
        return Receipt("" if number is None else str(number))

    def crowded(self, words: Words) -> Sequence[str]:
        """What the template's keys have no room for."""
        return crowded(self.settings.fields, words)

    async def post(self, message: Outgoing, token: str) -> dict[str, Any]:
        """What WeChat says to it."""
        body: dict[str, Any] = {
            "touser": message.address,
            "template_id": self.settings.template_id,
            "client_msg_id": hashlib.blake2s(message.reference.encode(), digest_size=16).hexdigest(),
            "data": values(self.settings.fields, message.words, message.drill),
        }
        if message.link:
            body["url"] = message.link
        return await ask(self.http, self.url, self.settings.timeout, body, token)

    def read(self, call: Callback) -> Sequence[Report]:
        """The reports in a call-back, signature checked; none in the GET by which WeChat checks our URL."""
        token, query = self.settings.token.get_secret_value(), call.query
        stamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        if not stamp.isdecimal() or abs(self.now() - int(stamp)) > self.settings.max_age:
            raise Refused("the call-back is too old, or its timestamp is none")
        if call.method == "GET" or not self.settings.encoding_aes_key:
            check(query.get("signature", ""), token, stamp, nonce)
            return [] if call.method == "GET" else reports(parsed(call.body))
        sealed = parsed(call.body).get("Encrypt", "")
        check(query.get("msg_signature", ""), token, stamp, nonce, sealed)
        return reports(parsed(opened(sealed, self.settings.encoding_aes_key.get_secret_value(), self.settings.appid)))

    def answer(self, call: Callback) -> Answer:
        """The echo that WeChat's check of our URL wants, or the word that stops it from posting again."""
        return Answer(call.query.get("echostr", "").encode() if call.method == "GET" else b"success")
