"""The one HTTP client that adapters are given: httpx's API over a Rust transport.

httpx's own pool walks all its connections for each request and falls to 40 calls a second at 500 in flight; see
docs/decisions/0003. Nothing is retried here, and redirects are not followed: a provider that moves is a configuration matter.
"""

from datetime import timedelta

import httpx
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport

CONNECT = 5.0


def make_transport() -> httpx.AsyncBaseTransport:
    """The transport beneath every provider's client, shared so that connections are."""
    builder = ClientBuilder().connect_timeout(timedelta(seconds=CONNECT)).pool_idle_timeout(timedelta(seconds=20))
    return HttpxTransport(builder.build(), close_client=False)


def make_client(transport: httpx.AsyncBaseTransport, timeout: float) -> httpx.AsyncClient:
    """A client whose calls end after `timeout` seconds in all."""
    # The transport adds the four httpx time-outs up, so only one is set.
    total = httpx.Timeout(None, read=timeout)
    return httpx.AsyncClient(transport=transport, timeout=total, follow_redirects=False, trust_env=False)
