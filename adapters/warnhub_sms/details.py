"""Asking Alibaba Cloud what became of a message.

https://help.aliyun.com/zh/sms/developer-reference/api-dysmsapi-2017-05-25-querysenddetails
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from warnhub.port import Outgoing, Reason, Receipt, SendError, State
from warnhub_sms.dysms import Dysms
from warnhub_sms.groups import national
from warnhub_sms.receipts import CHINA

STATUS = {1: State.ACCEPTED, 2: State.FAILED, 3: State.DELIVERED}
PAGE = 50


async def find_sent(dysms: Dysms, message: Outgoing, alone: bool, now: datetime) -> Receipt | None:
    """The newest message of this warning and round to this number, of today or yesterday. It comes without its BizId.

    The provider keeps the reference of the call's first message; `alone` is whether each such message has its own call.
    """
    phone, _ = national(message.address)
    today = now.astimezone(CHINA)
    for day in (today, today - timedelta(days=1)):
        rows = await sent_rows(dysms, phone, f"{day:%Y%m%d}")
        same = [row for row in rows if is_same(str(row.get("OutId") or ""), message, alone)]
        if same:
            newest = max(same, key=lambda row: str(row.get("SendDate")))
            return Receipt("", STATUS.get(newest.get("SendStatus", 0), State.ACCEPTED))
    return None


def is_same(out: str, message: Outgoing, alone: bool) -> bool:
    """Whether `message` may have gone out in the call that carried the reference `out`."""
    return out == message.reference if alone else out.partition("-")[0] == message.wave


async def sent_rows(dysms: Dysms, phone: str, day: str) -> Sequence[Mapping[str, Any]]:
    """What was sent to a number on a day of China's (yyyyMMdd); more than a page of it is more than a warning desk sends."""
    query = {"PhoneNumber": phone, "SendDate": day, "PageSize": str(PAGE), "CurrentPage": "1"}
    said = await dysms.call("QuerySendDetails", query, [phone])
    holder = said.get("SmsSendDetailDTOs")
    rows = holder.get("SmsSendDetailDTO") if isinstance(holder, dict) else None
    if not isinstance(rows, list) or len(rows) >= PAGE:
        raise SendError(Reason.UNKNOWN, detail="the provider shows too many messages, or none of the form it promises")
    return [row for row in rows if isinstance(row, dict)]
