"""One address that answers for many: what no person does, however honest each of its answers looks.

Carriers put a whole township behind one address, so an address alone says nothing. The same address with the same `User-Agent`
answering for more than `MOST` people within `SPAN` seconds is taken for a machine; who is a person answers again, and then it
counts.
"""

from collections import OrderedDict, deque

MOST, SPAN = 20, 10.0
KEPT = 5_000


class Bursts:
    """Recent answers of this process, by who sent them."""

    def __init__(self) -> None:
        self.recent: OrderedDict[tuple[str, str], deque[tuple[float, str]]] = OrderedDict()
        self.again: OrderedDict[str, float] = OrderedDict()

    def strange(self, origin: str, agent: str, token: str, now: float) -> bool:
        """Whether an answer on the page `token` looks like one of a machine's; the next on the same page does not."""
        answers = self.recent.setdefault((origin, agent), deque())
        self.recent.move_to_end((origin, agent))
        while answers and answers[0][0] < now - SPAN:
            answers.popleft()
        answers.append((now, token))
        trim(self.recent)
        if len({one for _, one in answers}) <= MOST or token in self.again:
            return False
        self.again[token] = now
        trim(self.again)
        return True


def trim(kept: "OrderedDict[str, float] | OrderedDict[tuple[str, str], deque[tuple[float, str]]]") -> None:
    """The newest `KEPT` are enough."""
    while len(kept) > KEPT:
        kept.popitem(last=False)
