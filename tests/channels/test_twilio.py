"""Twilio: every code, the exact request, signed call-backs, looking a lost message up."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from warnhub.port import CODE, LINK, Callback, Lookup, Reason, Receipt, Refused, Report, Reports, SendError, State, Words
from warnhub.testing import ChannelContract, Script, outcome, outgoing
from warnhub_sms.codes import REASONS, STATES
from warnhub_sms.twilio import Twilio, TwilioSettings

ACCOUNT = "AC5a1e0000000000000000000000000001"
TOKEN = "auth-token-of-yunling"
SID = "SM00000000000000000000000000000042"
HOOK = "https://warn.yunling.example/hooks/sms/twilio?ref=w1-r1"
VECTOR = "JqvbGKo1ITOXqnY5pDiiC5KEkdg="
VECTORS = Path(__file__).parents[3] / "shared/data/channel_samples/_vectors/twilio_signature.json"


def settings(**given: Any) -> TwilioSettings:
    """The account's."""
    return TwilioSettings(**({"account_sid": ACCOUNT, "auth_token": SecretStr(TOKEN), "sender": "+15005550006"} | given))


def taken(**given: Any) -> httpx.Response:
    """A message as Twilio shows it."""
    now = format_datetime(datetime.now(UTC))
    shown = {"sid": SID, "status": "queued", "body": "", "direction": "outbound-api", "date_created": now}
    return httpx.Response(201, json=shown | given)


def refused(status: int, code: int, words: str = "no", **headers: str) -> httpx.Response:
    """A refusal in Twilio's own form."""
    return httpx.Response(status, json={"code": code, "message": words, "status": status}, headers=headers)


def problem(status: int, code: int) -> httpx.Response:
    """A refusal in the form of RFC 9457."""
    return httpx.Response(status, json={"type": "about:blank", "title": "no", "status": status, "code": code})


class TestContract(ChannelContract):
    """What every adapter keeps."""

    secrets: ClassVar[Sequence[str]] = (TOKEN,)
    taken: ClassVar[Callable[[], httpx.Response]] = staticmethod(taken)
    refusals: ClassVar[Sequence[tuple[Callable[[], httpx.Response], Reason]]] = (
        (lambda: httpx.Response(200, json={"status": "failed"}), Reason.UNEXPECTED),
        (lambda: httpx.Response(200, json=["not", "a", "message"]), Reason.UNEXPECTED),
    )

    def make(self, http: httpx.AsyncClient) -> Twilio:
        """With a sender."""
        return Twilio(settings(), http)


async def said(*answers: httpx.Response | Exception, **given: Any) -> tuple[Receipt | SendError, list[httpx.Request]]:
    """What becomes of one message, and what was asked."""
    script = Script(*answers)
    async with script.client() as http:
        return await outcome(Twilio(settings(), http), outgoing(**given)), script.requests


@pytest.mark.parametrize("form", [refused, problem])
@pytest.mark.parametrize("code", REASONS)
async def test_codes(code: int, form: Callable[[int, int], httpx.Response]) -> None:
    """Every code of the table, in either form, keeps its number and means what the table says."""
    result, _ = await said(form(400, code))
    assert isinstance(result, SendError)
    assert (result.reason, result.code) == (REASONS[code], str(code))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (20003, Reason.CONFIG),
        (21211, Reason.RECIPIENT),
        (21408, Reason.CONFIG),
        (21608, Reason.CONFIG),
        (21610, Reason.RECIPIENT),
        (21611, Reason.THROTTLED),
        (21617, Reason.REJECTED),
        (30003, Reason.UNREACHABLE),
        (30007, Reason.REJECTED),
    ],
)
def test_table(code: int, reason: Reason) -> None:
    """One of each group, as its page has it."""
    assert REASONS[code] is reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(refused(400, 29999), Reason.REJECTED, id="unlisted code: nothing was taken"),
        pytest.param(refused(403, 29999), Reason.CONFIG, id="unlisted code of a forbidden call"),
        pytest.param(httpx.Response(403, text="proxy"), Reason.UNEXPECTED, id="a status that anybody may have given"),
        pytest.param(httpx.Response(302, headers={"location": "/"}), Reason.UNEXPECTED, id="redirect"),
        pytest.param(refused(503, 20503), Reason.UNKNOWN, id="5xx with a code"),
        pytest.param(problem(500, 20500), Reason.UNKNOWN, id="5xx as a problem"),
        pytest.param(httpx.RemoteProtocolError("gone"), Reason.UNKNOWN, id="broken connection"),
    ],
)
async def test_other_refusals(answer: httpx.Response | Exception, reason: Reason) -> None:
    """What no code of the table says."""
    result, _ = await said(answer)
    assert isinstance(result, SendError)
    assert result.reason is reason


