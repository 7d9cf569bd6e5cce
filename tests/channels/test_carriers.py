"""The SMS carriers' stand-ins on real sockets, and the adapters against them while things go wrong."""

import asyncio
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from conftest import Serve
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from warnhub.client import make_client, make_transport
from warnhub.port import Callback, Outgoing, Reason, Receipt, Refused, Report, SendError, State, Words
from warnhub.simulate.aliyun import FATES, AliyunCarrier
from warnhub.simulate.carrier import Carrier, Faults
from warnhub.simulate.carriers import CARRIERS, CarrierPlan, CarriersPlan, PlanError, make_carrier, parse_faults, serve_carriers
from warnhub.simulate.ports import free_port
from warnhub.simulate.twilio import FROM, TO, TwilioCarrier
from warnhub.simulate.village import VillageFaults
from warnhub.testing import outcome, outgoing
from warnhub_sms.aliyun import Aliyun
from warnhub_sms.codes import REASONS
from warnhub_sms.settings import AliyunSettings
from warnhub_sms.twilio import Twilio, TwilioSettings

ACCOUNT, TOKEN, HOOK_KEY = "AC" + "1" * 32, "twilio-token", "key-of-sixteen-or-more"
TEMPLATES = {"SMS_1": "${what},地点:${where}。", "SMS_2": "${what},地点:${where}。https://w.example/a/${code}"}
WORDS = outgoing().words


class Hook:
    """The receiving end: reads call-backs with an adapter, as the product does; `late` makes it refuse the first ones."""

    def __init__(self, serve: Serve, late: int = 0) -> None:
        self.serve, self.late = serve, late
        self.adapter: Twilio | Aliyun | None = None
        self.reports: list[Report] = []
        self.posts: list[int] = []
        self.refused = 0
        self.url = ""

    async def start(self) -> str:
        """Its base URL."""
        self.url = await self.serve(Starlette(routes=[Route("/hook", self.take, methods=["POST"])]))
        return f"{self.url}/hook"

    async def take(self, request: Request) -> Response:
        """Read, keep and answer."""
        if self.late:
            self.late -= 1
            return Response(status_code=503)
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Callback("POST", str(request.url), dict(request.query_params), headers, await request.body())
        assert self.adapter
        try:
            reports = self.adapter.read(call)
        except Refused:
            self.refused += 1
            return Response(status_code=403)
        self.reports += reports
        self.posts.append(len(reports))
        said = self.adapter.answer(call)
        return Response(said.body, said.status, media_type=said.media)

    async def wait(self, ready: Callable[[Sequence[Report]], bool]) -> Sequence[Report]:
        """The reports, once they are what is waited for."""
        await until(lambda: ready(self.reports))
        return self.reports


async def until(ready: Callable[[], bool]) -> None:
    """Wait for something, and not for ever."""
    for _ in range(1_000):
        if ready():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not happen")


def states(reports: Sequence[Report]) -> Counter[State | None]:
    """How many of each."""
    return Counter(report.state for report in reports)


@asynccontextmanager
async def twilio(serve: Serve, hook: Hook | None = None, **given: Any) -> AsyncIterator[tuple[TwilioCarrier, Twilio, str]]:
    """A carrier and an adapter that knows it; `given` are faults."""
    reply_url = await hook.start() if hook else ""
    carrier = TwilioCarrier(ACCOUNT, TOKEN, reply_url, faults=Faults(**given))
    base = await serve(carrier.app())
    section = {"account_sid": ACCOUNT, "auth_token": TOKEN, "messaging_service_sid": "MG1", "base_url": base, "timeout": 1.0}
    async with httpx.AsyncClient(trust_env=False) as http:
        adapter = Twilio(TwilioSettings.model_validate(section), http)
        if hook:
            hook.adapter = adapter
        yield carrier, adapter, f"{hook.url}/hook?ref=" if hook else ""


@asynccontextmanager
async def aliyun(serve: Serve, hook: Hook | None = None, **given: Any) -> AsyncIterator[tuple[AliyunCarrier, Aliyun]]:
    """A carrier and an adapter that knows it; `given` are faults."""
    url = f"{await hook.start()}?key={HOOK_KEY}" if hook else ""
    carrier = AliyunCarrier(url, templates=TEMPLATES, faults=Faults(**given))
    async with httpx.AsyncClient(trust_env=False) as http:
        adapter = Aliyun(aliyun_settings(await serve(carrier.app())), http)
        if hook:
            hook.adapter = adapter
        yield carrier, adapter


