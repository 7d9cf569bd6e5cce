"""Alibaba Cloud SMS: the signature, every code, the exact request, groups, receipts and replies, looking a message up."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from warnhub.port import Bulk, Callback, Lookup, Outgoing, Reason, Receipt, Refused, Report, Reports, SendError, State, Words
from warnhub.testing import ChannelContract, Script, outcome, outgoing
from warnhub_sms import acs3, receipts
from warnhub_sms.aliyun import SPLITS, Aliyun
from warnhub_sms.dysms import REASONS, Dysms
from warnhub_sms.groups import international, national
from warnhub_sms.settings import AliyunSettings

SECRET, KEY_ID, HOOK_KEY = "access-key-secret-1", "LTAI5tYunling", "an-unguessable-hook-key"
VECTORS = Path(__file__).parents[3] / "shared/data/channel_samples/_vectors/aliyun_acs3.json"
NOON = datetime(2026, 6, 12, 8, 20, tzinfo=UTC)

# One SendSms as Alibaba Cloud's own SDK signs it.
VECTOR_QUERY = {
    "OutId": "wh-1",
    "PhoneNumbers": "13800138000,13800138001",
    "SignName": "某县气象台",
    "SmsUpExtendCode": "90999",
    "TemplateCode": "SMS_154950909",
    "TemplateParam": '{"level":"红色"}',
}
VECTOR_HEADERS = {
    "accept": "application/json",
    "host": "127.0.0.1:32903",
    "user-agent": "AlibabaCloud (Linux; x86_64) Python/3.11.7 Core/0.4.3 TeaDSL/2",
    "x-acs-action": "SendSms",
    "x-acs-content-sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "x-acs-credentials-provider": "static_ak",
    "x-acs-date": "2026-11-23T18:09:12Z",
    "x-acs-signature-nonce": "fa8be243b4db2d351ad1f9f70f6b87c8",
    "x-acs-version": "2017-05-25",
}
VECTOR_SIGNATURE = "9e48e2ccf2fc87137f7095bdff376c0663c5c4798d0043666afcd0942e9df30b"


def settings(**given: Any) -> AliyunSettings:
    """The account's."""
    usual: dict[str, Any] = {
        "access_key_id": KEY_ID,
        "access_key_secret": SecretStr(SECRET),
        "sign_name": "云岭应急",
        "template_public": "SMS_1001",
        "template_link": "SMS_1002",
        "params": {"what": "headline", "where": "area", "code": "link_code"},
        "report_key": SecretStr(HOOK_KEY),
    }
    return AliyunSettings(**(usual | given))


def yes(number: str = "900619746936498440^0") -> httpx.Response:
    """Taken."""
    return httpx.Response(200, json={"Code": "OK", "Message": "OK", "RequestId": "F655", "BizId": number})


def no(code: str, status: int = 200, words: str = "no") -> httpx.Response:
    """Refused."""
    return httpx.Response(status, json={"Code": code, "Message": words, "RequestId": "F655"})


class TestContract(ChannelContract):
    """What every adapter keeps."""

    secrets: ClassVar[Sequence[str]] = (SECRET, HOOK_KEY)
    taken: ClassVar[Callable[[], httpx.Response]] = staticmethod(yes)
    refusals: ClassVar[Sequence[tuple[Callable[[], httpx.Response], Reason]]] = (
        (lambda: no("isv.BUSINESS_LIMIT_CONTROL"), Reason.REJECTED),
        (lambda: no("isv.MOBILE_NUMBER_ILLEGAL"), Reason.RECIPIENT),
        (lambda: no("isv.AMOUNT_NOT_ENOUGH"), Reason.CONFIG),
        (lambda: no("isp.SYSTEM_ERROR"), Reason.UNREACHABLE),
        (lambda: no("OK"), Reason.UNEXPECTED),
        (lambda: httpx.Response(200, json={"code": 0}), Reason.UNEXPECTED),
    )

    def make(self, http: httpx.AsyncClient) -> Aliyun:
        """With both templates."""
        return Aliyun(settings(), http)


def test_signature_vector() -> None:
    """The SDK's signature, and the header it stands in."""
    assert acs3.sign("testsecret", "POST", VECTOR_QUERY, VECTOR_HEADERS) == VECTOR_SIGNATURE
    header = acs3.authorization("testid", "testsecret", "POST", VECTOR_QUERY, VECTOR_HEADERS)
    assert header == (
        "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=accept;host;user-agent;x-acs-action;x-acs-content-sha256;"
        f"x-acs-credentials-provider;x-acs-date;x-acs-signature-nonce;x-acs-version,Signature={VECTOR_SIGNATURE}"
    )


