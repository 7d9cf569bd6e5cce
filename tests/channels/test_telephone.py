"""Telephone calls: the exact request, what each end means, keys, the trunk; and against telephones on a real socket."""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode

import httpx
import pytest
from conftest import Serve
from lxml import etree
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from warnhub.bus.local import LocalBus
from warnhub.channels import Provider
from warnhub.client import make_client, make_transport
from warnhub.dispatch.handover import Item, hand_over
from warnhub.dispatch.throttle import Throttle
from warnhub.dispatch.trunk import Trunk
from warnhub.feedback.receipts import Taken, free_lines
from warnhub.port import (
    Callback,
    Lines,
    Lookup,
    Plays,
    Reason,
    Receipt,
    Refused,
    Report,
    Reports,
    SendError,
    Sent,
    State,
    Stops,
    Words,
)
from warnhub.simulate.carrier import Faults
from warnhub.simulate.voice import VoiceCarrier
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store
from warnhub.store.states import Rank
from warnhub.testing import ChannelContract, Script, outcome, outgoing
from warnhub_voice.calls import REASONS
from warnhub_voice.script import LONGEST, write_script
from warnhub_voice.settings import VoiceSettings
from warnhub_voice.twilio import Twilio

ACCOUNT, TOKEN, SID = "AC5a1e0000000000000000000000000001", "auth-token-of-yunling", "CA00000000000000000000000000000042"
HOOK = "https://warn.yunling.example/hooks/voice/twilio?ref=w1-r1"


def settings(**given: Any) -> VoiceSettings:
    """The account's."""
    return VoiceSettings(**({"account_sid": ACCOUNT, "auth_token": SecretStr(TOKEN), "caller": "+15005550006"} | given))


def taken() -> httpx.Response:
    """A call as Twilio shows it."""
    return httpx.Response(201, json={"sid": SID, "status": "queued"})


class TestContract(ChannelContract):
    """What every adapter keeps."""

    secrets: ClassVar[Sequence[str]] = (TOKEN,)
    taken: ClassVar[Callable[[], httpx.Response]] = staticmethod(taken)
    refusals: ClassVar[Sequence[tuple[Callable[[], httpx.Response], Reason]]] = (
        (lambda: httpx.Response(200, json={"status": "failed"}), Reason.UNEXPECTED),
        (lambda: httpx.Response(200, json=["not", "a", "call"]), Reason.UNEXPECTED),
    )

    def make(self, http: httpx.AsyncClient) -> Twilio:
        """With a caller."""
        return Twilio(settings(), http)


async def said(*answers: httpx.Response | Exception, **given: Any) -> tuple[Receipt | SendError, list[httpx.Request]]:
    """What becomes of one call, and what was asked."""
    script = Script(*answers)
    async with script.client() as http:
        return await outcome(Twilio(settings(), http), outgoing(**given)), script.requests


async def test_wire() -> None:
    """The request, whole: the words twice in Mandarin with a key after each, and where its end is told."""
    words = Words(text="暴雨红色预警,请立即转移。")
    _, (request,) = await said(taken(), words=words, callback=HOOK)
    assert str(request.url) == f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Calls.json"
    form = parse_qs(request.content.decode(), strict_parsing=True)
    document = etree.fromstring(form.pop("Twiml")[0].encode())
    assert form == {
        "To": ["+8613800138000"],
        "From": ["+15005550006"],
        "Timeout": ["30"],
        "TimeLimit": ["180"],
        "StatusCallback": [HOOK],
        "StatusCallbackEvent": ["completed"],
        "StatusCallbackMethod": ["POST"],
        "MachineDetection": ["Enable"],
        "AsyncAmd": ["true"],
        "AsyncAmdStatusCallback": [f"{HOOK}&amd=1"],
        "AsyncAmdStatusCallbackMethod": ["POST"],
    }
    gathers = document.findall("Gather")
    assert [gather.get("action") for gather in gathers] == [f"{HOOK}&said=zh-CN"] * 2
    assert [gather.find("Say").text for gather in gathers] == [words.text] * 2
    assert {say.get("language") for say in document.iter("Say")} == {"zh-CN"}
    assert "请按一" in "".join(document.itertext())


