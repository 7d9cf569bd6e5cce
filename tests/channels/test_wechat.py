"""WeChat: the table of codes, the wire, the call-backs, and a stand-in that goes wrong on a real socket."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar

import httpx
import orjson
import pytest
from conftest import Serve
from pydantic import SecretStr, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from warnhub.port import Callback, Channel, Outgoing, Reason, Receipt, Refused, Repeatable, Report, Reports, SendError, State
from warnhub.simulate.carrier import Faults
from warnhub.simulate.envelope import Envelope
from warnhub.simulate.wechat import WechatCarrier
from warnhub.testing import ChannelContract, Script, outcome, outgoing
from warnhub_wechat.codes import REASONS
from warnhub_wechat.crypto import opened, signature
from warnhub_wechat.template import Template, TemplateSettings

OPENID = "oFollower0000000000000000001"
FIELDS = {"thing1": "headline", "time2": "time", "thing3": "area", "phrase4": "level", "character_string5": "action"}
KEY = "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C"
STAMP, NONCE = 1409735669, "1320562132"

# One call-back worked out with another implementation (wechatpy): what a key, a token, 16 bytes and an event must give.
EVENT = (
    "<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><FromUserName><![CDATA[oia2TjuEGTNoeX76QEjQNrcURxG8]]>"
    "</FromUserName><CreateTime>1395658920</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[TEMPLATESENDJOBFINISH]]></Event><MsgID>200163836</MsgID><Status><![CDATA[success]]></Status></xml>"
)
SEALED = (
    "sKqRbbiSUnDhFHOvPjtUMQQHzV6nLeyEsSSESb80AV+RWiwfUIuQN3LUISmbvXW35/rzuao4lbwUiwKvj5P4WCmLkEkKXdH5ymVKtw1HHrXPMcqhjKLjA3uD"
    "/n6ZLIru/ycvdSIYar0oneot12oBv+ZTT8rFd4EHFOgNQ6pr2SZiuifo0c9ye0G8+EGcozuFAueHWm2LFfoLXgjrSOc/SC1tMdGGLEjrSZ46aZkQMwcT9iis"
    "skUq5Ceey+/AWhvQZwgHDYtSen8SRlxD3rTONU1Nuu3SsuD59tPjONA/LorrKHea8ZXit2RiRpkviJMNq8Ahxs9WLVRPL3TkUX5i/H2iiP5iOMu364gSQErc"
    "x8E1UAyU6UwFbXPnNJJwd5j8nyFT7KETovBie1mgRdWpmBW5juH5hHwl/kMOLYPjMvTVUqD37P1CA4WC8QHs7FcNp9fZCvGhWaQpoH+MGdI2rQ=="
)
PLAIN_SIGNATURE = "6bc9bd0375d16c298ccb882c409eb8fae66a74e2"
SEALED_SIGNATURE = "69b6cf502e7d012e778e041c2871e8230cbbd223"


def settings(**given: Any) -> TemplateSettings:
    """An account that answers to the golden call-back."""
    usual: dict[str, Any] = {
        "appid": "wx5823bf96d3bd56c7",
        "secret": SecretStr("wechat-app-secret"),
        "template_id": "template-1",
        "fields": FIELDS,
        "token": SecretStr("warnhubtoken"),
    }
    return TemplateSettings(**(usual | given))


def token(value: str = "token-1", life: int = 7_200) -> httpx.Response:
    """A token answer."""
    return httpx.Response(200, json={"access_token": value, "expires_in": life})


def said(code: int, **more: Any) -> httpx.Response:
    """An answer with an errcode."""
    return httpx.Response(200, json={"errcode": code, "errmsg": "words"} | more)


class TestContract(ChannelContract):
    """What every adapter keeps."""

    secrets: ClassVar[Sequence[str]] = ("wechat-app-secret", "token-1", "warnhubtoken")
    taken = staticmethod(lambda: said(0, msgid=200163836))
    before = (token,)
    refusals = tuple((partial(said, code), reason) for code, reason in REASONS.items())

    def make(self, http: httpx.AsyncClient) -> Channel:
        """With test settings."""
        return Template(settings(), http)

    def message(self) -> Outgoing:
        """To an openid."""
        return outgoing(address=OPENID)


async def tried(*answers: httpx.Response | Exception, message: Outgoing | None = None) -> tuple[Receipt | SendError, Script]:
    """What became of one message, and what was asked."""
    script = Script(*answers)
    async with script.client() as http:
        return await outcome(Template(settings(), http), message or outgoing(address=OPENID)), script


def test_is_what_it_says() -> None:
    """The core finds the extra abilities by type."""
    channel = Template(settings(), httpx.AsyncClient())
    assert isinstance(channel, Reports)
    assert isinstance(channel, Repeatable)
    assert channel.repeatable


async def test_wire_form() -> None:
    """One POST, the token in the query, typed values that fit."""
    message = outgoing(address=OPENID, link="https://w.example/a/1")
    result, script = await tried(token(), said(0, msgid=9_007_199_254_740_993), message=message)
    assert result == Receipt("9007199254740993")
    asked, sent = script.requests
    assert asked.url.path == "/cgi-bin/stable_token"
    assert orjson.loads(asked.content) == {
        "grant_type": "client_credential",
        "appid": "wx5823bf96d3bd56c7",
        "secret": "wechat-app-secret",
        "force_refresh": False,
    }
    assert sent.url.path == "/cgi-bin/message/template/send"
    assert sent.url.params["access_token"] == "token-1"
    body = orjson.loads(sent.content)
    assert body["touser"] == OPENID
    assert body["url"] == "https://w.example/a/1"
    assert body["data"] == {
        "thing1": {"value": "云岭县气象台发布暴雨橙色预警"},
        "time2": {"value": "2026年6月12日 16:00"},
        "thing3": {"value": "古镇镇"},
        "phrase4": {"value": "橙色"},
        "character_string5": {"value": "请立即转移"},
    }


async def test_repeat_key() -> None:
    """The key is the reference's, at most 32 characters, and another round has another."""
    keys = []
    for reference in ("w1-r1-wechat-1", "w1-r1-wechat-1", "w1-r1-wechat-2"):
        _, script = await tried(token(), said(0, msgid=1), message=outgoing(address=OPENID, reference=reference))
        keys.append(orjson.loads(script.requests[-1].content)["client_msg_id"])
    assert keys[0] == keys[1] != keys[2]
    assert len(keys[0]) == 32


