"""Limits kept in memory, each process its own: guesses at a password, and posts from one address."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

KEPT = 20_000
Clock = Callable[[], float]


@dataclass(slots=True)
class Window:
    """At most `most` marks a key in `seconds`. The keys used least lately are forgotten beyond `KEPT`."""

    most: int
    seconds: float
    clock: Clock = time.monotonic
    marks: OrderedDict[Hashable, deque[float]] = field(default_factory=OrderedDict)

    def full(self, key: Hashable) -> bool:
        """Whether `key` has used up its marks."""
        marks = self.marks.get(key)
        while marks and marks[0] <= self.clock() - self.seconds:
            marks.popleft()
        return marks is not None and len(marks) >= self.most

    def mark(self, key: Hashable) -> None:
        """One more."""
        self.marks.setdefault(key, deque(maxlen=self.most)).append(self.clock())
        self.marks.move_to_end(key)
        while len(self.marks) > KEPT:
            self.marks.popitem(last=False)

    def clear(self, key: Hashable) -> None:
        """Forget a key."""
        self.marks.pop(key, None)

    def wait(self, key: Hashable) -> int:
        """Seconds until `key` may again; 0 if it may now."""
        if not self.full(key):
            return 0
        return max(1, round(self.marks[key][0] + self.seconds - self.clock()))


class Guesses:
    """Wrong passwords, by name and by address.

    A name that is being guessed from elsewhere stays open to the addresses its owner has entered from, so that nobody can lock
    an officer out of the desk.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.names = Window(8, 900, clock)
        self.addresses = Window(40, 900, clock)
        self.known = Recent()

    def key(self, name: str, address: str) -> Hashable:
        """What the guesses are counted by."""
        return (name, address) if (name, address) in self.known else name

    def wait(self, name: str, address: str) -> int:
        """Seconds until this name may be tried from this address; 0 if now."""
        return max(self.names.wait(self.key(name, address)), self.addresses.wait(address))

    def miss(self, name: str, address: str) -> None:
        """A wrong one."""
        self.names.mark(self.key(name, address))
        self.addresses.mark(address)

    def hit(self, name: str, address: str) -> None:
        """The right one."""
        self.known.add((name, address))
        self.names.clear((name, address))


class Recent:
    """The newest `KEPT` of something."""

    def __init__(self, most: int = KEPT) -> None:
        self.most = most
        self.kept: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self.kept

    def add(self, key: Hashable) -> bool:
        """Whether it is new."""
        new = key not in self.kept
        self.kept[key] = None
        self.kept.move_to_end(key)
        while len(self.kept) > self.most:
            self.kept.popitem(last=False)
        return new
