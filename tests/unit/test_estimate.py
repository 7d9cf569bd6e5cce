"""What a warning will take."""

from decimal import Decimal

from warnhub.plan.estimate import Load, Tariff, estimate_plan
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


def test_nobody() -> None:
    """No load takes nothing."""
    found = estimate_plan([], {})
    assert (found.lines, found.messages, found.cost, found.seconds) == ((), 0, Decimal(0), 0.0)


def test_without_tariff() -> None:
    """A channel nobody priced is free and slow."""
    found = estimate_plan([Load("wechat", 100, SHORT)], {})
    assert (found.cost, found.seconds) == (Decimal(0), 2.0)