def aliyun_settings(base: str, **given: Any) -> AliyunSettings:
    """For a carrier at `base`."""
    section = {
        "access_key_id": "testid",
        "access_key_secret": "testsecret",
        "sign_name": "云岭应急",
        "template_public": "SMS_1",
        "template_link": "SMS_2",
        "params": {"what": "headline", "where": "area", "code": "link_code"},
        "report_key": HOOK_KEY,
        "base_url": base,
        "timeout": 1.0,
    }
    return AliyunSettings.model_validate(section | given)


def crowd(count: int, **given: Any) -> list[Outgoing]:
    """Messages of one text."""
    return [outgoing(n, f"+86138{n:08d}", words=WORDS, reference=f"w1-r{n}", **given) for n in range(count)]


async def lost(channel: Twilio | Aliyun, message: Outgoing) -> None:
    """Send it, and lose the answer."""
    result = await outcome(channel, message)
    assert isinstance(result, SendError)
    assert result.reason is Reason.UNKNOWN


class TestTwilio:
    """One account."""

    async def test_taken_and_delivered(self, serve: Serve) -> None:
        """Each status is called back, signed, under our own reference."""
        hook = Hook(serve)
        async with twilio(serve, hook, delay=0.1) as (carrier, adapter, callback):
            receipt = await adapter.send(outgoing(reference="w1-r1", callback=f"{callback}w1-r1"))
            reports = await hook.wait(lambda r: len(r) == 4)
        assert states(reports) == {State.ACCEPTED: 3, State.DELIVERED: 1}
        assert {(r.reference, r.provider_id) for r in reports} == {("w1-r1", receipt.provider_id)}
        assert hook.refused == 0
        assert carrier.taken[0]["body"] == WORDS.text

    async def test_production_client(self, serve: Serve) -> None:
        """Through the transport that the product uses."""
        async with twilio(serve) as (carrier, plain, _):
            adapter = Twilio(plain.settings, make_client(make_transport(), 5))
            assert (await adapter.send(outgoing())).state is State.ACCEPTED
        assert carrier.counts["taken"] == 1

    @pytest.mark.parametrize("number", TO)
    async def test_magic_numbers(self, serve: Serve, number: str) -> None:
        """Twilio's own numbers to try refusals with."""
        async with twilio(serve) as (_, adapter, _):
            result = await outcome(adapter, outgoing(address=number))
        assert isinstance(result, SendError)
        assert (result.code, result.reason) == (str(TO[number][0]), REASONS[TO[number][0]])
        assert number not in str(result)

    @pytest.mark.parametrize("number", FROM)
    async def test_magic_senders(self, serve: Serve, number: str) -> None:
        """And senders."""
        async with twilio(serve) as (_, adapter, _):
            own = adapter.settings.model_copy(update={"messaging_service_sid": "", "sender": number})
            async with httpx.AsyncClient(trust_env=False) as http:
                result = await outcome(Twilio(own, http), outgoing())
        assert isinstance(result, SendError)
        assert (result.code, result.reason) == (str(FROM[number][0]), REASONS[FROM[number][0]])

    async def test_wrong_token(self, serve: Serve) -> None:
        """A stranger is told so, and the channel with it."""
        async with twilio(serve) as (carrier, adapter, _):
            own = adapter.settings.model_copy(update={"auth_token": SecretStr("wrong")})
            async with httpx.AsyncClient(trust_env=False) as http:
                result = await outcome(Twilio(own, http), outgoing())
        assert isinstance(result, SendError)
        assert (result.reason, result.code) == (Reason.CONFIG, "20003")
        assert carrier.counts["taken"] == 0

    async def test_throttled(self, serve: Serve) -> None:
        """Above the rate nothing is taken, and the wait is said."""
        async with twilio(serve, rate=2) as (carrier, adapter, _):
            results = await asyncio.gather(*(outcome(adapter, message) for message in crowd(10)))
        errors = [r for r in results if isinstance(r, SendError)]
        assert len(errors) == 8
        assert {(e.reason, e.code, e.retry_after) for e in errors} == {(Reason.THROTTLED, "20429", 1)}
        assert carrier.counts["taken"] == 2

    @pytest.mark.parametrize("fault", ["broken", "hang"])
    async def test_lost_answer_is_found(self, serve: Serve, fault: str) -> None:
        """Taken, and answered by a 500 or not at all: unknown, until it is looked up."""
        faults: dict[str, Any] = {"delay": 30, fault: 1}
        async with twilio(serve, **faults) as (carrier, adapter, _):
            (mine, other) = crowd(2)
            await lost(adapter, mine)
            carrier.faults = Faults()
            found = await adapter.find(mine)
            assert found == Receipt(carrier.taken[0]["sid"])
            assert await adapter.find(other) is None

    async def test_error_before_it_is_taken(self, serve: Serve) -> None:
        """A 503 leaves it unknown too, and looking it up says that it may be sent again."""
        async with twilio(serve, error=1) as (carrier, adapter, _):
            await lost(adapter, outgoing())
            carrier.faults = Faults()
            assert await adapter.find(outgoing()) is None

    async def test_no_connection(self) -> None:
        """Nobody listens, so nothing was taken."""
        section = {
            "account_sid": ACCOUNT,
            "auth_token": TOKEN,
            "sender": "+15005550006",
            "base_url": f"http://127.0.0.1:{free_port()}",
        }
        async with httpx.AsyncClient(trust_env=False) as http:
            result = await outcome(Twilio(TwilioSettings.model_validate(section), http), outgoing())
        assert isinstance(result, SendError)
        assert result.reason is Reason.UNREACHABLE

    async def test_call_backs_in_any_order_any_number_of_times(self, serve: Serve) -> None:
        """Repeats have the key of the first, so what remains is one report a status."""
        hook = Hook(serve)
        async with twilio(serve, hook, delay=0.1, duplicate=1, reorder=0.5) as (_, adapter, callback):
            messages = [outgoing(n, m.address, callback=f"{callback}w1-r{n}") for n, m in enumerate(crowd(20))]
            await asyncio.gather(*(adapter.send(message) for message in messages))
            reports = await hook.wait(lambda r: len(r) == 160)
        assert len({report.key for report in reports}) == 80
        assert Counter(states(list({r.key: r for r in reports}.values()))) == {State.ACCEPTED: 60, State.DELIVERED: 20}
        lasts = [[r.state for r in reports if r.reference == f"w1-r{n}"][-1] for n in range(20)]
        assert State.ACCEPTED in lasts

    async def test_call_back_before_the_answer(self, serve: Serve) -> None:
        """It knows its delivery by our own reference, before we know Twilio's name for it."""
        hook = Hook(serve)
        async with twilio(serve, hook, early=1) as (_, adapter, callback):
            receipt = await adapter.send(outgoing(reference="w1-r1", callback=f"{callback}w1-r1"))
            assert states(hook.reports)[State.DELIVERED] == 1
            assert {r.provider_id for r in hook.reports} == {receipt.provider_id}

    async def test_undelivered(self, serve: Serve) -> None:
        """With a code that has a reason, in the call-back and in the list alike."""
        hook = Hook(serve)
        async with twilio(serve, hook, delay=0.05, undelivered=1) as (_, adapter, callback):
            await adapter.send(outgoing(callback=f"{callback}w1-r1"))
            reports = await hook.wait(lambda r: len(r) == 4)
            found = await adapter.find(outgoing())
        (failed,) = [r for r in reports if r.state is State.FAILED]
        assert failed.reason is REASONS[int(failed.code)]
        assert found is not None
        assert found.state is State.FAILED

    async def test_reply_and_stop(self, serve: Serve) -> None:
        """A telephone answers; after STOP it takes nothing more."""
        hook = Hook(serve)
        async with twilio(serve, hook) as (_, adapter, _), httpx.AsyncClient(trust_env=False) as phone:
            for text in ("1", "STOP"):
                await phone.post(f"{adapter.settings.base_url}/_sim/reply", json={"address": "+8613800138000", "text": text})
            reports = await hook.wait(lambda r: len(r) == 2)
            result = await outcome(adapter, outgoing())
        assert {(r.reply, r.address, r.opt_out) for r in reports} == {
            ("1", "+8613800138000", False),
            ("STOP", "+8613800138000", True),
        }
        assert isinstance(result, SendError)
        assert result.code == "21610"

    async def test_shared_key(self, serve: Serve) -> None:
        """Call-backs signed the newer way."""
        hook = Hook(serve)
        async with twilio(serve, hook, delay=0.02) as (carrier, adapter, callback):
            carrier.shared_key_id, carrier.shared_key = "webhooks_1", "shared-secret"
            own = adapter.settings.model_copy(update={"shared_keys": {"webhooks_1": SecretStr("shared-secret")}})
            async with httpx.AsyncClient(trust_env=False) as http:
                hook.adapter = Twilio(own, http)
                await hook.adapter.send(outgoing(callback=f"{callback}w1-r1"))
                await hook.wait(lambda r: len(r) == 4)
        assert hook.refused == 0

    async def test_list_by_day(self, serve: Serve) -> None:
        """The stand-in's own filters: a message that waits in the queue was sent on no day."""
        async with twilio(serve, delay=0.02) as (_, adapter, _):
            await adapter.send(outgoing())
            await asyncio.sleep(0.05)
            today = datetime.now(UTC)
            counts = [len(await listed(adapter, sign, today + timedelta(days=days))) for sign, days in DAYS]
        assert counts == [1, 1, 1, 0, 0, 0]


