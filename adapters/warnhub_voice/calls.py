"""What Twilio says of a call, and what its refusals mean.

https://www.twilio.com/docs/voice/api/call-resource and https://www.twilio.com/docs/api/errors
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from warnhub.port import Reason, Receipt, Report, SendError, State, cleaned, overloaded
from warnhub_voice.signature import Form

REASONS: Mapping[int, Reason] = {
    10004: Reason.THROTTLED,  # as many calls at once as the account may have
    20003: Reason.CONFIG,  # not our account
    20005: Reason.CONFIG,  # account suspended
    20404: Reason.CONFIG,  # no such account
    20429: Reason.THROTTLED,
    21201: Reason.REJECTED,  # no number called
    21205: Reason.CONFIG,  # our call-back address is none
    21210: Reason.CONFIG,  # our number is not verified
    21211: Reason.RECIPIENT,
    21212: Reason.CONFIG,  # our number is none
    21213: Reason.CONFIG,  # our number is missing
    21214: Reason.RECIPIENT,  # cannot be reached
    21215: Reason.CONFIG,  # this country is not allowed to the account
    21216: Reason.REJECTED,  # blocked by Twilio
    21217: Reason.RECIPIENT,  # not a number
    21219: Reason.CONFIG,  # a trial account calls verified numbers only
    21220: Reason.REJECTED,  # not in a state to be changed
    13224: Reason.RECIPIENT,
    13225: Reason.REJECTED,  # blacklisted
    13227: Reason.CONFIG,  # no permission for this country
}
MISSED: Mapping[str, str] = {"busy": "busy", "no-answer": "no-answer", "failed": "failed", "canceled": "cancelled"}
"""Ends of a call that nobody took, with the code under which the ledger keeps each."""

MACHINES = ("machine", "fax")


def refusal(answer: httpx.Response, body: object, *hidden: str) -> SendError:
    """Why Twilio did not take a call: by its code, else by the status."""
    said = body if isinstance(body, dict) else {}
    code = said.get("code")
    words = cleaned(str(said.get("message") or said.get("title") or ""), *hidden)
    if error := overloaded(answer):
        return SendError(error.reason, str(code or answer.status_code), words or error.detail, error.retry_after)
    if isinstance(code, int) and code in REASONS:
        return SendError(REASONS[code], str(code), words)
    if isinstance(code, int):
        return SendError(Reason.CONFIG if answer.status_code in {401, 403} else Reason.REJECTED, str(code), words)
    return SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of Twilio's")


def is_machine(answered_by: str) -> bool:
    """Whether Twilio's detection heard a machine: `machine_start`, `machine_end_beep`, `fax` …"""
    return answered_by.startswith(MACHINES)


SLACK = timedelta(seconds=5)
"""By how much Twilio's clock and ours may differ."""


def created(call: Mapping[str, Any]) -> datetime | None:
    """When a call was made, by Twilio."""
    try:
        return parsedate_to_datetime(str(call.get("date_created"))).astimezone(UTC)
    except ValueError:
        return None


def pick_call(told: Mapping[str, Any], since: datetime, others: frozenset[str], heard: int) -> Receipt | None:
    """The one call in a list of Twilio's that was made since then and is no other message's; None if there is none.

    Twilio keeps no reference of ours with a call: the number, our caller and the time must tell. Raises `SendError` UNKNOWN
    where they do not.
    """
    listed = told.get("calls")
    if not isinstance(listed, list) or any(not isinstance(call, dict) or created(call) is None for call in listed):
        raise SendError(Reason.UNEXPECTED, "calls", "not a list of calls")
    fitting = [call for call in listed if call.get("sid") not in others and (created(call) or since) >= since - SLACK]
    if len(fitting) > 1 or (not fitting and told.get("next_page_uri")):
        raise SendError(Reason.UNKNOWN, "calls", "Twilio shows more than one call that it may have been")
    return receipt(fitting[0], heard) if fitting else None


def receipt(call: Mapping[str, Any], heard: int) -> Receipt:
    """How far a call has come, as Twilio shows it."""
    status, seconds = str(call.get("status")), str(call.get("duration") or "")
    if status in MISSED or (status == "completed" and is_machine(str(call.get("answered_by") or ""))):
        state = State.FAILED
    elif status == "completed":
        state = State.READ if seconds.isdecimal() and int(seconds) >= heard else State.DELIVERED
    else:
        state = State.ACCEPTED
    return Receipt(str(call["sid"]), state)


def ended(form: Form, sid: str, reference: str, heard: int) -> Report:
    """The end of a call, with whatever was said of a machine at its end or beside it."""
    status, seconds = form.first("CallStatus"), form.first("CallDuration") or form.first("Duration")
    key, address, length = f"{sid}:{status}", form.first("To"), int(seconds) if seconds.isdecimal() else 0
    lost = MISSED.get(status) or ("machine" if is_machine(form.first("AnsweredBy")) else "")
    if lost:
        detail = f"SIP {form.first('SipResponseCode')}" if form.first("SipResponseCode") else ""
        return missed(key, reference, sid, lost, address, detail, over=True)
    state, code = (State.READ, "heard") if length >= heard else (State.DELIVERED, "hung-up")
    detail, unless = f"{length} s", f"{sid}:machine"
    return Report(key, state, reference, sid, address=address, code=code, detail=detail, unless=unless, over=True)


def missed(key: str, reference: str, sid: str, code: str, address: str = "", detail: str = "", over: bool = False) -> Report:
    """A call that no person heard."""
    reason = Reason.UNREACHABLE
    return Report(key, State.FAILED, reference, sid, address=address, reason=reason, code=code, detail=detail, over=over)
