"""What WeChat's answers mean. It answers 200 to everything; the outcome is in `errcode`.

https://developers.weixin.qq.com/doc/service/guide/dev/api/errorcode.html
"""

from typing import Any

import httpx

from warnhub.port import Reason, SendError, cleaned, exchange, overloaded

EXPIRED = frozenset({40001, 40014, 41001, 42001})
"""The token is no longer good; nothing was taken."""

TAKEN_BEFORE = 45065
"""A repeat of a client_msg_id: WeChat has the message."""

REASONS = {
    -1: Reason.UNREACHABLE,  # system busy
    20001: Reason.UNREACHABLE,
    61450: Reason.UNREACHABLE,
    45066: Reason.UNKNOWN,  # the same client_msg_id again within a minute
    45011: Reason.THROTTLED,  # calls of this minute
    45009: Reason.CONFIG,  # calls of this day are used up: nothing goes before midnight
    40013: Reason.CONFIG,  # appid
    40125: Reason.CONFIG,  # secret
    40164: Reason.CONFIG,  # our address is not on the white list
    89501: Reason.CONFIG,
    89503: Reason.CONFIG,
    40037: Reason.CONFIG,  # template
    40036: Reason.CONFIG,
    40249: Reason.CONFIG,
    40250: Reason.CONFIG,
    40252: Reason.CONFIG,
    43116: Reason.CONFIG,
    40251: Reason.CONFIG,
    48001: Reason.CONFIG,  # no right to this interface
    48004: Reason.CONFIG,
    48006: Reason.CONFIG,
    48008: Reason.CONFIG,
    50001: Reason.CONFIG,
    50002: Reason.CONFIG,  # the account is limited
    40003: Reason.RECIPIENT,  # openid
    43004: Reason.RECIPIENT,  # does not follow
    43019: Reason.RECIPIENT,
    43101: Reason.RECIPIENT,  # refuses
    46004: Reason.RECIPIENT,
    48002: Reason.RECIPIENT,
    50005: Reason.RECIPIENT,  # follows no longer
    45015: Reason.RECIPIENT,
    43117: Reason.REJECTED,  # too often to this one person
    45047: Reason.REJECTED,
    42010: Reason.REJECTED,
    45002: Reason.REJECTED,  # 45002–45008: something is too long
    45003: Reason.REJECTED,
    45004: Reason.REJECTED,
    45005: Reason.REJECTED,
    45006: Reason.REJECTED,
    45007: Reason.REJECTED,
    45008: Reason.REJECTED,
    45067: Reason.REJECTED,
    47001: Reason.REJECTED,  # the form of the call
    47003: Reason.REJECTED,  # the value of a template key
} | dict.fromkeys(EXPIRED, Reason.CONFIG)

WAITS = {45011: 60.0, 45066: 60.0}
"""Seconds after which these may be tried again."""


def refusal(said: dict[str, Any], *hidden: str) -> SendError:
    """The no in `said`, with WeChat's own words less `hidden`. An unlisted code is unexpected."""
    code = said["errcode"]
    return SendError(
        REASONS.get(code, Reason.UNEXPECTED), str(code), cleaned(str(said.get("errmsg", "")), *hidden), WAITS.get(code)
    )


async def ask(http: httpx.AsyncClient, url: str, timeout: float, body: dict[str, Any], token: str = "") -> dict[str, Any]:
    """What WeChat says to a POST of `body`; always with an integer `errcode`, 0 for a yes. Raises `SendError`."""
    params = {"access_token": token} if token else None
    answer = await exchange(http, "POST", url, timeout=timeout, json=body, params=params)
    if error := overloaded(answer):
        raise error
    try:
        said = answer.json()
    except ValueError:
        said = None
    code = said.get("errcode", 0) if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(code, int) or (code == 0 and not answer.is_success):
        raise SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of WeChat's")
    return {**said, "errcode": code}