def test_a_long_text_is_cut_to_what_twilio_takes() -> None:
    script = write_script("雨" * 3_000, "zh-CN", "Polly.Zhiyu", HOOK, 8)
    assert len(script) <= LONGEST
    assert "请按一" in script


@pytest.mark.parametrize("code", REASONS)
async def test_codes(code: int) -> None:
    """Every code of the table keeps its number and means what the table says, and nobody sees the number called."""
    result, _ = await said(httpx.Response(400, json={"code": code, "message": "no +8613800138000", "status": 400}))
    assert isinstance(result, SendError)
    assert (result.reason, result.code) == (REASONS[code], str(code))
    assert "13800138000" not in str(result)


async def test_nobody_is_called_who_could_not_answer_in_time() -> None:
    result, requests = await said(taken(), expires=datetime.now(UTC) + timedelta(seconds=20))
    assert isinstance(result, SendError)
    assert (result.reason, result.code, requests) == (Reason.REJECTED, "expired", [])


def signed(form: Mapping[str, str], url: str = HOOK, secret: str = TOKEN) -> Callback:
    """A call-back as Twilio signs it."""
    text = url + "".join(name + form[name] for name in sorted(form))
    signature = base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()
    return Callback("POST", url, dict(httpx.URL(url).params), {"x-twilio-signature": signature}, urlencode(form).encode())


def adapter() -> Twilio:
    """One that calls nobody."""
    return Twilio(settings(), Script(httpx.Response(500)).client())


def end(status: str, **given: str) -> Mapping[str, str]:
    """The end of a call."""
    return {"CallSid": SID, "CallStatus": status, "To": "+8613800138000", "From": "+15005550006", **given}


@pytest.mark.parametrize(
    ("form", "state", "code"),
    [
        (end("busy"), State.FAILED, "busy"),
        (end("no-answer"), State.FAILED, "no-answer"),
        (end("failed", SipResponseCode="480"), State.FAILED, "failed"),
        (end("canceled"), State.FAILED, "cancelled"),
        (end("completed", CallDuration="60", AnsweredBy="machine_end_beep"), State.FAILED, "machine"),
        (end("completed", CallDuration="60", AnsweredBy="fax"), State.FAILED, "machine"),
        (end("completed", CallDuration="19", AnsweredBy="human"), State.DELIVERED, "hung-up"),
        (end("completed", CallDuration="20", AnsweredBy="human"), State.READ, "heard"),
        (end("completed", CallDuration="20", AnsweredBy="unknown"), State.READ, "heard"),
        (end("completed"), State.DELIVERED, "hung-up"),
    ],
)
def test_every_end_is_told_apart_and_none_confirms(form: Mapping[str, str], state: State, code: str) -> None:
    (report,) = adapter().read(signed(form))
    assert (report.state, report.code, report.reference, report.pressed) == (state, code, "w1-r1", "")
    assert (report.reason is Reason.UNREACHABLE) == (state is State.FAILED)


@pytest.mark.parametrize(("digit", "choice"), [("1", "received"), ("2", "moved"), ("3", "help"), ("4", "cannot")])
def test_a_key_is_an_answer(digit: str, choice: str) -> None:
    call = signed({"CallSid": SID, "CallStatus": "in-progress", "Digits": digit}, f"{HOOK}&said=zh-CN")
    assert adapter().read(call) == [Report(f"{SID}:key:{digit}", None, "w1-r1", SID, pressed=choice)]
    assert "已记录".encode() in adapter().answer(call).body


@pytest.mark.parametrize("digit", ["", "9", "*", "0"])
def test_any_other_key_is_asked_again(digit: str) -> None:
    call = signed({"CallSid": SID, "CallStatus": "in-progress", "Digits": digit}, f"{HOOK}&said=en")
    assert adapter().read(call) == []
    assert b"<Gather" in adapter().answer(call).body