async def test_throttled_keeps_the_code() -> None:
    """429 is throttled, under Twilio's own code, with the wait."""
    result, _ = await said(refused(429, 20429, **{"Retry-After": "3"}))
    assert isinstance(result, SendError)
    assert (result.reason, result.code, result.retry_after) == (Reason.THROTTLED, "20429", 3)


async def test_number_stays_out_of_the_words() -> None:
    """Twilio repeats the number in its refusal; nobody sees it there."""
    result, _ = await said(refused(400, 21211, "Invalid 'To' Phone Number: +8613800138000 (8613800138000)"))
    assert isinstance(result, SendError)
    assert "Invalid 'To'" in result.detail
    assert "13800138000" not in result.detail


async def test_wire() -> None:
    """The request, whole."""
    words = Words(text=f"【云岭应急】暴雨红色预警,请立即转移。{LINK}")
    given = {"words": words, "link": "https://w.example/a/x1", "callback": HOOK}
    expires = datetime.now(UTC) + timedelta(seconds=600.9)
    _, (request,) = await said(taken(), expires=expires, **given)
    assert request.method == "POST"
    assert str(request.url) == f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode()
    assert parse_qs(request.content.decode(), strict_parsing=True) == {
        "To": ["+8613800138000"],
        "From": ["+15005550006"],
        "Body": ["【云岭应急】暴雨红色预警,请立即转移。https://w.example/a/x1"],
        "StatusCallback": [HOOK],
        "ValidityPeriod": ["600"],
    }


@pytest.mark.parametrize("given", [{}, {"sender": "", "messaging_service_sid": "MG1{x}&="}])
@pytest.mark.parametrize("callback", ["", HOOK, "https://warn.example/钩?a=b c&ref=w1-r{2}%"])
async def test_the_request_is_the_packages_own(given: Mapping[str, Any], callback: str) -> None:
    """Address, headers and form are those that the package sends for the same message, whatever is in it."""
    script = Script(taken())
    words = Words(text=f"【演练】100% {{警}} +a&b=c~ {LINK} {CODE}\n")
    message = outgoing(words=words, link="https://w.example/a/x_1-%", code="7 1", callback=callback, address="+86 138/00=1")
    async with script.client() as http:
        adapter = Twilio(settings(**given), http)
        await adapter.send(message)
        sender = {"messaging_service_sid": "MG1{x}&="} if given else {"from_": "+15005550006"}
        more = {"status_callback": callback} if callback else {}
        life = parse_qs(script.requests[0].content.decode())["ValidityPeriod"][0]
        asked = {"to": message.address, "body": message.text, "validity_period": life}
        await adapter.messages.resource.create_async(**asked, **sender, **more)
    ours, theirs = script.requests
    assert ours.url == theirs.url
    assert parse_qsl(ours.content.decode(), strict_parsing=True) == parse_qsl(theirs.content.decode(), strict_parsing=True)
    heads = [{name: value for name, value in one.headers.items() if name != "content-length"} for one in (ours, theirs)]
    assert heads[0] == heads[1]


