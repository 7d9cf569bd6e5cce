"""What the port gives adapters for their calls: failures told apart, and a token with one owner."""

import asyncio
import contextlib
import logging
import socket

import httpx
import pytest

from warnhub.client import make_client, make_transport
from warnhub.port import Reason, SendError, Target, Token, cleaned, exchange, overloaded, post
from warnhub.testing import Script

HIDDEN = "a-token-that-shows"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (httpx.ConnectError(HIDDEN), Reason.UNREACHABLE),
        (httpx.ConnectTimeout(HIDDEN), Reason.UNREACHABLE),
        (httpx.PoolTimeout(HIDDEN), Reason.UNREACHABLE),
        (httpx.ReadTimeout(HIDDEN), Reason.UNKNOWN),
        (httpx.WriteTimeout(HIDDEN), Reason.UNKNOWN),
        (httpx.ReadError(HIDDEN), Reason.UNKNOWN),
        (httpx.RemoteProtocolError(HIDDEN), Reason.UNKNOWN),
        (httpx.UnsupportedProtocol(HIDDEN), Reason.CONFIG),
    ],
)
async def test_failed_calls(error: Exception, reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    """What may have been heard is unknown, what was not is unreachable, and even a logged traceback keeps the secret."""
    async with Script(error).client() as http:
        with pytest.raises(SendError) as caught:
            await exchange(http, "POST", "https://provider.example/", timeout=1, params={"token": HIDDEN})
    assert caught.value.reason is reason
    logging.getLogger("test").error("not sent", exc_info=caught.value)
    assert "not sent" in caplog.text
    assert HIDDEN not in caplog.text


@pytest.mark.parametrize(
    ("status", "after", "reason", "seconds"),
    [
        (429, "7", Reason.THROTTLED, 7.0),
        (429, "Wed, 21 Oct 2026 07:28:00 GMT", Reason.THROTTLED, None),
        (503, "3", Reason.UNKNOWN, 3.0),
        (500, "", Reason.UNKNOWN, None),
    ],
)
def test_overloaded(status: int, after: str, reason: Reason, seconds: float | None) -> None:
    """By status alone."""
    error = overloaded(httpx.Response(status, headers={"retry-after": after} if after else {}))
    assert error is not None
    assert (error.reason, error.retry_after) == (reason, seconds)


@pytest.mark.parametrize("status", [200, 302, 400, 404])
def test_not_overloaded(status: int) -> None:
    """These are the adapter's to read."""
    assert overloaded(httpx.Response(status)) is None


def test_cleaned() -> None:
    """One line, bounded, without what is hidden; an empty hidden word hides nothing."""
    assert cleaned("no\n such  +8613800138000", "+8613800138000", "") == "no such ••••"
    assert len(cleaned("a" * 1_000)) == 200


class Source:
    """A clock, and a provider of numbered tokens that live `life` seconds or fail."""

    def __init__(self, life: float = 7_200) -> None:
        self.now, self.life, self.asked = 0.0, life, 0
        self.error: SendError | None = None
        self.token = Token(self.fetch, lambda: self.now)

    async def fetch(self) -> tuple[str, float]:
        """The next token, after a moment."""
        self.asked += 1
        await asyncio.sleep(0)
        if self.error:
            raise self.error
        return f"token-{self.asked}", self.life


async def test_one_fetch_for_all() -> None:
    """However many want it at once, and it does not show itself."""
    source = Source()
    tickets = await asyncio.gather(*(source.token.get() for _ in range(50)))
    assert {ticket.value for ticket in tickets} == {"token-1"}
    assert source.asked == 1
    assert "token-1" not in repr(tickets[0])


@pytest.mark.parametrize(("life", "still", "over"), [(7_200, 6_899, 6_900), (100, 49, 50)])
async def test_fetched_before_its_end(life: float, still: float, over: float) -> None:
    """Five minutes before, or at half of a short life."""
    source = Source(life)
    await source.token.get()
    source.now = still
    assert (await source.token.get()).value == "token-1"
    source.now = over
    assert (await source.token.get()).value == "token-2"


async def test_old_one_serves_in_an_outage() -> None:
    """While it lives; asked for again every ten seconds, not at every send."""
    source = Source()
    await source.token.get()
    source.now, source.error = 6_900, SendError(Reason.UNKNOWN)
    assert [(await source.token.get()).value for _ in range(5)] == ["token-1"] * 5
    assert source.asked == 2
    source.now, source.error = 6_910, None
    assert (await source.token.get()).value == "token-3"


async def test_failure_is_shared() -> None:
    """Fifty who wait behind a failing call get its failure, none calls again; nothing of theirs is unknown."""
    source = Source()
    source.error = SendError(Reason.UNKNOWN, "timeout")
    outcomes = await asyncio.gather(*(source.token.get() for _ in range(50)), return_exceptions=True)
    assert {error.reason for error in outcomes if isinstance(error, SendError)} == {Reason.UNREACHABLE}
    assert len(outcomes) == 50
    assert source.asked == 1
    source.now, source.error = 1, None
    assert (await source.token.get()).value == "token-2"


async def test_renewed_once() -> None:
    """Of fifty whose token was refused one fetches another; a late one takes that."""
    source = Source()
    spent = await source.token.get()
    fresh = await asyncio.gather(*(source.token.renew(spent) for _ in range(50)))
    assert {ticket.value for ticket in fresh} == {"token-2"}
    assert source.asked == 2


@pytest.fixture
def own() -> httpx.AsyncClient:
    """The client that production makes."""
    return make_client(make_transport(), 5)


async def test_ready_bytes_arrive_as_they_are(own: httpx.AsyncClient) -> None:
    """Head and body on the wire, status, headers and body back; the same through any other client of httpx."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n") + await reader.readexactly(3))
        writer.write(b'HTTP/1.1 503 no\r\nRetry-After: 7\r\nContent-Length: 7\r\nConnection: close\r\n\r\n{"a":1}')
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server, own, httpx.AsyncClient(trust_env=False) as other:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x?a=%2B"
        for client in (own, other):
            target = Target(url, {"x-key": "k"}, again=True)
            answers = [await post(client, Target(url, target.headers), b"a=b", timeout=5)]
            answers += [await post(client, target, body, timeout=5) for body in (b"a=b", b"a=c")]
            for said in answers:
                assert (said.status_code, said.is_success, said.json()) == (503, False, {"a": 1})
                error = overloaded(said)
                assert error is not None
                assert (error.reason, error.retry_after) == (Reason.UNKNOWN, 7)
    for one in heard:
        assert one.startswith(b"POST /x?a=%2B HTTP/1.1\r\n")
        assert b"x-key: k\r\n" in one.lower()
    assert [one.rpartition(b"\r\n\r\n")[2] for one in heard] == [b"a=b", b"a=b", b"a=c"] * 2


async def test_ready_bytes_that_nobody_hears(own: httpx.AsyncClient, unused: int) -> None:
    """No connection is unreachable, no answer is unknown, no URL is a configuration matter; no secret is in any of them."""

    async def hush(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            await reader.read()

    async with own, await asyncio.start_server(hush, "127.0.0.1", 0) as silent:
        port = silent.sockets[0].getsockname()[1]
        rows = [
            (f"http://127.0.0.1:{unused}/{HIDDEN}", Reason.UNREACHABLE),
            (f"http://127.0.0.1:{port}/{HIDDEN}", Reason.UNKNOWN),
            (f"no-url/{HIDDEN}", Reason.CONFIG),
            (f"ftp://127.0.0.1/{HIDDEN}", Reason.CONFIG),
        ]
        for url, reason in rows:
            with pytest.raises(SendError) as caught:
                await post(own, Target(url, {}), b"", timeout=0.2)
            with pytest.raises(SendError) as again:
                await post(own, Target(url, {}, again=True), b"", timeout=0.2)
            assert caught.value.reason is again.value.reason is reason, url
            assert HIDDEN not in str(caught.value) + str(again.value)


@pytest.fixture
def unused() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        return int(held.getsockname()[1])
