"""One village loudspeaker: what it does with a command, by the convention in `docs/loudspeakers.md`."""

import asyncio
import heapq
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

A_CHARACTER = 0.25  # seconds, for a device that speaks by itself
ARRIVALS = itertools.count()


class World(Protocol):
    """What a loudspeaker stands in: a line, a clock, and other people's luck."""

    counts: Counter[str]

    async def say(self, address: str, told: dict[str, Any]) -> None:
        """Publish an acknowledgement."""
        ...

    async def sound(self, source: dict[str, Any]) -> float | None:
        """Seconds of the recording at `source`; None if it cannot be had as its digest says."""
        ...

    async def wait(self, seconds: float, until: asyncio.Event) -> bool:
        """Let `seconds` of the village's time pass; True at once when `until` is set."""
        ...

    def luck(self) -> str:
        """What goes wrong with the next command: rejected, failed, or "" for nothing."""
        ...


@dataclass(order=True)
class Command:
    """A play command, in the order of their turns: the more urgent first, then as they came."""

    priority: int
    arrival: int = field(default_factory=lambda: next(ARRIVALS))
    id: str = field(compare=False, default="")
    expires: datetime | None = field(compare=False, default=None)
    source: dict[str, Any] = field(compare=False, default_factory=dict)
    times: int = field(compare=False, default=1)
    interval: float = field(compare=False, default=0.0)
    seconds: float = field(compare=False, default=0.0)

    @property
    def late(self) -> bool:
        """Whether it has expired."""
        return self.expires is not None and self.expires <= datetime.now(UTC)


class Speaker:
    """A loudspeaker at `address`. `played` is what was heard to its end, `cut` what was interrupted, by command id."""

    def __init__(self, address: str, world: World) -> None:
        self.address = address
        self.world = world
        self.said: dict[str, str] = {}
        self.barred: set[str] = set()
        self.waiting: list[Command] = []
        self.current: Command | None = None
        self.broken_off = asyncio.Event()
        self.player: asyncio.Task[None] | None = None
        self.played: list[str] = []
        self.cut: list[str] = []

    async def take(self, payload: bytes) -> None:
        """Do what a command says; one that cannot be read is counted and dropped."""
        try:
            told = json.loads(payload)
            if told["cmd"] == "stop":
                await self.stop(str(told["id"]), str(told["ref"]))
            else:
                await self.play(told)
        except (ValueError, KeyError, TypeError):
            self.world.counts["malformed"] += 1

    async def play(self, told: dict[str, Any]) -> None:
        """Say a command's first word of it; unless it is a repeat, barred, late or unlucky, put it in line."""
        command = read(told)
        if command.id in self.said:
            self.world.counts["repeats"] += 1
            await self.ack(command.id, self.said[command.id])
            return
        state = "stopped" if command.id in self.barred else "expired" if command.late else self.world.luck()
        if state != "rejected":
            await self.ack(command.id, "received")
        if state:
            await self.ack(command.id, state)
            return
        command.seconds = await self.length(command.source)
        if not command.seconds:
            await self.ack(command.id, "failed", code=2, msg="no audio")
        elif command.id in self.barred:
            await self.ack(command.id, "stopped")
        else:
            self.enqueue(command)

    async def length(self, source: dict[str, Any]) -> float:
        """Seconds of what it will play: the recording, or else the words; 0 if there is neither."""
        if source.get("type") == "url":
            seconds = await self.world.sound(source)
            if seconds:
                return seconds
            self.world.counts["fell_back_to_text"] += 1
        return A_CHARACTER * len(source.get("text", ""))

    def enqueue(self, command: Command) -> None:
        """Put it in line, and break off what is less urgent."""
        heapq.heappush(self.waiting, command)
        if self.current and command.priority < self.current.priority:
            self.broken_off.set()
        if self.player is None or self.player.done():
            self.player = asyncio.create_task(self.run())

    async def run(self) -> None:
        """Play all that waits."""
        while self.waiting:
            self.current = heapq.heappop(self.waiting)
            self.broken_off.clear()
            await self.turn(self.current)
            self.current = None

    async def turn(self, command: Command) -> None:
        """Play one, until its end or until it is broken off; what was broken off by something more urgent comes again."""
        if command.late or command.id in self.barred:
            await self.ack(command.id, "expired" if command.late else "stopped")
            return
        await self.ack(command.id, "playing")
        while command.times:
            pause = command.interval if command.times > 1 else 0.0
            if await self.world.wait(command.seconds + pause, self.broken_off):
                self.cut.append(command.id)
                await self.ack(command.id, "stopped")
                if command.id not in self.barred:
                    heapq.heappush(self.waiting, command)
                return
            command.times -= 1
        self.played.append(command.id)
        await self.ack(command.id, "finished")

    async def stop(self, own: str, reference: str) -> None:
        """Never play `reference` again, and break it off now."""
        self.barred.add(reference)
        if self.current and self.current.id == reference:
            self.broken_off.set()
        await self.ack(own, "received")

    async def ack(self, command: str, state: str, **more: Any) -> None:
        """Say what became of a command."""
        self.said[command] = state
        self.world.counts[state] += 1
        if state == "failed":
            more = {"code": 3, "msg": "amplifier fault"} | more
        told = {"id": command, "device": self.address.split("/")[1], "state": state, "ts": datetime.now(UTC).isoformat()}
        await self.world.say(self.address, told | more)


def read(told: dict[str, Any]) -> Command:
    """A play command. Raises ValueError, KeyError or TypeError for one that breaks the convention."""
    expires = datetime.fromisoformat(told["expires"]) if "expires" in told else None
    return Command(
        priority=int(told["priority"]),
        id=str(told["id"]),
        expires=expires,
        source=dict(told["source"]),
        times=int(told.get("repeat", 1)),
        interval=float(told.get("interval_s", 0)),
    )
