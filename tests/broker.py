"""A Kafka broker of the tests' own: one process for a session, topics by name for each test.

It speaks Kafka's protocol with groups and fail-over, keeps its records in memory, and has no idempotent producer: use
`acks="all"` with `enable_idempotence=False`, and names of topics and groups of your own (`unique`). Apache Kafka itself cannot
be run here.
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from warnhub.simulate.ports import free_port


@dataclass(slots=True)
class Broker:
    """A running broker. `address` is what `WARNHUB_KAFKA` is told."""

    port: int
    program: str
    log: Path
    process: "subprocess.Popen[bytes] | None" = None
    advertised: int | None = None

    @property
    def address(self) -> str:
        """host:port."""
        return f"127.0.0.1:{self.port}"

    @staticmethod
    def unique(name: str) -> str:
        """A name for a topic or a group that no other test has."""
        return f"{name}.{uuid4().hex[:12]}"

    async def make(self, *topics: str, partitions: int = 1) -> None:
        """Create topics."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        try:
            await admin.create_topics([NewTopic(name, num_partitions=partitions, replication_factor=1) for name in topics])
        finally:
            await admin.close()

    def start(self) -> None:
        """Serve, and wait until it answers. What an earlier process of it had is gone."""
        url = f"tcp://{self.address}"
        told = f"tcp://127.0.0.1:{self.advertised or self.port}"
        command = [self.program, "broker", "--listener-url", url, "--advertised-listener-url", told]
        with self.log.open("ab") as said:
            self.process = subprocess.Popen(
                [*command, "--storage-engine", "memory://tansu/"],
                stdout=said,
                stderr=said,
                env=os.environ | {"RUST_LOG": "off"},
            )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.5):
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        self.stop()
        raise RuntimeError(f"the broker did not start: {self.log.read_text('utf-8', 'replace')[-500:]}")

    def stop(self, how: int = signal.SIGKILL) -> None:
        """End it."""
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(10)
            self.process = None


@contextlib.contextmanager
def serve_broker(program: str, folder: Path) -> Iterator[Broker]:
    """A broker on a free port of this machine."""
    broker = Broker(free_port(), program, folder / "broker.log")
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()
