"""The one HTTP client that adapters are given: httpx's API over a Rust transport.

httpx's own pool walks all its connections for each request and falls to 40 calls a second at 500 in flight; see
docs/decisions/0003. Nothing is retried here, and redirects are not followed: a provider that moves is a configuration matter.
"""

from datetime import timedelta

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport

CONNECT = 5.0


class Transport(HttpxTransport):
    """One time-out for the whole call, and the right name for it.

    The transport adds httpx's four time-outs up, and calls every time-out one of connecting; a call that went out and was not
    answered may have been taken, so the difference is the difference between a retry and a duplicate.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send; raises ReadTimeout unless it was really the connection that did not come."""
        asked = request.extensions.get("timeout") or {}
        request.extensions["timeout"] = {"read": asked.get("read")}
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectTimeout as error:
            if "(Connect)" in str(getattr(error.__cause__, "args", "")):
                raise
            raise httpx.ReadTimeout(str(error), request=request) from error


def make_transport() -> httpx.AsyncBaseTransport:
    """The transport beneath every provider's client, shared so that connections are."""
    builder = ClientBuilder().connect_timeout(timedelta(seconds=CONNECT)).pool_idle_timeout(timedelta(seconds=20)).no_proxy()
    return Transport(builder.build(), close_client=False)


def make_client(transport: httpx.AsyncBaseTransport, timeout: float) -> httpx.AsyncClient:
    """A client whose calls end after `timeout` seconds in all."""
    return httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)
