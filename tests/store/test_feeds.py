"""What the public may read: the living alerts and nothing else, once each, and cheaply."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from door import Door, open_door
from lxml import etree
from signxml import XMLVerifier
from signxml.algorithms import DigestAlgorithm, SignatureMethod
from signxml.verifier import SignatureConfiguration
from sqlalchemy import text
from town import FAR, TOWN, Hand, make_alert

from warnhub.alert import Gate, Kind, Level, Reference, Scope, Status, Verdict
from warnhub.config import ConfigError, load_settings
from warnhub.crypto import make_key
from warnhub.hub import make_signer
from warnhub.ingest.forms import read_alerts
from warnhub.store.agencies import read_agency

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
async def door(url: str, hand: Hand) -> AsyncIterator[Door]:
    """A county with its door."""
    async with open_door(url, hand) as made:
        yield made


async def say(door: Door, identifier: str, agency: str = "rain", **given: Any) -> dict[str, Any]:
    """An agency POSTs it."""
    alert = make_alert(door.hand, identifier, **given)
    async with door.hub.store.read() as conn:
        found = await read_agency(conn, agency)
    assert found
    received = await door.hub.desk.receive(found, Verdict(gate=Gate.ACCEPT, alert=alert), b"{}", "application/json")
    return received.model_dump()


async def listed(door: Door) -> list[str]:
    """The links in the feed, after a look."""
    door.hub.outlet.checked = -1e9
    atom = etree.fromstring((await door.http.get("/feeds/cap.atom")).content)
    rss = etree.fromstring((await door.http.get("/feeds/cap.rss")).content)
    links = [one.get("href") or "" for one in atom.iterfind(f"{ATOM}entry/{ATOM}link")]
    assert links == [one.text for one in rss.iterfind("channel/item/link")]
    assert len(set(links)) == len(links)
    return [link.removeprefix("https://warn.example/v1/alerts/").removesuffix(".cap") for link in links]


async def test_only_what_lives_and_is_public(door: Door) -> None:
    shown = await say(door, "public")
    await say(door, "private", scope=Scope.PRIVATE, hazard="11B06")
    await say(door, "restricted", scope=Scope.RESTRICTED, restriction="staff", hazard="11B09")
    await say(door, "exercise", status=Status.EXERCISE, hazard="11B17")
    await say(door, "test", status=Status.TEST, hazard="11B05")
    pending = await say(door, "pending", agency="weather", level=Level.BLUE, hazard="11B14")
    assert pending["state"] == "pending"
    assert await listed(door) == [shown["alert"]]


async def test_a_drill_with_its_list_is_not_public(door: Door) -> None:
    async with door.hub.store.write() as tx:
        await tx.conn.execute(text("INSERT INTO drill (id, name, created_by, created_at) VALUES ('d', 'd', 'test', 1)"))
    said = await say(door, "drill", status=Status.EXERCISE)
    assert said["state"] == "released"
    assert await listed(door) == []
    assert (await door.http.get(f"/v1/alerts/{said['alert']}.cap")).status_code == 404


async def test_an_update_takes_the_place_and_a_cancel_is_an_entry(door: Door) -> None:
    first = await say(door, "a-1")
    follow = {"references": [Reference(identifier="a-1")]}
    door.hand.pass_by(1_000)
    second = await say(door, "a-2", kind=Kind.UPDATE, **follow)
    assert await listed(door) == [second["alert"]]
    door.hand.pass_by(1_000)
    over = await say(door, "a-3", kind=Kind.CANCEL, references=[Reference(identifier="a-2")])
    assert over["state"] == "released"
    assert await listed(door) == [over["alert"]]
    document = (await door.http.get(f"/v1/alerts/{over['alert']}.cap")).text
    assert "<msgType>Cancel</msgType>" in document
    assert "云岭县气象台,a-2,2026-06-12T16:20:01+08:00" in document
    gone = await door.http.get(f"/v1/alerts/{first['alert']}.cap")
    assert gone.status_code == 200  # what was told stays readable


async def test_what_expires_is_gone_without_anybody_saying_so(door: Door) -> None:
    await say(door, "a-1")
    assert len(await listed(door)) == 1
    before = await door.http.get("/feeds/cap.atom")
    door.hand.pass_by(6 * 3_600_000)
    assert await listed(door) == []
    after = await door.http.get("/feeds/cap.atom", headers={"if-none-match": before.headers["etag"]})
    assert after.status_code == 200
    assert after.headers["last-modified"] == "Fri, 12 Jun 2026 14:20:00 GMT"


async def test_the_desk_s_own_cancel_is_an_entry(door: Door) -> None:
    said = await say(door, "a-1")
    await door.hub.desk.cancel(said["warning"], "user:zhang", "雨停了")
    over = await listed(door)
    assert over != [said["alert"]]
    document = (await door.http.get(f"/v1/alerts/{over[0]}.cap")).text
    assert "<msgType>Cancel</msgType>" in document
    assert ",a-1," in document


async def test_who_has_it_is_told_so(door: Door) -> None:
    said = await say(door, "a-1")
    for path in ("/feeds/cap.atom", "/feeds/cap.rss", f"/v1/alerts/{said['alert']}.cap"):
        first = await door.http.get(path)
        etag, changed = first.headers["etag"], first.headers["last-modified"]
        for headers in ({"if-none-match": etag}, {"if-none-match": f'"x", W/{etag}'}, {"if-modified-since": changed}):
            again = await door.http.get(path, headers=headers)
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        for headers in (
            {"if-none-match": '"x"'},
            {"if-modified-since": "Thu, 11 Jun 2026 00:00:00 GMT"},
            {"if-modified-since": "?"},
        ):
            assert (await door.http.get(path, headers=headers)).status_code == 200
        head = await door.http.head(path) if path.startswith("/feeds") else first
        assert head.headers["etag"] == etag
    assert (await door.http.get("/feeds/cap.json")).status_code == 404


async def test_nothing_unchanged_is_rendered_again(door: Door) -> None:
    said = await say(door, "a-1")
    for _ in range(5):
        door.hub.outlet.checked = -1e9
        await door.http.get("/feeds/cap.atom")
        await door.http.get(f"/v1/alerts/{said['alert']}.cap")
    assert door.hub.outlet.rendered == 2
    await say(door, "b-1", hazard="11B06")
    await listed(door)
    assert door.hub.outlet.rendered == 4  # both forms of the feed


async def test_the_most_urgent_stay_when_there_are_too_many(door: Door) -> None:
    red = await say(door, "red")
    for number in range(205):
        door.hand.pass_by(10)
        await say(
            door, f"blue-{number}", level=Level.BLUE, hazard=f"11B{number % 90 + 10}", codes=[FAR] if number > 90 else [TOWN]
        )
    found = await listed(door)
    assert len(found) <= 200
    assert red["alert"] in found


async def test_an_entry_s_cap_is_the_alert(door: Door) -> None:
    said = await say(door, "a-1")
    response = await door.http.get(f"/v1/alerts/{said['alert']}.cap")
    assert response.headers["content-type"] == "application/cap+xml"
    assert read_alerts(response.content)[0].alert == make_alert(door.hand, "a-1")


async def test_what_is_not_public_takes_a_key(door: Door) -> None:
    said = await say(door, "a-1", scope=Scope.PRIVATE)
    path = f"/v1/alerts/{said['alert']}"
    assert (await door.http.get(f"{path}.cap")).status_code == 404
    assert (await door.http.get(f"{path}.cap", headers={"x-api-key": "wrong"})).status_code == 401
    assert (await door.http.get(f"{path}.cap", headers=door.key("water"))).status_code == 404
    for headers in (door.key("rain"), door.officer):
        response = await door.http.get(f"{path}.cap", headers=headers)
        assert (response.status_code, response.headers["cache-control"]) == (200, "private, no-store")
    assert (await door.http.get("/v1/alerts/al_none.cap", headers=door.officer)).status_code == 404


async def test_the_national_profile_out(door: Door) -> None:
    first = await say(door, "a-1")
    second = await say(door, "a-2", kind=Kind.UPDATE, references=[Reference(identifier="a-1")])
    third = await say(door, "a-3", kind=Kind.CANCEL, references=[Reference(identifier="a-2")])
    found = [await door.http.get(f"/v1/alerts/{one['alert']}.national", headers=door.officer) for one in (first, second, third)]
    assert [one.status_code for one in found] == [200, 200, 200]
    assert 'filename="99012300000000_20260612162000_11B03_RED_ALERT.XML"' in found[0].headers["content-disposition"]
    read = [read_alerts(one.content)[0] for one in found]
    assert [one.gate for one in read] == [Gate.ACCEPT] * 3
    alerts = [one.alert for one in read]
    assert [one.identifier if one else "" for one in alerts] == [f"99012300000000_20260612162000_{n}" for n in range(3)]
    begun = [one.references[0].identifier if one and one.references else "" for one in alerts]
    assert begun == ["", "99012300000000_20260612162000_0", "99012300000000_20260612162000_0"]
    assert alerts[0]
    assert (alerts[0].sender, alerts[0].level, alerts[0].areas[0].codes[0].value) == ("云岭县气象局", "red", "990123100000")
    assert (await door.http.get(f"/v1/alerts/{first['alert']}.national")).status_code == 401
    assert (await door.http.get(f"/v1/alerts/{first['alert']}.national", headers=door.key("water"))).status_code == 404


# ---------------------------------------------------------------- signed


def pair(key: Any) -> tuple[str, str]:
    """A key and a certificate of its own, in PEM."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "云岭县应急管理局")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(7)
    signed = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1)).sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return pem.decode(), signed.public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize("kind", ["rsa", "ec"])