async def test_wire_of_a_service_and_a_key() -> None:
    """A messaging service in place of a sender, an API key in place of the token, a base URL of one's own."""
    script = Script(taken(status="accepted"))
    own = settings(
        sender="",
        messaging_service_sid="MG1",
        api_key_sid="SK1",
        api_key_secret=SecretStr("key-secret"),
        base_url="http://127.0.0.1:9101/",
    )
    async with script.client() as http:
        assert await Twilio(own, http).send(outgoing()) == Receipt(SID)
    (request,) = script.requests
    form = parse_qs(request.content.decode())
    assert str(request.url) == f"http://127.0.0.1:9101/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"SK1:key-secret").decode()
    assert form["MessagingServiceSid"] == ["MG1"]
    assert not {"From", "StatusCallback"} & form.keys()


@pytest.mark.parametrize(("left", "period"), [(1.9, "1"), (35_999.5, "35999"), (90_000, "36000")])
async def test_validity(left: float, period: str) -> None:
    """Whole seconds left, at most ten hours."""
    _, (request,) = await said(taken(), expires=datetime.now(UTC) + timedelta(seconds=left))
    assert parse_qs(request.content.decode())["ValidityPeriod"] == [period]


async def test_expired() -> None:
    """With less than a second left Twilio is not asked."""
    result, requests = await said(taken(), expires=datetime.now(UTC) + timedelta(seconds=0.9))
    assert isinstance(result, SendError)
    assert (result.reason, result.code) == (Reason.REJECTED, "expired")
    assert requests == []


@pytest.mark.parametrize(
    "given",
    [
        {"sender": ""},
        {"messaging_service_sid": "MG1"},
        {"api_key_sid": "SK1"},
        {"account_sid": ""},
    ],
)
def test_settings_that_cannot_work(given: Mapping[str, Any]) -> None:
    """Refused whole, and without the token."""
    with pytest.raises(ValidationError) as caught:
        settings(**given)
    assert TOKEN not in str(caught.value)


def signed(form: Mapping[str, str], url: str = HOOK, secret: str = TOKEN, keys: str = "") -> Callback:
    """A call-back as Twilio signs it: HMAC over the URL and the sorted parameters."""
    text = url + "".join(name + form[name] for name in sorted(form))
    kind = hashlib.sha256 if "SHA256" in keys else hashlib.sha1
    signature = base64.b64encode(hmac.new(secret.encode(), text.encode(), kind).digest()).decode()
    headers = {"x-twilio-signature": signature} | ({"x-twilio-webhooks-signature-settings": keys} if keys else {})
    query = dict(httpx.URL(url).params)
    return Callback("POST", url, query, headers, urlencode(form).encode())


def adapter(**given: Any) -> Twilio:
    """One that calls nobody."""
    return Twilio(settings(**given), Script(httpx.Response(500)).client())


def status_form(status: str, **given: str) -> dict[str, str]:
    """A status call-back's parameters."""
    form = {"AccountSid": ACCOUNT, "From": "+15005550006", "To": "+8613800138000", "ApiVersion": "2010-04-01"}
    return form | {"MessageSid": SID, "SmsSid": SID, "MessageStatus": status, "SmsStatus": status} | given


def test_is_all_it_says() -> None:
    """It reports and can be asked."""
    assert isinstance(adapter(), Reports)
    assert isinstance(adapter(), Lookup)


@pytest.mark.parametrize("status", STATES)
def test_statuses(status: str) -> None:
    """Every status of the table, found by our own reference."""
    (report,) = adapter().read(signed(status_form(status)))
    assert (report.state, report.reference, report.provider_id) == (STATES[status], "w1-r1", SID)
    assert (report.reason is None) == (report.state is not State.FAILED)


@pytest.mark.parametrize(
    ("status", "state"),
    [("sent", State.ACCEPTED), ("delivered", State.DELIVERED), ("read", State.READ), ("undelivered", State.FAILED)],
)
def test_status_table(status: str, state: State) -> None:
    """One of each kind; sent is not delivered."""
    assert STATES[status] is state


