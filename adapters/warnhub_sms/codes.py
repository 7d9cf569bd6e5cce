"""What Twilio's codes and statuses mean.

https://www.twilio.com/docs/api/errors
"""

from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException

from warnhub.port import Reason, SendError, State, cleaned

# `code` of a refusal and `ErrorCode` of a status call-back. https://www.twilio.com/docs/api/errors
CODES = {
    Reason.THROTTLED: (20429, 21611, 30001, 30022, 63017, 63018),  # calls, the sender's queue, a carrier's or a channel's rate
    Reason.UNREACHABLE: (21730, 30003, 30008),  # handset off or out of reach, unknown
    Reason.RECIPIENT: (
        *(21211, 21214, 21217, 21612, 21614),  # no such number, no route to it, not a mobile
        21610,  # said STOP
        *(30004, 30005, 30006),  # blocks, unknown, a landline
        *(63003, 63015, 63024),
    ),
    Reason.REJECTED: (
        *(21602, 21617, 30007),  # empty, above 1,600 characters, filtered
        *(30010, 30036),  # too dear, its validity period is over
        *(63005, 63013, 63016),
    ),
    Reason.CONFIG: (
        *(20003, 20005, 20404, 30002),  # credentials, suspended
        *(21212, 21603, 21606, 21701, 21702, 21703, 21704, 21705),  # sender, messaging service
        *(21215, 21216, 21408, 21608, 30032, 30034),  # country not enabled, trial, sender not registered
        *(63007, 63020, 63021, 63112),
    ),
}
REASONS = {code: reason for reason, codes in CODES.items() for code in codes}
BY_STATUS = {401: Reason.CONFIG, 403: Reason.CONFIG, 404: Reason.CONFIG}
STOPPED = 21610

# https://www.twilio.com/docs/messaging/guides/outbound-message-status-in-status-callbacks
STATES = dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent", "partially_delivered"), State.ACCEPTED) | {
    "delivered": State.DELIVERED,
    "read": State.READ,
    "undelivered": State.FAILED,
    "failed": State.FAILED,
    "canceled": State.FAILED,
}


def refusal(error: TwilioException, *hidden: str) -> SendError:
    """What a refusal in either of Twilio's forms means, in Twilio's own words less `hidden`.

    An unlisted code is final, for nothing was taken; a status without a code of Twilio's may be anybody's answer.
    """
    if not isinstance(error, TwilioRestException | TwilioServiceException):
        return SendError(Reason.UNEXPECTED, detail="not an answer of Twilio's")
    code, status = error.code, error.status
    words = error.msg if isinstance(error, TwilioRestException) else f"{error.title} {error.detail or ''}"
    if not isinstance(code, int) or code == status:
        reason = Reason.UNEXPECTED
    else:
        reason = REASONS.get(code) or BY_STATUS.get(status, Reason.REJECTED)
    return SendError(reason, str(code), cleaned(str(words), *hidden, *(h.lstrip("+") for h in hidden)))