@pytest.mark.parametrize(
    ("key", "name", "value", "shown"),
    [
        ("thing1", "headline", "云岭县气象台发布暴雨橙色预警信号请注意防范山洪", "云岭县气象台发布暴雨橙色预警信号请注意…"),
        ("phrase1", "level", "暴雨橙色预警", "暴雨橙色预"),
        ("character_string1", "action", "A" * 40, "A" * 32),
        ("thing1", "area", "", "无"),
        ("thing1", "area", "古镇\n  镇", "古镇 镇"),
        ("time1", "time", "2026年6月12日16时5分", "2026年6月12日 16:05"),
        ("time1", "time", "2026年6月12日 16:20", "2026年6月12日 16:20"),
    ],
)
async def test_typed_values(key: str, name: str, value: str, shown: str) -> None:
    """Each value in the form and length of its type."""
    message = outgoing(address=OPENID)
    words = type(message.words)("", fields={name: value})
    script = Script(token(), said(0, msgid=1))
    async with script.client() as http:
        await Template(settings(fields={key: name}), http).send(outgoing(address=OPENID, words=words))
    assert orjson.loads(script.requests[-1].content)["data"] == {key: {"value": shown}}


async def test_drill_is_named() -> None:
    """A drill says so even where the template has no place for it; with a place for it, there and only there."""
    message = outgoing(address=OPENID, drill=True)
    _, script = await tried(token(), said(0, msgid=1), message=message)
    assert orjson.loads(script.requests[-1].content)["data"]["thing1"]["value"] == "【演练】云岭县气象台发布暴雨橙色预警"


@pytest.mark.parametrize(
    "wrong",
    [
        {"fields": {"things1": "headline"}},
        {"fields": {"thing1": "text"}},
        {"fields": {}},
        {"encoding_aes_key": SecretStr("short")},
    ],
)
def test_settings_are_refused(wrong: dict[str, Any]) -> None:
    """A wrong key, name or AES key is refused when it is read, not when the river comes."""
    with pytest.raises(ValidationError) as caught:
        settings(**wrong)
    assert "wechat-app-secret" not in str(caught.value)


