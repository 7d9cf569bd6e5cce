"""Alerts by Kafka: read from `<prefix>.alerts.in`, answered on `….alerts.out`, and what was refused kept on `….alerts.dead`.

A record is a document as it would be POSTed. It says who sends it as a request does: `authorization` or `x-api-key` with the
agency's key, or the agency's id as the record's key with the `X-WarnHub-…` headers of a signed request, whose method is `KAFKA`
and whose path is the topic. The ledger commits, then the answer is published, then the offset is committed: what comes twice is
answered as the first time.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from sqlalchemy.exc import InterfaceError, OperationalError

from warnhub.alert import Problem
from warnhub.bus.access import kafka_options
from warnhub.bus.topics import ensure_topics
from warnhub.config import Settings
from warnhub.crypto import KeyRing
from warnhub.desk import Desk, Refusal
from warnhub.ingest.forms import MEDIA
from warnhub.inlet.door import answer_of, read_whole, refused_document, take
from warnhub.inlet.signed import NAMES, Said, check_signed
from warnhub.store.agencies import Agency, find_agency, read_agency
from warnhub.store.audits import add_audit
from warnhub.traces import span

IN, OUT, DEAD = "alerts.in", "alerts.out", "alerts.dead"
ATTEMPTS = 5
AWAY = (OSError, OperationalError, InterfaceError)
"""A database that does not answer; anything else it says is about the record."""
LEAVE = 1.5
SECRET = frozenset(("authorization", "x-api-key", *(name.lower() for name in NAMES)))
log = structlog.get_logger(__name__)


class AlertTopic:
    """One process's reader of the topic; several share its partitions."""

    def __init__(self, desk: Desk, keys: KeyRing, settings: Settings, pause: float = 1.0) -> None:
        self.desk = desk
        self.keys = keys
        self.settings = settings
        self.pause = pause
        self.noted = -1e9

    def name(self, topic: str) -> str:
        """A topic's whole name."""
        return f"{self.settings.kafka_prefix}.{topic}"

    async def run(self) -> None:
        """Read until cancelled; a broker that is away is waited for."""
        while True:
            try:
                await ensure_topics(self.settings, [self.name(one) for one in (IN, OUT, DEAD)])
                await self.serve()
            except KafkaError as error:
                log.warning("alerts.topic_waits", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(self.pause)

    async def serve(self) -> None:
        """As one of the group, until the broker fails."""
        largest = self.settings.limits.max_bytes + 1_000_000
        consumer = AIOKafkaConsumer(
            self.name(IN),
            **kafka_options(self.settings),
            group_id=self.name("alerts"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_partition_fetch_bytes=largest,
        )
        options = {"acks": "all", "max_request_size": largest, "request_timeout_ms": 10_000}
        producer = AIOKafkaProducer(**kafka_options(self.settings), **options)
        try:
            await producer.start()
            await consumer.start()
            while True:
                record = await consumer.getone()
                await self.work(record, producer)
                await consumer.commit({TopicPartition(record.topic, record.partition): record.offset + 1})
        finally:
            for part in (consumer, producer):
                with suppress(TimeoutError, KafkaError):
                    async with asyncio.timeout(LEAVE):
                        await part.stop()

    async def work(self, record: Any, producer: Any) -> None:
        """One record to its answer: a few attempts, and then the dead topic. A database that is away is waited for."""
        attempt = 0
        while True:
            try:
                parent = read_headers(record).get("traceparent")
                with span("alert.receive", "consumer", parent, messaging__system="kafka") as here:
                    agency, status, said = await self.answer(record)
                    here.set("warnhub.status", status)
                break
            except AWAY as error:
                log.warning("alerts.store_waits", error=type(error).__name__)
            except Exception as error:
                attempt += 1
                log.error("alerts.failed", offset=record.offset, attempt=attempt, error=type(error).__name__, exc_info=error)
                if attempt >= ATTEMPTS:
                    agency, status = "", 500
                    said = refused_document(Refusal(500, "this alert could not be worked on; it is kept on the dead topic"))
                    break
            await asyncio.sleep(self.pause)
        await self.publish(record, producer, agency, status, said)

    async def answer(self, record: Any) -> tuple[str, int, dict[str, Any]]:
        """(agency, status, what it is told), as over HTTP."""
        headers = read_headers(record)
        name = ""
        try:
            body = record.value or b""
            most = self.settings.limits.max_bytes
            if len(body) > most:
                raise refused(413, "too large", "body", "TOO_LARGE", f"at most {most} bytes", str(len(body)))
            agency, proven = await self.authenticate(record, headers, body)
            name = agency.id
            media = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media not in MEDIA:
                message = f"send one of {', '.join(sorted(MEDIA))}"
                raise refused(415, "this content type is not taken", "content-type", "UNSUPPORTED_MEDIA", message, media)
            verdicts = await read_whole(self.desk, agency, body, media, proven)
            received = await take(self.desk, agency, verdicts, body, media, headers.get("idempotency-key") or None)
        except Refusal as refusal:
            return name, refusal.status, refused_document(refusal)
        return name, *answer_of(agency, verdicts, received)

    async def authenticate(self, record: Any, headers: dict[str, str], body: bytes) -> tuple[Agency, bool]:
        """Who sends it, and whether the record itself is signed; 401 for nobody."""
        scheme, _, value = headers.get("authorization", "").partition(" ")
        key = value.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "").strip()
        async with self.desk.store.read() as conn:
            if key:
                agency = await find_agency(conn, key)
            else:
                agency = await read_agency(conn, (record.key or b"").decode("utf-8", "replace"))
        if agency is not None and agency.disabled_at is None:
            proven = await check_signed(self.desk.store, self.keys, agency, Said.of("KAFKA", record.topic, headers, body))
            if key or proven:
                return agency, proven
        await self.note()
        rule = "UNKNOWN_KEY" if key else "MISSING_KEY"
        raise refused(401, "who are you?", "authorization", rule, "send the agency's key, or sign the record", "")

    async def note(self) -> None:
        """Audit a stranger, at most once a second."""
        if time.monotonic() - self.noted >= 1.0:
            self.noted = time.monotonic()
            async with self.desk.store.write() as tx:
                await add_audit(tx, "unknown", "key.refused", self.name(IN))

    async def publish(self, record: Any, producer: Any, agency: str, status: int, said: dict[str, Any]) -> None:
        """The answer, and the record itself where it was refused; never a key."""
        place = f"{record.topic}/{record.partition}/{record.offset}"
        headers = [(name, value) for name, value in record.headers if name.lower() not in SECRET]
        answer = {"status": status, "agency": agency, "in_reply_to": place, "answer": said}
        pack: Callable[[Any], bytes] = orjson.dumps
        given = [("in-reply-to", place.encode()), *headers]
        if status >= 400:
            dead = [*given, ("problem", pack(said))]
            await producer.send_and_wait(self.name(DEAD), record.value or b"", key=record.key, headers=dead)
        await producer.send_and_wait(self.name(OUT), pack(answer), key=agency.encode() or record.key, headers=given)


def read_headers(record: Any) -> dict[str, str]:
    """Names in lower case; the last of a name counts."""
    return {name.lower(): value.decode("utf-8", "replace") for name, value in record.headers}


def refused(status: int, title: str, path: str, rule: str, message: str, value: str) -> Refusal:
    """One thing wrong with a record."""
    return Refusal(status, title, [Problem(path=path, rule=rule, message=message, value=value)])