@pytest.mark.parametrize("code", [30003, 30005, 30007, 21610])
def test_undelivered(code: int) -> None:
    """The error code says why; STOP is for ever."""
    (report,) = adapter().read(signed(status_form("undelivered", ErrorCode=str(code))))
    assert (report.state, report.reason, report.code) == (State.FAILED, REASONS[code], str(code))
    assert report.opt_out == (code == 21610)


def test_new_parameters_and_statuses() -> None:
    """Twilio adds parameters without notice; a status it may invent changes nothing."""
    (report,) = adapter().read(signed(status_form("delivered", RawDlrDoneDate="2606121622", 新="名", Empty="")))
    assert report.state is State.DELIVERED
    assert adapter().read(signed(status_form("teleported"))) == []


def test_repeats() -> None:
    """The same status has the same key, another one another."""
    keys = [adapter().read(signed(status_form(s)))[0].key for s in ("sent", "sent", "delivered")]
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(("words", "stop"), [("1", False), ("需要支援", False), (" stop ", True), ("Unsubscribe", True)])
def test_replies(words: str, stop: bool) -> None:
    """A person's words, and the words that mean never again."""
    form = {"MessageSid": "SM7", "SmsStatus": "received", "From": "+8613800138000", "To": "+15005550006", "Body": words}
    assert adapter().read(signed(form)) == [Report("SM7", address="+8613800138000", reply=words, opt_out=stop)]


def test_reply_that_twilio_takes_for_a_stop() -> None:
    """Twilio's own opt-out words may be others."""
    form = {"MessageSid": "SM8", "From": "+8613800138000", "Body": "退订", "OptOutType": "STOP"}
    assert adapter().read(signed(form))[0].opt_out


