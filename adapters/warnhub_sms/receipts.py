"""What Alibaba Cloud posts to us: an array of receipts (SmsReport) or of replies (SmsUp).

https://help.aliyun.com/zh/sms/developer-reference/smsreport-2
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any

from warnhub.port import Reason, Refused, Report, State, cleaned
from warnhub_sms.groups import international

CHINA = timezone(timedelta(hours=8))

# `err_code` of a receipt: Alibaba Cloud's own and the carriers'.
CARRIERS = {
    Reason.UNREACHABLE: (
        *(
            "UNDELIV",
            "UNDELIVERED",
            "EXPIRED",
            "UNKNOWN",
            "SP_UNKNOWN_ERROR",
            "REQUEST_SUCCESS",
        ),  # the carrier does not say why
        *("MOBILE_NOT_ON_SERVICE", "INVALID_NUMBER"),  # off, out of reach, suspended or no such number: all in one
        *("MOBILE_ACCOUNT_ABNORMAL", "MOBLLE_TERMINAL_ERROR", "MOBILE_TERMINAL_ERROR", "IS_CLOSED", "IS_CLOSE"),
    ),
    Reason.RECIPIENT: ("MOBILE_IN_BLACK", "USER_REJECT", "SP_NOT_BY_INTER_SMS"),
    Reason.REJECTED: ("REJECTD", "CONTENT_KEYWORD", "CONTENT_ERROR", "MOBILE_SEND_LIMIT", "PARAMS_ILLEGAL", "NO_ROUTE"),
}
REASONS = {code: reason for reason, codes in CARRIERS.items() for code in codes}
# A province's own codes (MK:0001, MI:0013 …) are not published; the words beside them are plain.
WORDS = {
    "空号": Reason.RECIPIENT,
    "黑名单": Reason.RECIPIENT,
    "退订": Reason.RECIPIENT,
    "关机": Reason.UNREACHABLE,
    "停机": Reason.UNREACHABLE,
    "不在服务区": Reason.UNREACHABLE,
    "关键字": Reason.REJECTED,
}
OPTED_OUT = frozenset({"USER_REJECT"})
STOP_WORDS = frozenset({"TD", "T", "退订"})


def read_posts(body: bytes) -> Sequence[Report]:
    """Every report in a call-back. One that cannot be read is left out, and the others count. Raises `Refused`."""
    try:
        posts = json.loads(body)
    except ValueError:
        raise Refused("the call-back is not JSON") from None
    if not isinstance(posts, list):
        raise Refused("the call-back is not an array")
    found = (read_post(post) for post in posts if isinstance(post, dict) and isinstance(post.get("phone_number"), str))
    return [report for report in found if report]


def read_post(post: dict[str, Any]) -> Report | None:
    """One receipt or one reply."""
    phone = international(post["phone_number"])
    if isinstance(post.get("biz_id"), str):
        return receipt(post, phone)
    if isinstance(post.get("content"), str):
        words, at = post["content"], moment(str(post.get("send_time")))
        key = digest("reply", phone, str(post.get("sequence_id")), str(post.get("send_time")), words)
        return Report(key, address=phone, reply=words, opt_out=words.strip().upper() in STOP_WORDS, at=at)
    return None


def receipt(post: dict[str, Any], phone: str) -> Report:
    """What became of one number of one call. `out_id` is the whole call's, so it is no reference of this delivery."""
    code, words = str(post.get("err_code") or ""), str(post.get("err_msg") or "")
    good = post.get("success") in (True, "true")
    return Report(
        digest("receipt", phone, post["biz_id"], str(good), code),
        State.DELIVERED if good else State.FAILED,
        provider_id=post["biz_id"],
        group=str(post.get("out_id") or ""),
        address=phone,
        reason=None if good else reason_of(code, words),
        code="" if good else code[:60],
        detail="" if good else cleaned(words, phone, phone.removeprefix("+86"), phone.lstrip("+")),
        at=moment(str(post.get("report_time"))),
        opt_out=not good and code in OPTED_OUT,
    )


def reason_of(code: str, words: str) -> Reason:
    """Why a number was not reached: by the words where they name one reason, else by the code."""
    named = {reason for word, reason in WORDS.items() if word in words}
    return named.pop() if len(named) == 1 else REASONS.get(code, Reason.UNEXPECTED)


@lru_cache(maxsize=1_024)
def moment(text: str) -> datetime | None:
    """A time of Alibaba Cloud's, which is China's; None for anything else. A post of 200 receipts has few different ones."""
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA).astimezone(UTC)
    except ValueError:
        return None


def digest(*parts: str) -> str:
    """A key that repeats with its parts and shows none of them."""
    return hashlib.blake2s("\n".join(parts).encode(), digest_size=16).hexdigest()
