"""Providers' call-backs by Kafka, on a real broker: checked and kept as over HTTP, and a bad one holds nobody up."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from broker import Broker
from town import County

from warnhub.bus.topics import ensure_topics
from warnhub.channels import make_providers
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key, make_reference
from warnhub.feedback.receipts import Receipts
from warnhub.inlet.calls import DEAD, IN, CallTopic
from warnhub.store.ledger import Move, advance
from warnhub.store.states import Rank

pytestmark = pytest.mark.kafka
ALIYUN = {
    **{"access_key_id": "k", "access_key_secret": "s" * 16, "sign_name": "云岭应急", "template_public": "SMS_1"},
    **{"params": {"level": "level"}, "report_key": "r" * 16},
}
URL = f"https://desk.example/hooks/sms/aliyun?key={'r' * 16}"


@pytest.fixture
def topic(county: County, kafka: Broker, keys: KeyRing) -> CallTopic:
    """A reader of a topic of its own."""
    settings = load_settings(secret_key=make_key(), kafka=kafka.address, kafka_prefix=kafka.unique("c"), kafka_partitions=1)
    providers = make_providers({"sms.aliyun": ALIYUN}, httpx.MockTransport(lambda request: httpx.Response(500)))
    return CallTopic(Receipts(county.store, county.keys), providers, settings, pause=0.05)


async def hand_over(county: County) -> list[tuple[int, int, str]]:
    """A warning that has gone out by short message: (wave, recipient, telephone) of each."""
    await county.plan(await county.warn())
    rows = await county.rows(
        "SELECT d.batch_id, d.recipient_id, d.wave_id, a.value FROM batch b JOIN delivery d ON d.batch_id = b.id "
        "JOIN address a ON a.id = d.address_id WHERE b.provider = 'sms.aliyun'"
    )
    async with county.store.write() as tx:
        await advance(tx, [Move(row.batch_id, row.recipient_id, Rank.ACCEPTED) for row in rows])
    return [(row.wave_id, row.recipient_id, county.keys.unseal(bytes(row.value))) for row in rows]


async def waiting(county: County) -> bool:
    """Whether somebody's receipt is not joined yet."""
    query = "SELECT 1 FROM batch b JOIN delivery d ON d.batch_id = b.id WHERE provider = 'sms.aliyun' AND d.state <> 60 LIMIT 1"
    return bool(await county.rows(query))


def report(wave: int, person: int, phone: str) -> dict[str, Any]:
    """As Alibaba Cloud says it."""
    return {
        "phone_number": phone.removeprefix("+86"),
        "send_time": "2026-06-12 16:22:00",
        "report_time": "2026-06-12 16:22:05",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "ok",
        "sms_size": "1",
        "biz_id": "900619746936498440^0",
        "out_id": make_reference(wave, person),
    }


async def test_call_backs_are_checked_and_kept_as_over_http(county: County, topic: CallTopic, kafka: Broker) -> None:
    """Good ones are joined, also a second time; one without the provider's key, a stranger's and one that is no JSON are on the
    dead topic with the reason and without the URL."""
    told = await hand_over(county)
    assert len(told) > 5
    await ensure_topics(topic.settings, [topic.name(IN), topic.name(DEAD)])
    reports = [report(*one) for one in told]
    good = [orjson.dumps(reports[:3]), orjson.dumps(reports[3:]), orjson.dumps(reports[:3])]
    task = asyncio.create_task(topic.run())
    async with AIOKafkaProducer(bootstrap_servers=kafka.address, acks="all") as producer:

        async def put(key: bytes, value: bytes, url: str = URL) -> None:
            await producer.send_and_wait(topic.name(IN), value, key=key, headers=[("url", url.encode())])

        await put(b"sms.aliyun", good[0], URL.replace("rrr", "sss"))
        await put(b"sms.nobody", good[0])
        await put(b"sms.aliyun", b"{not json")
        for value in good:
            await put(b"sms.aliyun", value)
    async with asyncio.timeout(40):
        while await waiting(county):  # noqa: ASYNC110 - another's work has no event
            await asyncio.sleep(0.05)
    consumer = AIOKafkaConsumer(topic.name(DEAD), bootstrap_servers=kafka.address, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(20):
        dead = [await consumer.getone() for _ in range(3)]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert {(one.key, one.value) for one in dead} == {
        (b"sms.aliyun", good[0]), (b"sms.nobody", good[0]), (b"sms.aliyun", b"{not json")
    }  # fmt: skip
    said = [{name: value.decode() for name, value in one.headers} for one in dead]
    assert all(headers["reason"] and set(headers) == {"in-reply-to", "reason"} for headers in said)
    assert not any("r" * 16 in str(headers) for headers in said)
    assert len(await county.rows("SELECT 1 FROM receipt")) == len(told)
