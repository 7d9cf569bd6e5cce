"""Twilio's own client over the HTTP client that the adapter was given.

https://www.twilio.com/docs/libraries/reference/twilio-python
"""

import logging
from base64 import b64encode
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

import httpx
from twilio.base.version import Version
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from warnhub.port import Reason, Said, SendError, exchange, overloaded, post

FORM = "application/x-www-form-urlencoded"
TABLE = {code: quote_plus(chr(code)) for code in range(128)}
NO_ENVIRONMENT = {"": ""}
"""Nothing of the process's variables (TWILIO_EDGE would change the host); an empty mapping would mean all of them."""


class HttpxClient(AsyncHttpClient):  # type: ignore[misc]  # the package ships no types
    """Calls once, and logs nothing. What a status alone says is raised here, for only here is Retry-After to be seen."""

    def __init__(self, http: httpx.AsyncClient, timeout: float) -> None:
        super().__init__(logging.getLogger(__name__), True, timeout)
        self.http = http

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, Any] | None = None,
        data: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Twilio's yes. Raises `SendError` for 429, 5xx, no answer and no JSON, Twilio's two exceptions for other refusals."""
        answer = await self.ask(method, uri, params, data, headers or {}, auth, timeout or self.timeout)
        told = Response(answer.status_code, answer.content.decode(errors="replace"), answer.headers)
        if not answer.is_success:
            refused = Version.exception(method, uri, told, "refused")
            error = overloaded(answer)
            raise SendError(error.reason, str(refused.code), error.detail, error.retry_after) if error else refused
        if not isinstance(parsed(answer), dict):
            raise SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of Twilio's")
        return told

    async def ask(
        self,
        method: str,
        uri: str,
        params: dict[str, Any] | None,
        data: dict[str, Any] | None,
        headers: Mapping[str, str],
        auth: tuple[str, str] | None,
        timeout: float,
    ) -> httpx.Response | Said:
        """A message is a POST of bytes made here, a question goes httpx's way."""
        if method != "POST" or params or auth is None:
            return await exchange(self.http, method, uri, timeout=timeout, params=params, data=data, headers=headers, auth=auth)
        headers = {**headers, "Content-Type": FORM, "Authorization": basic(*auth)}
        return await post(self.http, uri, headers, encoded(data or {}), timeout=timeout)


def parsed(answer: httpx.Response | Said) -> Any:
    """The JSON in an answer; None where there is none."""
    try:
        return answer.json()
    except ValueError:
        return None


def encoded(data: Mapping[str, Any]) -> bytes:
    """A form. What is not ASCII is a warning's words, which many messages share: to encode Chinese costs more than the call."""
    texts = ((name, str(value)) for name, value in data.items())
    return "&".join(f"{name}={text.translate(TABLE) if text.isascii() else quoted(text)}" for name, text in texts).encode()


@lru_cache(256)
def quoted(text: str) -> str:
    """A text as a form has it."""
    return quote_plus(text)


@lru_cache(8)
def basic(user: str, secret: str) -> str:
    """The header of an account."""
    return "Basic " + b64encode(f"{user}:{secret}".encode()).decode()


def make_messages(http: httpx.AsyncClient, base_url: str, account: str, user: str, secret: str, timeout: float) -> Any:
    """The account's Messages resource."""
    client = Client(user, secret, account, http_client=HttpxClient(http, timeout), environment=NO_ENVIRONMENT)
    client.api.base_url = base_url
    return client.messages
