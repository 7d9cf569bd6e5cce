"""Twilio Programmable Messaging: one number a call. There is no key against repeats, so a lost answer is looked up.

https://www.twilio.com/docs/messaging/api/message-resource
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Self

import httpx
from pydantic import Field, SecretStr, model_validator
from twilio.base.exceptions import TwilioException

from warnhub.port import Answer, Callback, ChannelSettings, Outgoing, Reason, Receipt, Report, SendError, State
from warnhub_sms.codes import REASONS, STATES, STOPPED, refusal
from warnhub_sms.rest import make_messages
from warnhub_sms.signature import Form, signed_form

# https://help.twilio.com/articles/223134027
STOP_WORDS = frozenset({"STOP", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"})
LONGEST_LIFE = 36_000
MEMORY = timedelta(days=1)
PAGE = 100


class TwilioSettings(ChannelSettings):
    """`sender` (a number) or `messaging_service_sid`; `api_key_sid` and its secret in place of the auth token for calls.

    `auth_token` also checks call-backs, and `shared_keys` (key id to secret) those signed the newer way.
    """

    base_url: str = "https://api.twilio.com"
    account_sid: str = Field(min_length=1)
    auth_token: SecretStr
    api_key_sid: str = ""
    api_key_secret: SecretStr = SecretStr("")
    messaging_service_sid: str = ""
    sender: str = ""
    shared_keys: Mapping[str, SecretStr] = Field(default_factory=dict)

    @model_validator(mode="after")
    def whole(self) -> Self:
        """One sender, and both halves of a key."""
        if bool(self.sender) == bool(self.messaging_service_sid):
            raise ValueError("set either sender or messaging_service_sid")
        if bool(self.api_key_sid) != bool(self.api_key_secret.get_secret_value()):
            raise ValueError("api_key_sid and api_key_secret go together")
        return self


class Twilio:
    """SMS through one Twilio account."""

    Settings: ClassVar[type[ChannelSettings]] = TwilioSettings

    def __init__(
        self, settings: TwilioSettings, http: httpx.AsyncClient, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.settings = settings
        self.now = now
        user = settings.api_key_sid or settings.account_sid
        secret = (settings.api_key_secret if settings.api_key_sid else settings.auth_token).get_secret_value()
        service = settings.messaging_service_sid
        sender = {"messaging_service_sid": service} if service else {"from_": settings.sender}
        login = (user, secret)
        self.messages = make_messages(http, settings.base_url, settings.account_sid, login, sender, settings.timeout)

    async def send(self, message: Outgoing) -> Receipt:
        """Post it, to be dropped by Twilio when it expires."""
        left = int(message.left)
        if left < 1:
            raise SendError(Reason.REJECTED, "expired", "it expired before it could be sent")
        try:
            said = await self.messages.create(message, min(left, LONGEST_LIFE))
            return receipt(said.get("sid"), said.get("status"))
        except TwilioException as error:
            raise refusal(error, message.address) from None

    async def find(self, message: Outgoing) -> Receipt | None:
        """The newest message of the last day to this number with these words.

        Not filtered by DateSent: a message that waits in Twilio's queue has none, and it is the one that is asked for.
        """
        try:
            page = list(await self.messages.resource.page_async(to=message.address, page_size=PAGE))
        except TwilioException as error:
            raise refusal(error, message.address) from None
        since = self.now() - MEMORY
        recent = [m for m in page if m.direction != "inbound" and m.date_created and m.date_created >= since]
        same = [m for m in recent if m.body == message.text]
        if same:
            newest = max(same, key=lambda m: m.date_created)
            return receipt(newest.sid, newest.status)
        if len(recent) == PAGE or any(not m.body for m in recent):
            raise SendError(Reason.UNKNOWN, detail="Twilio shows too many messages, or not their words")
        return None

    def read(self, call: Callback) -> Sequence[Report]:
        """One status, or one reply."""
        form = signed_form(call, self.settings.auth_token, self.settings.shared_keys)
        number, status = form.first("MessageSid"), form.first("MessageStatus")
        if status in STATES:
            return [ended(form, number, status, call.query.get("ref", ""))]
        if status or "Body" not in form:
            return []
        words = form.first("Body")
        stop = form.first("OptOutType") == "STOP" or words.strip().upper() in STOP_WORDS
        return [Report(number, address=form.first("From"), reply=words, opt_out=stop)]

    def answer(self, call: Callback) -> Answer:
        """An empty TwiML document: Twilio says nothing to the person."""
        return Answer(b"<Response/>", "text/xml")


def receipt(sid: Any, status: Any) -> Receipt:
    """The receipt in a message of Twilio's."""
    if not isinstance(sid, str) or not sid:
        raise SendError(Reason.UNEXPECTED, "sid", "a yes without a message id")
    return Receipt(sid, STATES.get(str(status), State.ACCEPTED))


def ended(form: Form, number: str, status: str, reference: str) -> Report:
    """A status. Twilio gives it no time that has a zone."""
    code = form.first("ErrorCode")
    reason = None
    if STATES[status] is State.FAILED:
        reason = REASONS.get(int(code), Reason.UNEXPECTED) if code.isdecimal() else Reason.UNEXPECTED
    return Report(
        f"{number}:{status}",
        STATES[status],
        reference,
        number,
        address=form.first("To"),
        reason=reason,
        code=code,
        opt_out=code == str(STOPPED),
    )