def test_signature_encoding() -> None:
    """RFC 3986: spaces, asterisks and slashes are written out, tildes are not; values are trimmed, names sorted."""
    assert acs3.canonical_query({"b": "a b*~/+", "a": "山"}) == "a=%E5%B1%B1&b=a%20b%2A~%2F%2B"
    lines = acs3.canonical_request("POST", {}, {"x-b": " 2 ", "host": "h"}, b"x").splitlines()
    assert lines == ["POST", "/", "", "host:h", "x-b:2", "", "host;x-b", acs3.body_hash(b"x")]


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
def test_shared_vectors() -> None:
    """Three calls of the SDK's, one with a body."""
    vectors = json.loads(VECTORS.read_text("utf-8"))
    for v in vectors:
        body = v["body"].encode()
        assert acs3.canonical_request(v["method"], v["query"], v["header_values"], body) == v["canonical_request"]
        assert acs3.sign(v["access_key_secret"], v["method"], v["query"], v["header_values"], body) == v["sdk_signature"]
    assert len(vectors) == 3


async def said(*answers: httpx.Response | Exception, **given: Any) -> tuple[Receipt | SendError, list[httpx.Request]]:
    """What becomes of one message, and what was asked."""
    script = Script(*answers)
    async with script.client() as http:
        return await outcome(Aliyun(settings(), http), outgoing(**given)), script.requests


@pytest.mark.parametrize("code", REASONS)
async def test_codes(code: str) -> None:
    """Every code of the table, refused inside a 200 and by the gateway alike."""
    for status in (200, 400):
        result, _ = await said(no(code, status))
        assert isinstance(result, SendError)
        assert (result.reason, result.code) == (REASONS[code], code)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(no("Throttling.User", 400), Reason.THROTTLED, id="throttled by a 400"),
        pytest.param(no("Throttling.Api", 400), Reason.THROTTLED, id="another throttle of the family"),
        pytest.param(no("InvalidAccessKeyId.NotFound", 404), Reason.CONFIG, id="key"),
        pytest.param(no("SignatureDoesNotMatch", 400), Reason.CONFIG, id="signature"),
        pytest.param(no("Forbidden.RAM", 403), Reason.CONFIG, id="right"),
        pytest.param(no("isv.DAY_LIMIT_CONTROL"), Reason.CONFIG, id="the account's day is full"),
        pytest.param(no("isv.SOMETHING_NEW"), Reason.REJECTED, id="our fault, unlisted"),
        pytest.param(no("isp.SOMETHING_NEW"), Reason.UNREACHABLE, id="their fault, unlisted"),
        pytest.param(no("Novel"), Reason.UNEXPECTED, id="unlisted"),
        pytest.param(no("ServiceUnavailable", 503), Reason.UNKNOWN, id="5xx with a code"),
        pytest.param(no("OK", 400), Reason.UNEXPECTED, id="a yes with a no's status"),
    ],
)
async def test_other_refusals(answer: httpx.Response, reason: Reason) -> None:
    """Families of codes, and statuses."""
    result, _ = await said(answer)
    assert isinstance(result, SendError)
    assert result.reason is reason
    assert result.code


async def test_numbers_stay_out_of_the_words() -> None:
    """The gateway repeats the whole call in its refusal; nobody sees numbers or keys there."""
    result, _ = await said(no("SignatureDoesNotMatch", 400, f"server string: {KEY_ID} PhoneNumbers=13800138000"))
    assert isinstance(result, SendError)
    assert "server string" in result.detail
    assert "13800138000" not in result.detail
    assert KEY_ID not in result.detail


