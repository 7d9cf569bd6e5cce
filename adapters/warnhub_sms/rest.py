"""Twilio's own client over the HTTP client that the adapter was given.

https://www.twilio.com/docs/libraries/reference/twilio-python
"""

import logging
from collections.abc import Mapping
from typing import Any

import httpx
from twilio.base.version import Version
from twilio.http import AsyncHttpClient
from twilio.http.response import Response
from twilio.rest import Client

from warnhub.port import Outgoing, Reason, Said, SendError, exchange, overloaded, post
from warnhub_sms.mould import HOLE, make_mould

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
        wait = timeout or self.timeout
        answer = await exchange(self.http, method, uri, timeout=wait, params=params, data=data, headers=headers, auth=auth)
        understood(method, uri, answer)
        return Response(answer.status_code, answer.text, answer.headers)


class Messages:
    """The account's Messages resource: `create` for one message, `resource` for everything else the package does."""

    def __init__(self, http: httpx.AsyncClient, client: Client, sender: Mapping[str, str], timeout: float) -> None:
        self.http = http
        self.resource = client.messages
        self.timeout = timeout
        self.moulds = {True: make_mould(client, {**sender, "status_callback": HOLE}), False: make_mould(client, sender)}

    async def create(self, message: Outgoing, life: int) -> dict[str, Any]:
        """What Twilio says of it. Raises as `HttpxClient.request` does."""
        mould = self.moulds[bool(message.callback)]
        answer = await post(self.http, mould.target, mould.fill(message, life), timeout=self.timeout)
        return understood("POST", mould.target.url, answer)


def understood(method: str, uri: str, answer: httpx.Response | Said) -> dict[str, Any]:
    """Twilio's yes. Raises `SendError` for 429, 5xx and no JSON, one of Twilio's two exceptions for other refusals."""
    if not answer.is_success:
        told = Response(answer.status_code, answer.content.decode(errors="replace"), answer.headers)
        refused = Version.exception(method, uri, told, "refused")
        error = overloaded(answer)
        raise SendError(error.reason, str(refused.code), error.detail, error.retry_after) if error else refused
    try:
        said = answer.json()
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise SendError(Reason.UNEXPECTED, str(answer.status_code), "not an answer of Twilio's")
    return said


def make_messages(
    http: httpx.AsyncClient,
    base_url: str,
    account: str,
    login: tuple[str, str],
    sender: Mapping[str, str],
    timeout: float,
) -> Messages:
    """The account's messages; `login` is a user with its secret, `sender` what every message names as its own."""
    client = Client(*login, account, http_client=HttpxClient(http, timeout), environment=NO_ENVIRONMENT)
    client.api.base_url = base_url
    return Messages(http, client, sender, timeout)
