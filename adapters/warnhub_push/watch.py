"""Which of JPush's messages are still asked about: the newest, for half an hour each, in bounded memory."""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass

LIFE = 1_800.0
"""Seconds after which a message is asked about no more."""

KEPT = 300_000
"""Devices; the oldest messages are forgotten first."""


@dataclass(slots=True)
class Watched:
    """One message: the devices that have not reported, the day it was pushed, and when to stop asking."""

    number: str
    devices: set[str]
    day: str
    ends: float


class Watch:
    """The messages whose devices have not all reported."""

    def __init__(self) -> None:
        self.messages: OrderedDict[str, Watched] = OrderedDict()
        self.turns: deque[str] = deque()
        self.size = 0

    def add(self, number: str, devices: Iterable[str], day: str, now: float) -> None:
        """Ask about these from now on."""
        if number not in self.messages:
            self.messages[number] = Watched(number, set(), day, now + LIFE)
            self.turns.append(number)
        entry = self.messages[number]
        self.size -= len(entry.devices)
        entry.devices.update(devices)
        self.size += len(entry.devices)
        while self.size > KEPT and len(self.messages) > 1:
            self.forget(next(iter(self.messages)))

    def forget(self, number: str) -> None:
        """Ask no more about this message."""
        self.size -= len(self.messages.pop(number).devices)

    def turn(self, most: int, now: float) -> list[Watched]:
        """The next `most` to ask about, each in its turn; those that are over are forgotten."""
        while self.messages and now >= next(iter(self.messages.values())).ends:
            self.forget(next(iter(self.messages)))
        due: list[Watched] = []
        for _ in range(len(self.turns)):
            if len(due) == most:
                break
            number = self.turns.popleft()
            if entry := self.messages.get(number):
                due.append(entry)
                self.turns.append(number)
        return due

    def settle(self, number: str, devices: Iterable[str]) -> None:
        """These have reported."""
        if entry := self.messages.get(number):
            self.size -= len(entry.devices)
            entry.devices.difference_update(devices)
            self.size += len(entry.devices)
            if not entry.devices:
                self.forget(number)