async def test_wire() -> None:
    """The request, whole: everything in the query, nothing in the body, every header signed."""
    script = Script(yes())
    async with script.client() as http:
        dysms = Dysms(settings(base_url="http://127.0.0.1:32903"), http, lambda: NOON, lambda: "nonce-1")
        await dysms.call("SendSms", VECTOR_QUERY)
    (request,) = script.requests
    target = request.url.raw_path.decode()
    assert request.method == "POST"
    assert request.content == b""
    assert target == (
        "/?OutId=wh-1&PhoneNumbers=13800138000%2C13800138001"
        "&SignName=%E6%9F%90%E5%8E%BF%E6%B0%94%E8%B1%A1%E5%8F%B0&SmsUpExtendCode=90999"
        "&TemplateCode=SMS_154950909&TemplateParam=%7B%22level%22%3A%22%E7%BA%A2%E8%89%B2%22%7D"
    )
    wanted = {
        "accept": "application/json",
        "host": "127.0.0.1:32903",
        "x-acs-action": "SendSms",
        "x-acs-version": "2017-05-25",
        "x-acs-date": "2026-06-12T08:20:00Z",
        "x-acs-signature-nonce": "nonce-1",
        "x-acs-content-sha256": acs3.body_hash(b""),
    }
    assert {name: request.headers[name] for name in wanted} == wanted
    assert request.headers["authorization"] == acs3.authorization(KEY_ID, SECRET, "POST", VECTOR_QUERY, wanted)


async def test_wire_of_a_temporary_key() -> None:
    """The token of a temporary key is sent and signed."""
    script = Script(yes())
    async with script.client() as http:
        await Aliyun(settings(security_token=SecretStr("sts-1")), http).send(outgoing())
    (request,) = script.requests
    assert request.headers["x-acs-security-token"] == "sts-1"
    assert "x-acs-security-token" in request.headers["authorization"]


def asked(request: httpx.Request) -> dict[str, str]:
    """The query of a request."""
    return dict(parse_qsl(urlsplit(str(request.url)).query))


async def test_message() -> None:
    """Our words in the template's variables, our reference in OutId; no link, so the variable for one is left out."""
    result, (request,) = await said(yes("42^0"))
    assert result == Receipt("42^0")
    assert asked(request) == {
        "OutId": "w1-r1-sms-1",
        "PhoneNumbers": "13800138000",
        "SignName": "云岭应急",
        "TemplateCode": "SMS_1001",
        "TemplateParam": '{"what":"云岭县气象台发布暴雨橙色预警","where":"古镇镇"}',
    }


async def test_link() -> None:
    """The last part of the link, in the template that has the rest of it."""
    _, (request,) = await said(yes(), link="https://w.example/a/Zx81/?s=1")
    query = asked(request)
    assert query["TemplateCode"] == "SMS_1002"
    assert json.loads(query["TemplateParam"])["code"] == "Zx81"


async def test_values_fit() -> None:
    """No URL and no line break in a variable, and not more than it may have."""
    fields = {"headline": "暴雨\n详见 https://x.example/a?b=1 转移", "area": "村" * 50}
    _, (request,) = await said(yes(), words=Words(text="", fields=fields))
    assert json.loads(asked(request)["TemplateParam"]) == {"what": "暴雨 详见 转移", "where": "村" * 34 + "…"}


@pytest.mark.parametrize(
    ("fields", "params", "said"),
    [
        ({"headline": "暴雨", "area": "古镇镇"}, {"a": "area", "h": "headline"}, {"a": "【演练】古镇镇", "h": "暴雨"}),
        ({"level": "红色", "action": "转移"}, {"l": "level", "x": "action"}, {"l": "红色", "x": "【演练】转移"}),
        ({"headline": "【演练】暴雨", "drill": "演练"}, {"h": "headline"}, {"h": "【演练】暴雨"}),
        ({"headline": "Rain", "drill": "DRILL"}, {"h": "headline", "d": "drill"}, {"h": "Rain", "d": "DRILL"}),
        ({"headline": "暴" * 40}, {"h": "headline"}, {"h": "【演练】" + "暴" * 30 + "…"}),
    ],
)
async def test_drill_is_named(fields: dict[str, str], params: dict[str, str], said: dict[str, str]) -> None:
    """A drill cannot look real, whatever the template; it is named once."""
    script = Script(yes())
    async with script.client() as http:
        await Aliyun(settings(params=params, template_link=""), http).send(outgoing(words=Words("", fields=fields), drill=True))
    assert json.loads(asked(script.requests[0])["TemplateParam"]) == said


async def test_drill_that_cannot_be_named() -> None:
    """A template without variables says nothing of a drill, so no drill goes out by it."""
    script = Script(yes())
    async with script.client() as http:
        result = await outcome(Aliyun(settings(params={}, template_link=""), http), outgoing(drill=True))
    assert isinstance(result, SendError)
    assert result.reason is Reason.CONFIG
    assert script.requests == []


