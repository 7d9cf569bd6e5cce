"""JPush's REST interface: who we are, and what its answers mean.

https://docs.jiguang.cn/jpush/server/push/rest_api_v3_push
"""

from typing import Any

import httpx
from pydantic import SecretStr

from warnhub.port import ChannelSettings, Reason, SendError, cleaned, exchange, overloaded

REASONS = {
    1000: Reason.UNKNOWN,
    1030: Reason.UNKNOWN,  # it waited too long for a part of itself
    1001: Reason.UNEXPECTED,
    1002: Reason.REJECTED,  # a part is missing
    1003: Reason.REJECTED,  # a value is wrong; RECIPIENT where the answer names the registration id
    1005: Reason.REJECTED,  # too large
    1009: Reason.REJECTED,
    1011: Reason.RECIPIENT,  # none of these devices is there
    1012: Reason.THROTTLED,
    2002: Reason.THROTTLED,
    1004: Reason.CONFIG,  # key or secret
    1008: Reason.CONFIG,
    1020: Reason.CONFIG,
    2003: Reason.CONFIG,
    2004: Reason.CONFIG,  # our address is not on the white list
    2005: Reason.CONFIG,
    2006: Reason.CONFIG,
    2007: Reason.CONFIG,
}
"""By `error.code`."""


class JpushSettings(ChannelSettings):
    """`batch` is how many cids one call asks for (10 without a VIP contract); `poll` the seconds between questions about
    receipts, at most `asks` of them a time: JPush takes 600 calls a minute in all.
    """

    base_url: str = "https://api.jpush.cn"
    report_url: str = "https://report.jpush.cn"
    app_key: str
    master_secret: SecretStr
    apns_production: bool = True
    critical: bool = False
    batch: int = 10
    poll: float = 10.0
    asks: int = 50
    rate: float = 5.0
    links: bool = False


class Rest:
    """Calls with this account's key."""

    def __init__(self, settings: JpushSettings, http: httpx.AsyncClient) -> None:
        self.settings = settings
        self.http = http
        self.auth = httpx.BasicAuth(settings.app_key, settings.master_secret.get_secret_value())

    async def call(self, method: str, url: str, *hidden: str, **parts: Any) -> dict[str, Any]:
        """The JSON object of a yes. Raises `SendError`, its words less `hidden`."""
        timeout = self.settings.timeout
        answer = await exchange(self.http, method, url, timeout=timeout, auth=self.auth, **parts)
        try:
            said = answer.json()
        except ValueError:
            said = None
        if answer.is_success and isinstance(said, dict) and "error" not in said:
            return said
        raise refusal(answer, said, *hidden)


def refusal(answer: httpx.Response, said: object, *hidden: str) -> SendError:
    """The no in an answer; a status alone, where there is no JSON in it."""
    loaded = overloaded(answer)
    error = said.get("error") if isinstance(said, dict) else None
    reset = answer.headers.get("x-rate-limit-reset", "")
    after = float(reset) if reset.isdecimal() else loaded.retry_after if loaded else None
    if not isinstance(error, dict):
        plain = loaded or SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of JPush's")
        return SendError(plain.reason, plain.code, plain.detail, after if plain.reason is Reason.THROTTLED else None)
    code, detail = error.get("code"), cleaned(str(error.get("message", "")), *hidden)
    reason = REASONS.get(code, loaded.reason if loaded else Reason.UNEXPECTED) if isinstance(code, int) else Reason.UNEXPECTED
    if code == 1003 and "registration" in detail.lower():
        reason = Reason.RECIPIENT
    return SendError(reason, str(code), detail, after if reason is Reason.THROTTLED else None)
