"""The topics of a scaled-out installation: one of work for each lane, and one of what was given up.

An entry of work is a JSON object: `id` in the outbox, `topic`, `key`, `data`, `lane`, `at`. Kafka's key is the entry's, which
for everything about a warning is the warning's number, so that its order holds.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from warnhub.alert import LANES
from warnhub.bus.access import kafka_options
from warnhub.config import Settings

WORK = {lane: f"work.{level.value}" for level, lane in LANES.items()}
DEAD = "dead"
log = structlog.get_logger(__name__)


class Entry(NamedTuple):
    """One line of the outbox, as it travels."""

    id: int
    topic: str
    key: str
    data: dict[str, Any]
    lane: int
    at: int


def work_topics(prefix: str) -> list[str]:
    """The topics that workers read, the most urgent first."""
    return [f"{prefix}.{WORK[lane]}" for lane in sorted(WORK)]


def pack_entry(entry: Entry) -> bytes:
    """An entry as a record's value."""
    return orjson.dumps(entry._asdict())


def read_entry(value: bytes | None) -> Entry:
    """An entry from a record's value. Raises `ValueError` that names what is wrong."""
    found = orjson.loads(value or b"")
    if not isinstance(found, dict):
        raise ValueError("is not a JSON object")
    kinds = {"id": int, "topic": str, "key": str, "data": dict, "lane": int, "at": int}
    for name, kind in kinds.items():
        if not isinstance(found.get(name), kind):
            raise ValueError(f"{name}: is not {kind.__name__}")
    if found["lane"] not in WORK:
        raise ValueError(f"lane: {found['lane']} is not one of {', '.join(map(str, sorted(WORK)))}")
    return Entry(*(found[name] for name in kinds))


async def ensure_topics(settings: Settings, wanted: Sequence[str] = ()) -> list[str]:
    """Make the topics that are not there (the bus's own unless told), with `kafka_partitions`; gives those that we made.
    Others' partitions are left alone."""
    wanted = wanted or [*work_topics(settings.kafka_prefix), f"{settings.kafka_prefix}.{DEAD}"]
    admin = AIOKafkaAdminClient(**kafka_options(settings), request_timeout_ms=5_000)
    await admin.start()
    try:
        missing = sorted(set(wanted) - set(await admin.list_topics()))
        made = [NewTopic(name, settings.kafka_partitions, settings.kafka_replication) for name in missing]
        answer = await admin.create_topics(made) if made else None
    finally:
        await admin.close()
    ours = []
    for name, code, *_ in answer.topic_errors if answer else ():
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise KafkaError(f"topic {name} could not be made: {error.__name__}")
        if not code:
            ours.append(name)
    if ours:
        log.info("kafka.topics_made", topics=ours, partitions=settings.kafka_partitions)
    return ours
