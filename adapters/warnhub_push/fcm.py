"""Firebase Cloud Messaging, HTTP v1: one device a call. A yes is final; what the phone did comes from the app.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send
"""

import time
from collections.abc import Callable
from typing import Any, ClassVar

import httpx

from warnhub.port import ChannelSettings, Outgoing, Reason, Receipt, SendError, cleaned, exchange, overloaded
from warnhub_push.oauth import Account, access_token, spoken
from warnhub_push.texts import LEVELS, clipped, topic

# By `error.details[].errorCode`, else by `error.status`. https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
REASONS = {
    "UNREGISTERED": Reason.RECIPIENT,
    "SENDER_ID_MISMATCH": Reason.RECIPIENT,  # the device registered with another project
    "INVALID_ARGUMENT": Reason.REJECTED,  # RECIPIENT where the answer names the token
    "QUOTA_EXCEEDED": Reason.THROTTLED,
    "UNAVAILABLE": Reason.UNREACHABLE,
    "INTERNAL": Reason.UNKNOWN,
    "THIRD_PARTY_AUTH_ERROR": Reason.CONFIG,  # the key for Apple or for the browsers
    "NOT_FOUND": Reason.RECIPIENT,
    "UNAUTHENTICATED": Reason.CONFIG,
    "PERMISSION_DENIED": Reason.CONFIG,
    "RESOURCE_EXHAUSTED": Reason.THROTTLED,
}
WAITS = {"QUOTA_EXCEEDED": 60.0, "RESOURCE_EXHAUSTED": 60.0, "INTERNAL": 10.0}
"""Seconds, where the answer has no Retry-After."""

MOST = 2_400
"""Bytes of text: 4,096 for the whole message, less its frame, its link and its title."""


class FcmSettings(Account):
    """`critical` sounds red warnings through silence on Apple's phones; that needs Apple's entitlement."""

    base_url: str = "https://fcm.googleapis.com"
    critical: bool = False


class Fcm:
    """A push to one registration token."""

    Settings: ClassVar[type[ChannelSettings]] = FcmSettings

    def __init__(self, settings: FcmSettings, http: httpx.AsyncClient, now: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self.http = http
        self.url = f"{settings.base_url}/v1/projects/{settings.project_id}/messages:send"
        self.token = access_token(settings, http, now)

    async def send(self, message: Outgoing) -> Receipt:
        """Post it; with a fresh token, once more, if ours has ended."""
        ticket = await self.token.get()
        answer = await self.post(message, ticket.value)
        if answer.status_code == 401 and not error_code(spoken(answer)):
            ticket = await self.token.renew(ticket)
            answer = await self.post(message, ticket.value)
        name = spoken(answer).get("name")
        if answer.is_success and isinstance(name, str):
            return Receipt(name)
        raise refusal(answer, ticket.value, message.address)

    async def post(self, message: Outgoing, token: str) -> httpx.Response:
        """FCM's answer."""
        headers, body = {"authorization": f"Bearer {token}"}, {"message": self.body(message)}
        return await exchange(self.http, "POST", self.url, timeout=self.settings.timeout, headers=headers, json=body)

    def body(self, message: Outgoing) -> dict[str, Any]:
        """The message on the wire. A later round of a warning takes the place of the earlier one on the screen."""
        left, level, about = max(0, int(message.left)), LEVELS[message.lane], topic(message.reference)
        return {
            "token": message.address,
            "notification": {"title": clipped(message.words.title, 300), "body": clipped(message.text, MOST)},
            "data": {
                "reference": message.reference,
                "level": level,
                "link": message.link,
                "drill": str(message.drill).lower(),
            },
            "android": {
                "priority": "high",
                "ttl": f"{left}s",
                "collapse_key": about,
                "notification": {
                    "tag": about,
                    "channel_id": f"warning_{level}",
                    "notification_priority": "PRIORITY_MAX",
                    "visibility": "PUBLIC",
                },
            },
            "apns": {
                "headers": {
                    "apns-priority": "10",
                    "apns-expiration": str(int(message.expires.timestamp())),
                    "apns-collapse-id": about,
                },
                "payload": {"aps": self.sound(message)},
            },
            "webpush": {"headers": {"TTL": str(left), "Urgency": "high"}},
        }

    def sound(self, message: Outgoing) -> dict[str, Any]:
        """Apple's part: how loud it may be."""
        if self.settings.critical and message.lane == 1 and not message.drill:
            return {"sound": {"critical": 1, "name": "default", "volume": 1.0}, "interruption-level": "critical"}
        return {"sound": "default", "interruption-level": "time-sensitive"}


def refusal(answer: httpx.Response, *hidden: str) -> SendError:
    """The no in an answer; a status alone, where there is no JSON in it."""
    said, loaded = spoken(answer), overloaded(answer)
    error = said.get("error")
    if not isinstance(error, dict):
        return loaded or SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of FCM's")
    code = error_code(said) or str(error.get("status", ""))
    detail = cleaned(str(error.get("message", "")), *hidden)
    reason = REASONS.get(code, loaded.reason if loaded else Reason.UNEXPECTED)
    if reason is Reason.REJECTED and ("registration token" in detail or "message.token" in str(error.get("details"))):
        reason = Reason.RECIPIENT
    after = loaded.retry_after if loaded else None
    return SendError(reason, code, detail, WAITS.get(code) if after is None else after)


def error_code(said: dict[str, Any]) -> str:
    """FCM's own code; "" where only Google's front door spoke."""
    error = said.get("error")
    details = error.get("details") if isinstance(error, dict) else None
    found = (part.get("errorCode") for part in details or () if isinstance(part, dict))
    return next((code for code in found if isinstance(code, str)), "")
