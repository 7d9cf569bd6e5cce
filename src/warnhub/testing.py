"""Public fakes and the contract every channel adapter keeps.

`Outbox` is a channel that keeps what it is given. `ChannelContract` is inherited by each HTTP adapter's tests: the subclass
says how to make the adapter and what its provider answers, and gets the rows every table must end with.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import httpx
import pytest

from warnhub.port import Bulk, Channel, ChannelSettings, Outgoing, Reason, Receipt, SendError, Words


def outgoing(number: int = 1, address: str = "+8613800138000", **given: object) -> Outgoing:
    """A message fit to send: an orange rainstorm that expires in an hour."""
    fields = {
        "hazard": "暴雨",
        "level": "橙色",
        "agency": "云岭县气象台",
        "time": "2026年6月12日16时",
        "area": "古镇镇",
        "action": "请立即转移",
        "headline": "云岭县气象台发布暴雨橙色预警",
        "expires": "6月12日19时",
        "drill": "",
    }
    values: dict[str, object] = {
        "reference": f"w1-r{number}-sms-1",
        "address": address,
        "words": Words(text="【云岭应急】暴雨橙色预警,请立即转移。", title="暴雨橙色预警", fields=fields),
        "lane": 2,
        "expires": datetime.now(UTC) + timedelta(hours=1),
    }
    return Outgoing(**(values | given))  # type: ignore[arg-type]  # a table of keyword arguments


class Outbox:
    """A channel that takes everything and keeps it in `sent`, or raises the errors it is given, in turn."""

    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self, errors: Sequence[SendError] = ()) -> None:
        self.sent: list[Outgoing] = []
        self.errors = list(errors)

    async def send(self, message: Outgoing) -> Receipt:
        """Keep it, unless an error is due."""
        if self.errors:
            raise self.errors.pop(0)
        self.sent.append(message)
        return Receipt(f"outbox-{len(self.sent)}")


class Script:
    """An `httpx` transport handler that answers from a list and keeps every request; the last answer repeats."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next answer, or raise it."""
        self.requests.append(request)
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content, request=request)

    def client(self) -> httpx.AsyncClient:
        """A client that speaks to this script and to nothing else."""
        return httpx.AsyncClient(transport=httpx.MockTransport(self))


async def outcome(channel: Channel, message: Outgoing) -> Receipt | SendError:
    """What became of one message, by `send_many` where the adapter has it."""
    if isinstance(channel, Bulk):
        return (await channel.send_many([message]))[0]
    try:
        return await channel.send(message)
    except SendError as error:
        return error


class ChannelContract:
    """What every HTTP adapter keeps, whatever its provider.

    A subclass sets `secrets` (strings that may appear in no log and no exception), `taken` (the provider's yes),
    `refusals` (a provider's no inside a 200, each with the `Reason` it means) and `make`. `before` is answered first, for
    providers that want a token.
    """

    secrets: ClassVar[Sequence[str]] = ()
    taken: ClassVar[Callable[[], httpx.Response]]
    refusals: ClassVar[Sequence[tuple[Callable[[], httpx.Response], Reason]]] = ()
    before: ClassVar[Sequence[Callable[[], httpx.Response]]] = ()
    after_server_error: ClassVar[Reason] = Reason.UNKNOWN
    after_timeout: ClassVar[Reason] = Reason.UNKNOWN

    def make(self, http: httpx.AsyncClient) -> Channel:
        """The adapter with test settings."""
        raise NotImplementedError

    def message(self) -> Outgoing:
        """A message it can send."""
        return outgoing()

    async def said(self, *answers: httpx.Response | Exception) -> Receipt | SendError:
        """What becomes of a message when the provider gives these answers."""
        first = [make() for make in type(self).before]
        async with Script(*first, *answers).client() as http:
            return await outcome(self.make(http), self.message())

    async def test_taken(self) -> None:
        """A yes is a receipt."""
        assert isinstance(await self.said(type(self).taken()), Receipt)

    async def test_refused_inside_a_200(self) -> None:
        """A no inside a 200 is a no."""
        if not self.refusals:
            pytest.skip("this provider says no by status only")
        for answer, reason in self.refusals:
            result = await self.said(answer())
            assert isinstance(result, SendError), answer()
            assert result.reason is reason, (result, reason)

    async def test_throttled(self) -> None:
        """429 is throttled, and Retry-After is kept."""
        result = await self.said(httpx.Response(429, headers={"retry-after": "7"}, text="slow down"))
        assert isinstance(result, SendError)
        assert result.reason is Reason.THROTTLED
        assert result.retry_after == 7

    async def test_server_error(self) -> None:
        """502 leaves the outcome unknown, unless the provider knows a repeat."""
        result = await self.said(httpx.Response(502, text="bad gateway"))
        assert isinstance(result, SendError)
        assert result.reason is self.after_server_error

    async def test_no_connection(self) -> None:
        """Without a connection nothing was taken."""
        result = await self.said(httpx.ConnectError("refused"))
        assert isinstance(result, SendError)
        assert result.reason is Reason.UNREACHABLE

    async def test_timeout(self) -> None:
        """A read time-out leaves the outcome unknown, unless the provider knows a repeat."""
        result = await self.said(httpx.ReadTimeout("slow"))
        assert isinstance(result, SendError)
        assert result.reason is self.after_timeout

    async def test_not_what_was_promised(self) -> None:
        """A 200 that is not the provider's form is no receipt."""
        result = await self.said(httpx.Response(200, text="<html>captive portal</html>"))
        assert isinstance(result, SendError)
        assert result.reason in {Reason.UNEXPECTED, Reason.UNKNOWN}

    async def test_keeps_secrets(self, caplog: pytest.LogCaptureFixture) -> None:
        """No secret and no address in a log or an exception."""
        caplog.set_level(logging.DEBUG)
        logging.getLogger("httpx").setLevel(logging.WARNING)
        hidden = [*self.secrets, self.message().address]
        answers: list[httpx.Response | Exception]
        answers = [httpx.Response(400, text=" ".join(hidden)), httpx.Response(502), httpx.ConnectError(" ".join(hidden))]
        for answer in answers:
            result = await self.said(answer)
            assert isinstance(result, SendError)
            for secret in hidden:
                assert secret not in str(result)
                assert secret not in caplog.text