async def test_known_repeat_is_taken() -> None:
    """`clientmsgid exist` is a yes."""
    result, _ = await tried(token(), said(45065, msg_id=34182))
    assert result == Receipt("34182")


async def test_yes_without_a_number() -> None:
    """A yes that cannot be followed makes no sense."""
    result, _ = await tried(token(), said(0))
    assert isinstance(result, SendError)
    assert result.reason is Reason.UNEXPECTED


@pytest.mark.parametrize("code", [40001, 40014, 41001, 42001])
async def test_token_ended(code: int) -> None:
    """Refreshed once, unforced, and sent again."""
    result, script = await tried(token(), said(code), token("token-2"), said(0, msgid=7))
    assert result == Receipt("7")
    assert orjson.loads(script.requests[2].content)["force_refresh"] is False
    assert script.requests[3].url.params["access_token"] == "token-2"
    assert len(script.requests) == 4


async def test_token_refused_twice() -> None:
    """Then somebody must look at the account."""
    result, script = await tried(token(), said(40001), token(), said(40001))
    assert isinstance(result, SendError)
    assert (result.reason, result.code) == (Reason.CONFIG, "40001")
    assert len(script.requests) == 4


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (said(40125), Reason.CONFIG),
        (said(40164), Reason.CONFIG),
        (said(-1), Reason.UNREACHABLE),
        (said(45011), Reason.THROTTLED),
        (httpx.Response(502), Reason.UNREACHABLE),
        (httpx.ReadTimeout("slow"), Reason.UNREACHABLE),
        (httpx.Response(200, json={"errcode": 0}), Reason.UNEXPECTED),
        (httpx.Response(200, text="<html>"), Reason.UNEXPECTED),
    ],
)
async def test_no_token(answer: httpx.Response | Exception, reason: Reason) -> None:
    """Without a token nothing has left, so nothing is unknown."""
    result, script = await tried(answer)
    assert isinstance(result, SendError)
    assert result.reason is reason
    assert len(script.requests) == 1


async def test_words_of_the_provider_are_cleaned() -> None:
    """WeChat's words reach the operator without the openid or the token."""
    answer = httpx.Response(200, json={"errcode": 43004, "errmsg": f"require subscribe hint: [{OPENID}] token-1"})
    result, _ = await tried(token(), answer)
    assert str(result) == "recipient: 43004 require subscribe hint: [••••] ••••"


# --- call-backs -------------------------------------------------------------------------------------------------------


def reader(key: str | None = None, now: float = STAMP, **given: Any) -> Template:
    """An adapter at the time of the golden call-back."""
    sealing = SecretStr(key) if key else None
    return Template(settings(encoding_aes_key=sealing, **given), httpx.AsyncClient(), now=lambda: now)


def call(body: str = "", method: str = "POST", **query: str) -> Callback:
    """A call of WeChat's, signed with the plain signature."""
    usual = {"signature": PLAIN_SIGNATURE, "timestamp": str(STAMP), "nonce": NONCE}
    return Callback(method, "https://warnhub.example/hooks/wechat/template", usual | query, {}, body.encode())


def sealed(body: str = SEALED, sign: str = SEALED_SIGNATURE) -> Callback:
    """A sealed call."""
    letter = f"<xml><ToUserName><![CDATA[gh_7f083739789a]]></ToUserName><Encrypt><![CDATA[{body}]]></Encrypt></xml>"
    return call(letter, encrypt_type="aes", msg_signature=sign)


def event(**parts: str) -> str:
    """An event's XML; `parts` replace elements by name."""
    usual = {"FromUserName": OPENID, "CreateTime": "1395658920", "MsgType": "event"} | parts
    return f"<xml>{''.join(f'<{name}><![CDATA[{value}]]></{name}>' for name, value in usual.items())}</xml>"


def test_golden_signatures() -> None:
    """Ours are theirs."""
    assert signature("warnhubtoken", str(STAMP), NONCE) == PLAIN_SIGNATURE
    assert signature("warnhubtoken", str(STAMP), NONCE, SEALED) == SEALED_SIGNATURE
    assert opened(SEALED, KEY, "wx5823bf96d3bd56c7").decode() == EVENT


