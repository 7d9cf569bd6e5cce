"""All an adapter may import: what it is given to send, how it says what became of it, and how it reads call-backs.

    Fault              a message was not taken
      SendError        … with the reason that decides what happens next
    Refused            a call-back that is not from the provider

An adapter is a class named by the entry-point group `warnhub.channels` as `channel.provider`. It is made with
`Adapter(settings, http)`: its own `Settings` and the one `httpx.AsyncClient` that the composition root built. It never
makes a client, never retries by itself, and never decides who is told.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol, overload, runtime_checkable

import httpx
import orjson
from pydantic import BaseModel, ConfigDict, Field

LINK, CODE = "\ue000", "\ue004"
"""Where a recipient's own link and reply code go in a shared text: private-use characters that no agency's text keeps."""


class Reason(StrEnum):
    """Why a message was not taken: the retry rule, the metric label and the word in the ops table, all in one.

    config        the account, template, signature or quota is wrong: stop the channel, tell the operator
    recipient     this address is dead or refuses: never try it again
    rejected      this message to this address will never pass: do not retry, fall to the next channel
    throttled     too fast: wait `retry_after`, for the whole account; certainly not taken
    unreachable   certainly not taken (no connection, 429, 503 before anything was read): try again
    unknown       may have been taken (read time-out, 5xx after a POST that is not idempotent)
    unexpected    the answer makes no sense: like unknown, and somebody should read it
    """

    CONFIG = "config"
    RECIPIENT = "recipient"
    REJECTED = "rejected"
    THROTTLED = "throttled"
    UNREACHABLE = "unreachable"
    UNKNOWN = "unknown"
    UNEXPECTED = "unexpected"


class State(StrEnum):
    """Where a delivery stands. The order they may take is in `warnhub.store.states`."""

    PLANNED = "planned"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    FAILED = "failed"
    DELIVERED = "delivered"
    READ = "read"
    CONFIRMED = "confirmed"
    SUPPRESSED = "suppressed"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


class Fault(Exception):
    """A message was not handed over."""


class SendError(Fault):
    """The provider did not take a message.

    `code` is the provider's own; `detail` is a sentence for people with no secret and no full address in it;
    `retry_after` is seconds from now, where the provider said so.
    """

    def __init__(self, reason: Reason, code: str = "", detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(f"{reason}: {code} {detail}".strip())
        self.reason = reason
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


class Refused(Exception):
    """A call-back without a valid signature, or that cannot be read. The sender is told 403 and nothing changes."""


@dataclass(frozen=True, slots=True)
class Words:
    """What a warning says on one channel, in one language: made once, shared by everybody who hears it.

    text      the whole message (SMS body, what a loudspeaker says, a push body). `LINK` marks the place of a link
    title     short title (push, WeChat)
    fields    named values for a provider's template, in the provider-neutral names
              hazard, level, agency, time, area, action, headline, expires, drill
    language  BCP 47
    """

    text: str
    title: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    language: str = "zh-CN"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message to one address.

    reference  ours, computed, ≤ 40 characters of [0-9a-z-]; the provider gets it and call-backs carry it
    address    E.164 number, openid, registration id, or `area12/device` of a loudspeaker; never logged
    words      shared by the batch
    lane       1 red … 4 blue
    expires    aware, UTC; no provider may try after it
    link       the recipient's own page, or ""
    code       what the recipient may send back in place of opening it, or ""
    callback   where the provider should report this message to, or ""
    drill      every text already says so; adapters that have a drill flag on the wire set it
    repeat     times a loudspeaker says it; volume 0–100
    audio      where the text can be fetched as the county's own recording, for a while; "" where there is none
    since, others   for who looks it up: when it can have been handed over first, and the provider's ids of this person's other
               messages
    """

    reference: str
    address: str
    words: Words
    lane: int
    expires: datetime
    link: str = ""
    callback: str = ""
    drill: bool = False
    repeat: int = 1
    volume: int = 80
    code: str = ""
    audio: str = ""
    since: datetime | None = None
    others: frozenset[str] = frozenset()

    @property
    def text(self) -> str:
        """The words with this recipient's link and code in their places."""
        return self.words.text.replace(LINK, self.link).replace(CODE, self.code)

    @property
    def wave(self) -> str:
        """What the references of one warning, channel and round have in common."""
        return self.reference.partition("-")[0]

    @property
    def left(self) -> float:
        """Seconds until it expires, by this machine's clock."""
        return (self.expires - datetime.now(UTC)).total_seconds()