DAYS = (("", 0), (">", -1), ("<", 1), ("", 1), (">", 2), ("<", -2))


async def listed(adapter: Twilio, sign: str, day: datetime) -> list[Any]:
    """What the list shows for a day, or from one, or up to one."""
    name = {"": "date_sent", ">": "date_sent_after", "<": "date_sent_before"}[sign]
    return list(await adapter.messages.resource.page_async(to="+8613800138000", **{name: day}))


class TestAliyun:
    """One account."""

    async def test_a_thousand_numbers(self, serve: Serve) -> None:
        """One signed call; receipts come in arrays, each of them found by BizId and number."""
        hook = Hook(serve)
        async with aliyun(serve, hook, delay=0.1) as (carrier, adapter):
            results = await adapter.send_many(crowd(1_000))
            reports = await hook.wait(lambda r: len(r) == 1_000)
        biz = {r.provider_id for r in results if isinstance(r, Receipt)}
        assert len(biz) == 1
        assert {r.provider_id for r in reports} == biz
        assert {r.address for r in reports} == {m.address for m in crowd(1_000)}
        assert {r.group for r in reports} == {"w1-r0"}
        assert states(reports) == {State.DELIVERED: 1_000}
        assert max(hook.posts) <= 200
        assert carrier.counts["calls"] == 1
        assert carrier.taken[0]["content"] == "【云岭应急】云岭县气象台发布暴雨橙色预警,地点:古镇镇。"

    async def test_links(self, serve: Serve) -> None:
        """Everybody has a text of their own, and their receipts still share posts."""
        hook = Hook(serve)
        async with aliyun(serve, hook, delay=0.2) as (carrier, adapter):
            messages = [outgoing(n, m.address, link=f"https://w.example/a/T{n}") for n, m in enumerate(crowd(60))]
            results = await adapter.send_many(messages)
            await hook.wait(lambda r: len(r) == 60)
        assert len({r.provider_id for r in results if isinstance(r, Receipt)}) == 60
        assert {t["content"].rpartition("/")[2] for t in carrier.taken} == {f"T{n}" for n in range(60)}
        assert len(hook.posts) < 60

    async def test_production_client(self, serve: Serve) -> None:
        """Through the transport that the product uses, the Host that was signed is the Host that is sent."""
        async with aliyun(serve) as (carrier, plain):
            adapter = Aliyun(plain.settings, make_client(make_transport(), 5))
            assert all(isinstance(r, Receipt) for r in await adapter.send_many(crowd(1_000)))
        assert carrier.counts["numbers"] == 1_000

    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"access_key_secret": SecretStr("wrong")}, "SignatureDoesNotMatch"),
            ({"access_key_id": "wrong"}, "InvalidAccessKeyId.NotFound"),
            ({"template_public": "SMS_9"}, "isv.SMS_TEMPLATE_ILLEGAL"),
            ({"params": {"what": "headline", "code": "link_code"}}, "isv.TEMPLATE_MISSING_PARAMETERS"),
            ({"longest": 100}, "isv.PARAM_LENGTH_LIMIT"),
        ],
    )
    async def test_refused(self, serve: Serve, given: Mapping[str, Any], code: str) -> None:
        """The stand-in checks what the provider checks."""
        words = Words(text="", fields={"headline": "暴" * 60, "area": "古镇镇"})
        async with aliyun(serve) as (carrier, adapter), httpx.AsyncClient(trust_env=False) as http:
            own = adapter.settings.model_copy(update=dict(given))
            result = await outcome(Aliyun(own, http), outgoing(words=words))
        assert isinstance(result, SendError)
        assert result.code == code
        assert carrier.counts["taken"] == 0

    async def test_old_call(self, serve: Serve) -> None:
        """A call signed an hour ago is refused."""
        async with aliyun(serve) as (_, adapter), httpx.AsyncClient(trust_env=False) as http:
            slow = Aliyun(adapter.settings, http, lambda: datetime.now(UTC) - timedelta(hours=1))
            result = await outcome(slow, outgoing())
        assert isinstance(result, SendError)
        assert (result.reason, result.code) == (Reason.CONFIG, "InvalidTimeStamp.Expired")

    async def test_throttled(self, serve: Serve) -> None:
        """The gateway throttles by a 400."""
        async with aliyun(serve, throttle=1) as (carrier, adapter):
            results = await adapter.send_many(crowd(5))
        assert {(r.reason, r.code) for r in results if isinstance(r, SendError)} == {(Reason.THROTTLED, "Throttling.User")}
        assert carrier.counts["taken"] == 0

    @pytest.mark.parametrize("fault", ["broken", "hang"])
    async def test_lost_answer_is_found(self, serve: Serve, fault: str) -> None:
        """A call of a hundred whose answer is lost: each can be looked up, and the receipts name the call by themselves."""
        hook = Hook(serve)
        faults: dict[str, Any] = {"delay": 0.5, fault: 1}
        async with aliyun(serve, hook, **faults) as (carrier, adapter):
            messages = crowd(100)
            results = await adapter.send_many(messages)
            assert {r.reason for r in results if isinstance(r, SendError)} == {Reason.UNKNOWN}
            assert len(results) == 100
            carrier.faults = Faults()
            assert await adapter.find(messages[57]) is not None
            assert await adapter.find(outgoing(1, "+8613911111111", reference="w1-r101")) is None
            assert await adapter.find(outgoing(1, messages[57].address, reference="w2-r57")) is None
            reports = await hook.wait(lambda r: len(r) == 100)
            found = await adapter.find(messages[57])
        assert {r.group for r in reports} == {messages[0].reference}
        assert found == Receipt(state=State.DELIVERED)

    async def test_receipts_in_any_order_any_number_of_times(self, serve: Serve) -> None:
        """Repeats have the key of the first; what is dropped stays away; posts that fail come again."""
        hook = Hook(serve, late=2)
        async with aliyun(serve, hook, delay=0.1, duplicate=1, reorder=0.5, undelivered=0.3) as (_, adapter):
            await adapter.send_many(crowd(1_000))
            reports = await hook.wait(lambda r: len(r) == 2_000)
        once = list({r.key: r for r in reports}.values())
        assert len(once) == 1_000
        assert 200 < states(once)[State.FAILED] < 400
        assert {r.reason for r in once if r.state is State.FAILED} == {Reason.RECIPIENT, Reason.UNREACHABLE}

    async def test_receipts_before_the_answer(self, serve: Serve) -> None:
        """They carry the BizId that the answer has yet to bring."""
        hook = Hook(serve)
        async with aliyun(serve, hook, early=1) as (_, adapter):
            (result, *_) = await adapter.send_many(crowd(300))
            assert len(hook.reports) == 300
        assert isinstance(result, Receipt)
        assert {r.provider_id for r in hook.reports} == {result.provider_id}

    async def test_dropped(self, serve: Serve) -> None:
        """A receipt that never comes can be asked for."""
        hook = Hook(serve)
        async with aliyun(serve, hook, delay=0.05, drop=1) as (carrier, adapter):
            await adapter.send_many(crowd(10))
            await until(lambda: carrier.counts["callbacks_dropped"] == 10)
            found = await adapter.find(crowd(1)[0])
        assert found == Receipt(state=State.DELIVERED)
        assert hook.reports == []

    @pytest.mark.parametrize("number", FATES)
    async def test_a_spoiled_number_fails_alone(self, serve: Serve, number: str) -> None:
        """The provider refuses a call for one number; the others get theirs."""
        async with aliyun(serve) as (carrier, adapter):
            messages = crowd(64)
            messages[7] = outgoing(7, f"+86{number}", words=WORDS)
            results = await adapter.send_many(messages)
        assert {n: r.code for n, r in enumerate(results) if isinstance(r, SendError)} == {7: FATES[number][0]}
        assert carrier.counts["numbers"] == 63

    async def test_reply(self, serve: Serve) -> None:
        """A telephone answers."""
        hook = Hook(serve)
        async with aliyun(serve, hook) as (_, adapter), httpx.AsyncClient(trust_env=False) as phone:
            await phone.post(f"{adapter.settings.base_url}/_sim/reply", json={"address": "+8613800138000", "text": "1"})
            (report,) = await hook.wait(lambda r: len(r) == 1)
        assert (report.reply, report.address, report.state) == ("1", "+8613800138000", None)

    async def test_refuses_a_stranger(self, serve: Serve) -> None:
        """A receipt without the key reaches nothing."""
        hook = Hook(serve)
        async with aliyun(serve, hook, delay=0.02) as (carrier, adapter):
            carrier.report_url = carrier.report_url.replace(HOOK_KEY, "guessed")
            await adapter.send(outgoing())
            await until(lambda: hook.refused > 0)
        assert hook.reports == []


