"""How long until 95 % are reached: a discrete-event simulation of a fan-out at the providers' real rate limits.

    python -m benchmarks simulate [--people N] [--engine R] [--json]

What waits is cut into calls as WarnHub cuts them; each call takes a part of its provider's rate (a token bucket), a place among
the calls in flight, its time at the provider, and then, for each person in it, the way to the telephone. A provider that has a
quota takes nothing beyond it. A person is reached by the first of their channels that reaches them. The engine hands over what
a process can by the model (`plan/estimate.py`), times the workers: one a million people unless `--workers` says. Beside each
answer stands the model's own, the forecast that the API and the console give: when the last is handed over.

A county is 0.5 million people, a city 10, a province 100. Calls are played in groups, 20,000 at most, and people as a sample of
200,000, so that the largest takes seconds and less than 300 MB.

Limits, as their providers publish them: Twilio 1 (long code), 3 (toll-free), 100 (short code) messages a second; Alibaba Cloud
5,000 calls a second of up to 1,000 numbers; WeChat template messages 100,000 a day for a new account; FCM 600,000 a minute, one
a call; loudspeakers hear within seconds. Shares of people who have an address, and times on the way, are assumptions, and are
printed with the answer.
"""

import argparse
import heapq
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from warnhub.plan.estimate import BY_MANY, ONE_BY_ONE, Queue, channel_times, reach_rate

EVENTS = 20_000
"""Groups of calls that a queue is cut into at most: 100 million calls one by one would take hours and move no quantile."""


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider's limits. `share` of the people have an address there; `way` is (median, sigma) seconds to the telephone."""

    name: str
    channel: str
    rate: float
    share: float
    most: int = 1
    parallel: int = 20
    latency: float = 0.1
    quota: float = float("inf")
    success: float = 0.97
    way: tuple[float, float] = (4.0, 0.8)


SHORT_CODE = Provider("Twilio short code", "sms", 100, 0.97)
TOLL_FREE = Provider("Twilio toll-free", "sms", 3, 0.97)
LONG_CODE = Provider("Twilio long code", "sms", 1, 0.97)
ALIYUN = Provider("Alibaba Cloud", "sms", 5_000, 0.97, most=1_000, latency=0.3)
WECHAT = Provider("WeChat", "wechat", 500, 0.15, parallel=100, quota=100_000, way=(2.0, 0.6), success=0.99)
FCM = Provider("FCM", "push", 10_000, 0.20, parallel=1_000, way=(1.0, 1.0), success=0.93)
PLANS: dict[str, Sequence[Provider]] = {
    "one long code": (LONG_CODE,),
    "one toll-free number": (TOLL_FREE,),
    "one short code": (SHORT_CODE,),
    "ten short codes": (replace(SHORT_CODE, name="Twilio short codes", rate=1_000, parallel=200),),
    "Alibaba Cloud": (ALIYUN,),
    "Alibaba Cloud, WeChat, FCM": (ALIYUN, WECHAT, FCM),
    "WeChat alone": (WECHAT,),
}


@dataclass(order=True, slots=True)
class Event:
    """The end of a group of calls: `people` were handed over by then."""

    at: float
    people: int


