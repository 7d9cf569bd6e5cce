"""FCM: the table of codes, the assertion, the wire, and a stand-in that goes wrong on a real socket."""

import asyncio
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, ClassVar
from urllib.parse import parse_qs

import httpx
import jwt
import orjson
import pytest
from conftest import Serve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from warnhub.port import Bulk, Channel, Outgoing, Reason, Receipt, Repeatable, SendError, Words
from warnhub.simulate.carrier import Faults
from warnhub.simulate.fcm import FcmCarrier
from warnhub.testing import ChannelContract, Script, outcome, outgoing
from warnhub_push.fcm import Fcm, FcmSettings

DEVICE = "dQw4w9WgXcQ:APA91bExampleRegistrationToken"
NAME = "projects/county/messages/0:1500415314455276%31bd1c9631bd1c96"


@cache
def keys() -> tuple[str, str]:
    """A private and a public key, PEM."""
    private = rsa.generate_private_key(65537, 2048)
    encoding, nothing = serialization.Encoding.PEM, serialization.NoEncryption()
    return (
        private.private_bytes(encoding, serialization.PrivateFormat.PKCS8, nothing).decode(),
        private.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo).decode(),
    )


def settings(**given: Any) -> FcmSettings:
    """A service account of project `county`."""
    usual: dict[str, Any] = {
        "project_id": "county",
        "client_email": "push@county.example",
        "private_key": SecretStr(keys()[0]),
        "private_key_id": "key-1",
    }
    return FcmSettings(**(usual | given))


def token(value: str = "ya29.one", life: int = 3_599) -> httpx.Response:
    """A token answer."""
    return httpx.Response(200, json={"access_token": value, "expires_in": life, "token_type": "Bearer"})


def yes() -> httpx.Response:
    """A message taken."""
    return httpx.Response(200, json={"name": NAME})


def no(status: int, code: str, words: str = "words", name: str = "", **headers: str) -> httpx.Response:
    """A refusal: FCM's own `code` in the details, or only Google's status `name`."""
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    body = {"error": {"code": status, "message": words, "status": name, "details": details}}
    return httpx.Response(status, json=body, headers=headers)


REFUSALS = [
    (404, "UNREGISTERED", "Requested entity was not found.", "NOT_FOUND", Reason.RECIPIENT),
    (400, "INVALID_ARGUMENT", "The registration token is not a valid FCM registration token", "", Reason.RECIPIENT),
    (400, "INVALID_ARGUMENT", "Invalid value at 'message.android.ttl'", "", Reason.REJECTED),
    (403, "SENDER_ID_MISMATCH", "SenderId mismatch", "PERMISSION_DENIED", Reason.RECIPIENT),
    (401, "THIRD_PARTY_AUTH_ERROR", "Auth error from APNS", "UNAUTHENTICATED", Reason.CONFIG),
    (429, "QUOTA_EXCEEDED", "Quota exceeded", "RESOURCE_EXHAUSTED", Reason.THROTTLED),
    (503, "UNAVAILABLE", "unavailable", "UNAVAILABLE", Reason.UNREACHABLE),
    (500, "INTERNAL", "Internal error", "INTERNAL", Reason.UNKNOWN),
    (403, "", "Permission denied on resource project", "PERMISSION_DENIED", Reason.CONFIG),
    (404, "", "Requested entity was not found.", "NOT_FOUND", Reason.RECIPIENT),
    (409, "SOMETHING_NEW", "words", "ABORTED", Reason.UNEXPECTED),
]


class TestContract(ChannelContract):
    """What every adapter keeps."""

    secrets: ClassVar[Sequence[str]] = ("ya29.one", "PRIVATE KEY", keys()[0].splitlines()[3])
    taken = staticmethod(yes)
    before = (token,)
    refusals = tuple((partial(no, status, code, words, name), reason) for status, code, words, name, reason in REFUSALS)

    def make(self, http: httpx.AsyncClient) -> Channel:
        """With test settings."""
        return Fcm(settings(), http)

    def message(self) -> Outgoing:
        """To a device."""
        return outgoing(address=DEVICE)


async def tried(
    *answers: httpx.Response | Exception, message: Outgoing | None = None, **given: Any
) -> tuple[Receipt | SendError, Script]:
    """What became of one message, and what was asked."""
    script = Script(*answers)
    async with script.client() as http:
        return await outcome(Fcm(settings(**given), http), message or outgoing(address=DEVICE)), script


