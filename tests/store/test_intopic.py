"""Alerts by Kafka, on a real broker: the same door, the same answers, and nothing lost or done twice."""

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from broker import Broker
from door import Door, open_door
from town import Hand, make_alert

from warnhub.inlet.signed import sign_request
from warnhub.inlet.topics import ATTEMPTS, AlertTopic
from warnhub.store.trust import set_trust

pytestmark = pytest.mark.kafka


@pytest.fixture
def backend() -> str:
    """The ledger behind the door is tested on both elsewhere."""
    return "sqlite"


@asynccontextmanager
async def reading(url: str, hand: Hand, kafka: Broker) -> AsyncIterator[tuple[Door, AlertTopic, AIOKafkaProducer]]:
    """A county that reads a topic of its own."""
    async with open_door(url, hand, kafka=kafka.address, kafka_prefix=kafka.unique("in"), kafka_partitions=1) as door:
        topic = AlertTopic(door.hub.desk, door.hub.keys, door.hub.settings, pause=0.02)
        await kafka.make(*(topic.name(one) for one in ("alerts.in", "alerts.out", "alerts.dead")))
        async with AIOKafkaProducer(bootstrap_servers=kafka.address, acks="all") as producer:
            yield door, topic, producer


def body(hand: Hand, identifier: str = "rain-1", **given: Any) -> bytes:
    """An alert as JSON."""
    fields = make_alert(hand, identifier, **given).model_dump(mode="json")
    return json.dumps(fields | {"original": None} if given.get("bare") else fields).encode()


def headers(**given: str) -> list[tuple[str, bytes]]:
    """Headers, with JSON's type unless told."""
    said = {"content-type": "application/json"} | {name.replace("_", "-"): value for name, value in given.items()}
    return [(name, value.encode()) for name, value in said.items()]