def hand_over(provider: Provider, people: int, engine: float) -> tuple[np.ndarray, np.ndarray]:
    """(times, how many had been handed over by each): calls leave as rate, places in flight and engine let them."""
    left = int(min(people, provider.quota))
    calls_per_group = max(1, -(-left // (provider.most * EVENTS)))
    group = provider.most * calls_per_group
    flying: list[Event] = []
    clock = tokens_at = engine_at = 0.0
    times, totals, done = [0.0], [0], 0
    places = max(1, provider.parallel // calls_per_group)
    while left or flying:
        if left and len(flying) < places:
            size = min(group, left)
            calls = -(-size // provider.most)
            tokens_at = max(tokens_at, clock) + calls / provider.rate
            engine_at = max(engine_at, clock) + size / engine
            rounds = -(-calls // min(provider.parallel, calls_per_group))
            heapq.heappush(flying, Event(max(tokens_at, engine_at, clock + rounds * provider.latency), size))
            left -= size
            continue
        event = heapq.heappop(flying)
        clock, done = max(clock, event.at), done + event.people
        times.append(clock)
        totals.append(done)
    return np.array(times), np.array(totals)


def engine_rate(provider: Provider, workers: int) -> float:
    """People a second that so many workers hand to a provider, whatever it would take."""
    return workers * (BY_MANY if provider.most > 1 else ONE_BY_ONE)


def forecast(plan: Sequence[Provider], people: int, workers: int) -> float:
    """Seconds until the last is handed over, by the model that the API and the console use."""
    queues = []
    for provider in plan:
        calls = min(provider.rate, provider.parallel / provider.latency) / workers
        left = int(min(people * provider.share, provider.quota) / workers)
        queues.append(Queue(provider.name, left, 0, reach_rate(calls, provider.most)))
    return max(channel_times(queues).values())


def reach(plan: Sequence[Provider], people: int, workers: int, sample: int = 200_000, seed: int = 1) -> np.ndarray:
    """Seconds until each of a sample of the people is reached; infinite for who is not."""
    chance = np.random.default_rng(seed)
    count = min(sample, people)
    best = np.full(count, np.inf)
    for provider in plan:
        has = chance.random(count) < provider.share
        times, totals = hand_over(provider, int(people * provider.share), engine_rate(provider, workers))
        place = chance.random(count) * people * provider.share
        handed = np.where(place < totals[-1], np.interp(place, totals, times), np.inf)
        median, sigma = provider.way
        arrives = handed + provider.latency + chance.lognormal(np.log(median), sigma, count)
        arrives[~has | (chance.random(count) > provider.success)] = np.inf
        best = np.minimum(best, arrives)
    return best


def quantile(times: np.ndarray, share: float) -> float | None:
    """Seconds until `share` of all are reached; None if they never are."""
    ordered = np.sort(times)
    at = ordered[min(len(ordered) - 1, int(np.ceil(share * len(ordered))) - 1)]
    return float(at) if np.isfinite(at) else None


def answer(people: int, workers: int) -> list[dict[str, Any]]:
    """Each plan: seconds until half and 95 % of those it can reach are reached, and how many that is of all."""
    rows = []
    for name, plan in PLANS.items():
        times = reach(plan, people, workers)
        reached = times[np.isfinite(times)]
        rows.append(
            {
                "plan": name,
                "reached": round(len(reached) / len(times), 3),
                "half": rounded(quantile(reached, 0.5)),
                "p95": rounded(quantile(reached, 0.95)),
                "p95_of_all": rounded(quantile(times, 0.95)),
                "model": rounded(forecast(plan, people, workers)),
            }
        )
    return rows


def rounded(seconds: float | None) -> float | None:
    """Three digits."""
    return None if seconds is None else float(f"{seconds:.3g}")


def words(seconds: float | None) -> str:
    """For people."""
    if seconds is None:
        return "never"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


def main(argv: Sequence[str] | None = None) -> list[dict[str, Any]]:
    """Simulate and print."""
    asked = argparse.ArgumentParser(
        prog="benchmarks simulate", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("--json", action="store_true", help="one line of JSON")
    asked.add_argument("--people", type=int, nargs="*", default=[500_000, 10_000_000, 100_000_000])
    asked.add_argument("--workers", type=int, help="one a million people unless told")
    given = asked.parse_args(argv)
    results = []
    for people in given.people:
        workers = given.workers or max(1, people // 1_000_000)
        results.append({"people": people, "workers": workers, "plans": answer(people, workers)})
    if given.json:
        rates = {"by_many": BY_MANY, "one_by_one": ONE_BY_ONE}
        print(json.dumps({"name": "simulate", "unit": "s", "people_a_second_and_worker": rates, "results": results}))
        return results
    for result in results:
        print(f"\n{result['people']:,} people, {result['workers']} workers")
        print(f"{'plan':30}{'reached':>9}{'half':>12}{'95 % of them':>14}{'95 % of all':>14}{'model: handed':>15}")
        for row in result["plans"]:
            half, most, everyone, model = (words(row[key]) for key in ("half", "p95", "p95_of_all", "model"))
            print(f"{row['plan']:30}{row['reached']:>9.1%}{half:>12}{most:>14}{everyone:>14}{model:>15}")
    return results