def test_is_what_it_says() -> None:
    """FCM has no batch, and hides a repeat at most: it is not safe to repeat."""
    channel = Fcm(settings(), httpx.AsyncClient())
    assert not isinstance(channel, Bulk)
    assert not isinstance(channel, Repeatable)


async def test_assertion() -> None:
    """An RS256 JWT for an hour, for messaging only, that Google's public half verifies."""
    _, script = await tried(token(), yes())
    asked = script.requests[0]
    assert str(asked.url) == "https://oauth2.googleapis.com/token"
    form = {name: values[0] for name, values in parse_qs(asked.content.decode()).items()}
    assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
    claims = jwt.decode(form["assertion"], keys()[1], ["RS256"], audience="https://oauth2.googleapis.com/token")
    assert claims["iss"] == "push@county.example"
    assert claims["scope"] == "https://www.googleapis.com/auth/firebase.messaging"
    assert claims["exp"] - claims["iat"] == 3_600
    assert jwt.get_unverified_header(form["assertion"]) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}


async def test_wire_form() -> None:
    """High priority, a life no longer than the warning's, a tag that a later round replaces, strings for data."""
    message = outgoing(address=DEVICE, reference="w7-r3-push-2", link="https://w.example/a/1", lane=1)
    result, script = await tried(token(), yes(), message=message)
    assert result == Receipt(NAME)
    sent = script.requests[1]
    assert str(sent.url) == "https://fcm.googleapis.com/v1/projects/county/messages:send"
    assert sent.headers["authorization"] == "Bearer ya29.one"
    body = orjson.loads(sent.content)["message"]
    assert body["token"] == DEVICE
    assert body["notification"] == {"title": "暴雨橙色预警", "body": "【云岭应急】暴雨橙色预警,请立即转移。"}
    assert body["data"] == {"reference": "w7-r3-push-2", "level": "red", "link": "https://w.example/a/1", "drill": "false"}
    android = body["android"]
    assert (android["priority"], android["collapse_key"], android["notification"]["tag"]) == ("high", "w7", "w7")
    assert 3_590 <= int(android["ttl"].removesuffix("s")) <= 3_600
    assert android["notification"]["channel_id"] == "warning_red"
    assert body["apns"]["headers"]["apns-expiration"] == str(int(message.expires.timestamp()))
    assert body["webpush"]["headers"]["Urgency"] == "high"


@pytest.mark.parametrize(
    ("critical", "lane", "drill", "level"),
    [
        (True, 1, False, "critical"),
        (True, 2, False, "time-sensitive"),
        (True, 1, True, "time-sensitive"),
        (False, 1, False, "time-sensitive"),
    ],
)
async def test_sounds_through_silence(critical: bool, lane: int, drill: bool, level: str) -> None:
    """Only a red warning, in earnest, with Apple's leave."""
    message = outgoing(address=DEVICE, lane=lane, drill=drill)
    _, script = await tried(token(), yes(), message=message, critical=critical)
    assert orjson.loads(script.requests[1].content)["message"]["apns"]["payload"]["aps"]["interruption-level"] == level


async def test_long_text_fits() -> None:
    """4,096 bytes in all, cut between characters; nothing past its end is kept for a phone that is off."""
    words = Words("洪" * 3_000, "山" * 200)
    message = outgoing(address="d" * 200, words=words, link="https://w.example/" + "a" * 80)
    _, script = await tried(token(), yes(), message=message)
    assert len(script.requests[1].content) <= 4_096
    assert orjson.loads(script.requests[1].content)["message"]["notification"]["body"].endswith("洪…")


@pytest.mark.parametrize(("code", "given", "after"), [("QUOTA_EXCEEDED", {"retry-after": "7"}, 7), ("QUOTA_EXCEEDED", {}, 60)])
async def test_waits(code: str, given: dict[str, str], after: float) -> None:
    """As long as FCM says, or a minute."""
    result, _ = await tried(token(), no(429, code, **given))
    assert isinstance(result, SendError)
    assert result.retry_after == after


