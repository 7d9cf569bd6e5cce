"""Loudspeakers: one warning to every village at once over MQTT, the words the same, so the speech is made once.

    python -m benchmarks speakers [--speakers 2600] [--voice auto|kokoro|espeak|none] [--store sqlite|postgres] [--json]

The broker is a Mosquitto of the benchmark's own. A subscriber in another process, in the place of the devices, notes when each
command came. The value is the seconds from the moment the recording is there (without a voice: from the POST) to the last
command at the subscriber; `speech_s` is what came before, `post_s` the whole. The ceiling is ready-made commands of the same
length, published by the same client library with as many in flight, in the same run. It fails where a command is missing or
came twice, where the ledger disagrees, or where there is more than one recording.
"""

import asyncio
import contextlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import Any

import aiomqtt
import orjson
import uvloop
from sqlalchemy import text

from benchmarks.fanout import run_desk, store_running
from benchmarks.report import parser, show, summed_up
from benchmarks.sink import Sink, wait_open
from benchmarks.stage import POLICY, Carrier, Desk, Stage
from warnhub.crypto import KeyRing
from warnhub.logs import set_up
from warnhub.simulate.ports import free_port
from warnhub.store.engine import Store
from warnhub.store.recipients import Entry, save_entries

REACH = 5.0
SPOKEN = POLICY.replace("roles: resident", "roles: speaker").replace("channels: sms", "channels: loudspeaker")
INFLIGHT = 500
LENGTH = 440


class Villages(Stage):
    """A county with exactly so many loudspeakers."""

    def __init__(self, speakers: int, server: str) -> None:
        super().__init__(1_000, server, SPOKEN)
        self.speakers = speakers

    async def prepare(self) -> tuple[str, str]:
        """A copy, its loudspeakers made anew: spread over the villages, as a county's are."""
        url, secret = await super().prepare()
        store = Store(url)
        async with store.write() as tx:
            await tx.conn.execute(text("UPDATE recipient SET role = 'display' WHERE role = 'speaker'"))
            rows = await tx.conn.execute(text("SELECT id, code FROM area WHERE length(code) = 12 ORDER BY code"))
            villages = [(int(row[0]), str(row[1])) for row in rows if not row[1].endswith("000")]
            entries = []
            for number in range(self.speakers):
                area, code = villages[number % len(villages)]
                place = f"{code}/BENCH{number:05}"
                entries.append(Entry(f"B{number}", "device", "speaker", place, area, addresses={"loudspeaker": place}))
            await save_entries(tx, KeyRing(secret), entries)
        await store.close()
        return url, secret


@contextlib.contextmanager
def broker_running() -> Iterator[int]:
    """A Mosquitto; gives its port. SystemExit if there is none."""
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
    if program is None:
        raise SystemExit("this benchmark needs mosquitto: scripts/setup.sh test")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "mosquitto.conf"
        config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 100000\nuser root\n")
        child = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_open(port)
            yield port
        finally:
            child.terminate()
            child.wait()