def test_stand_in_seals_as_wechat_does() -> None:
    """The stand-in, which shares no code with the adapter, gives the golden bytes."""
    envelope = Envelope("warnhubtoken", KEY, "wx5823bf96d3bd56c7")
    assert envelope.seal(EVENT.encode(), b"0123456789abcdef") == SEALED
    assert envelope.sign(str(STAMP), NONCE, SEALED) == SEALED_SIGNATURE


@pytest.mark.parametrize("channel", [reader(), reader(KEY)], ids=["plain", "sealed"])
def test_url_check(channel: Template) -> None:
    """WeChat's check of our URL gets its echo and reports nothing."""
    check = call(method="GET", echostr="4375120948345356249")
    assert channel.read(check) == []
    assert channel.answer(check).body == b"4375120948345356249"
    with pytest.raises(Refused):
        channel.read(call(method="GET", echostr="1", signature="0" * 40))


@pytest.mark.parametrize(("channel", "post"), [(reader(), call(EVENT)), (reader(KEY), sealed())], ids=["plain", "sealed"])
def test_delivered(channel: Template, post: Callback) -> None:
    """The golden event, in both modes, and again the same report for the same call."""
    [report] = channel.read(post)
    assert (report.state, report.provider_id, report.address) == (State.DELIVERED, "200163836", "oia2TjuEGTNoeX76QEjQNrcURxG8")
    assert report.at == datetime(2014, 3, 24, 11, 2, tzinfo=UTC)
    assert channel.read(post) == [report]
    assert report.address not in report.key
    assert channel.answer(post).body == b"success"


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        ("failed:user block", Reason.RECIPIENT),
        ("failed: system failed", Reason.UNREACHABLE),
        ("failed:system failed", Reason.UNREACHABLE),
        ("failed: freq limit", Reason.REJECTED),
        ("failed: something new", Reason.UNEXPECTED),
    ],
)
def test_failed(status: str, reason: Reason) -> None:
    """Each way to fail, with or without a space after the colon."""
    [report] = reader().read(call(event(Event="TEMPLATESENDJOBFINISH", MsgID="5", Status=status)))
    assert (report.state, report.reason, report.provider_id, report.code) == (State.FAILED, reason, "5", status)


def test_reply_and_leaving() -> None:
    """A person's words are a reply, with no state; who leaves is never written to again; other events say nothing."""
    [reply] = reader().read(call(event(MsgType="text", Content="1 已转移", MsgId="22")))
    assert (reply.reply, reply.address, reply.state) == ("1 已转移", OPENID, None)
    [left] = reader().read(call(event(Event="unsubscribe", EventKey="")))
    assert (left.opt_out, left.address, left.state) == (True, OPENID, None)
    assert left.key != reply.key
    assert reader().read(call(event(Event="subscribe"))) == []
    assert reader().read(call(event(MsgType="image", MsgId="23"))) == []


def bomb() -> str:
    """XML that would grow."""
    return '<!DOCTYPE xml [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><xml><MsgType>&b;</MsgType></xml>'


@pytest.mark.parametrize(
    ("channel", "post"),
    [
        pytest.param(reader(), call(EVENT, signature="0" * 40), id="wrong signature"),
        pytest.param(reader(), call(EVENT, signature="签名"), id="signature not ASCII"),
        pytest.param(reader(), call(EVENT, nonce="2"), id="other nonce"),
        pytest.param(reader(), call(EVENT, timestamp="x"), id="no timestamp"),
        pytest.param(reader(now=STAMP + 301), call(EVENT), id="too old"),
        pytest.param(reader(now=STAMP - 301), call(EVENT), id="from the future"),
        pytest.param(reader(), call("not xml"), id="not XML"),
        pytest.param(reader(), call("<html/>"), id="another root"),
        pytest.param(reader(), call(bomb()), id="entities"),
        pytest.param(reader(), call("<xml>" + "a" * 70_000 + "</xml>"), id="too large"),
        pytest.param(reader(KEY), call(EVENT), id="plain where sealed is set"),
        pytest.param(reader(KEY), sealed(sign=PLAIN_SIGNATURE), id="sealed, plain signature"),
        pytest.param(reader(KEY), sealed(body=SEALED[:-4] + "AAA="), id="sealed, changed"),
        pytest.param(reader(KEY, appid="wxanother"), sealed(), id="for another account"),
    ],
)
def test_refused(channel: Template, post: Callback) -> None:
    """What is not WeChat's, whole and of now, changes nothing."""
    with pytest.raises(Refused):
        channel.read(post)


