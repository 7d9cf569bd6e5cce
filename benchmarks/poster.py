"""Agencies that POST, as a process of their own: so many at once, each over a connection of its own, one body after the other.

A line of JSON on standard input says whereto and how: `{"port", "path", "headers", "at_once", "bodies"}`, the bodies as base64;
a line on standard output says how it went: `{"seconds", "times", "answers"}`, seconds of each POST and what was answered to it.
Each connection is open, and has been answered, before the clock runs: uvloop takes one new connection a turn, so that eight at
once wait for each other's turns. Beside the desk, on its loop, a client would measure itself: httpx's pool lets one of eight
wait until the others are through.
"""

import base64
import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def post_each(
    asked: Mapping[str, Any],
    bodies: Sequence[bytes],
    first: int,
    ready: threading.Barrier,
    times: list[float],
    answers: list[Any],
) -> None:
    """One agency: its share of the bodies, from the `first` on, when all are ready."""
    connection = http.client.HTTPConnection("127.0.0.1", asked["port"], timeout=60)
    connection.request("GET", "/healthz")
    connection.getresponse().read()
    ready.wait(60)
    for number in range(first, len(bodies), asked["at_once"]):
        start = time.perf_counter()
        connection.request("POST", asked["path"], bodies[number], asked["headers"])
        answer = connection.getresponse()
        said = answer.read()
        times[number] = time.perf_counter() - start
        answers[number] = [answer.status, said.decode()]
    connection.close()


def post_bodies(asked: Mapping[str, Any]) -> dict[str, Any]:
    """All of them, so many at once."""
    bodies = [base64.b64decode(body) for body in asked["bodies"]]
    times: list[float] = [0.0] * len(bodies)
    answers: list[Any] = [None] * len(bodies)
    ready = threading.Barrier(asked["at_once"] + 1)
    agencies = [
        threading.Thread(target=post_each, args=(asked, bodies, first, ready, times, answers))
        for first in range(asked["at_once"])
    ]
    for one in agencies:
        one.start()
    ready.wait(60)
    start = time.perf_counter()
    for one in agencies:
        one.join()
    return {"seconds": time.perf_counter() - start, "times": times, "answers": answers}


def run_poster(port: int, path: str, headers: Mapping[str, str], bodies: Sequence[bytes], at_once: int) -> dict[str, Any]:
    """The same in a process of its own; blocks until it is through."""
    asked = {"port": port, "path": path, "headers": dict(headers), "at_once": at_once}
    packed = json.dumps(asked | {"bodies": [base64.b64encode(body).decode() for body in bodies]})
    done = subprocess.run([sys.executable, Path(__file__)], input=packed, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(post_bodies(json.loads(sys.stdin.readline()))))
