"""The one HTTP client that adapters are given: httpx's API over a Rust transport.

httpx's own pool walks all its connections for each request and falls to 40 calls a second at 500 in flight; see
docs/decisions/0003. Nothing is retried here, and redirects are not followed: a provider that moves is a configuration matter.
"""

from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from weakref import WeakKeyDictionary

import httpx
from pyreqwest import exceptions
from pyreqwest.client import Client as Beneath
from pyreqwest.client import ClientBuilder
from pyreqwest.compatibility.httpx import HttpxTransport
from pyreqwest.request import ConsumedRequest, RequestBody

from warnhub.port import Said, Target

CONNECT = 5.0
# By pyreqwest's hierarchy: the first that fits.
FAULTS: tuple[tuple[type[Exception], type[httpx.RequestError]], ...] = (
    (exceptions.ConnectTimeoutError, httpx.ConnectTimeout),
    (exceptions.RequestTimeoutError, httpx.ReadTimeout),
    (exceptions.ConnectError, httpx.ConnectError),
    (exceptions.NetworkError, httpx.NetworkError),
    (exceptions.BuilderError, httpx.UnsupportedProtocol),
)


class Transport(HttpxTransport):
    """One time-out for the whole call, and the right name for it.

    The transport adds httpx's four time-outs up, and calls every time-out one of connecting; a call that went out and was not
    answered may have been taken, so the difference is the difference between a retry and a duplicate.
    """

    def __init__(self, beneath: Beneath) -> None:
        super().__init__(beneath, close_client=False)
        self.beneath = beneath

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send; raises ReadTimeout unless it was really the connection that did not come."""
        asked = request.extensions.get("timeout") or {}
        request.extensions["timeout"] = {"read": asked.get("read")}
        try:
            return await super().handle_async_request(request)
        except httpx.ConnectTimeout as error:
            if is_connecting(error.__cause__):
                raise
            raise httpx.ReadTimeout(str(error), request=request) from error


class Client(httpx.AsyncClient):
    """httpx's client, and beside it a way that makes none of httpx's objects: they cost ten times the call itself."""

    def __init__(self, transport: Transport, timeout: float) -> None:
        super().__init__(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)
        self.beneath = transport.beneath
        self.ready: WeakKeyDictionary[Target, tuple[float, ConsumedRequest]] = WeakKeyDictionary()

    async def swift(self, target: Target, body: bytes, timeout: float) -> Said:
        """POST made-ready bytes. Raises httpx's errors, as `request` does."""
        if not target.again:
            return await self.sent(self.build(target.url, target.headers, body, timeout))
        known = self.ready.get(target)
        if known is None or known[0] != timeout:
            known = self.ready[target] = timeout, self.build(target.url, target.headers, b"", timeout)
        return await self.sent(ConsumedRequest.from_request_and_body(known[1], RequestBody.from_bytes(body)))

    def build(self, url: str, headers: Mapping[str, str], body: bytes, timeout: float) -> ConsumedRequest:
        """A request as the transport has it. Raises httpx's errors."""
        try:
            return self.beneath.post(url).headers(headers).body_bytes(body).timeout(duration(timeout)).build()
        except exceptions.PyreqwestError as error:
            raise named(error) from error
        except ValueError as error:
            raise httpx.InvalidURL(f"{type(error).__name__} in the request") from None

    async def sent(self, request: ConsumedRequest) -> Said:
        """The answer. Raises httpx's errors."""
        try:
            answer = await request.send()
            return Said(answer.status, answer.headers, bytes(await answer.bytes()))
        except exceptions.PyreqwestError as error:
            raise named(error) from error


def is_connecting(error: BaseException | None) -> bool:
    """Whether a time-out came while connecting, whatever it is called."""
    return "(Connect)" in str(getattr(error, "args", ""))


def named(error: exceptions.PyreqwestError) -> httpx.RequestError:
    """httpx's name for what went wrong; without the address, which may hold a secret."""
    kind = next((ours for theirs, ours in FAULTS if isinstance(error, theirs)), httpx.TransportError)
    if kind is httpx.ConnectTimeout and not is_connecting(error):
        kind = httpx.ReadTimeout
    return kind(type(error).__name__)


@lru_cache(64)
def duration(seconds: float) -> timedelta:
    """Seconds as the transport wants them."""
    return timedelta(seconds=seconds)


def make_transport() -> httpx.AsyncBaseTransport:
    """The transport beneath every provider's client, shared so that connections are."""
    builder = ClientBuilder().connect_timeout(timedelta(seconds=CONNECT)).pool_idle_timeout(timedelta(seconds=20)).no_proxy()
    return Transport(builder.build())


def make_client(transport: httpx.AsyncBaseTransport, timeout: float) -> httpx.AsyncClient:
    """A client whose calls end after `timeout` seconds in all."""
    if isinstance(transport, Transport):
        return Client(transport, timeout)
    return httpx.AsyncClient(transport=transport, timeout=timeout, follow_redirects=False, trust_env=False)
