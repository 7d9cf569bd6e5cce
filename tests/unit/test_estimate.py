"""What a warning will take."""

from decimal import Decimal

from warnhub.plan.estimate import (
    BY_MANY,
    ONE_BY_ONE,
    SEEN,
    Load,
    Queue,
    Tariff,
    channel_times,
    estimate_plan,
    mixed_rate,
    reach_rate,
)
from warnhub.port import LINK, Words

SHORT = Words(text="【云岭应急】" + "雨" * 60)
LINKED = Words(text=f"【云岭应急】{'雨' * 60}{LINK}")


def test_by_channel() -> None:
    """SMS by billed parts with the link counted, others by people; side by side in time."""
    loads = [Load("sms", 100_000, SHORT), Load("sms", 500, LINKED), Load("push", 30_000, SHORT)]
    found = estimate_plan(loads, {"sms": Tariff(Decimal("0.045"), 500), "push": Tariff(rate=1_000)})
    sms, push = found.lines
    assert (sms.people, sms.messages, sms.cost) == (100_500, 101_000, Decimal("4545.000"))
    assert (push.people, push.messages, push.cost) == (30_000, 30_000, Decimal(0))
    assert (sms.seconds, push.seconds, found.seconds) == (201, 30, 201)
    assert (found.messages, found.cost) == (131_000, Decimal("4545.000"))


def test_a_link_of_ones_own_is_a_call_of_ones_own() -> None:
    """The public goes a thousand in a call, those who must confirm one by one, after each other on one channel."""
    loads = [Load("sms", 100_000, SHORT), Load("sms", 500, LINKED)]
    found = estimate_plan(loads, {"sms": Tariff(rate=10_000, alone=50)})
    assert found.seconds == 10 + 10
    assert mixed_rate(100_000, 500, 10_000, 50) == 100_500 / 20
    assert mixed_rate(0, 0, 10_000, 50) == 10_000


def test_nobody() -> None:
    """No load takes nothing."""
    found = estimate_plan([], {})
    assert (found.lines, found.messages, found.cost, found.seconds) == ((), 0, Decimal(0), 0.0)


def test_without_tariff() -> None:
    """A channel nobody priced is free and slow."""
    found = estimate_plan([Load("wechat", 100, SHORT)], {})
    assert (found.cost, found.seconds) == (Decimal(0), 2.0)


def test_a_rate_is_the_providers_or_the_engines_whichever_is_less() -> None:
    assert reach_rate(50, 1) == 50
    assert reach_rate(1e6, 1) == ONE_BY_ONE
    assert reach_rate(2, 1_000) == 2_000
    assert reach_rate(5_000, 1_000) == BY_MANY
    assert reach_rate(5_000, 1_000, personal=True) == ONE_BY_ONE


def test_time_left_is_by_the_model_until_enough_was_seen_and_never_faster_than_it() -> None:
    fresh = Queue("sms", left=900, ahead=100, rate=50, handed=SEEN - 1, elapsed=30)
    assert (fresh.observed, fresh.seconds) == (False, 20)
    slow = Queue("sms", left=900, ahead=100, rate=50, handed=SEEN, elapsed=20)
    assert (slow.observed, slow.seconds) == (True, 100)
    quick = Queue("sms", left=900, ahead=0, rate=50, handed=100_000, elapsed=10)
    assert quick.seconds == 18
    assert Queue("sms", left=0, ahead=500, rate=50).seconds == 0
    assert channel_times([fresh, slow, Queue("push", 10, 0, 5)]) == {"sms": 100, "push": 2}
