"""Throw damaged documents at every reader: no traceback, no input over a second, no more than 200 MB.

    python scripts/fuzz.py [--inputs 100000] [--seed 0]

Inputs are the published examples and the tests' documents, damaged by bytes and by structure (a JSON value, an XML element, a
cell, a member of a package), spliced with each other, and plain noise. The same seed gives the same inputs. One that fails is
written beside the system's other temporary files, and the first bytes of it are printed.
"""

import argparse
import copy
import io
import json
import random
import re
import resource
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from warnhub.alert import Gate
from warnhub.ingest.findings import Limits, Unreadable
from warnhub.ingest.forms import BLANK, FORMS, family_of, parse_document, read_alerts

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 6, 12, 8, 20, tzinfo=UTC)
SLOWEST, LARGEST = 1.0, 200
"""Seconds of the processor for one input; megabytes of the whole process at its largest, what it imports with them."""
LONGEST = 400_000
PIECES: tuple[bytes, ...] = (
    b"<polygon>", b"</info>", b"<info>", b"]]>", b"<![CDATA[", b"&#0;", b"&amp;lt;", b"&x;", b"<!DOCTYPE a>", b"<?xml?>", b"\0",
    b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80", b"1e999", b"-0.0", b"NaN", b"9" * 400, b"[" * 60,
    b'{"a":',
    b",,,,", b"\t", b"\r\n", b"2026-02-30T25:61:00+99:99", b"0000-00-00", b"1,2 3,4", b"180.0000001,-90.1", b"<alert>", b"RWT",
    "解除".encode(), "上午12:00".encode(), "红色".encode(), "\u202e\u2066".encode(), b"xmlns:a='b'", 
    b"<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/>",
)  # fmt: skip
POINTS = """隐患点编号,隐患点名称,时间,监测类型,数值,单位,预警级别,责任人,影响区划代码
HP-2026-017,后山滑坡,2026-06-12 16:00,裂缝,28,mm,红色,王某,990123101200
HP-2026-018,坡头崩塌,2026-06-12 16:05,位移,3.5,mm/h,黄色,李某,990123100
"""
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**400, "", " ", "x" * 5_000, [], {}, [[]], [None], {"": None}, "2026-06-12T08:00:00", "990123",
    [[1, 2], [3, 4], [5, 6], [1, 2]], "NaN", "\ud800", "<b>x</b>", -1e-320, "0" * 300, ["a"] * 300,
)  # fmt: skip


def load_seeds() -> list[bytes]:
    """The documents to damage."""
    folders = (ROOT / "schemas" / "examples", ROOT / "tests" / "data" / "alerts")
    found = [path.read_bytes() for folder in folders for path in sorted(folder.iterdir()) if path.is_file()]
    native = (folders[0] / "alert.json").read_bytes()
    return [*found, b"[" + native + b"," + native + b"]", POINTS.encode()]


