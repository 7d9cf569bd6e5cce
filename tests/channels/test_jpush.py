"""JPush: the table of codes, the wire, cids, receipts by asking, and a stand-in that goes wrong on a real socket."""

import asyncio
import base64
from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

import httpx
import orjson
import pytest
from conftest import Serve
from pydantic import SecretStr

from warnhub.port import Bulk, Channel, Listens, Outgoing, Reason, Receipt, Repeatable, Report, SendError, State, Words
from warnhub.simulate.carrier import Faults
from warnhub.simulate.jpush import JpushCarrier
from warnhub.testing import ChannelContract, Script, outcome, outgoing
from warnhub_push.cids import Cids
from warnhub_push.jpush import Jpush
from warnhub_push.rest import REASONS, JpushSettings
from warnhub_push.watch import Watch

DEVICE = "1104a8979247d60312b"
STATUSES = {1000: 500, 1030: 503, 2002: 429, 1004: 401}


def settings(**given: Any) -> JpushSettings:
    """An app."""
    return JpushSettings(**({"app_key": "county-key", "master_secret": SecretStr("jpush-master-secret")} | given))


def pool(*cids: str) -> httpx.Response:
    """A pool of cids."""
    return httpx.Response(200, json={"cidlist": list(cids or ("county-key-1", "county-key-2"))})


def yes(number: str = "18100287008546512") -> httpx.Response:
    """A push taken."""
    return httpx.Response(200, json={"sendno": "0", "msg_id": number})


def no(code: int, words: str = "words", status: int | None = None) -> httpx.Response:
    """A refusal in JPush's form."""
    return httpx.Response(status or STATUSES.get(code, 400), json={"error": {"code": code, "message": words}})


class TestContract(ChannelContract):
    """What every adapter keeps."""

    secrets: ClassVar[Sequence[str]] = ("jpush-master-secret", base64.b64encode(b"county-key:jpush-master-secret").decode())
    taken = staticmethod(yes)
    before = (pool,)
    refusals = (
        *((partial(no, code), reason) for code, reason in REASONS.items()),
        (partial(no, 1003, "registration_id 参数值不合法"), Reason.RECIPIENT),
        (partial(no, 9999), Reason.UNEXPECTED),
        (partial(no, 1011, status=200), Reason.RECIPIENT),
    )

    def make(self, http: httpx.AsyncClient) -> Channel:
        """With test settings."""
        return Jpush(settings(), http)

    def message(self) -> Outgoing:
        """To a device."""
        return outgoing(address=DEVICE)


def batch(count: int, start: int = 0, **given: Any) -> list[Outgoing]:
    """Messages of one warning, to `device-0`, `device-1`, …; they end together, as those of a batch do."""
    first = outgoing(address="device")
    fields = {"words": first.words, "expires": first.expires} | given
    return [outgoing(n, f"device-{n}", reference=f"w1-r{n}-push-1", **fields) for n in range(start, start + count)]


async def tried(messages: Sequence[Outgoing], *answers: httpx.Response) -> tuple[Sequence[Receipt | SendError], Script]:
    """What became of a batch, and what was asked."""
    script = Script(*answers)
    async with script.client() as http:
        return await Jpush(settings(), http).send_many(messages), script


def test_is_what_it_says() -> None:
    """The core finds the extra abilities by type."""
    channel = Jpush(settings(), httpx.AsyncClient())
    assert isinstance(channel, Bulk)
    assert isinstance(channel, Repeatable)
    assert isinstance(channel, Listens)
    assert channel.most == 1_000


async def test_wire_form() -> None:
    """Who we are, a cid asked for, one push for all who get the same words."""
    results, script = await tried(batch(3, lane=1), pool(), yes())
    assert results == [Receipt("18100287008546512")] * 3
    asked, sent = script.requests
    assert str(asked.url) == "https://api.jpush.cn/v3/push/cid?count=10&type=push"
    assert str(sent.url) == "https://api.jpush.cn/v3/push"
    assert sent.headers["authorization"] == "Basic " + base64.b64encode(b"county-key:jpush-master-secret").decode()
    body = orjson.loads(sent.content)
    assert body["cid"] == "county-key-2"
    assert body["audience"] == {"registration_id": ["device-0", "device-1", "device-2"]}
    assert body["notification"]["android"]["alert"] == "【云岭应急】暴雨橙色预警,请立即转移。"
    assert body["notification"]["android"]["channel_id"] == "warning_red"
    assert body["notification"]["ios"]["alert"]["title"] == "暴雨橙色预警"
    assert 3_590 <= body["options"]["time_to_live"] <= 3_600
    assert body["options"]["apns_collapse_id"] == "w1"