def test_only_what_twilio_signed_is_read() -> None:
    for call in (signed(end("completed"), secret="other"), Callback("POST", HOOK, {"ref": "w1-r1"}, {}, b"CallStatus=busy")):
        with pytest.raises(Refused):
            adapter().read(call)
        with pytest.raises(Refused):
            adapter().answer(Callback("POST", f"{HOOK}&said=zh", {"said": "zh"}, call.headers, call.body))


def test_is_all_it_says() -> None:
    for ability in (Reports, Lines, Lookup, Plays, Stops):
        assert isinstance(adapter(), ability)
    assert (adapter().lines, adapter().longest) == (10, 240)


# What became of a call whose answer was lost

NOW = datetime(2026, 6, 12, 8, 20, tzinfo=UTC)


def listed(*calls: Mapping[str, Any], more: str | None = None) -> httpx.Response:
    """A page of Twilio's Calls."""
    return httpx.Response(200, json={"calls": list(calls), "next_page_uri": more})


def call_of(sid: str, after: float, status: str = "completed", **more: str) -> Mapping[str, Any]:
    """A call as Twilio lists it, made some seconds after the wave was cut."""
    at = format_datetime(NOW + timedelta(seconds=after))
    return {"sid": sid, "status": status, "date_created": at, "duration": "25", "answered_by": "human"} | more


async def looked_up(*calls: Mapping[str, Any], more: str | None = None, **given: Any) -> Receipt | None:
    """What is found of a call that may have been made."""
    script = Script(listed(*calls, more=more))
    async with script.client() as http:
        return await Twilio(settings(), http).find(outgoing(**({"since": NOW} | given)))


async def test_a_call_whose_answer_was_lost_is_asked_for_by_number_and_time() -> None:
    script = Script(listed(call_of("CA1", 3)))
    async with script.client() as http:
        assert await Twilio(settings(), http).find(outgoing(since=NOW)) == Receipt("CA1", State.READ)
    (request,) = script.requests
    assert (request.method, request.url.path) == ("GET", f"/2010-04-01/Accounts/{ACCOUNT}/Calls.json")
    assert dict(request.url.params) == {"To": "+8613800138000", "From": "+15005550006", "PageSize": "50"}


@pytest.mark.parametrize(
    ("status", "more", "state"),
    [
        ("queued", {}, State.ACCEPTED),
        ("ringing", {}, State.ACCEPTED),
        ("in-progress", {}, State.ACCEPTED),
        ("busy", {}, State.FAILED),
        ("no-answer", {}, State.FAILED),
        ("canceled", {}, State.FAILED),
        ("completed", {"answered_by": "machine_start"}, State.FAILED),
        ("completed", {"duration": "19"}, State.DELIVERED),
        ("completed", {"duration": "20"}, State.READ),
    ],
)
async def test_what_is_found_says_how_far_it_has_come(status: str, more: Mapping[str, str], state: State) -> None:
    assert await looked_up(call_of("CA1", 3, status, **more)) == Receipt("CA1", state)


async def test_the_calls_of_other_rounds_are_not_taken_for_it() -> None:
    """Not the one before it was cut, and not the one whose number we know."""
    assert await looked_up(call_of("CA0", -90), call_of("CA2", 40), others=frozenset({"CA2"})) is None
    found = await looked_up(call_of("CA0", -90), call_of("CA1", 4), call_of("CA2", 40), others=frozenset({"CA2"}))
    assert found == Receipt("CA1", State.READ)


async def test_who_cannot_tell_says_so() -> None:
    for calls, more, since in (
        ((call_of("CA1", 4), call_of("CA2", 40)), None, NOW),
        ((call_of("CA0", -90),), "/more", NOW),
        ((), None, None),
        (({"sid": "CA1"},), None, NOW),
    ):
        with pytest.raises(SendError) as caught:
            await looked_up(*calls, more=more, since=since)
        assert caught.value.reason in {Reason.UNKNOWN, Reason.UNEXPECTED}
        assert "13800138000" not in str(caught.value)


