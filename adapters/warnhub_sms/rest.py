"""Twilio's own client over the HTTP client that the adapter was given.

https://www.twilio.com/docs/libraries/reference/twilio-python
"""

import logging
from typing import Any

import httpx
from twilio.base.version import Version
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from warnhub.port import Reason, SendError, exchange, overloaded

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
        parts = {"params": params, "data": data, "headers": headers, "auth": auth}
        answer = await exchange(self.http, method, uri, timeout=timeout or self.timeout, **parts)
        told = Response(answer.status_code, answer.text, answer.headers)
        if not answer.is_success:
            refused = Version.exception(method, uri, told, "refused")
            error = overloaded(answer)
            raise SendError(error.reason, str(refused.code), error.detail, error.retry_after) if error else refused
        if not isinstance(parsed(answer), dict):
            raise SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of Twilio's")
        return told


def parsed(answer: httpx.Response) -> Any:
    """The JSON in an answer; None where there is none."""
    try:
        return answer.json()
    except ValueError:
        return None


def make_messages(http: httpx.AsyncClient, base_url: str, account: str, user: str, secret: str, timeout: float) -> Any:
    """The account's Messages resource."""
    client = Client(user, secret, account, http_client=HttpxClient(http, timeout), environment=NO_ENVIRONMENT)
    client.api.base_url = base_url
    return client.messages
