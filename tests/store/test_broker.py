"""The broker that the other tests of Kafka stand on does what they need: order by key, groups, commits that hold."""

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from broker import Broker

pytestmark = pytest.mark.kafka


async def test_a_group_resumes_after_its_commit(kafka: Broker) -> None:
    topic, group = kafka.unique("t"), kafka.unique("g")
    await kafka.make(topic)
    async with AIOKafkaProducer(bootstrap_servers=kafka.address, acks="all") as producer:
        for number in range(4):
            await producer.send_and_wait(topic, b"%d" % number, key=b"k", headers=[("h", b"v")])

    async def read(count: int) -> list[bytes]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=kafka.address, group_id=group, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        consumer.assign([TopicPartition(topic, 0)])  # who joins a group of this broker takes seconds to leave it
        async with consumer:
            found = [await consumer.getone() for _ in range(count)]
            await consumer.commit({TopicPartition(topic, 0): found[-1].offset + 1})
            return [one.value for one in found]

    assert await read(2) == [b"0", b"1"]
    assert await read(2) == [b"2", b"3"]