async def test_token_ended() -> None:
    """401 from Google's front door: a fresh token, and once more; then somebody must look."""
    ended = partial(no, 401, "", "Request had invalid authentication credentials", "UNAUTHENTICATED")
    result, script = await tried(token(), ended(), token("ya29.two"), yes())
    assert result == Receipt(NAME)
    assert script.requests[3].headers["authorization"] == "Bearer ya29.two"
    result, script = await tried(token(), ended(), token("ya29.two"), ended())
    assert isinstance(result, SendError)
    assert result.reason is Reason.CONFIG
    assert len(script.requests) == 4


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.Response(400, json={"error": "invalid_grant", "error_description": "bad"}), Reason.CONFIG),
        (httpx.Response(200, json={}), Reason.CONFIG),
        (httpx.Response(503), Reason.UNREACHABLE),
        (httpx.Response(429, headers={"retry-after": "3"}), Reason.THROTTLED),
        (httpx.ReadTimeout("slow"), Reason.UNREACHABLE),
    ],
)
async def test_no_token(answer: httpx.Response | Exception, reason: Reason) -> None:
    """Without a token nothing has left."""
    result, script = await tried(answer)
    assert isinstance(result, SendError)
    assert result.reason is reason
    assert len(script.requests) == 1


async def test_key_that_is_none() -> None:
    """A key that cannot be read is the operator's to mend, and is not shown."""
    result, script = await tried(yes(), private_key=SecretStr("not-a-key"))
    assert isinstance(result, SendError)
    assert result.reason is Reason.CONFIG
    assert "not-a-key" not in str(result)
    assert script.requests == []


# --- on real sockets --------------------------------------------------------------------------------------------------


async def joined(serve: Serve, http: httpx.AsyncClient, **faults: float) -> tuple[Fcm, FcmCarrier]:
    """An adapter and a stand-in that know each other."""
    carrier = FcmCarrier(keys()[1], "county", Faults(**faults))
    base = await serve(carrier.app())
    return Fcm(settings(base_url=base, token_uri=f"{base}/token", timeout=1.0), http), carrier


async def test_fifty_at_once(serve: Serve) -> None:
    """Fifty sends, one token; and when it dies under them, one more."""
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http)
        batch = [outgoing(n, f"device-{n}", reference=f"w1-r{n}-push-1") for n in range(50)]
        receipts = await asyncio.gather(*(channel.send(message) for message in batch))
        carrier.tokens.clear()
        await asyncio.gather(*(channel.send(message) for message in batch))
    assert len({receipt.provider_id for receipt in receipts}) == 50
    assert carrier.counts["tokens asked"] == 2
    assert carrier.counts["taken"] == 100


async def test_another_key_is_refused(serve: Serve) -> None:
    """The stand-in checks the assertion: another account's key gets no token."""
    other = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http)
        given = channel.settings.model_copy(update={"private_key": SecretStr(other.decode())})
        result = await outcome(Fcm(given, http), outgoing(address="device-1"))
    assert isinstance(result, SendError)
    assert (result.reason, result.code) == (Reason.CONFIG, "invalid_grant")
    assert carrier.counts["taken"] == 0


@pytest.mark.parametrize(
    ("device", "reason"),
    [
        ("gone-1", Reason.RECIPIENT),
        ("bad-1", Reason.RECIPIENT),
        ("foreign-1", Reason.RECIPIENT),
        ("apple-1", Reason.CONFIG),
        ("internal-1", Reason.UNKNOWN),
    ],
)
async def test_magic_tokens(serve: Serve, device: str, reason: Reason) -> None:
    """Each refusal by its device."""
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http)
        result = await outcome(channel, outgoing(address=device))
    assert isinstance(result, SendError)
    assert result.reason is reason
    assert carrier.counts["tokens asked"] == 1


@pytest.mark.parametrize(
    ("fault", "reason", "taken"),
    [
        ("throttle", Reason.THROTTLED, 0),
        ("error", Reason.UNREACHABLE, 0),
        ("broken", Reason.UNKNOWN, 1),
        ("hang", Reason.UNKNOWN, 1),
        ("refuse", Reason.RECIPIENT, 0),
    ],
)
async def test_faults(serve: Serve, fault: str, reason: Reason, taken: int) -> None:
    """What was taken and what was not are told apart as far as they can be."""
    async with httpx.AsyncClient() as http:
        channel, carrier = await joined(serve, http, **{fault: 1.0})
        result = await outcome(channel, outgoing(address="device-1"))
    assert isinstance(result, SendError)
    assert result.reason is reason
    assert carrier.counts["taken"] == taken