@pytest.mark.parametrize("body", ["", "AAAA", "!!", SEALED[:64], "A" * 43 + "="])
def test_cannot_be_opened(body: str) -> None:
    """Rightly signed noise is refused, whatever its length."""
    with pytest.raises(Refused):
        reader(KEY).read(sealed(body, signature("warnhubtoken", str(STAMP), NONCE, body)))


# --- on real sockets --------------------------------------------------------------------------------------------------


class Desk:
    """Our side on a socket: takes WeChat's call-backs through the adapter and keeps the reports."""

    def __init__(self) -> None:
        self.channel: Template | None = None
        self.reports: list[Report] = []
        self.refused = 0
        self.news = asyncio.Condition()
        self.app = Starlette(routes=[Route("/hook", self.hook, methods=["GET", "POST"])])

    async def hook(self, request: Request) -> Response:
        """The hook as the core has it."""
        assert self.channel
        post = Callback(request.method, str(request.url), dict(request.query_params), {}, await request.body())
        try:
            found = self.channel.read(post)
        except Refused:
            self.refused += 1
            return Response(status_code=403)
        async with self.news:
            self.reports += found
            self.news.notify_all()
        answer = self.channel.answer(post)
        return Response(answer.body, answer.status, media_type=answer.media)

    async def until(self, count: int) -> list[Report]:
        """The reports, once there are `count`."""
        async with asyncio.timeout(5), self.news:
            await self.news.wait_for(lambda: len(self.reports) >= count)
        return self.reports


async def joined(
    serve: Serve, http: httpx.AsyncClient, key: str | None = None, **faults: float
) -> tuple[Template, WechatCarrier, Desk]:
    """An adapter, a stand-in and a desk that know each other."""
    desk = Desk()
    hook = f"{await serve(desk.app)}/hook"
    carrier = WechatCarrier(hook, encoding_aes_key=key, faults=Faults(**({"delay": 0.01} | faults)))
    given = settings(
        base_url=await serve(carrier.app()),
        appid=carrier.appid,
        secret=SecretStr(carrier.secret),
        token=SecretStr(carrier.envelope.token),
        encoding_aes_key=SecretStr(key) if key else None,
        timeout=1.0,
    )
    desk.channel = Template(given, http)
    return desk.channel, carrier, desk


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "sealed"])
async def test_there_and_back(serve: Serve, key: str | None) -> None:
    """Sent, told, joined by number and openid; a reply and a leaving come back too."""
    async with httpx.AsyncClient() as http:
        channel, carrier, desk = await joined(serve, http, key)
        receipts = [await channel.send(outgoing(n, f"o-{n}", reference=f"w1-r{n}-wechat-1")) for n in (1, 2)]
        await carrier.reply("o-1", "1")
        await carrier.unfollow("o-2")
        found = await desk.until(4)
    ends = {(report.provider_id, report.address) for report in found if report.state is State.DELIVERED}
    assert ends == {(receipts[0].provider_id, "o-1"), (receipts[1].provider_id, "o-2")}
    assert [report.address for report in found if report.reply == "1"] == ["o-1"]
    assert [report.address for report in found if report.opt_out] == ["o-2"]
    assert desk.refused == 0


@pytest.mark.parametrize(
    ("openid", "reason"),
    [
        ("o-invalid-1", Reason.RECIPIENT),
        ("o-unfollowed-1", Reason.RECIPIENT),
        ("o-refused-1", Reason.RECIPIENT),
        ("o-often-1", Reason.REJECTED),
    ],
)
async def test_magic_openids(serve: Serve, openid: str, reason: Reason) -> None:
    """Refusals inside a 200."""
    async with httpx.AsyncClient() as http:
        channel, carrier, _ = await joined(serve, http)
        result = await outcome(channel, outgoing(address=openid))
    assert isinstance(result, SendError)
    assert result.reason is reason
    assert carrier.counts["taken"] == 0


