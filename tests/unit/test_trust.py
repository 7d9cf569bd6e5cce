"""Whose word it is: XML signatures by pinned certificates, signed requests, and coordinates on shifted maps."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from alertdocs import cap, rules, taken
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from gatehouse import Gatehouse
from lxml import etree
from signxml.signer import XMLSigner

from warnhub.alert import Gate
from warnhub.api.signed import sign_request
from warnhub.ingest.datum import shift, unshift
from warnhub.ingest.findings import Limits
from warnhub.ingest.forms import read_alerts
from warnhub.ingest.signature import DSIG, SIGNATURE
from warnhub.store.audits import verify_audit
from warnhub.store.trust import pin_certificate, read_trust, set_trust, unpin_certificate

NOW = datetime(2026, 6, 12, 8, 20, tzinfo=UTC)


class Signer:
    """Somebody with a key and a certificate of their own making."""

    def __init__(self, name: str, until: datetime = NOW + timedelta(days=365)) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(subject, subject, self.key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(NOW - timedelta(days=400)).not_valid_after(until)
        self.certificate = builder.sign(self.key, SHA256())

    @property
    def pem(self) -> str:
        """The certificate as it is pinned."""
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(self, body: bytes) -> bytes:
        """The alert with a signature more, over everything that stands there now."""
        signer = XMLSigner(signature_algorithm="ecdsa-sha256", c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
        signed = signer.sign(etree.fromstring(body), key=self.key, cert=[self.certificate])
        return bytes(etree.tostring(signed))


@pytest.fixture(scope="module")
def agency() -> Signer:
    return Signer("weather office")


@pytest.fixture(scope="module")
def relay() -> Signer:
    return Signer("relay")


def judge(body: bytes, *pinned: Signer, signed: bool = False, now: datetime | None = NOW) -> tuple[Gate, list[str]]:
    """The gate and the rules of one body, by what is pinned."""
    limits = Limits(certificates=tuple(one.pem for one in pinned), signed=signed)
    (verdict,) = read_alerts(body, None, limits, now)
    return verdict.gate, [rule for rule in rules(verdict) if rule.startswith("SIGNATURE")]


BODY = cap().encode()


def test_a_pinned_certificates_signature_is_verified(agency: Signer) -> None:
    assert judge(agency.sign(BODY), agency, signed=True) == (Gate.ACCEPT, ["SIGNATURE_VERIFIED"])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b"117.30", b"117.31", id="a coordinate"),
        pytest.param("标题".encode(), "另题".encode(), id="a word"),
        pytest.param(b"<msgType>Alert", b"<msgType>Cancel", id="the kind"),
        pytest.param(
            b"</info>", b"<parameter><valueName>a</valueName><value>b</value></parameter></info>", id="something more"
        ),
    ],
)
def test_an_edit_after_signing_is_seen(agency: Signer, old: bytes, new: bytes) -> None:
    text = etree.tostring(etree.fromstring(agency.sign(BODY)), encoding="utf-8")
    assert old in text
    edited = text.replace(old, new, 1)
    gate, found = judge(edited, agency)
    assert (gate, found) == (Gate.HOLD, ["SIGNATURE_INVALID"])
    assert judge(edited, agency, signed=True) == (Gate.REFUSE, ["SIGNATURE_INVALID"])


def test_a_certificate_that_comes_with_the_message_proves_nothing(agency: Signer, relay: Signer) -> None:
    stranger = relay.sign(BODY)
    assert judge(stranger) == (Gate.ACCEPT, ["SIGNATURE_UNCHECKED"])
    assert judge(stranger, agency) == (Gate.HOLD, ["SIGNATURE_INVALID"])
    assert judge(stranger, agency, signed=True) == (Gate.REFUSE, ["SIGNATURE_INVALID"])
    assert judge(stranger, signed=True) == (Gate.REFUSE, ["SIGNATURE_UNPINNED"])


def test_who_must_sign_and_does_not_is_refused(agency: Signer) -> None:
    assert judge(BODY, agency, signed=True) == (Gate.REFUSE, ["SIGNATURE_MISSING"])
    assert judge(BODY, agency) == (Gate.ACCEPT, [])
    (verdict,) = read_alerts(b'{"identifier": "a", "sender": "b", "sent": "c"}', None, Limits(signed=True))
    assert rules(verdict) == ["SIGNATURE_MISSING"]


@pytest.mark.parametrize("pinned", ["agency", "relay", "both"])
def test_two_signatures_are_each_tried_as_they_stood(agency: Signer, relay: Signer, pinned: str) -> None:
    twice = relay.sign(agency.sign(BODY))
    assert len(etree.fromstring(twice).findall(SIGNATURE)) == 2
    trusted: Sequence[Signer] = {"agency": [agency], "relay": [relay], "both": [agency, relay]}[pinned]
    assert judge(twice, *trusted, signed=True) == (Gate.ACCEPT, ["SIGNATURE_VERIFIED"])
    assert judge(twice.replace(b"117.30", b"117.31", 1), *trusted)[0] is Gate.HOLD


def test_a_certificate_out_of_date_is_not_taken(relay: Signer) -> None:
    old = Signer("old", NOW - timedelta(days=1))
    assert judge(old.sign(BODY), old) == (Gate.HOLD, ["SIGNATURE_INVALID"])
    assert judge(relay.sign(BODY), relay, now=NOW + timedelta(days=800))[0] is not Gate.ACCEPT


def test_a_signed_part_is_not_a_signed_alert(agency: Signer) -> None:
    """The signed alert inside another: the signature is right, but not over what would be read."""
    signed = etree.fromstring(agency.sign(BODY))
    signature = signed.find(SIGNATURE)
    assert signature is not None
    outer = etree.fromstring(BODY)
    outer.append(signature)
    assert judge(bytes(etree.tostring(outer)), agency)[0] is Gate.ACCEPT  # the very same words
    outer.find("{*}sender").text = "else.example"  # type: ignore[union-attr]  # it is there
    assert judge(bytes(etree.tostring(outer)), agency, signed=True) == (Gate.REFUSE, ["SIGNATURE_INVALID"])


def test_signature_rubbish_is_a_verdict(agency: Signer) -> None:
    for inside in ("", "<SignedInfo/>", "<SignedInfo><Reference URI='http://127.0.0.1:9/x'/></SignedInfo>"):
        body = BODY.replace(b"</alert>", f'<Signature xmlns="{DSIG}">{inside}</Signature></alert>'.encode())
        assert judge(body, agency) == (Gate.HOLD, ["SIGNATURE_INVALID"])


# Requests that are signed themselves


def sign(house: Gatehouse, said: str, secret: str, **changed: str) -> dict[str, str]:
    """The headers of a signed request."""
    stamp, nonce = changed.get("stamp", str(house.hand.now // 1_000)), changed.get("nonce", "n" * 16)
    given = sign_request(secret, "POST", changed.get("path", "/v1/alerts"), stamp, nonce, changed.get("body", said).encode())
    return {"X-WarnHub-Timestamp": stamp, "X-WarnHub-Nonce": nonce, "X-WarnHub-Signature": given}


async def agree(house: Gatehouse, **given: Any) -> None:
    """Settle something with the weather station."""
    async with house.hub.store.write() as tx:
        await set_trust(tx, "test", "weather", **given)


async def test_a_signed_request_is_taken_once(house: Gatehouse) -> None:
    await agree(house, signed=True, secret=house.hub.keys.seal("s3cret"))
    body = house.alert("a-1")
    refused = await house.post(body)
    assert (refused.status_code, refused.json()["errors"][0]["rule"]) == (422, "SIGNATURE_MISSING")
    headers = sign(house, body, "s3cret")
    assert (await house.post(body, **headers)).status_code == 201
    again = await house.post(body, **headers)
    assert (again.status_code, again.json()["errors"][0]["rule"]) == (401, "SIGNATURE_REPLAYED")
    repeat = await house.post(body, **sign(house, body, "s3cret", nonce="m" * 16))
    assert (repeat.status_code, repeat.json()["repeated"]) == (200, True)


@pytest.mark.parametrize(
    ("changed", "rule"),
    [
        ({"body": "{}"}, "SIGNATURE_INVALID"),
        ({"path": "/v1/other"}, "SIGNATURE_INVALID"),
        ({"secret": "wrong"}, "SIGNATURE_INVALID"),
        ({"stamp": str(1_781_252_400 - 301)}, "SIGNATURE_TIME"),
        ({"stamp": str(1_781_252_400 + 301)}, "SIGNATURE_TIME"),
        ({"stamp": "today"}, "SIGNATURE_TIME"),
        ({"nonce": "short"}, "SIGNATURE_NONCE"),
    ],
)
async def test_a_wrong_signature_is_refused_and_on_record(house: Gatehouse, changed: dict[str, str], rule: str) -> None:
    await agree(house, secret=house.hub.keys.seal("s3cret"))
    body = house.alert("a-1")
    changed = dict(changed)
    answer = await house.post(body, **sign(house, body, changed.pop("secret", "s3cret"), **changed))
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (401, rule)
    assert "s3cret" not in answer.text
    assert [row.action for row in await house.rows("SELECT action FROM audit")].count("signature.refused") == 1
    assert await house.rows("SELECT 1 FROM alert") == []
    async with house.hub.store.read() as conn:
        assert (await verify_audit(conn))[1] is None


async def test_without_a_secret_a_signed_request_is_refused(house: Gatehouse) -> None:
    body = house.alert("a-1")
    answer = await house.post(body, **sign(house, body, "s3cret"))
    assert (answer.status_code, answer.json()["errors"][0]["rule"]) == (401, "SIGNATURE_UNPINNED")


async def test_pins_are_kept_and_taken_away(house: Gatehouse, agency: Signer) -> None:
    async with house.hub.store.write() as tx:
        name = await pin_certificate(tx, "test", "weather", agency.pem)
        assert await pin_certificate(tx, "test", "weather", agency.pem) == name
    assert name == hashlib.sha256(agency.certificate.public_bytes(Encoding.DER)).hexdigest()
    await agree(house, signed=True)
    now = house.hand.moment.isoformat(timespec="seconds")
    later = (house.hand.moment + timedelta(hours=2)).isoformat(timespec="seconds")
    body = cap().replace("2026-06-12T16:00:00+08:00", now).replace("2026-06-12T19:00:00+08:00", later).encode()
    answer = await house.post(agency.sign(body))
    assert answer.status_code == 201, answer.text
    assert "SIGNATURE_VERIFIED" in [one["rule"] for one in answer.json()["notes"]]
    async with house.hub.store.write() as tx:
        assert await unpin_certificate(tx, "test", "weather", name[:8]) == 1
        assert (await read_trust(tx.conn, "weather")).certificates == ()
    refused = await house.post(agency.sign(body.replace(b"a-1", b"a-2")))
    assert (refused.status_code, refused.json()["errors"][0]["rule"]) == (422, "SIGNATURE_UNPINNED")


# Shifted maps


def test_a_shifted_point_comes_back() -> None:
    for point in ((117.3, 26.6), (103.8, 36.06), (121.47, 31.23), (87.6, 43.8)):
        moved = shift(point)
        metres = [(moved[0] - point[0]) * 100_000, (moved[1] - point[1]) * 111_000]
        assert 100 < (metres[0] ** 2 + metres[1] ** 2) ** 0.5 < 900
        back = unshift(moved)
        assert abs(back[0] - point[0]) < 1e-6
        assert abs(back[1] - point[1]) < 1e-6
    assert shift((-80.0, 40.0)) == unshift((-80.0, 40.0)) == (-80.0, 40.0)


def test_a_known_point_is_moved_as_the_maps_move_it() -> None:
    """Tian'anmen: WGS-84 116.39127, 39.90705 is drawn by the shifted maps at about 116.39751, 39.90845."""
    lon, lat = shift((116.39127, 39.90705))
    assert (round(lon, 4), round(lat, 4)) == (116.3975, 39.9085)


def test_coordinates_of_a_shifted_source_are_turned_back() -> None:
    plain, moved = (taken(read_alerts(BODY, None, Limits(datum=datum))[0]) for datum in ("wgs84", "gcj02"))
    (first,), (second,) = plain.areas[0].polygons, moved.areas[0].polygons
    for before, after in zip(first.rings[0], second.rings[0], strict=True):
        assert 0.001 < abs(before[0] - after[0]) + abs(before[1] - after[1]) < 0.02
    value = json.loads('{"center": [117.3, 26.6], "radius": 3000}')
    body = cap(area="<circle>26.6,117.3 3</circle>").encode()
    (circle,) = taken(read_alerts(body, None, Limits(datum="gcj02"))[0]).areas[0].circles
    assert circle.center == pytest.approx(unshift(tuple(value["center"])))
    assert circle.radius == 3_000