async def listen(port: int, count: int) -> None:
    """The devices' place: says `ready`, then for each of `count` commands its topic and when it came."""
    seen: list[tuple[str, float]] = []
    async with aiomqtt.Client("127.0.0.1", port, max_inflight_messages=10_000) as client:
        await client.subscribe("eb/v1/+/+/cmd", qos=0)
        print("ready", flush=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(300):
                async for message in client.messages:
                    seen.append((message.topic.value, time.time()))
                    if len(seen) >= count:
                        break
        with contextlib.suppress(TimeoutError):  # one that comes twice
            async with asyncio.timeout(1):
                async for message in client.messages:
                    seen.append((message.topic.value, time.time()))
    sys.stdout.buffer.write(orjson.dumps(seen))


@contextlib.asynccontextmanager
async def listening(port: int, count: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """Such a subscriber in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.speakers", str(port), str(count), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    await child.stdout.readline()
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


async def heard(child: asyncio.subprocess.Process) -> list[tuple[str, float]]:
    """What it saw."""
    said, _ = await child.communicate()
    return [(str(topic), float(at)) for topic, at in orjson.loads(said)]


async def publish_ready(port: int, count: int) -> float:
    """Commands a second of the client library alone."""
    async with listening(port, count) as child, aiomqtt.Client("127.0.0.1", port, max_inflight_messages=INFLIGHT) as client:
        client.pending_calls_threshold = 1_000_000
        body, start = b"x" * LENGTH, time.time()
        topics = iter(f"eb/v1/990123100200/R{number:05}/cmd" for number in range(count))

        async def put() -> None:
            for topic in topics:
                await client.publish(topic, body, qos=1)

        await asyncio.gather(*(put() for _ in range(INFLIGHT)))
        seen = await heard(child)
    return count / (max(at for _, at in seen) - start)


def recordings(folder: Path) -> list[float]:
    """When each recording was there."""
    return [path.stat().st_mtime for path in folder.glob("*.wav")]


async def run_once(desk: Desk, port: int, speakers: int, folder: Path, voice: str) -> dict[str, float]:
    """One warning: seconds, each looked at from outside."""
    async with listening(port, speakers) as child:
        adapter: Any = desk.hub.providers["loudspeaker.mqtt"].adapter
        await adapter.line.up.wait()
        start = time.time()
        messages, _, cpu = await run_desk(desk)
        seen = await heard(child)
    topics = {topic for topic, _ in seen}
    assert messages == speakers == len(seen) == len(topics), f"{messages} recorded, {len(seen)} came, {len(topics)} devices"
    made = recordings(folder)
    assert len(made) == (0 if voice == "none" else 1), f"the speech was made {len(made)} times"
    there = made[0] if made else start
    last = max(at for _, at in seen)
    first = min(at for _, at in seen)
    assert first >= there - 0.05, "a command left before its recording was there"
    return {"value": last - there, "speech_s": there - start, "post_s": last - start, "cpu_us": cpu / speakers * 1e6}


async def measure(speakers: int, store: str, runs: int, voice: str) -> dict[str, Any]:
    """The figures."""
    found: list[dict[str, float]] = []
    ceilings = []
    with store_running(store) as server, broker_running() as port:
        stage = Villages(speakers, server)
        for _ in range(runs):
            with tempfile.TemporaryDirectory() as name:
                section: dict[str, Any] = {"port": port, "inflight": INFLIGHT, "rate": 100_000}
                if voice != "none":
                    engine = {} if voice == "auto" else {"voice": {"engine": voice}}
                    section |= {"audio_dir": name, "audio_url": "http://127.0.0.1/audio"} | engine
                carrier = Carrier("loudspeaker.mqtt", 200, "", section)
                async with stage.desk(carrier, Sink(0, None), base_url=False) as desk:
                    found.append(await run_once(desk, port, speakers, Path(name), voice))
                    said = getattr(getattr(desk.hub.providers["loudspeaker.mqtt"].adapter, "studio", None), "voice", None)
            ceilings.append(speakers / await publish_ready(port, speakers))
    more = {key: [round(one[key], 2) for one in found] for key in ("speech_s", "post_s", "cpu_us")}
    values = [one["value"] for one in found]
    named = said.name if said else "none"
    return summed_up("speakers", "s", values, ceilings, reach=REACH, speakers=speakers, store=store, voice=named, **more)


def main(argv: Sequence[str] | None = None) -> dict[str, Any]:
    """Measure and print."""
    asked = parser("speakers", __doc__, recipients=2_600)
    asked.add_argument("--speakers", type=int, help="as --recipients")
    asked.add_argument("--voice", choices=("auto", "kokoro", "espeak", "none"), default="auto")
    given = asked.parse_args(argv)
    set_up("error")
    return show(uvloop.run(measure(given.speakers or given.recipients, given.store, given.runs, given.voice)), given.json)


if __name__ == "__main__":
    uvloop.run(listen(int(sys.argv[1]), int(sys.argv[2])))