def damage_bytes(body: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One to eight damages, wherever they fall."""
    data = bytearray(body)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at, length = rng.randint(0, len(data)), rng.choice((1, 1, 4, 20, 200))
        match rng.randrange(6):
            case 0:
                data[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length] * rng.choice((1, 2, 50))
            case 3:
                data[at:at] = rng.choice(PIECES)
            case 4:
                other = rng.choice(seeds)
                cut = rng.randint(0, len(other))
                data[at:] = other[cut:]
            case _:
                data[at : at + 1] = rng.choice((b"", b" ", b'"', b"<", b"0", b"-", b","))
        del data[LONGEST:]
    return bytes(data)


def damage_json(body: bytes, rng: random.Random) -> bytes:
    """A value somewhere in it put in another's place, taken out, or said again."""
    value = json.loads(body.decode("utf-8-sig"))
    for _ in range(rng.randint(1, 4)):
        holder = value
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = rng.choice(keys)
            inner = holder[key]
            if isinstance(inner, dict | list) and inner and rng.random() < 0.75:
                holder = inner
                continue
            if rng.random() < 0.2:
                del holder[key]
            elif isinstance(holder, list) and rng.random() < 0.3:
                times = min(rng.choice((1, 3, 300)), LONGEST // len(json.dumps(inner)))
                holder.extend(copy.deepcopy(inner) for _ in range(times))  # else the next damage would be done to each of them
            else:
                holder[key] = copy.deepcopy(rng.choice(VALUES))
            break
    return json.dumps(value).encode("utf-8", "surrogatepass")[:LONGEST]


def damage_xml(body: bytes, rng: random.Random) -> bytes:
    """An element emptied, filled, said again, taken out or renamed; the document stays well formed more often than not."""
    found = [one[0] for one in re.finditer(rb"<([\w:]+)(?: [^<>]*)?>[^<]*</\1>|<[\w:]+ ?/>", body)]
    for element in rng.sample(found, min(len(found), rng.randint(1, 4))):
        name = re.match(rb"<([\w:]+)", element)
        assert name
        inside = rng.choice((b"", b" ", rng.choice(PIECES).replace(b"<", b"&lt;").replace(b"&", b"&amp;"), element))
        times = min(rng.choice((2, 40)), LONGEST // len(element))
        fresh = rng.choice((b"", element * times, b"<%b>%b</%b>" % (name[1], inside, name[1])))
        body = body.replace(element, fresh, 1)[:LONGEST]
    return body


def damage_table(body: bytes, rng: random.Random) -> bytes:
    """A cell or a line of a CSV."""
    lines = body.splitlines(keepends=True)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(lines))
        cells = lines[at].split(b",")
        cells[rng.randrange(len(cells))] = rng.choice((b"", b"-1", b"1e99", b'"', "红色".encode(), rng.choice(PIECES)))
        times = min(rng.choice((0, 2, 300)), LONGEST // max(1, len(lines[at])))
        lines[at] = b",".join(cells) if rng.random() < 0.8 else lines[at] * times
        lines = lines or [b""]
    return b"".join(lines)[:LONGEST]


def damage_package(body: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """A member of a zip package damaged and packed again, so that its checksum is right."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            member = damage(old.read(name), rng, seeds) if rng.random() < 0.7 else old.read(name)
            place = rng.choice((name, name, name.upper(), "../x.xml", "a/" * 50 + "b.xml"))
            if place not in new.namelist():
                new.writestr(place, member)
            if rng.random() < 0.2:
                new.writestr(f"again-{len(new.namelist())}-{name}", member * rng.choice((1, 3)))
    return out.getvalue()


def damage(body: bytes, rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """By bytes, or by what it is made of."""
    if rng.random() < 0.3:
        return damage_bytes(body, rng, seeds)
    if body.startswith(b"PK"):
        return damage_package(body, rng, seeds)
    start = body.lstrip(BLANK)[:1]
    kinds: dict[bytes, Callable[[bytes, random.Random], bytes]] = {b"{": damage_json, b"[": damage_json, b"<": damage_xml}
    return kinds.get(start, damage_table)(body, rng)


def make_input(rng: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One input: rarely noise, mostly a damaged document."""
    if rng.random() < 0.02:
        return rng.randbytes(rng.randint(0, 300))
    return damage(rng.choice(seeds), rng, seeds)


def form_of(body: bytes) -> str:
    """Which reader an input came to, or that it came to none."""
    limits, start = Limits(), body.lstrip(BLANK)[:1]
    if not start:
        return "nothing"
    family = family_of(body, "", start)
    try:
        document = parse_document(body, family, limits)
    except Unreadable as error:
        return f"unreadable: {error.problem.rule}"
    return next((one.name for one in FORMS if one.media is family and one.told(document)), "no form")


def judge(body: bytes) -> str:
    """What is wrong with the answer to one input; "" if nothing is. Raises what a reader raises."""
    verdicts = read_alerts(body, None, Limits(zone="Asia/Shanghai", home=(117.0, 26.0, 118.0, 27.0)), NOW)
    if not verdicts:
        return "no verdict"
    for one in verdicts:
        if one.gate is Gate.REFUSE and one.alert is not None:
            return "refused, and an alert all the same"
        if one.gate is not Gate.ACCEPT and not any(found.gate is one.gate for found in one.problems):
            return f"{one.gate} without a problem that says so"
        orjson.dumps(one.model_dump(mode="json"))
    return ""


def fail(body: bytes, why: str) -> int:
    """Say it, and keep the input."""
    with tempfile.NamedTemporaryFile(prefix="warnhub-fuzz-", delete=False) as file:
        file.write(body)
    print(f"{why}\n{file.name}: {len(body)} bytes: {body[:200]!r}")
    return 1


def megabytes() -> int:
    """The most that this process has ever held; `getrusage` would count the process that began it too."""
    try:
        held = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    except OSError:
        held = None
    return (int(held[1]) if held else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) // 1_024


def run(inputs: int, seed: int) -> int:
    """0 if every input got a verdict in its time."""
    rng, seeds = random.Random(seed), load_seeds()
    forms: Counter[str] = Counter()
    gates: Counter[str] = Counter()
    for body in seeds:
        judge(body)
    before, slowest = megabytes(), 0.0
    for number in range(inputs):
        body = make_input(rng, seeds)
        started = time.process_time()
        why = judge(body)
        spent = time.process_time() - started
        slowest = max(slowest, spent)
        if why or spent > SLOWEST:
            return fail(body, why or f"{spent:.2f} s")
        if number % 10 == 0:
            forms[form_of(body)] += 1
            gates[read_alerts(body)[0].gate.value] += 1
    most = megabytes()
    for name, count in forms.most_common():
        print(f"{count:8} {name}")
    missing = [form.name for form in FORMS if not forms[form.name]]
    print(f"verdicts, of one in ten: {dict(gates)}; slowest {slowest:.3f} s; most {most} MB, {before} of them before the first")
    if missing or most > LARGEST:
        print(f"not reached: {', '.join(missing)}" if missing else f"more than {LARGEST} MB")
        return 1
    print(f"{inputs} inputs, seed {seed}: each had its verdict")
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    return run(given.inputs, given.seed)


if __name__ == "__main__":
    sys.exit(main())