async def test_expired() -> None:
    """With less than a second left the provider is not asked."""
    result, requests = await said(yes(), expires=datetime.now(UTC) + timedelta(seconds=0.9))
    assert isinstance(result, SendError)
    assert (result.reason, result.code, requests) == (Reason.REJECTED, "expired", [])


@pytest.mark.parametrize(
    ("address", "phone", "abroad"),
    [("+8613800138000", "13800138000", False), ("+85261234567", "85261234567", True), ("+12025550123", "12025550123", True)],
)
def test_numbers(address: str, phone: str, abroad: bool) -> None:
    """There and back."""
    assert national(address) == (phone, abroad)
    assert international(phone) == address


@pytest.mark.parametrize("phone", ["8613800138000", "+8613800138000", "008613800138000", "13800138000"])
def test_number_in_a_receipt(phone: str) -> None:
    """The ways in which a mainland number comes back."""
    assert international(phone) == "+8613800138000"


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("+862388888888", Reason.RECIPIENT),
        ("13800138000", Reason.RECIPIENT),
        ("+86138001380001", Reason.RECIPIENT),
        ("", Reason.RECIPIENT),
        ("+13800138000", Reason.REJECTED),
    ],
)
def test_numbers_it_cannot_carry(address: str, reason: Reason) -> None:
    """A landline, no E.164, and an American number whose digits are a stranger's in China."""
    with pytest.raises(SendError) as caught:
        national(address)
    assert caught.value.reason is reason


def crowd(count: int, **given: Any) -> list[Outgoing]:
    """Messages of one text to that many numbers."""
    words = outgoing().words
    return [outgoing(n, f"+86138{n:08d}", words=words, reference=f"w1-r{n}", **given) for n in range(count)]


class Counter:
    """Takes every call, keeps it, and knows how many were in flight; `spoiled` numbers have their calls refused."""

    def __init__(self, spoiled: Sequence[str] = (), code: str = "isv.MOBILE_NUMBER_ILLEGAL") -> None:
        self.calls: list[dict[str, str]] = []
        self.spoiled, self.code = set(spoiled), code
        self.now = self.peak = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """A BizId of its own for each call."""
        call = asked(request)
        self.calls.append(call)
        self.now += 1
        self.peak = max(self.peak, self.now)
        await asyncio.sleep(0.002)
        self.now -= 1
        phones = call["PhoneNumbers"]
        return no(self.code) if self.spoiled & set(phones.split(",")) else yes(f"{phones.partition(',')[0]}^0")

    async def send(self, messages: Sequence[Outgoing], **given: Any) -> Sequence[Receipt | SendError]:
        """What becomes of them."""
        async with httpx.AsyncClient(transport=httpx.MockTransport(self)) as http:
            return await Aliyun(settings(**given), http).send_many(messages)


