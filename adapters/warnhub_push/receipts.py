"""What JPush answers when it is asked how a message fared on each device.

https://docs.jiguang.cn/jpush/server/push/rest_api_v3_report
"""

import hashlib
from typing import Any

from warnhub.port import Reason, Report, State

STATUSES: dict[int, tuple[State, Reason | None, str]] = {
    0: (State.DELIVERED, None, "送达 delivered"),
    2: (State.FAILED, Reason.RECIPIENT, "不属于该应用 not a device of this app"),
    3: (State.FAILED, Reason.UNREACHABLE, "不是该条消息的目标 not a target of this message"),
}
"""1 (not yet) and 4 (JPush failed to look) are asked again."""


def reports(number: str, said: dict[str, Any]) -> list[Report]:
    """A report for each device whose status is final; `said` is registration id → `{"status": n}`."""
    return [
        report(number, device, entry["status"])
        for device, entry in said.items()
        if isinstance(entry, dict) and entry.get("status") in STATUSES
    ]


def report(number: str, device: str, status: int) -> Report:
    """One device's end. The key shows nothing of the device."""
    state, reason, detail = STATUSES[status]
    key = hashlib.blake2s(f"{number}\n{device}\n{status}".encode(), digest_size=16).hexdigest()
    code = "" if reason is None else str(status)
    return Report(key, state, provider_id=number, address=device, reason=reason, code=code, detail=detail)