class TestOwnRoutes:
    """What stands beside a provider's own interface."""

    async def test_state_faults_reset(self, serve: Serve) -> None:
        """What was taken is shown; faults change while it runs, and a wrong one is named; reset forgets."""
        async with aliyun(serve) as (carrier, adapter), httpx.AsyncClient(trust_env=False, base_url=adapter.dysms.base) as http:
            await adapter.send_many(crowd(3))
            state = (await http.get("/_sim/state")).json()
            assert (state["counts"]["numbers"], state["taken"][0]["numbers"]) == (3, 3)
            assert (await http.post("/_sim/faults", json={"throttle": 1})).json()["throttle"] == 1
            assert isinstance(await outcome(adapter, outgoing()), SendError)
            wrong = await http.post("/_sim/faults", json={"throttle": 2})
            assert (wrong.status_code, wrong.json()["errors"][0]["loc"]) == (422, ["throttle"])
            assert (await http.post("/_sim/faults", content=b"{")).status_code == 422
            await http.post("/_sim/reset")
            assert await adapter.find(crowd(1)[0]) is None
        assert carrier.faults == Faults()


class TestCarriers:
    """All of them in one process."""

    async def test_all(self) -> None:
        """Each has a socket of its own and says who it is; what runs beside is entered and left; then all are gone."""
        told: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        stop, beside = asyncio.Event(), Beside()
        plan = CarriersPlan(carriers={name: CarrierPlan(port=0) for name in CARRIERS})
        task = asyncio.create_task(serve_carriers(plan, told.set_result, stop, [beside]))
        urls = await told
        async with httpx.AsyncClient(trust_env=False) as http:
            names = {name: (await http.get(f"{url}/_sim/state")).json()["name"] for name, url in urls.items()}
            assert names == {name: name for name in CARRIERS}
            assert beside.seen == ["in"]
            stop.set()
            await task
            assert beside.seen == ["in", "out"]
            with pytest.raises(httpx.ConnectError):
                await http.get(urls["twilio"])

    async def test_options_and_faults(self) -> None:
        """A plan's options and faults are its carrier's."""
        plan = CarrierPlan(faults=Faults(throttle=0.5), options={"access_key_id": "own", "report_url": "http://h/x"})
        carrier = make_carrier("aliyun", plan)
        assert isinstance(carrier, AliyunCarrier)
        assert (carrier.key, carrier.report_url, carrier.faults.throttle) == ("own", "http://h/x", 0.5)

    def test_ports(self) -> None:
        """9101 and up, in the order of the table, whichever run."""
        plan = CarriersPlan(carriers={"fcm": CarrierPlan(), "aliyun": CarrierPlan(port=0)})
        assert (plan.port_of("fcm"), plan.port_of("aliyun")) == (9_104, 0)
        assert [CarriersPlan().port_of(name) for name in CARRIERS] == [9_101, 9_102, 9_103, 9_104, 9_105, 9_106]

    def test_unknown_option(self) -> None:
        """Named, with what there is."""
        with pytest.raises(PlanError, match="aliyun: no such option as colour; there are report_url"):
            make_carrier("aliyun", CarrierPlan(options={"colour": "red"}))

    def test_unknown_carrier(self) -> None:
        """Named, with what there is."""
        with pytest.raises(ValidationError, match="pigeon: no such carrier; there are twilio"):
            CarriersPlan(carriers={"pigeon": CarrierPlan()})

    async def test_port_in_use(self) -> None:
        """Named, and those that listened already are gone."""
        with socket.create_server(("127.0.0.1", 0)) as place:
            port = place.getsockname()[1]
            plan = CarriersPlan(carriers={"twilio": CarrierPlan(port=0), "aliyun": CarrierPlan(port=port)})
            with pytest.raises(PlanError, match=f"aliyun: cannot listen at 127.0.0.1:{port}"):
                await serve_carriers(plan, stop=asyncio.Event())

    async def test_sigterm(self) -> None:
        """A process of carriers ends in peace, even while a call hangs in it."""
        source = (
            "import asyncio\nfrom warnhub.simulate.carriers import *\n"
            "one = CarrierPlan(port=0, faults=Faults(hang=1))\n"
            "plan = CarriersPlan(carriers={'aliyun': one, 'twilio': one})\n"
            "asyncio.run(serve_carriers(plan, lambda urls: print(urls['aliyun'], flush=True)))\n"
            "print('ended')\n"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", source, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=dict(os.environ)
        )
        assert process.stdout
        base = (await process.stdout.readline()).decode().strip()
        async with httpx.AsyncClient(trust_env=False) as http:
            hanging = asyncio.create_task(outcome(Aliyun(aliyun_settings(base, timeout=20), http), outgoing()))
            for _ in range(500):
                if (await http.get(f"{base}/_sim/state")).json()["counts"].get("hung"):
                    break
                await asyncio.sleep(0.02)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(process.communicate(), 15)
            result = await hanging
        assert (process.returncode, out.decode().strip(), err.decode()) == (0, "ended", "")
        assert time.monotonic() - began < 10
        assert isinstance(result, SendError)
        assert result.reason is Reason.UNKNOWN