class Crowd(Sequence[Outgoing]):
    """Messages that differ by their address and reference alone: to a bulk adapter any sequence of messages, made one by one
    for who asks for them; to one that looks for it, two columns.
    """

    __slots__ = ("addresses", "common", "hook", "references")

    def __init__(self, common: Outgoing, references: Sequence[str], addresses: Sequence[str], hook: str = "") -> None:
        """`common` is what they share; `hook` stands before the reference in each call-back."""
        self.common = common
        self.references = references
        self.addresses = addresses
        self.hook = hook

    def __len__(self) -> int:
        return len(self.addresses)

    @overload
    def __getitem__(self, place: int) -> Outgoing: ...

    @overload
    def __getitem__(self, place: slice) -> "Crowd": ...

    def __getitem__(self, place: "int | slice") -> "Outgoing | Crowd":
        if isinstance(place, slice):
            return Crowd(self.common, self.references[place], self.addresses[place], self.hook)
        reference = self.references[place]
        back = self.hook and self.hook + reference
        return replace(self.common, reference=reference, address=self.addresses[place], callback=back)

    def only(self, places: Sequence[int]) -> "Crowd":
        """Those at `places`."""
        return Crowd(self.common, [self.references[n] for n in places], [self.addresses[n] for n in places], self.hook)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The provider took it. `provider_id` is its own name for the message; `state` is ACCEPTED unless it knows more."""

    provider_id: str = ""
    state: State = State.ACCEPTED


@dataclass(frozen=True, slots=True)
class Report:
    """What a provider, or a person through a provider, says later.

    One of `reference` (ours) or `provider_id` (with `address`, where one provider id covers a whole call) finds the delivery.
    `group` is the reference of the first message of the call it went out in, where the provider keeps one for a call: with
    `address` it finds the delivery of a call whose answer, and with it the provider's id, was lost.
    `state` is None for a `reply`: the words a person sent back from `address`. `opt_out` means never again.
    `key` makes a repeat a repeat; it is the same when the provider says the same thing twice. `pressed` is what somebody chose
    by a key on a call: received, moved, help or cannot; `state` is None then too, and `reference` says who. `unless` is the key
    of an earlier report that has said how this message ended: if it was kept, this one moves nothing. `over`: its line is free.
    """

    key: str
    state: State | None = None
    reference: str = ""
    provider_id: str = ""
    group: str = ""
    address: str = ""
    reason: Reason | None = None
    code: str = ""
    detail: str = ""
    at: datetime | None = None
    reply: str = ""
    opt_out: bool = False
    pressed: str = ""
    unless: str = ""
    over: bool = False


@dataclass(frozen=True, slots=True)
class Callback:
    """An HTTP call from a provider, as it came. `url` is the public one, query included; header names are lower case."""

    method: str
    url: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider wants to hear back."""

    body: bytes = b""
    media: str = "text/plain"
    status: int = 200


class ChannelSettings(BaseModel):
    """What every provider's settings have.

    `rate` is calls a second, `parallel` calls in flight, `timeout` seconds for a call, `weight` its share beside other
    providers of the channel. `routes` are the kinds of address it carries (`cn` and `intl` numbers, `jpush` and `fcm`
    registrations); () is every kind. `links`: whether its messages carry each recipient's own page; where a provider takes one
    text for many, that makes one call a person. `price` is what one message (of an SMS: one billed part) costs in the county's
    currency, None where it is not known; `daily` how many messages the account may send a day, None for no limit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    rate: float = 50.0
    parallel: int = 20
    timeout: float = 10.0
    weight: float = 1.0
    routes: tuple[str, ...] = ()
    links: bool = True
    price: Decimal | None = Field(default=None, ge=0)
    daily: int | None = Field(default=None, ge=0)


class Channel(Protocol):
    """A way to reach recipients.

    `Settings` is the provider's section of the configuration; secrets in it are `SecretStr`.
    """

    Settings: ClassVar[type[ChannelSettings]]

    def __init__(self, settings: ChannelSettings, http: httpx.AsyncClient) -> None: ...

    async def send(self, message: Outgoing) -> Receipt:
        """Hand `message` to the provider, once. Raise `SendError` if it is not certainly taken."""
        ...


@runtime_checkable
class Speaks(Protocol):
    """A channel that says things aloud, and can be listened to at the desk."""

    async def speech(self, text: str) -> Path | None:
        """The recording of `text`, made if there is none; None if there is no voice for it."""


@runtime_checkable
class Fills(Protocol):
    """A provider's own template is filled with our words, and may have less room than they take."""

    def crowded(self, words: Words) -> Sequence[str]:
        """The names of those of our words that its template would cut, or has to leave empty; () where all of them fit."""