async def read(kafka: Broker, topic: str, count: int) -> list[Any]:
    """The first records of a topic."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka.address, auto_offset_reset="earliest")
    async with consumer, asyncio.timeout(20):
        return [await consumer.getone() for _ in range(count)]


@asynccontextmanager
async def running(*topics: AlertTopic) -> AsyncIterator[None]:
    """Readers at work, as processes would; ended without a word."""
    tasks = [asyncio.create_task(topic.run()) for topic in topics]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_the_same_door_and_the_same_answers(url: str, hand: Hand, kafka: Broker) -> None:
    async with reading(url, hand, kafka) as (door, topic, producer):
        key = door.keys["rain"]
        said = body(hand)
        unread = body(hand, "rain-2").replace(b'"actual"', b'"real"')
        for value, given in (
            (said, headers(authorization=f"Bearer {key}", correlation_id="c-1")),
            (said, headers(x_api_key=key)),
            (unread, headers(x_api_key=key)),
            (said, headers(x_api_key="whk_wrong")),
            (said, headers()),
            (said, headers(x_api_key=key, content_type="text/html")),
            (b"x" * 100, headers(x_api_key=key)),
        ):
            await producer.send_and_wait(topic.name("alerts.in"), value, key=b"nobody", headers=given)
        async with running(topic):
            out = await read(kafka, topic.name("alerts.out"), 7)
            dead = await read(kafka, topic.name("alerts.dead"), 5)
        answers = [json.loads(record.value) for record in out]
        assert [one["status"] for one in answers] == [201, 200, 422, 401, 401, 415, 422]
        assert (answers[0]["answer"]["state"], answers[0]["agency"], out[0].key) == ("released", "rain", b"rain")
        assert dict(out[0].headers)["correlation-id"] == b"c-1"
        assert answers[0]["in_reply_to"] == f"{topic.name('alerts.in')}/0/0"
        assert answers[2]["answer"]["errors"][0]["path"] == "status"
        assert answers[2]["answer"]["errors"][0]["value"] == "real"
        assert dead[0].value == unread
        assert json.loads(dict(dead[0].headers)["problem"]) == answers[2]["answer"]
        assert key.encode() not in b"".join(one.value + repr(one.headers).encode() for one in out + dead)
        assert len(await door.rows("SELECT 1 FROM alert")) == 1
        refused = await door.rows("SELECT data FROM audit WHERE action = 'key.refused'")
        assert len(refused) == 1
        over = await door.http.post("/v1/alerts", content=said, headers=door.key("rain") | {"content-type": "application/json"})
        assert over.json() == answers[1]["answer"]


async def test_a_signed_record_needs_no_key(url: str, hand: Hand, kafka: Broker) -> None:
    async with reading(url, hand, kafka) as (door, topic, producer):
        secret = "s" * 40
        async with door.hub.store.write() as tx:
            await set_trust(tx, "test", "rain", secret=door.hub.keys.seal(secret), signed=True)
        name = topic.name("alerts.in")

        async def send(value: bytes, over: bytes, key: bytes = b"rain") -> None:
            stamp, nonce = str(hand.now // 1000), secrets.token_hex(16)
            signature = sign_request(secret, "KAFKA", name, stamp, nonce, over)
            given = headers(X_WarnHub_Timestamp=stamp, X_WarnHub_Nonce=nonce, X_WarnHub_Signature=signature)
            await producer.send_and_wait(name, value, key=key, headers=given)

        await send(body(hand), body(hand))
        await send(body(hand, "rain-2"), body(hand))
        await send(body(hand), body(hand), key=b"water")
        async with running(topic):
            out = [json.loads(one.value) for one in await read(kafka, topic.name("alerts.out"), 3)]
        assert [one["status"] for one in out] == [201, 401, 401]
        assert out[0]["answer"]["state"] == "released"  # signed, as this agency must
        assert out[1]["answer"]["errors"][0]["rule"] == "SIGNATURE_INVALID"
        assert len(await door.rows("SELECT 1 FROM alert")) == 1


async def test_killed_between_the_ledger_and_the_offset_it_is_answered_again(url: str, hand: Hand, kafka: Broker) -> None:
    async with reading(url, hand, kafka) as (door, topic, producer):
        given = headers(x_api_key=door.keys["rain"])
        await producer.send_and_wait(topic.name("alerts.in"), body(hand), headers=given)
        consumer = AIOKafkaConsumer(topic.name("alerts.in"), bootstrap_servers=kafka.address, auto_offset_reset="earliest")
        async with consumer:
            record = await consumer.getone()
        await topic.work(record, producer)  # and no commit of the offset
        async with running(topic):
            out = [json.loads(one.value) for one in await read(kafka, topic.name("alerts.out"), 2)]
        assert [one["status"] for one in out] == [201, 200]
        assert out[0]["answer"]["id"] == out[1]["answer"]["id"]
        assert len(await door.rows("SELECT 1 FROM warning")) == 1


async def test_poison_is_kept_and_what_is_behind_it_goes_on(url: str, hand: Hand, kafka: Broker) -> None:
    async with reading(url, hand, kafka) as (door, topic, producer):
        calls = 0

        class Poisoned(AlertTopic):
            """A reader with a bug."""

            async def answer(self, record: Any) -> tuple[str, int, dict[str, Any]]:
                nonlocal calls
                if record.value == b"poison":
                    calls += 1
                    raise ZeroDivisionError
                return await super().answer(record)

        given = headers(x_api_key=door.keys["rain"])
        for value in (b"poison", body(hand)):
            await producer.send_and_wait(topic.name("alerts.in"), value, headers=given)
        started = time.monotonic()
        async with running(Poisoned(topic.desk, topic.keys, topic.settings, pause=0.02)):
            out = [json.loads(one.value) for one in await read(kafka, topic.name("alerts.out"), 2)]
            dead = await read(kafka, topic.name("alerts.dead"), 1)
        assert [one["status"] for one in out] == [500, 201]
        assert (calls, dead[0].value) == (ATTEMPTS, b"poison")
        assert time.monotonic() - started < 30
