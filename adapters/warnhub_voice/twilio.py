"""Twilio Programmable Voice: one call a person, which says the warning and takes a key for an answer.

What became of a call comes later: busy, no answer, a machine, hung up, or heard for as long as counts. A call that was heard is
read, never confirmed: only a key is a person's answer. There is no key against repeats, so a lost answer stays unknown.

https://www.twilio.com/docs/voice/api/call-resource
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import ClassVar

import httpx

from warnhub.port import Answer, Callback, ChannelSettings, Outgoing, Reason, Receipt, Report, SendError, State, exchange
from warnhub_voice.calls import MISSED, is_machine, refusal
from warnhub_voice.lines import Trunk
from warnhub_voice.script import KEYS, with_query, write_reply, write_script
from warnhub_voice.settings import VoiceSettings
from warnhub_voice.signature import Form, signed_form

EVENTS = ("completed",)
SAID = "said"


class Twilio:
    """Calls through one Twilio account."""

    Settings: ClassVar[type[ChannelSettings]] = VoiceSettings

    def __init__(self, settings: VoiceSettings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.http = http
        self.trunk = Trunk(settings.trunk, settings.ring + settings.longest + 30)
        self.sids: dict[str, str] = {}

    def line(self, lane: int) -> AbstractAsyncContextManager[None]:
        """A line of the trunk, waited for and held while the call is made."""
        return self.trunk.hold(lane)

    async def send(self, message: Outgoing) -> Receipt:
        """Call one number."""
        settings = self.settings
        if message.left < settings.ring:
            raise SendError(Reason.REJECTED, "expired", "it expires before anybody could answer")
        told = await self.post("Calls.json", self.asked(message), message.address)
        sid = told.get("sid")
        if not isinstance(sid, str) or not sid:
            raise SendError(Reason.UNEXPECTED, "sid", "a yes without a call id")
        self.trunk.begin(message.reference)
        self.sids[message.reference] = sid
        return Receipt(sid)

    def asked(self, message: Outgoing) -> dict[str, object]:
        """The form of a call."""
        settings = self.settings
        action = with_query(message.callback, f"{SAID}={message.words.language}")
        form: dict[str, object] = {
            "To": message.address,
            "From": settings.caller,
            "Twiml": write_script(message.text, message.words.language, settings.voice, action, settings.wait),
            "Timeout": settings.ring,
            "TimeLimit": settings.longest,
        }
        if message.callback:
            form |= {"StatusCallback": message.callback, "StatusCallbackEvent": list(EVENTS), "StatusCallbackMethod": "POST"}
        if settings.machines:
            form["MachineDetection"] = "Enable"
        return form

    async def post(self, path: str, form: Mapping[str, object], address: str) -> Mapping[str, object]:
        """Twilio's yes; raises `SendError`."""
        settings = self.settings
        token = settings.auth_token.get_secret_value()
        url = f"{settings.base_url}/2010-04-01/Accounts/{settings.account_sid}/{path}"
        answer = await exchange(self.http, "POST", url, timeout=settings.timeout, data=form, auth=(settings.account_sid, token))
        try:
            body = answer.json()
        except ValueError:
            body = None
        if not answer.is_success:
            raise refusal(answer, body, address, token)
        if not isinstance(body, dict):
            raise SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of Twilio's")
        return body

    async def stop(self, sent: Mapping[str, str]) -> Mapping[str, SendError]:
        """Hang up: calls of ours that ring or speak, as far as this process made them."""
        missed = {}
        for reference in [one for one in sent if one in self.trunk.calls and one in self.sids]:
            try:
                await self.post(f"Calls/{self.sids[reference]}.json", {"Status": "completed"}, sent[reference])
            except SendError as error:
                if error.code != "21220":  # it is over by itself
                    missed[reference] = error
        return missed

    def read(self, call: Callback) -> Sequence[Report]:
        """How a call ended, or a key."""
        form = signed_form(call, self.settings.auth_token)
        sid, reference = form.first("CallSid"), call.query.get("ref", "")
        if SAID in call.query:
            digit = form.first("Digits")
            pressed = KEYS.get(digit, "")
            return [Report(f"{sid}:key:{digit}", None, reference, sid, pressed=pressed)] if pressed else []
        if form.first("CallStatus") not in {"completed", *MISSED}:
            return []
        self.trunk.end(reference)
        self.sids.pop(reference, None)
        return [self.ended(form, sid, reference)]

    def ended(self, form: Form, sid: str, reference: str) -> Report:
        """The end of a call."""
        status, seconds = form.first("CallStatus"), form.first("CallDuration") or form.first("Duration")
        key, address, length = f"{sid}:{status}", form.first("To"), int(seconds) if seconds.isdecimal() else 0
        lost = MISSED.get(status) or ("machine" if is_machine(form.first("AnsweredBy")) else "")
        if lost:
            detail = f"SIP {form.first('SipResponseCode')}" if form.first("SipResponseCode") else ""
            return Report(
                key, State.FAILED, reference, sid, address=address, reason=Reason.UNREACHABLE, code=lost, detail=detail
            )
        heard = length >= self.settings.heard
        state, code = (State.READ, "heard") if heard else (State.DELIVERED, "hung-up")
        return Report(key, state, reference, sid, address=address, code=code, detail=f"{length} s")

    def answer(self, call: Callback) -> Answer:
        """What the person hears after a key; nothing for a status."""
        if SAID not in call.query:
            return Answer(b"<Response/>", "text/xml")
        form = signed_form(call, self.settings.auth_token)
        reply = write_reply(form.first("Digits"), call.query[SAID], self.settings.voice, call.url, self.settings.wait)
        return Answer(reply, "text/xml")
