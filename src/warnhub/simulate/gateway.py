"""The connections of simulated loudspeakers to their broker."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import aiomqtt

GONE = json.dumps({"online": False, "reason": "lwt"})
AWAY = 0.3  # seconds between attempts
MANY = 30  # villages
quiet = logging.getLogger("warnhub.simulate.gateway.wire")
quiet.setLevel(logging.CRITICAL)


class Gateway:
    """One connection, for the devices in `served`; it comes back by itself, and its session outlives the line.

    `hand` is given each command with the address it is for. `awake` says which devices there are; the others are off line.
    `alone` is the one device of a connection of its own, which then has a last will.
    """

    def __init__(
        self, name: str, prefix: str, served: Iterable[str], awake: Callable[[str], bool], hand: Callable[[str, bytes], None]
    ) -> None:
        self.name = name
        self.prefix = prefix
        self.served = frozenset(served)
        self.awake = awake
        self.hand = hand
        self.alone = ""
        self.client: aiomqtt.Client | None = None
        self.up = asyncio.Event()
        self.greeted = asyncio.Event()

    def topic(self, address: str, kind: str) -> str:
        """Of the convention."""
        return f"{self.prefix}/{address}/{kind}"

    async def run(self, host: str, port: int) -> None:
        """Connect, and connect again, until cancelled."""
        while True:
            with contextlib.suppress(aiomqtt.MqttError):
                async with self.connection(host, port) as client:
                    client.pending_calls_threshold = 1_000_000
                    await client.subscribe([(topic, 1) for topic in self.topics()])
                    self.client = client
                    self.up.set()
                    # Commands that waited at the broker must not wait for the greeting, nor it for them.
                    greeting = asyncio.create_task(self.greet())
                    try:
                        async for message in client.messages:
                            self.spread(message.topic.value, bytes(message.payload))
                    finally:
                        greeting.cancel()
            self.up.clear()
            await asyncio.sleep(AWAY)

    def connection(self, host: str, port: int) -> aiomqtt.Client:
        """A connection whose session the broker keeps."""
        last = aiomqtt.Will(self.topic(self.alone, "status"), GONE, 1, True) if self.alone else None
        return aiomqtt.Client(
            host,
            port,
            identifier=self.name,
            clean_session=False,
            will=last,
            max_inflight_messages=200,
            max_concurrent_outgoing_calls=200,
            logger=quiet,
        )

    def topics(self) -> list[str]:
        """Where commands for its devices come."""
        if self.alone:
            return [self.topic(self.alone, "cmd"), self.topic(f"{self.alone.split('/')[0]}/_all", "cmd")]
        areas = sorted({address.split("/")[0] for address in self.served})
        # A broker matches every message with every filter, so a gateway of many villages asks once for all.
        return [self.topic("+/+", "cmd")] if len(areas) > MANY else [self.topic(f"{area}/+", "cmd") for area in areas]

    async def greet(self) -> None:
        """Say of each device that it is there, or that it is not."""
        told = {"online": True, "fw": "sim-1", "volume": 60, "idle": True, "ts": datetime.now(UTC).isoformat()}
        here = json.dumps(told)
        states = [(address, here if self.awake(address) else GONE) for address in self.served]
        await asyncio.gather(*(self.publish(address, "status", state, True) for address, state in states))
        self.greeted.set()

    def spread(self, topic: str, payload: bytes) -> None:
        """Hand a command to its device; one to `_all` to each of its area."""
        area, device = topic.split("/")[-3:-1]
        address = f"{area}/{device}"
        for each in [one for one in self.served if one.startswith(f"{area}/")] if device == "_all" else [address]:
            if each in self.served and self.awake(each):
                self.hand(each, payload)

    async def publish(self, address: str, kind: str, payload: str, retain: bool = False) -> None:
        """Publish, and again after the line was down, until the broker has it."""
        while True:
            await self.up.wait()
            assert self.client is not None
            with contextlib.suppress(aiomqtt.MqttError):
                await self.client.publish(self.topic(address, kind), payload, 1, retain)
                return
            await asyncio.sleep(AWAY / 3)