@pytest.mark.parametrize("fault", ["broken", "hang"])
async def test_lost_answer_then_repeat(serve: Serve, fault: str) -> None:
    """Taken, but the answer lost: unknown. The repeat is known, and there is one message and one end of it."""
    async with httpx.AsyncClient() as http:
        channel, carrier, desk = await joined(serve, http, None, **{fault: 1.0})
        first = await outcome(channel, outgoing(address="o-1"))
        carrier.faults = Faults(delay=0.01)
        again = await outcome(channel, outgoing(address="o-1"))
        await desk.until(1)
        await asyncio.sleep(0.05)
    assert isinstance(first, SendError)
    assert first.reason is Reason.UNKNOWN
    assert again == Receipt(desk.reports[0].provider_id)
    assert len(desk.reports) == carrier.counts["taken"] == carrier.counts["repeats"] == 1


async def test_not_taken(serve: Serve) -> None:
    """503 before anything was read, the minute's quota inside a 200, and nobody there."""
    async with httpx.AsyncClient() as http:
        channel, carrier, _ = await joined(serve, http, throttle=1.0)
        quota = await outcome(channel, outgoing(address="o-1"))
        carrier.faults = Faults(error=1.0)
        busy = await outcome(channel, outgoing(address="o-1"))
        nobody = await outcome(Template(settings(base_url="http://127.0.0.1:1"), http), outgoing(address="o-1"))
    assert isinstance(quota, SendError)
    assert (quota.reason, quota.retry_after) == (Reason.THROTTLED, 60)
    assert isinstance(busy, SendError)
    assert busy.reason is Reason.UNKNOWN
    assert isinstance(nobody, SendError)
    assert nobody.reason is Reason.UNREACHABLE
    assert carrier.counts["taken"] == 0


async def test_events_out_of_order(serve: Serve) -> None:
    """Early, late and twice: every message's end arrives, and a repeat has the same key."""
    async with httpx.AsyncClient() as http:
        channel, _, desk = await joined(serve, http, early=0.3, reorder=0.5, duplicate=1.0)
        receipts = [await channel.send(outgoing(n, f"o-{n}", reference=f"w1-r{n}-wechat-1")) for n in range(20)]
        found = await desk.until(40)
    assert {report.provider_id for report in found} == {receipt.provider_id for receipt in receipts}
    assert len({report.key for report in found}) == 20
    assert [report.provider_id for report in found] != sorted(report.provider_id for report in found)


async def test_token_ends_midway(serve: Serve) -> None:
    """Fifty sends find the token dead at once: one refresh, nothing lost, nothing twice."""
    async with httpx.AsyncClient() as http:
        channel, carrier, _ = await joined(serve, http)
        await channel.send(outgoing(0, "o-0", reference="w1-r0-wechat-1"))
        carrier.expire()
        batch = [outgoing(n, f"o-{n}", reference=f"w1-r{n}-wechat-1") for n in range(1, 51)]
        receipts = await asyncio.gather(*(channel.send(message) for message in batch))
    assert len({receipt.provider_id for receipt in receipts}) == 50
    assert carrier.counts["tokens asked"] == 2
    assert carrier.counts["taken"] == 51
    assert carrier.counts["repeats"] == 0


async def test_first_token_is_asked_once(serve: Serve) -> None:
    """Fifty sends at the start: one call for the token."""
    async with httpx.AsyncClient() as http:
        channel, carrier, _ = await joined(serve, http)
        batch = [outgoing(n, f"o-{n}", reference=f"w1-r{n}-wechat-1") for n in range(50)]
        await asyncio.gather(*(channel.send(message) for message in batch))
    assert carrier.counts["tokens asked"] == 1


async def test_no_secret_in_the_log(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    """A whole exchange leaves neither token nor secret in the log."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    logging.getLogger("httpcore").setLevel(logging.WARNING)
    async with httpx.AsyncClient() as http:
        channel, carrier, _ = await joined(serve, http)
        await channel.send(outgoing(address="o-1"))
    assert carrier.current not in caplog.text
    assert carrier.secret not in caplog.text