async def test_one_call_a_text() -> None:
    """Personal links make every text its own; results stay in their places."""
    mixed = [*batch(2), *batch(1, 2, link="https://w.example/a/2"), *batch(2, 3)]
    mixed = [Outgoing(**{f: getattr(each, f) for f in each.__slots__} | {"expires": mixed[0].expires}) for each in mixed]
    results, script = await tried(mixed, pool(), yes("11"), yes("22"))
    devices = [orjson.loads(request.content)["audience"]["registration_id"] for request in script.requests[1:]]
    assert sorted(devices) == [["device-0", "device-1", "device-3", "device-4"], ["device-2"]]
    by_device = dict(zip([each.address for each in mixed], results, strict=True))
    assert by_device["device-0"] == by_device["device-4"] != by_device["device-2"]


async def test_long_text_fits() -> None:
    """Apple's part stays within 2,000 bytes."""
    words = Words("洪" * 2_000, "山" * 200)
    _, script = await tried(batch(1, words=words, link="https://w.example/" + "a" * 80), pool(), yes())
    part = orjson.loads(script.requests[1].content)["notification"]["ios"]
    assert len(orjson.dumps(part)) <= 2_000


async def test_rate_limit_says_when() -> None:
    """The header of JPush's own; the rest of the batch is not tried into a closed door."""
    closed = httpx.Response(429, json={"error": {"code": 2002, "message": "words"}}, headers={"x-rate-limit-reset": "11"})
    results, script = await tried([*batch(1), *batch(1, 1, link="https://w.example/a/1")], pool(), closed)
    assert [(r.reason, r.retry_after) for r in results if isinstance(r, SendError)] == [(Reason.THROTTLED, 11)] * 2
    assert len(script.requests) == 2


async def test_lost_answer_leaves_the_rest_unsent() -> None:
    """The call that was lost is unknown; those after it are certainly not taken."""
    results, _ = await tried([*batch(1), *batch(1, 1, link="https://w.example/a/1")], pool(), httpx.Response(502))
    assert {r.reason for r in results if isinstance(r, SendError)} == {Reason.UNKNOWN, Reason.UNREACHABLE}


async def test_fault_in_the_text_is_not_searched_for() -> None:
    """When no part of a thousand passes, a dozen halvings are enough."""
    results, script = await tried(batch(1_000), pool(*(f"county-key-{n}" for n in range(40))), no(1003))
    assert {r.reason for r in results if isinstance(r, SendError)} == {Reason.REJECTED}
    assert len(results) == 1_000
    assert len(script.requests) <= 1 + 12 + 13


@pytest.mark.parametrize("answer", [no(1004), httpx.Response(200, json={"cidlist": []}), httpx.Response(502)])
async def test_no_cid(answer: httpx.Response) -> None:
    """Without a cid nothing has left: nothing is unknown."""
    [result], script = await tried(batch(1), answer)
    assert isinstance(result, SendError)
    assert result.reason is not Reason.UNKNOWN
    assert len(script.requests) == 1


async def test_cid_belongs_to_its_set() -> None:
    """The same set in any order has the same cid; a part of it, or a day later, another; one call fills the pool once."""
    now, asked = [0.0], 0

    async def fetch() -> list[str]:
        nonlocal asked
        asked += 1
        return [f"{asked}-{n}" for n in range(3)]

    cids = Cids(fetch, lambda: now[0])
    first, again, part = await asyncio.gather(cids.get(["a", "b"]), cids.get(["b", "a"]), cids.get(["a"]))
    assert first == again != part
    assert asked == 1
    now[0] = 86_400
    assert await cids.get(["a", "b"]) != first
    assert asked == 2


def test_watch_is_bounded() -> None:
    """Half an hour each, in turn, and the oldest go when there are too many devices."""
    watch = Watch()
    watch.add("1", ["a", "b"], "2026-06-12", now=0)
    watch.add("2", ["a"], "2026-06-12", now=60)
    assert [entry.number for entry in watch.turn(1, now=61)] == ["1"]
    assert [entry.number for entry in watch.turn(1, now=62)] == ["2"]
    watch.settle("1", ["a"])
    assert [entry.devices for entry in watch.turn(2, now=63)] == [{"b"}, {"a"}]
    assert [entry.number for entry in watch.turn(2, now=1_800)] == ["2"]
    watch.add("3", [str(n) for n in range(300_000)], "2026-06-12", now=70)
    assert list(watch.messages) == ["3"]
    assert watch.size == 300_000


# --- on real sockets --------------------------------------------------------------------------------------------------


