"""What Twilio says of a call, and what its refusals mean.

https://www.twilio.com/docs/voice/api/call-resource and https://www.twilio.com/docs/api/errors
"""

from collections.abc import Mapping

import httpx

from warnhub.port import Reason, SendError, cleaned, overloaded

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
