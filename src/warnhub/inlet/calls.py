"""Call-backs of providers by Kafka: read from `<prefix>.receipts.in`, and what was refused kept on `….receipts.dead`.

A record is a call-back as the provider made it, put there by whatever stands between the providers and the bureau. Its key is
the provider's name here (`sms.aliyun`), its value the body; headers are the call's own, and `url` is the public URL with its
query, `method` the method, POST unless told. The adapter checks its signature as over HTTP; the topic is trusted no more than
the hook is. Many records are one commit; offsets are committed after the database, and what comes twice changes nothing.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError

from warnhub.bus.access import kafka_options
from warnhub.bus.topics import ensure_topics
from warnhub.channels import Provider
from warnhub.config import Settings
from warnhub.feedback.receipts import Receipts
from warnhub.monitor.metrics import REPORTS
from warnhub.port import Callback, Refused, Report, Reports
from warnhub.store.engine import OURS, TROUBLE

IN, DEAD = "receipts.in", "receipts.dead"
MOST = 1_000
"""Records of one turn."""
LARGEST = 2_000_000
LEAVE = 1.5
log = structlog.get_logger(__name__)


class Unread(Exception):
    """A record that is no call-back of ours; says why."""


class CallTopic:
    """One process's reader of the topic; several share its partitions."""

    def __init__(self, receipts: Receipts, providers: Mapping[str, Provider], settings: Settings, pause: float = 1.0) -> None:
        self.receipts = receipts
        self.providers = providers
        self.settings = settings
        self.pause = pause

    def name(self, topic: str) -> str:
        """A topic's whole name."""
        return f"{self.settings.kafka_prefix}.{topic}"

    async def run(self) -> None:
        """Read until cancelled; a broker that is away is waited for."""
        while True:
            try:
                await ensure_topics(self.settings, [self.name(one) for one in (IN, DEAD)])
                await self.serve()
            except KafkaError as error:
                log.warning("receipts.topic_waits", error=f"{type(error).__name__}: {error}")
                await asyncio.sleep(self.pause)

    async def serve(self) -> None:
        """As one of the group, until the broker fails."""
        consumer = AIOKafkaConsumer(
            self.name(IN),
            **kafka_options(self.settings),
            group_id=self.name("receipts"),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            max_partition_fetch_bytes=2 * LARGEST,
        )
        producer = AIOKafkaProducer(**kafka_options(self.settings), acks="all", max_request_size=2 * LARGEST)
        try:
            await producer.start()
            await consumer.start()
            while True:
                found = await consumer.getmany(timeout_ms=200, max_records=MOST)
                records = [record for group in found.values() for record in group]
                if records:
                    await self.work(records, producer)
                    await consumer.commit({place: group[-1].offset + 1 for place, group in found.items()})
        finally:
            for part in (consumer, producer):
                with suppress(TimeoutError, KafkaError):
                    async with asyncio.timeout(LEAVE):
                        await part.stop()

    async def work(self, records: Sequence[Any], producer: Any) -> None:
        """One turn's records, kept before their offsets are committed. What breaks a turn breaks only its own record."""
        try:
            await self.take(records, producer)
        except KafkaError:
            raise
        except Exception as error:
            log.error("receipts.failed", records=len(records), error=type(error).__name__, exc_info=error)
            if len(records) == 1:
                await self.refuse(records[0], producer, f"could not be worked on: {type(error).__name__}")
                return
            for record in records:
                await self.work([record], producer)

    async def take(self, records: Sequence[Any], producer: Any) -> None:
        """Read them all, keep what they say in few commits; a database that is away is waited for."""
        said: dict[str, list[Report]] = defaultdict(list)
        for record in records:
            try:
                name, reports = self.read(record)
            except Unread as error:
                await self.refuse(record, producer, str(error))
                continue
            said[name] += reports
        for name, reports in said.items():
            while True:
                try:
                    await self.receipts.take(name, reports)
                    break
                except TROUBLE as error:
                    if isinstance(error, OURS):
                        raise
                    log.warning("receipts.store_waits", provider=name, error=type(error).__name__)
                    await asyncio.sleep(self.pause)

    def read(self, record: Any) -> tuple[str, Sequence[Report]]:
        """(provider, what it says). Raises `Unread` that names what is wrong, never with a secret in it."""
        name = (record.key or b"").decode("utf-8", "replace")
        provider = self.providers.get(name)
        adapter: object = provider.adapter if provider else None
        if not isinstance(adapter, Reports):
            raise Unread(f"key: {name[:60]!r} is no provider that calls back here")
        body = record.value or b""
        if len(body) > LARGEST:
            raise Unread(f"value: at most {LARGEST} bytes, not {len(body)}")
        headers = {key.lower(): value.decode("utf-8", "replace") for key, value in record.headers}
        url = headers.pop("url", f"{self.settings.public_url}/hooks/{name.replace('.', '/', 1)}")
        query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        try:
            return name, adapter.read(Callback(headers.pop("method", "POST"), url, query, headers, body))
        except Refused:
            REPORTS.labels(name, "refused").inc()
            raise Unread("this call-back is not signed as it should be") from None

    async def refuse(self, record: Any, producer: Any, reason: str) -> None:
        """Keep what was refused, with the reason and without the URL, which may hold a key."""
        place = f"{record.topic}/{record.partition}/{record.offset}"
        log.warning("receipts.refused", place=place, reason=reason)
        headers = [("in-reply-to", place.encode()), ("reason", reason.encode())]
        await producer.send_and_wait(self.name(DEAD), record.value or b"", key=record.key, headers=headers)