async def test_a_thousand_a_call() -> None:
    """2,500 numbers of one text are three calls; each has its first message's reference, each message its call's BizId."""
    counter = Counter()
    results = await counter.send(crowd(2_500))
    assert [len(call["PhoneNumbers"].split(",")) for call in counter.calls] == [1_000, 1_000, 500]
    assert [call["OutId"] for call in counter.calls] == ["w1-r0", "w1-r1000", "w1-r2000"]
    firsts = [f"138{n:08d}^0" for n in (0, 1_000, 2_000)]
    assert results == [Receipt(firsts[n // 1_000]) for n in range(2_500)]


async def test_groups() -> None:
    """Other words, numbers abroad and own links are calls of their own; results come in the order of the messages."""
    crowd_of_four = crowd(4)
    other = outgoing(9, "+8613900000009", words=Words(text="", fields={"headline": "解除", "area": "古镇镇"}))
    messages = [
        crowd_of_four[0],
        outgoing(5, "+85261234567", words=crowd_of_four[0].words),
        crowd_of_four[1],
        other,
        outgoing(6, "+8613900000006", link="https://w.example/a/k6"),
        outgoing(7, "not a number"),
        outgoing(8, "+8613900000008", link="https://w.example/a/k8"),
        crowd_of_four[2],
    ]
    counter = Counter()
    results = await counter.send(messages, template_international="SMS_1003")
    assert sorted((c["TemplateCode"], c["PhoneNumbers"]) for c in counter.calls) == [
        ("SMS_1001", "13800000000,13800000001,13800000002"),
        ("SMS_1001", "13900000009"),
        ("SMS_1002", "13900000006"),
        ("SMS_1002", "13900000008"),
        ("SMS_1003", "85261234567"),
    ]
    ids = [r.provider_id if isinstance(r, Receipt) else r.reason for r in results]
    group = "13800000000^0"
    expected = [group, "85261234567^0", group, "13900000009^0", "13900000006^0", Reason.RECIPIENT, "13900000008^0", group]
    assert ids == expected


async def test_links_without_a_template() -> None:
    """Where no template has a place for a link, everybody gets the same text, in one call."""
    counter = Counter()
    messages = [outgoing(n, f"+86138{n:08d}", link=f"https://w.example/a/{n}") for n in range(10)]
    await counter.send(messages, template_link="", params={"what": "headline"})
    assert len(counter.calls) == 1


async def test_one_telephone_two_people() -> None:
    """They share a message, and each has a receipt."""
    counter = Counter()
    results = await counter.send([crowd(1)[0], crowd(1)[0]])
    assert [call["PhoneNumbers"] for call in counter.calls] == ["13800000000"]
    assert results == [Receipt("13800000000^0")] * 2


async def test_bounded() -> None:
    """Never more calls in flight than the settings say."""
    counter = Counter()
    messages = [outgoing(n, f"+86138{n:08d}", link=f"https://w.example/a/{n}") for n in range(30)]
    results = await counter.send(messages, parallel=4)
    assert counter.peak == 4
    assert all(isinstance(r, Receipt) for r in results)


async def test_a_spoiled_number_fails_alone() -> None:
    """The others of its call are sent."""
    counter = Counter(spoiled=["13800000777"])
    results = await counter.send(crowd(1_000))
    failed = [place for place, result in enumerate(results) if isinstance(result, SendError)]
    assert failed == [777]
    assert isinstance(error := results[777], SendError)
    assert error.reason is Reason.RECIPIENT
    assert len(counter.calls) == 21


async def test_many_spoiled_numbers_cost_a_bounded_number_of_calls() -> None:
    """When searching is given up, nobody who was not found out is struck off for ever."""
    messages = crowd(1_000)
    counter = Counter(spoiled=[f"138{n:08d}" for n in range(0, 1_000, 2)])
    results = await counter.send(messages)
    assert len(counter.calls) <= 2 * SPLITS + 1
    struck = [n for n, r in enumerate(results) if isinstance(r, SendError) and r.reason is Reason.RECIPIENT]
    assert all(n % 2 == 0 for n in struck)
    assert {r.reason for r in results if isinstance(r, SendError)} <= {Reason.RECIPIENT, Reason.REJECTED}


async def test_what_is_no_persons_fault_is_not_searched_for() -> None:
    """An empty account is the same answer for all, once."""
    counter = Counter(spoiled=["13800000000"], code="isv.AMOUNT_NOT_ENOUGH")
    results = await counter.send(crowd(100))
    assert len(counter.calls) == 1
    assert {r.reason for r in results if isinstance(r, SendError)} == {Reason.CONFIG}
    assert len(results) == 100


@pytest.mark.parametrize(
    ("given", "word"),
    [
        ({"params": {"what": "colour"}}, "colour"),
        ({"params": {"what": "headline"}}, "link_code"),
        ({"report_key": SecretStr("short")}, "report_key"),
        ({"sign_name": ""}, "sign_name"),
        ({"secret": "x"}, "secret"),
    ],
)
def test_settings_that_cannot_work(given: Mapping[str, Any], word: str) -> None:
    """Refused whole, by name, and without the secret."""
    with pytest.raises(ValidationError, match=word) as caught:
        settings(**given)
    assert SECRET not in str(caught.value)


def posted(posts: object, key: str = HOOK_KEY) -> Callback:
    """A call-back."""
    body = posts if isinstance(posts, bytes) else json.dumps(posts, ensure_ascii=False).encode()
    return Callback("POST", f"https://w.example/hooks/sms/aliyun?key={key}", {"key": key}, {}, body)


def receipt(**given: Any) -> dict[str, Any]:
    """One receipt of an array."""
    return {
        "phone_number": "13800138000",
        "send_time": "2026-06-12 16:20:01",
        "report_time": "2026-06-12 16:20:05",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": "900619746936498440^0",
        "out_id": "w1-r1",
    } | given


def adapter() -> Aliyun:
    """One that calls nobody."""
    return Aliyun(settings(), Script(httpx.Response(500)).client())


def test_is_all_it_says() -> None:
    """Bulk, reports and look-up."""
    assert isinstance(adapter(), Bulk)
    assert isinstance(adapter(), Reports)
    assert isinstance(adapter(), Lookup)


def test_receipts() -> None:
    """By BizId and number; OutId is the call's, so it is no reference of this delivery."""
    good, bad = adapter().read(
        posted([receipt(), receipt(phone_number="13800138001", success=False, err_code="MK:0001", err_msg="空号")])
    )
    assert good == Report(
        good.key,
        State.DELIVERED,
        provider_id="900619746936498440^0",
        group="w1-r1",
        address="+8613800138000",
        at=datetime(2026, 6, 12, 8, 20, 5, tzinfo=UTC),
    )
    assert (bad.state, bad.reason, bad.code, bad.detail) == (State.FAILED, Reason.RECIPIENT, "MK:0001", "空号")
    assert bad.address == "+8613800138001"
    assert bad.reference == ""


@pytest.mark.parametrize("code", receipts.REASONS)
def test_carriers(code: str) -> None:
    """Every code of the carriers' table; USER_REJECT is for ever."""
    (report,) = adapter().read(posted([receipt(success=False, err_code=code, err_msg="")]))
    assert (report.state, report.reason, report.code) == (State.FAILED, receipts.REASONS[code], code)
    assert report.opt_out == (code == "USER_REJECT")


@pytest.mark.parametrize(
    ("code", "words", "reason"),
    [
        ("MK:0001", "空号", Reason.RECIPIENT),
        ("MI:0013", "用户在黑名单中", Reason.RECIPIENT),
        ("MK:0005", "关机", Reason.UNREACHABLE),
        ("MOBILE_NOT_ON_SERVICE", "空号", Reason.RECIPIENT),
        ("MOBILE_NOT_ON_SERVICE", "停机、空号、暂停服务、关机", Reason.UNREACHABLE),
        ("UNDELIV", "13800138000 关机", Reason.UNREACHABLE),
        ("XX:1234", "", Reason.UNEXPECTED),
    ],
)
def test_carriers_words(code: str, words: str, reason: Reason) -> None:
    """A province's own codes are known by their words, where these name one reason."""
    (report,) = adapter().read(posted([receipt(success=False, err_code=code, err_msg=words)]))
    assert report.reason is reason
    assert "13800138000" not in report.detail


def test_repeats() -> None:
    """The same receipt has the same key, whenever it comes; another number, call or outcome has another."""
    others: list[dict[str, Any]] = [
        {},
        {"report_time": "2026-06-12 17:00:00"},
        {"biz_id": "1^0"},
        {"phone_number": "13800138001"},
        {"success": False},
    ]
    keys = [report.key for report in adapter().read(posted([receipt(**given) for given in others]))]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4
    assert all("13800138" not in key for key in keys)


def test_replies() -> None:
    """A person's words, with the time they were sent, and the words that mean never again."""
    up = {"phone_number": "13800138000", "send_time": "2026-06-12 16:25:00", "sign_name": "云岭应急", "dest_code": "90999"}
    one, two, three = adapter().read(
        posted([up | {"content": "1", "sequence_id": 7}, up | {"content": "1", "sequence_id": 8}, up | {"content": "td"}])
    )
    assert (one.reply, one.address, one.state, one.opt_out) == ("1", "+8613800138000", None, False)
    assert one.at == datetime(2026, 6, 12, 8, 25, tzinfo=UTC)
    assert one.key != two.key
    assert three.opt_out


@pytest.mark.parametrize(
    "spoiled",
    [None, 7, "x", {}, {"phone_number": 1}, {"phone_number": "1"}, {"biz_id": "1^0"}, {"phone_number": "1", "biz_id": 5}],
)
def test_a_spoiled_receipt_is_left_out(spoiled: object) -> None:
    """The others of the array count."""
    assert [r.state for r in adapter().read(posted([spoiled, receipt(report_time="soon")]))] == [State.DELIVERED]


@pytest.mark.parametrize("body", [b"", b"{", b"{}", b'"x"', b"\xff", b"null"])
def test_refuses_what_it_cannot_read(body: bytes) -> None:
    """Anything but an array."""
    with pytest.raises(Refused):
        adapter().read(posted(body))


@pytest.mark.parametrize("key", ["", "another", HOOK_KEY + "x", "键"])
def test_refuses_without_the_key(key: str) -> None:
    """There is no signature, so the key is all there is."""
    with pytest.raises(Refused) as caught:
        adapter().read(posted([receipt()], key))
    assert HOOK_KEY not in str(caught.value)


def test_refuses_without_a_query() -> None:
    """No key at all."""
    with pytest.raises(Refused):
        adapter().read(Callback("POST", "https://w.example/hooks/sms/aliyun", {}, {}, b"[]"))


def test_answer() -> None:
    """What stops the provider from posting again, to the letter."""
    said = adapter().answer(posted([]))
    assert (said.status, said.media) == (200, "application/json")
    assert said.body.decode() == '{"code":0,"msg":"接收成功"}'


def details(*rows: Mapping[str, Any]) -> httpx.Response:
    """An answer to QuerySendDetails."""
    return httpx.Response(
        200, json={"Code": "OK", "TotalCount": len(rows), "SmsSendDetailDTOs": {"SmsSendDetailDTO": list(rows)}}
    )


def row(out: str, status: int = 1, at: str = "2026-06-12 16:20:01") -> dict[str, Any]:
    """One row of it."""
    return {"PhoneNum": "13800138000", "OutId": out, "SendStatus": status, "SendDate": at, "Content": "【云岭应急】…"}


async def found(message: Outgoing, *answers: httpx.Response | Exception) -> tuple[Receipt | None, list[httpx.Request]]:
    """What is found, and what was asked."""
    script = Script(*answers)
    async with script.client() as http:
        return await Aliyun(settings(), http, lambda: NOON).find(message), script.requests


@pytest.mark.parametrize(
    ("rows", "receipt"),
    [
        pytest.param([row("w1-r9")], Receipt(), id="in another's call of the same warning and round"),
        pytest.param([row("w1-r9", 3)], Receipt(state=State.DELIVERED), id="and delivered"),
        pytest.param([row("w1-r9", 2)], Receipt(state=State.FAILED), id="and failed"),
        pytest.param([row("w2-r1"), row("w11-r1"), row("")], None, id="other warnings and rounds"),
        pytest.param([row("w1-r1", 2, "2026-06-12 16:00:00"), row("w1-r1", 1)], Receipt(), id="the newest"),
    ],
)
async def test_find(rows: list[dict[str, Any]], receipt: Receipt | None) -> None:
    """By number, day and the reference of the call's first message."""
    result, requests = await found(outgoing(reference="w1-r1"), details(*rows), details())
    assert result == receipt
    assert requests[0].headers["x-acs-action"] == "QuerySendDetails"
    assert asked(requests[0]) == {"PhoneNumber": "13800138000", "SendDate": "20260612", "PageSize": "50", "CurrentPage": "1"}
    assert [asked(r)["SendDate"] for r in requests[1:]] == ([] if receipt else ["20260611"])


async def test_find_yesterdays() -> None:
    """A message sent before midnight in China."""
    result, _ = await found(outgoing(reference="w1-r1"), details(), details(row("w1-r1", at="2026-06-11 23:59:59")))
    assert result == Receipt()


async def test_find_with_a_link() -> None:
    """A message with a link had a call of its own, so another's will not do."""
    message = outgoing(reference="w1-r1", link="https://w.example/a/1")
    assert (await found(message, details(row("w1-r9")), details()))[0] is None
    assert (await found(message, details(row("w1-r1"))))[0] == Receipt()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(details(*[row("w2-r1")] * 50), Reason.UNKNOWN, id="a page is not enough"),
        pytest.param(httpx.Response(200, json={"Code": "OK"}), Reason.UNKNOWN, id="another form"),
        pytest.param(no("isv.AMOUNT_NOT_ENOUGH"), Reason.CONFIG, id="refused"),
        pytest.param(httpx.ReadTimeout("slow"), Reason.UNKNOWN, id="time-out"),
    ],
)
async def test_find_cannot_tell(answer: httpx.Response | Exception, reason: Reason) -> None:
    """Not knowing is not None."""
    with pytest.raises(SendError) as caught:
        await found(outgoing(), answer)
    assert caught.value.reason is reason
