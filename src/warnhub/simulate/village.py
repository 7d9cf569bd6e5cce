"""A county's loudspeakers on real MQTT connections: gateways that serve many, and devices with a line of their own.

A gateway is one connection for the devices of its villages, as a radio or a LoRa gateway is; a device of its own connects
through a `Relay`, so that its line can be cut and its last will comes true. Playing takes `1 / pace` of its real time.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import random
import wave
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx
from pydantic import Field

from warnhub.simulate.carrier import Faults
from warnhub.simulate.gateway import Gateway
from warnhub.simulate.relay import Relay
from warnhub.simulate.speaker import Speaker


class VillageFaults(Faults):
    """What goes wrong: `refuse`, `undelivered` (an amplifier fault), and `drop`, `duplicate`, `latency` of acknowledgements.

    The other fields of `Faults` are an HTTP carrier's and do nothing here.
    """

    offline: float = Field(0.0, ge=0, le=1, description="share of devices whose line is down from the start")


class Village:
    """All loudspeakers (`speakers`, by address) and what they did (`counts`)."""

    def __init__(self, addresses: Sequence[str], faults: VillageFaults, pace: float, seed: int) -> None:
        self.faults = faults
        self.pace = pace
        self.seed = seed
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.speakers = {address: Speaker(address, self) for address in addresses if not self.hit(faults.offline)}
        self.lines: dict[str, Gateway] = {}
        self.relays: dict[str, Relay] = {}
        self.http = httpx.AsyncClient(timeout=10)
        self.sounds: dict[str, asyncio.Task[float | None]] = {}
        self.tasks: set[asyncio.Task[None]] = set()

    def gateway(self, name: str, prefix: str, served: Sequence[str]) -> Gateway:
        """A connection for these devices."""
        line = Gateway(f"sim-{self.seed}-{name}", prefix, served, self.speakers.__contains__, self.hand)
        self.lines |= dict.fromkeys(served, line)
        return line

    async def wire(self, address: str, prefix: str, host: str, port: int) -> Gateway:
        """A device on a line of its own, connecting."""
        relay = self.relays[address] = Relay(host, port)
        await relay.mend()
        line = self.gateway(address.replace("/", "-"), prefix, [address])
        line.alone = address
        self.start(line.run("127.0.0.1", relay.port))
        return line

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Let it run until it or the village ends."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def hand(self, address: str, payload: bytes) -> None:
        """A command for a device."""
        self.start(self.speakers[address].take(payload))

    async def close(self) -> None:
        """End all that runs."""
        players = [speaker.player for speaker in self.speakers.values() if speaker.player]
        ending = [*self.tasks, *players, *self.sounds.values()]
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        for relay in self.relays.values():
            await relay.cut()
        await self.http.aclose()

    def hit(self, share: float) -> bool:
        """True in `share` of the cases."""
        return share > 0 and self.random.random() < share

    def luck(self) -> str:
        """By the faults."""
        return "rejected" if self.hit(self.faults.refuse) else "failed" if self.hit(self.faults.undelivered) else ""

    async def wait(self, seconds: float, until: asyncio.Event) -> bool:
        """In the village's own time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds / self.pace):
                return await until.wait()
        return False

    async def say(self, address: str, told: dict[str, Any]) -> None:
        """Publish an acknowledgement, late, twice or not at all where the faults have it so."""
        if self.faults.latency:
            await asyncio.sleep(self.faults.latency)
        if self.hit(self.faults.drop):
            return
        for _ in range(2 if self.hit(self.faults.duplicate) else 1):
            await self.lines[address].publish(address, "ack", json.dumps(told))

    async def sound(self, source: dict[str, Any]) -> float | None:
        """Its length; each recording is fetched once, for all."""
        digest = str(source.get("sha256"))
        if digest not in self.sounds:
            self.sounds[digest] = asyncio.create_task(self.fetch(str(source.get("url")), digest))
        return await asyncio.shield(self.sounds[digest])

    async def fetch(self, url: str, digest: str) -> float | None:
        """Seconds of the WAV file at `url`; None unless its digest is `digest`."""
        self.counts["downloads"] += 1
        try:
            content = (await self.http.get(url)).raise_for_status().content
            if hashlib.sha256(content).hexdigest() != digest:
                self.counts["wrong_digest"] += 1
                return None
            with wave.open(io.BytesIO(content)) as file:
                return float(file.getnframes() / file.getframerate())
        except (httpx.HTTPError, httpx.InvalidURL, wave.Error, EOFError):
            self.counts["no_download"] += 1
            return None

    async def cut(self, address: str) -> None:
        """Break the line of a device of its own."""
        await self.relays[address].cut()

    async def mend(self, address: str) -> None:
        """Give it its line back."""
        await self.relays[address].mend()


def grouped(addresses: Iterable[str], count: int) -> list[list[str]]:
    """The addresses in `count` groups; those of one area stay together."""
    areas: dict[str, list[str]] = defaultdict(list)
    for address in addresses:
        areas[address.split("/")[0]].append(address)
    groups: list[list[str]] = [[] for _ in range(count)]
    for number, members in enumerate(areas.values()):
        groups[number % count] += members
    return [group for group in groups if group]


@asynccontextmanager
async def serve_village(
    host: str,
    port: int,
    speakers: Sequence[str],
    *,
    faults: VillageFaults | None = None,
    pace: float = 60.0,
    prefix: str = "eb/v1",
    gateways: int = 1,
    own: int = 0,
    seed: int = 1,
) -> AsyncIterator[Village]:
    """Loudspeakers at these addresses (`area/device`) on the broker at `host`:`port`, until the block ends.

    All are connected and have said so when the block begins. The first `own` have a line of their own, the others share
    `gateways` connections. `pace` is how many times faster than life they play.
    """
    village = Village(speakers, faults or VillageFaults(), pace, seed)
    lines = [village.gateway(f"g{n}", prefix, group) for n, group in enumerate(grouped(speakers[own:], gateways))]
    try:
        for line in lines:
            village.start(line.run(host, port))
        for address in speakers[:own]:
            lines.append(await village.wire(address, prefix, host, port))
        await asyncio.gather(*(line.greeted.wait() for line in lines))
        yield village
    finally:
        await village.close()
