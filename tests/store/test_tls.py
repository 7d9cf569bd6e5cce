"""Kafka behind TLS: a broker whose certificate is checked, and one whose is not ours."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError
from broker import Broker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from warnhub.bus.access import kafka_options
from warnhub.bus.topics import ensure_topics
from warnhub.config import Settings, load_settings
from warnhub.crypto import make_key
from warnhub.simulate.ports import free_port


def make_certificate(folder: Path, name: str) -> Path:
    """A certificate of 127.0.0.1's own, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    plain = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = folder / f"{name}.pem"
    path.write_bytes(plain + made.public_bytes(pem))
    return path


async def carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Bytes from one side to the other until either hangs up."""
    with contextlib.suppress(ConnectionError, ssl.SSLError), contextlib.closing(target):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()


@contextlib.asynccontextmanager
async def behind_tls(broker: Broker, certificate: Path) -> AsyncIterator[None]:
    """TLS in front of a broker, on the port that it names; whoever has no certificate of ours is turned away."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificate)
    context.load_cert_chain(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    calls: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection("127.0.0.1", broker.port)
        for call in (carry(reader, outer), carry(inner, writer)):
            calls.add(asyncio.create_task(call))

    server = await asyncio.start_server(serve, "127.0.0.1", broker.advertised, ssl=context)
    try:
        yield
    finally:
        server.close()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)


def told(broker: Broker, authority: Path, own: Path) -> Settings:
    """Settings of an installation that trusts `authority` and shows `own`."""
    tls = {"kafka_security_protocol": "SSL", "kafka_cafile": authority, "kafka_certfile": own, "kafka_keyfile": own}
    return load_settings(secret_key=make_key(), kafka=f"127.0.0.1:{broker.advertised}", kafka_prefix=Broker.unique("t"), **tls)


async def test_records_come_and_go_over_tls_and_a_stranger_is_not_called(kafka: Broker, tmp_path: Path) -> None:
    broker = Broker(free_port(), kafka.program, tmp_path / "broker.log", advertised=free_port())
    broker.start()
    own, other = make_certificate(tmp_path, "broker"), make_certificate(tmp_path, "other")
    try:
        async with behind_tls(broker, own):
            settings = told(broker, own, own)
            topic = f"{settings.kafka_prefix}.x"
            assert await ensure_topics(settings, [topic]) == [topic]
            async with AIOKafkaProducer(**kafka_options(settings), acks="all") as producer:
                await producer.send_and_wait(topic, "暴雨".encode())
            async with AIOKafkaConsumer(topic, **kafka_options(settings), auto_offset_reset="earliest") as consumer:
                record = await asyncio.wait_for(consumer.getone(), 20)
                assert (record.value or b"").decode() == "暴雨"
            for wrong in (told(broker, other, own), told(broker, own, other)):
                with pytest.raises((KafkaConnectionError, ssl.SSLError)):
                    await ensure_topics(wrong, [topic])
    finally:
        broker.stop()