@runtime_checkable
class Bulk(Protocol):
    """Many recipients in one provider call. `most` is how many one call takes."""

    most: ClassVar[int]

    async def send_many(self, messages: Sequence[Outgoing]) -> Sequence[Receipt | SendError]:
        """One result for each message, in their order; a failure of the whole call is the same `SendError` for each."""
        ...


@runtime_checkable
class Reports(Protocol):
    """The provider calls back: receipts, replies, key presses."""

    def read(self, call: Callback) -> Sequence[Report]:
        """What it says. Raises `Refused` if it is not signed as the provider signs."""
        ...

    def answer(self, call: Callback) -> Answer:
        """What to answer once the reports are kept."""
        ...


@runtime_checkable
class Lookup(Protocol):
    """The provider can be asked what became of a message whose answer was lost."""

    async def find(self, message: Outgoing) -> Receipt | None:
        """What it knows of `message`; None if it certainly never took it. Raises `SendError` if it cannot tell."""
        ...


@runtime_checkable
class Repeatable(Protocol):
    """The provider knows a repeat by our reference, so an unknown outcome may simply be sent again."""

    repeatable: ClassVar[bool]


@runtime_checkable
class Listens(Protocol):
    """Reports come over a connection the adapter keeps itself (MQTT), not over HTTP."""

    async def listen(self, take: "Take") -> None:
        """Run until cancelled, giving each group of reports to `take`; reconnects by itself."""
        ...


@runtime_checkable
class Lines(Protocol):
    """What is sent takes one of `lines`, of all workers together, until a report says `over`, at most `longest` seconds."""

    @property
    def lines(self) -> int: ...
    @property
    def longest(self) -> float: ...


@runtime_checkable
class Plays(Protocol):
    """It plays `Outgoing.audio` in place of saying the text, where `plays` is so."""

    @property
    def plays(self) -> bool: ...


class Take(Protocol):
    """Keeps reports durably before it returns."""

    async def __call__(self, reports: Sequence[Report]) -> None: ...


@runtime_checkable
class Devices(Protocol):
    """The addresses are machines, and the adapter knows which of them have a line."""

    def devices(self) -> Mapping[str, bool]:
        """Address → on line, of each device heard of since `listen` began; one that is missing is not known either way."""
        ...


class Sent(NamedTuple):
    """What was handed over; `provider_id` is "" where no answer came."""

    address: str
    provider_id: str = ""


@runtime_checkable
class Stops(Protocol):
    """What was sent can still be silenced: a loudspeaker that is saying a warning which no longer holds."""

    async def stop(self, sent: Mapping[str, Sent]) -> Mapping[str, SendError]:
        """Silence messages, given by our reference: those that play, that wait, and that are still on their way.

        What is named here never starts later on that device. Returns those that were not taken, each with its reason: ask
        again for them, for a repeat does no harm. What a device says of it comes as a `Report` of the message's reference.
        """
        ...