async def test_what_leaves_is_signed(url: str, hand: Hand, kind: str) -> None:
    made = rsa.generate_private_key(65_537, 2_048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())
    key, certificate = pair(made)
    async with open_door(url, hand, signing_key=key, signing_certificate=certificate) as door:
        said = await say(door, "a-1")
        body = (await door.http.get(f"/v1/alerts/{said['alert']}.cap")).content
        method = SignatureMethod.RSA_SHA256 if kind == "rsa" else SignatureMethod.ECDSA_SHA256
        config = SignatureConfiguration(
            signature_methods=frozenset((method,)), digest_algorithms=frozenset((DigestAlgorithm.SHA256,))
        )
        good = XMLVerifier().verify(etree.fromstring(body), x509_cert=certificate, expect_config=config)
        assert good.signed_xml is not None
        assert good.signed_xml.tag.endswith("alert")
        forged = body.replace("暴雨".encode(), "大风".encode(), 1)
        with pytest.raises(Exception, match=r"(?i)digest|signature"):
            XMLVerifier().verify(etree.fromstring(forged), x509_cert=certificate, expect_config=config)
        assert read_alerts(body)[0].alert == make_alert(hand, "a-1")


def test_a_key_that_does_not_fit_is_refused_at_the_start() -> None:
    key, _ = pair(rsa.generate_private_key(65_537, 2_048))
    _, other = pair(rsa.generate_private_key(65_537, 2_048))
    for given, said in (
        ({"signing_key": key, "signing_certificate": other}, "signing_certificate"),
        ({"signing_key": "x", "signing_certificate": other}, "signing_key"),
        ({"signing_key": key}, "signing_certificate"),
    ):
        with pytest.raises(ConfigError, match=said) as caught:
            make_signer(load_settings(secret_key=make_key(), **given))
        assert "PRIVATE KEY" not in str(caught.value)