def test_shared_key() -> None:
    """The newer signature, by the key that the header names."""
    channel = adapter(shared_keys={"webhooks_1": SecretStr("shared-secret")})
    named = "key=webhooks_1,algorithm=HMAC_SHA256"
    assert channel.read(signed(status_form("sent"), secret="shared-secret", keys=named))[0].state is State.ACCEPTED
    with pytest.raises(Refused):
        channel.read(signed(status_form("sent"), secret=TOKEN, keys=named))


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(Callback("POST", HOOK, {}, {}, b"MessageStatus=sent"), id="no signature"),
        pytest.param(Callback("POST", HOOK, {}, {"x-twilio-signature": ""}, b""), id="empty signature"),
        pytest.param(signed(status_form("sent"), secret="another"), id="another's token"),
        pytest.param(signed(status_form("sent"), secret="x", keys="key=gone,algorithm=HMAC_SHA256"), id="unknown key"),
        pytest.param(signed(status_form("sent"), keys="algorithm=HMAC_SHA256"), id="no key named"),
        pytest.param(signed(status_form("sent"), secret="s", keys="key=webhooks_1,algorithm=HMAC_MD5"), id="weak algorithm"),
        pytest.param(Callback("POST", HOOK, {}, {"x-twilio-signature": "x"}, b"\xff\xfe"), id="not UTF-8"),
    ],
)
def test_refuses(call: Callback, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing unsigned is read, and no secret is shown in saying so."""
    channel = adapter(shared_keys={"webhooks_1": SecretStr("s")})
    with pytest.raises(Refused) as caught:
        channel.read(call)
    assert TOKEN not in str(caught.value) + caplog.text


@pytest.mark.parametrize("change", ["url", "body", "added"])
def test_refuses_what_was_changed(change: str) -> None:
    """The signature is over the whole URL and every parameter."""
    good = signed(status_form("sent"))
    url = HOOK.replace("r1", "r2") if change == "url" else HOOK
    body = {"url": good.body, "body": good.body.replace(b"sent", b"read"), "added": good.body + b"&x=1"}[change]
    with pytest.raises(Refused):
        adapter().read(Callback("POST", url, {"ref": "w1-r2"}, good.headers, body))


def test_signature_vector() -> None:
    """A signature computed once by hand (openssl dgst -sha1 -hmac), so that ours and the package's cannot drift together."""
    url, body = "https://w.example/h?ref=w1-r1", b"MessageSid=SM1&MessageStatus=sent"
    call = Callback("POST", url, {"ref": "w1-r1"}, {"x-twilio-signature": VECTOR}, body)
    assert adapter(auth_token=SecretStr("12345")).read(call)[0].provider_id == "SM1"


@pytest.mark.skipif(not VECTORS.exists(), reason="the shared vectors are not here")
def test_shared_vectors() -> None:
    """Both algorithms, against vectors made elsewhere."""
    tried = 0
    for vector in json.loads(VECTORS.read_text("utf-8")):
        if "MessageStatus" not in vector.get("params", {}):
            continue
        secret, body = SecretStr(vector["auth_token"]), urlencode(vector["params"]).encode()
        plain = {"x-twilio-signature": vector["x_twilio_signature_sha1"]}
        newer = {"x-twilio-signature": vector["hmac_sha256"]}
        newer["x-twilio-webhooks-signature-settings"] = "key=k,algorithm=HMAC_SHA256"
        for headers in (plain, newer):
            channel = adapter(auth_token=secret, shared_keys={"k": secret})
            assert len(channel.read(Callback("POST", vector["url"], {}, headers, body))) == 1
            tried += 1
    assert tried == 4


def test_answer() -> None:
    """TwiML that says nothing."""
    said = adapter().answer(signed(status_form("sent")))
    assert (said.status, said.media, said.body) == (200, "text/xml", b"<Response/>")


def listed(*messages: Mapping[str, Any]) -> httpx.Response:
    """A page of the list."""
    return httpx.Response(200, json={"messages": list(messages), "page": 0, "page_size": 100, "next_page_uri": None})


def shown(sid: str = SID, status: str = "sent", hours: float = 0.0, **given: Any) -> dict[str, Any]:
    """A message of the list, made `hours` ago."""
    made = format_datetime(datetime.now(UTC) - timedelta(hours=hours))
    text = outgoing().text
    return {"sid": sid, "status": status, "date_created": made, "body": text, "direction": "outbound-api"} | given


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        pytest.param([shown()], Receipt(SID), id="taken"),
        pytest.param([shown(status="delivered")], Receipt(SID, State.DELIVERED), id="and delivered"),
        pytest.param([], None, id="never taken"),
        pytest.param([shown(body="another")], None, id="other words"),
        pytest.param([shown(hours=25)], None, id="of another day"),
        pytest.param([shown(direction="inbound")], None, id="their own words sent back"),
        pytest.param([shown("SMold", hours=2), shown("SMnew", hours=1)], Receipt("SMnew"), id="the newest"),
    ],
)
async def test_find(messages: list[dict[str, Any]], found: Receipt | None) -> None:
    """By number and exact words, within a day."""
    script = Script(listed(*messages))
    async with script.client() as http:
        assert await Twilio(settings(), http).find(outgoing()) == found
    (request,) = script.requests
    assert (request.method, dict(request.url.params)) == ("GET", {"To": "+8613800138000", "PageSize": "100"})


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param(listed(shown(body="")), Reason.UNKNOWN, id="words are withheld"),
        pytest.param(listed(*[shown(body="x")] * 100), Reason.UNKNOWN, id="a page is not enough"),
        pytest.param(refused(401, 20003), Reason.CONFIG, id="credentials"),
        pytest.param(httpx.Response(429), Reason.THROTTLED, id="429"),
        pytest.param(httpx.Response(200, json={"a": 1, "b": 2}), Reason.UNEXPECTED, id="another form"),
        pytest.param(httpx.ReadTimeout("slow"), Reason.UNKNOWN, id="time-out"),
    ],
)
async def test_find_cannot_tell(answer: httpx.Response | Exception, reason: Reason) -> None:
    """Not knowing is not None."""
    async with Script(answer).client() as http:
        with pytest.raises(SendError) as caught:
            await Twilio(settings(), http).find(outgoing())
    assert caught.value.reason is reason