def masked(address: str) -> str:
    """An address fit for a page or a log: at most the last four characters, and never more than a third of it."""
    shown = min(4, len(address) // 3)
    return "•" * 4 + (address[-shown:] if shown else "")


def cleaned(text: str, *hidden: str) -> str:
    """A provider's words fit for a page or a log: one line, at most 200 characters, without any of `hidden`."""
    for secret in filter(None, hidden):
        text = text.replace(secret, "••••")
    return " ".join(text.split())[:200]


class Said(NamedTuple):
    """A provider's answer to `post`; header names are looked up in lower case."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_success(self) -> bool:
        """2xx."""
        return 200 <= self.status_code < 300

    def json(self) -> Any:
        """The JSON in it. Raises ValueError."""
        return orjson.loads(self.content)


async def exchange(http: httpx.AsyncClient, method: str, url: str, *, timeout: float, **parts: Any) -> httpx.Response:
    """The provider's answer, whatever its status. `parts` are httpx's own (json, params, headers, auth, content, data).

    Raises `SendError`: UNREACHABLE if the provider certainly heard nothing, UNKNOWN if it may have, CONFIG for a URL that is
    none. httpx's own error is left out of it, for that holds the request and with it the secrets.
    """
    try:
        return await http.request(method, url, timeout=timeout, **parts)
    except FAULTS as error:
        raise fault(error, timeout) from None


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Target:
    """Where a POST goes. `again`: so will others, with the same headers, and a client may keep what it makes of them."""

    url: str
    headers: Mapping[str, str]
    again: bool = False


async def post(http: httpx.AsyncClient, target: Target, body: bytes, *, timeout: float) -> Said:
    """The same for a POST whose bytes are ready, without httpx's objects, which cost ten times the call."""
    try:
        if swift := getattr(http, "swift", None):
            return Said(*await swift(target, body, timeout))
        answer = await http.request("POST", target.url, headers=target.headers, content=body, timeout=timeout)
        return Said(answer.status_code, answer.headers, answer.content)
    except FAULTS as error:
        raise fault(error, timeout) from None


FAULTS = (httpx.HTTPError, httpx.InvalidURL)


def fault(error: Exception, timeout: float) -> SendError:
    """What one of httpx's errors means."""
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL):
        return SendError(Reason.CONFIG, detail="the provider's address is no URL")
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout | httpx.ProxyError):
        return SendError(Reason.UNREACHABLE, detail="no connection")
    if isinstance(error, httpx.TimeoutException):
        return SendError(Reason.UNKNOWN, "timeout", f"no answer in {timeout:g} s")
    return SendError(Reason.UNKNOWN, detail="the connection broke")


def overloaded(answer: "httpx.Response | Said") -> SendError | None:
    """What 429 (throttled) and 5xx (unknown) say by themselves, with `Retry-After`; None for any other status."""
    seconds = float(after) if (after := answer.headers.get("retry-after", "")).isdecimal() else None
    if answer.status_code == 429:
        return SendError(Reason.THROTTLED, "429", "too many requests", seconds)
    if answer.status_code >= 500:
        return SendError(Reason.UNKNOWN, str(answer.status_code), "the provider failed", seconds)
    return None


def unsent(error: SendError) -> SendError:
    """The same failure, of a call made before the message: nothing has left, and nothing is the recipient's fault."""
    before = {Reason.UNKNOWN: Reason.UNREACHABLE, Reason.RECIPIENT: Reason.CONFIG, Reason.REJECTED: Reason.CONFIG}
    return SendError(before.get(error.reason, error.reason), error.code, error.detail, error.retry_after)


@dataclass(frozen=True, slots=True)
class Ticket:
    """A credential that ends: `ends` is by the clock that its `Token` was given."""

    value: str = field(repr=False)
    ends: float


class Token:
    """A credential with one owner: however many sends want it, one fetches it, and before it ends.

    `fetch` gives the value and the seconds it lives, or raises `SendError`. When a renewal ahead of time fails, the old
    value is used while it lives, and the next try is ten seconds away. A failure is everybody's for a second, so that those
    who wait behind it do not each wait for their own.
    """

    def __init__(self, fetch: Callable[[], Awaitable[tuple[str, float]]], now: Callable[[], float] = time.monotonic) -> None:
        self.fetch = fetch
        self.now = now
        self.lock = asyncio.Lock()
        self.ticket: Ticket | None = None
        self.due = 0.0
        self.failure: SendError | None = None
        self.quiet = 0.0

    async def get(self) -> Ticket:
        """The credential, fetched if there is none or it ends within five minutes."""
        if self.ticket and self.now() < self.due:
            return self.ticket
        async with self.lock:
            if self.ticket and self.now() < self.due:
                return self.ticket
            try:
                return await self.fetched()
            except SendError:
                if self.ticket and self.now() < self.ticket.ends:
                    self.due = self.now() + 10
                    return self.ticket
                raise

    async def renew(self, spent: Ticket) -> Ticket:
        """Another than `spent`, which the provider refused; not fetched again if somebody has done so since."""
        async with self.lock:
            if self.ticket and self.ticket is not spent:
                return self.ticket
            return await self.fetched()

    async def fetched(self) -> Ticket:
        """A new one. Half of a short life is the margin, so that a provider that repeats an old one is not asked each time."""
        if self.failure and self.now() < self.quiet:
            raise unsent(self.failure)
        try:
            value, life = await self.fetch()
        except SendError as error:
            self.failure, self.quiet = unsent(error), self.now() + 1
            raise self.failure from None
        self.failure = None
        self.ticket = Ticket(value, self.now() + life)
        self.due = self.ticket.ends - min(300.0, life / 2)
        return self.ticket