class Beside:
    """Something that runs while the carriers do."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __aenter__(self) -> None:
        self.seen.append("in")

    async def __aexit__(self, *_: object) -> None:
        self.seen.append("out")


class TestFaultStrings:
    """`--fault provider.name=value`."""

    def test_read(self) -> None:
        """Many of one provider, the last of one name."""
        faults = parse_faults(["aliyun.undelivered=0.02", "aliyun.delay=3", "twilio.hang = 1", "aliyun.delay=4"])
        assert faults == {"aliyun": Faults(undelivered=0.02, delay=4), "twilio": Faults(hang=1)}
        assert parse_faults([]) == {}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("aliyun", "write provider.fault=value"),
            ("aliyun=1", "write provider.fault=value"),
            ("aliyun.hang", "write provider.fault=value"),
            ("pigeon.hang=1", "no such provider as 'pigeon'; there are twilio, aliyun"),
            ("aliyun.explode=1", "aliyun has no fault 'explode'; there are latency"),
            ("aliyun.hang=2", "aliyun.hang=2: Input should be less than or equal to 1"),
            ("aliyun.hang=often", "aliyun.hang=often: Input should be a valid number"),
        ],
    )
    def test_wrong(self, text: str, words: str) -> None:
        """Says which, what is wrong, and what there is."""
        with pytest.raises(PlanError, match=words.replace(".", r"\.")):
            parse_faults([text])

    def test_of_others(self) -> None:
        """What is no carrier may have faults of its own kind."""
        assert parse_faults(["village.offline=0.1"], {"village": VillageFaults}) == {"village": VillageFaults(offline=0.1)}


@pytest.mark.parametrize("name", ["acs", "aliyun", "carrier", "carriers", "twilio"])
def test_carriers_know_no_adapter(name: str) -> None:
    """A carrier is the other side of the wire; sharing code with the adapter would share its mistakes."""
    source = Path(Carrier.__init__.__code__.co_filename).with_name(f"{name}.py").read_text("utf-8")
    assert "warnhub_" not in source
    assert "warnhub.port" not in source