# Who answers, told beside the call


def test_a_machine_is_told_beside_the_call_and_its_end_says_no_more() -> None:
    """Whoever answers hears the warning at once; that it was a machine comes meanwhile, and counts for the whole call."""
    beside = signed({"CallSid": SID, "AnsweredBy": "machine_start"}, f"{HOOK}&amd=1")
    (machine,) = adapter().read(beside)
    assert (machine.state, machine.code, machine.reference, machine.over) == (State.FAILED, "machine", "w1-r1", False)
    (over,) = adapter().read(signed(end("completed", CallDuration="60")))
    assert (over.unless, over.over) == (machine.key, True)
    assert adapter().read(signed({"CallSid": SID, "AnsweredBy": "human"}, f"{HOOK}&amd=1")) == []
    assert adapter().answer(beside).body == b"<Response/>"


async def test_a_recording_is_played_in_place_of_the_text() -> None:
    url = "https://warn.yunling.example/audio/1/gridworker/zh-CN/abc.wav"
    _, (request,) = await said(taken(), words=Words(text="请立即转移。"), callback=HOOK, audio=url)
    document = etree.fromstring(parse_qs(request.content.decode())["Twiml"][0].encode())
    assert [play.text for play in document.iter("Play")] == [url] * 2
    assert "请立即转移" not in "".join(say.text for say in document.iter("Say"))
    assert "请按一" in "".join(document.itertext())
    assert Twilio(settings(speech="county"), httpx.AsyncClient()).plays
    assert not adapter().plays


# Against telephones on a real socket


