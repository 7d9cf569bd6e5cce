"""Twilio Programmable Voice: one call a person, which says the warning and takes a key for an answer.

What became of a call comes later: busy, no answer, a machine, hung up, or heard for as long as counts. A call that was heard is
read, never confirmed: only a key is a person's answer. There is no key against repeats: a call whose answer was lost is looked
up by the number and the time.

https://www.twilio.com/docs/voice/api/call-resource
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import httpx

from warnhub.port import Answer, Callback, ChannelSettings, Outgoing, Reason, Receipt, Report, SendError, Sent, exchange
from warnhub_voice.calls import MISSED, ended, is_machine, missed, pick_call, refusal
from warnhub_voice.script import KEYS, with_query, write_reply, write_script
from warnhub_voice.settings import VoiceSettings
from warnhub_voice.signature import signed_form

EVENTS = ("completed",)
SAID, AMD = "said", "amd"
PAGE = 50


class Twilio:
    """Calls through one Twilio account."""

    Settings: ClassVar[type[ChannelSettings]] = VoiceSettings

    def __init__(self, settings: VoiceSettings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.http = http

    @property
    def lines(self) -> int:
        """Calls that may be in the air at once."""
        return self.settings.trunk

    @property
    def longest(self) -> float:
        """Seconds after which a call is over, whatever is heard of it."""
        return self.settings.ring + self.settings.longest + 30

    @property
    def plays(self) -> bool:
        """Whether the county's own recording is played."""
        return self.settings.speech == "county"

    async def send(self, message: Outgoing) -> Receipt:
        """Call one number."""
        settings = self.settings
        if message.left < settings.ring:
            raise SendError(Reason.REJECTED, "expired", "it expires before anybody could answer")
        told = await self.post("Calls.json", self.asked(message), message.address)
        sid = told.get("sid")
        if not isinstance(sid, str) or not sid:
            raise SendError(Reason.UNEXPECTED, "sid", "a yes without a call id")
        return Receipt(sid)

    def asked(self, message: Outgoing) -> dict[str, object]:
        """The form of a call."""
        settings = self.settings
        action = with_query(message.callback, f"{SAID}={message.words.language}")
        form: dict[str, object] = {
            "To": message.address,
            "From": settings.caller,
            "Twiml": write_script(message.text, message.words.language, settings.voice, action, settings.wait, message.audio),
            "Timeout": settings.ring,
            "TimeLimit": settings.longest,
        }
        if message.callback:
            form |= {"StatusCallback": message.callback, "StatusCallbackEvent": list(EVENTS), "StatusCallbackMethod": "POST"}
        if settings.machines and message.callback:
            form |= {"MachineDetection": "Enable", "AsyncAmd": "true", "AsyncAmdStatusCallbackMethod": "POST"}
            form["AsyncAmdStatusCallback"] = with_query(message.callback, f"{AMD}=1")
        return form

    async def post(self, path: str, form: Mapping[str, object], address: str) -> Mapping[str, object]:
        """Twilio's yes; raises `SendError`."""
        return await self.ask("POST", path, address, data=form)

    async def ask(self, method: str, path: str, address: str, **parts: object) -> Mapping[str, object]:
        """What the account's resource at `path` answers; raises `SendError`."""
        settings = self.settings
        token = settings.auth_token.get_secret_value()
        url = f"{settings.base_url}/2010-04-01/Accounts/{settings.account_sid}/{path}"
        answer = await exchange(self.http, method, url, timeout=settings.timeout, auth=(settings.account_sid, token), **parts)
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not answer.is_success:
            raise refusal(answer, body, address, token)
        if not isinstance(body, dict):
            raise SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of Twilio's")
        return body

    async def find(self, message: Outgoing) -> Receipt | None:
        """The call to this number since it can have been made first, if there was one."""
        if message.since is None:
            raise SendError(Reason.UNKNOWN, "since", "nobody knows when the call can have been made")
        asked = {"To": message.address, "From": self.settings.caller, "PageSize": PAGE}
        told = await self.ask("GET", "Calls.json", message.address, params=asked)
        return pick_call(told, message.since, message.others, self.settings.heard)

    async def stop(self, sent: Mapping[str, Sent]) -> Mapping[str, SendError]:
        """Hang up: calls of ours that ring or speak, whichever process made them."""
        missed = {}
        for reference, one in sent.items():
            if not one.provider_id:
                continue
            try:
                await self.post(f"Calls/{one.provider_id}.json", {"Status": "completed"}, one.address)
            except SendError as error:
                if error.code not in {"21220", "20404"}:  # it is over by itself
                    missed[reference] = error
        return missed

    def read(self, call: Callback) -> Sequence[Report]:
        """How a call ended, who answered it, or a key."""
        form = signed_form(call, self.settings.auth_token)
        sid, reference = form.first("CallSid"), call.query.get("ref", "")
        if SAID in call.query:
            digit = form.first("Digits")
            pressed = KEYS.get(digit, "")
            return [Report(f"{sid}:key:{digit}", None, reference, sid, pressed=pressed)] if pressed else []
        if AMD in call.query:
            return [missed(f"{sid}:machine", reference, sid, "machine")] if is_machine(form.first("AnsweredBy")) else []
        return [ended(form, sid, reference, self.settings.heard)] if form.first("CallStatus") in {"completed", *MISSED} else []

    def answer(self, call: Callback) -> Answer:
        """What the person hears after a key; nothing for a status."""
        if SAID not in call.query:  # a status, or who answered
            return Answer(b"<Response/>", "text/xml")
        form = signed_form(call, self.settings.auth_token)
        reply = write_reply(form.first("Digits"), call.query[SAID], self.settings.voice, call.url, self.settings.wait)
        return Answer(reply, "text/xml")
