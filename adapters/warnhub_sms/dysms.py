"""One call of Alibaba Cloud's SMS service, signed; and what its answers mean. A business refusal comes inside a 200.

https://help.aliyun.com/document_detail/101346.html
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import Field, SecretStr

from warnhub.port import ChannelSettings, Reason, Said, SendError, Target, cleaned, overloaded, post
from warnhub_sms.acs3 import authorization, body_hash, canonical_query

VERSION = "2017-05-25"

# By `Code`, else by what stands before its first dot (`isv` is our fault, `isp` theirs; nothing was taken).
CODES: Mapping[Reason, Sequence[str]] = {
    Reason.THROTTLED: ("Throttling",),
    Reason.UNREACHABLE: ("isp.SYSTEM_ERROR", "isp.GATEWAY_ERROR", "isp"),
    Reason.UNKNOWN: ("ServiceUnavailable", "InternalError"),
    Reason.RECIPIENT: ("isv.MOBILE_NUMBER_ILLEGAL", "isv.CUSTOMER_REFUSED"),
    Reason.REJECTED: (
        *("isv.BUSINESS_LIMIT_CONTROL", "MOBILE_SEND_LIMIT"),  # this number has had its messages for the minute, hour, day
        *("isv.SMS_CONTENT_ILLEGAL", "isv.BLACK_KEY_CONTROL_LIMIT", "isv.UNSUPPORTED_CONTENT"),
        *("isv.PARAM_LENGTH_LIMIT", "isv.PARAM_NOT_SUPPORT_URL", "isv.INVALID_JSON_PARAM", "isv.INVALID_PARAMETERS"),
        *("isv.TEMPLATE_MISSING_PARAMETERS", "isv.TEMPLATE_PARAMS_ILLEGAL", "isv.MOBILE_COUNT_OVER_LIMIT", "isv"),
    ),
    Reason.CONFIG: (
        *("isv.DAY_LIMIT_CONTROL", "isv.MONTH_LIMIT_CONTROL", "isv.AMOUNT_NOT_ENOUGH", "isv.OUT_OF_SERVICE"),
        *("isv.ACCOUNT_NOT_EXISTS", "isv.ACCOUNT_ABNORMAL", "isv.PRODUCT_UN_SUBSCRIPT", "isv.PRODUCT_UNSUBSCRIBE"),
        *("isv.SMS_TEMPLATE_ILLEGAL", "isv.SMS_SIGNATURE_ILLEGAL", "isv.SMS_SIGN_ILLEGAL", "isv.SIGN_STATE_ILLEGAL"),
        *("isv.SMS_SIGNATURE_SCENE_ILLEGAL", "isv.EXTEND_CODE_ERROR", "isv.DOMESTIC_NUMBER_NOT_SUPPORTED"),
        *("isv.SMS_CONTENT_MISMATCH_TEMPLATE_TYPE", "isv.DENY_IP_RANGE", "isp.RAM_PERMISSION_DENY"),
        *("SignatureDoesNotMatch", "IncompleteSignature", "InvalidAccessKeyId", "InvalidTimeStamp", "Forbidden"),
        *("InvalidSecurityToken", "InvalidAction", "InvalidVersion", "NoPermission"),
    ),
}
REASONS = {code: reason for reason, codes in CODES.items() for code in codes}

PERSONAL = frozenset({"isv.MOBILE_NUMBER_ILLEGAL", "isv.CUSTOMER_REFUSED", "isv.BUSINESS_LIMIT_CONTROL", "MOBILE_SEND_LIMIT"})
"""One number is enough for these, and the whole call is refused."""


class Account(ChannelSettings):
    """Where to call and as whom. `base_url` may be a region's (dysmsapi.ap-southeast-1.aliyuncs.com)."""

    base_url: str = "https://dysmsapi.aliyuncs.com"
    access_key_id: str = Field(min_length=1)
    access_key_secret: SecretStr
    security_token: SecretStr = SecretStr("")


def make_nonce() -> str:
    """A number used once."""
    return secrets.token_hex(16)


class Dysms:
    """The service, as one account calls it."""

    def __init__(
        self, account: Account, http: httpx.AsyncClient, now: Callable[[], datetime], nonce: Callable[[], str] = make_nonce
    ) -> None:
        self.account = account
        self.http = http
        self.now = now
        self.nonce = nonce
        self.base = account.base_url.rstrip("/")
        self.host = httpx.URL(self.base).netloc.decode()

    async def call(self, action: str, query: Mapping[str, str], hidden: Sequence[str] = ()) -> dict[str, Any]:
        """What the service says, if it is OK; else raises `SendError`, in its words less `hidden`."""
        url, headers = f"{self.base}/?{canonical_query(query)}", self.headers(action, query)
        answer = await post(self.http, Target(url, headers), b"", timeout=self.account.timeout)
        said = spoken(answer)
        code = said.get("Code", "")
        if answer.is_success and code == "OK":
            return said
        raise refusal(answer, code, cleaned(str(said.get("Message", "")), *hidden, *self.secrets()))

    def headers(self, action: str, query: Mapping[str, str]) -> dict[str, str]:
        """The headers, all of them signed."""
        signed = {
            "accept": "application/json",
            "host": self.host,
            "x-acs-action": action,
            "x-acs-content-sha256": body_hash(b""),
            "x-acs-date": self.now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-acs-signature-nonce": self.nonce(),
            "x-acs-version": VERSION,
        }
        if token := self.account.security_token.get_secret_value():
            signed["x-acs-security-token"] = token
        secret = self.account.access_key_secret.get_secret_value()
        return signed | {"authorization": authorization(self.account.access_key_id, secret, "POST", query, signed)}

    def secrets(self) -> tuple[str, ...]:
        """What no error may show."""
        account = self.account
        return account.access_key_id, account.access_key_secret.get_secret_value(), account.security_token.get_secret_value()


def spoken(answer: Said) -> dict[str, Any]:
    """The answer's JSON; {} where it is not of the service's form."""
    try:
        said = answer.json()
    except ValueError:
        return {}
    return said if isinstance(said, dict) and isinstance(said.get("Code"), str) else {}


def refusal(answer: Said, code: str, words: str) -> SendError:
    """The no in an answer."""
    if error := overloaded(answer):
        return SendError(error.reason, code or error.code, words or error.detail, error.retry_after)
    if not code:
        return SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of Alibaba Cloud's")
    reason = REASONS.get(code) or REASONS.get(code.partition(".")[0], Reason.UNEXPECTED)
    return SendError(reason, code, words)