class Desk:
    """Our end: reads call-backs with the adapter and answers them, as the product does."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.trunk = Trunk(store, LocalBus(store), "voice.twilio", 3, 60)
        self.adapter: Twilio | None = None
        self.reports: list[Report] = []
        self.base = ""

    async def take(self, request: Request) -> Response:
        """Read, keep and answer."""
        assert self.adapter
        url = f"{self.base}{request.url.path}?{request.url.query}"
        headers = {key.lower(): value for key, value in request.headers.items()}
        call = Callback("POST", url, dict(request.query_params), headers, await request.body())
        reports = self.adapter.read(call)
        self.reports += reports
        async with self.store.write() as tx:
            await free_lines(tx, [Taken("voice.twilio", report) for report in reports])
        answer = self.adapter.answer(call)
        return Response(answer.body, media_type=answer.media)


@pytest.fixture
async def telephones(serve: Serve, tmp_path: Path) -> AsyncIterator[tuple[VoiceCarrier, Twilio, Desk]]:
    """A carrier whose calls take a fifth of a second, the adapter at it, and the desk."""
    store = Store(f"sqlite:///{tmp_path / 'trunk.sqlite3'}")
    await upgrade_store(store)
    carrier, desk = VoiceCarrier(ACCOUNT, TOKEN, lines=3, faults=Faults(delay=0.2)), Desk(store)
    desk.base = await serve(Starlette(routes=[Route("/hook", desk.take, methods=["POST"])]))
    base = await serve(carrier.app())
    http = make_client(make_transport(), 5)
    desk.adapter = Twilio(settings(base_url=base, trunk=3), http)
    yield carrier, desk.adapter, desk
    await http.aclose()
    await store.close()


async def until(reached: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while True:
        if reached():
            return
        await asyncio.sleep(0.02)


def message(number: int, desk: Desk) -> Any:
    """A call to one of many."""
    reference = f"w1-r{number}"
    return outgoing(number, f"+86145000000{number:02}", reference=reference, callback=f"{desk.base}/hook?ref={reference}")


async def test_every_telephone_is_told_apart(telephones: tuple[VoiceCarrier, Twilio, Desk]) -> None:
    """Twelve calls over a trunk of three lines: never more at once, every end as it was, and two keys."""
    carrier, voice, desk = telephones
    kinds = ["busy", "no-answer", "failed", "machine", "hang-up", "heard", "press", "press 3", *["heard"] * 4]
    carrier.outcomes = {f"+86145000000{number:02}": kind for number, kind in enumerate(kinds)}
    provider, gate = Provider("voice.twilio", "voice", voice, voice.settings), Throttle(1_000, parallel=12)
    items = [Item(number, message(number, desk)) for number in range(len(kinds))]
    async with asyncio.timeout(20):
        async for group in hand_over(provider, items, 1, gate, lambda _: None, desk.trunk):
            assert all(isinstance(done.outcome, Receipt) for done in group), group
        await until(lambda: sum(report.over for report in desk.reports) == len(kinds))
    assert carrier.most_busy <= 3
    machines = {report.key for report in desk.reports if report.code == "machine"}
    ends = {report.reference: report.code for report in desk.reports if report.state and report.unless not in machines}
    meant = {"hang-up": "hung-up", "press": "heard", "press 3": "heard"}
    assert ends == {f"w1-r{number}": meant.get(kind, kind) for number, kind in enumerate(kinds)}
    assert {report.reference: report.pressed for report in desk.reports if report.pressed} == {
        "w1-r6": "received",
        "w1-r7": "help",
    }


async def test_what_ends_hangs_up_and_calls_nobody_who_waits(telephones: tuple[VoiceCarrier, Twilio, Desk]) -> None:
    """Three are in the air and two wait for a line when the warning is cancelled."""
    carrier, voice, desk = telephones
    carrier.outcomes, carrier.faults = {"*": "heard"}, Faults(delay=5)
    provider, throttle, over = Provider("voice.twilio", "voice", voice, voice.settings), Throttle(1_000, parallel=5), False
    outcomes = {}

    async def run() -> None:
        items = [Item(number, message(number, desk)) for number in range(5)]
        async for group in hand_over(provider, items, 1, throttle, lambda _: Rank.SUPERSEDED if over else None, desk.trunk):
            outcomes.update({done.recipient: done.outcome for done in group})

    async with asyncio.timeout(10):
        task = asyncio.create_task(run())
        await until(lambda: len(outcomes) == 3)
        over = True
        sids = {call["to"]: sid for sid, call in carrier.calls.items()}
        known = [f"+86145000000{number:02}" for number in range(5)]
        assert await voice.stop({f"w1-r{n}": Sent(to, sids.get(to, "")) for n, to in enumerate(known)}) == {}
        await task
    assert carrier.counts["taken"] == 3
    assert sum(one is Rank.SUPERSEDED for one in outcomes.values()) == 2
    async with asyncio.timeout(5):
        await until(lambda: sum(report.over for report in desk.reports) == 3)
    assert {report.code for report in desk.reports} == {"hung-up"}


async def test_a_call_lost_in_a_broken_answer_is_found_again(telephones: tuple[VoiceCarrier, Twilio, Desk]) -> None:
    """It was made, the answer was a 500, and no end was told: the list of calls knows it, and how far it has come."""
    carrier, voice, desk = telephones
    carrier.outcomes, carrier.faults = {"*": "heard"}, Faults(delay=0.3, broken=1, drop=1)
    one = message(1, desk)
    since = datetime.now(UTC) - timedelta(seconds=2)
    with pytest.raises(SendError) as lost:
        await voice.send(one)
    assert lost.value.reason in {Reason.UNKNOWN, Reason.UNEXPECTED}
    (sid,) = carrier.calls
    assert await voice.find(replace(one, since=since)) == Receipt(sid, State.ACCEPTED)
    async with asyncio.timeout(5):
        await until(lambda: carrier.calls[sid]["status"] == "completed")
    assert await voice.find(replace(one, since=since)) == Receipt(sid, State.READ)
    assert await voice.find(replace(message(2, desk), since=since)) is None