async def joined(
    serve: Serve, http: httpx.AsyncClient, faults: Faults | None = None, **given: Any
) -> tuple[Jpush, JpushCarrier]:
    """An adapter and a stand-in that know each other."""
    carrier = JpushCarrier("county-key", "jpush-master-secret", faults or Faults(delay=0))
    base = await serve(carrier.app())
    return Jpush(settings(**({"base_url": base, "report_url": base, "timeout": 1.0, "poll": 0.01} | given)), http), carrier


@pytest.mark.parametrize("fault", ["broken", "hang"])
async def test_lost_answer_then_repeat(serve: Serve, fault: str) -> None:
    """Taken, but the answer lost. The same set again is known, and pushed once."""
    messages = batch(500)
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http, Faults(**{fault: 1.0}))
        first = await channel.send_many(messages)
        carrier.faults = Faults()
        again = await channel.send_many(list(reversed(messages)))
    assert {result.reason for result in first if isinstance(result, SendError)} == {Reason.UNKNOWN}
    assert len({result.provider_id for result in again if isinstance(result, Receipt)}) == 1
    assert carrier.counts["taken"] == carrier.counts["repeats"] == 1
    assert carrier.counts["devices"] == 500


async def test_poison_fails_alone(serve: Serve) -> None:
    """Two malformed ids in a thousand: 998 are pushed, once each."""
    messages = batch(1_000)
    for place in (17, 802):
        messages[place] = outgoing(place, f"bad-{place}", reference=f"w1-r{place}-push-1", expires=messages[0].expires)
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http)
        results = await channel.send_many(messages)
    failed = {place: result.reason for place, result in enumerate(results) if isinstance(result, SendError)}
    assert failed == {17: Reason.RECIPIENT, 802: Reason.RECIPIENT}
    assert carrier.counts["devices"] == 998


@pytest.mark.parametrize(
    ("fault", "reason"), [("throttle", Reason.THROTTLED), ("error", Reason.UNKNOWN), ("refuse", Reason.RECIPIENT)]
)
async def test_faults(serve: Serve, fault: str, reason: Reason) -> None:
    """What is not taken is said not to be."""
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http, Faults(**{fault: 1.0}))
        result = await outcome(channel, outgoing(address="device-1"))
    assert isinstance(result, SendError)
    assert result.reason is reason
    assert carrier.counts["taken"] == 0


async def test_wrong_secret(serve: Serve) -> None:
    """Told as the operator's to mend, before anything is pushed."""
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http, master_secret=SecretStr("another"))
        result = await outcome(channel, outgoing(address="device-1"))
    assert isinstance(result, SendError)
    assert (result.reason, result.code) == (Reason.CONFIG, "1004")
    assert carrier.counts["taken"] == 0


class Desk:
    """Keeps reports; `until` waits for a number of them."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.news = asyncio.Condition()

    async def __call__(self, reports: Sequence[Report]) -> None:
        """Keep them."""
        async with self.news:
            self.reports += reports
            self.news.notify_all()

    async def until(self, count: int) -> None:
        """Return once there are `count`."""
        async with asyncio.timeout(5), self.news:
            await self.news.wait_for(lambda: len(self.reports) >= count)


async def test_receipts_by_asking(serve: Serve) -> None:
    """Each device's end arrives once; who is off is asked about again, in vain; an outage in between loses nothing."""
    expires = outgoing().expires
    names = ["device-1", "foreign-2", "untargeted-3", "offline-4", "device-5"]
    messages = [outgoing(n, name, reference=f"w1-r{n}-push-1", expires=expires) for n, name in enumerate(names)]
    desk = Desk()
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http)
        [number, *_] = [r.provider_id for r in await channel.send_many(messages) if isinstance(r, Receipt)]
        carrier.faults = Faults(error=1.0, delay=0)
        listening = asyncio.create_task(channel.listen(desk))
        await asyncio.sleep(0.1)
        assert desk.reports == []
        carrier.faults = Faults(delay=0)
        await desk.until(4)
        await asyncio.sleep(0.1)
        listening.cancel()
    ends = {report.address: (report.state, report.reason) for report in desk.reports}
    assert ends == {
        "device-1": (State.DELIVERED, None),
        "device-5": (State.DELIVERED, None),
        "foreign-2": (State.FAILED, Reason.RECIPIENT),
        "untargeted-3": (State.FAILED, Reason.UNREACHABLE),
    }
    assert len(desk.reports) == 4
    assert {report.provider_id for report in desk.reports} == {number}
    assert channel.watch.messages[number].devices == {"offline-4"}
