"""The simulated village keeps the convention, on Mosquitto and on the demonstration's own broker, with the real channel."""

import asyncio
import contextlib
import hashlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import pytest
import pytest_asyncio
from conftest import Serve
from mosquitto import Mosquitto
from starlette.applications import Starlette
from starlette.staticfiles import StaticFiles
from test_loudspeaker import Desk, message, settled

from warnhub.port import Receipt, Sent, State
from warnhub.simulate.broker import serve_broker
from warnhub.simulate.village import Village, VillageFaults, grouped, serve_village

A, B, C = "341523100201/IPS1", "341523100201/IPS2", "341523100202/IPS3"
SLOW = 1.0  # a red warning takes its real seconds
FAST = 500.0

pytestmark = pytest.mark.mqtt


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker."""
    served = Mosquitto(tmp_path)
    await served.start()
    yield served
    await served.stop()


class Hand:
    """Commands by hand, and what the devices answer: (device, id, state) in their order."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.client = client
        self.said: list[tuple[str, str, str]] = []

    async def hear(self) -> None:
        """Until cancelled."""
        async for given in self.client.messages:
            assert isinstance(given.payload, bytes)
            told = json.loads(given.payload)
            self.said.append((told["device"], told["id"], told["state"]))

    async def play(self, address: str, number: str, **given: Any) -> None:
        """Send a play command of ten characters (2.5 s)."""
        told: dict[str, Any] = {
            "id": number,
            "cmd": "play",
            "priority": 4,
            "source": {"type": "tts", "text": "请立即转移到高处去"},
        }
        told["expires"] = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
        await self.client.publish(f"eb/v1/{address}/cmd", json.dumps(told | given), 1)

    def states(self, number: str) -> list[str]:
        """Of one command."""
        return [state for _, one, state in self.said if one == number]


@contextlib.asynccontextmanager
async def hand(port: int) -> AsyncIterator[Hand]:
    """By hand on this broker."""
    async with aiomqtt.Client("127.0.0.1", port) as client:
        await client.subscribe("eb/v1/+/+/ack", 1)
        held = Hand(client)
        task = asyncio.create_task(held.hear())
        try:
            yield held
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class TestDevice:
    async def test_plays_and_says_so(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A], pace=FAST), hand(broker.port) as by:
            await by.play(A, "w1")
            await settled(lambda: len(by.said) == 3)
        assert by.states("w1") == ["received", "playing", "finished"]

    async def test_time_is_compressed(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A], pace=20), hand(broker.port) as by:
            before = asyncio.get_running_loop().time()
            await by.play(A, "w1", repeat=3, interval_s=2)
            await settled(lambda: "finished" in by.states("w1"))
            took = asyncio.get_running_loop().time() - before
        seconds = 3 * 9 * 0.25 + 2 * 2
        assert seconds / 20 <= took < seconds / 20 + 1

    async def test_plays_a_repeat_once(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A], pace=FAST) as village, hand(broker.port) as by:
            for _ in range(3):
                await by.play(A, "w1")
                await settled(lambda: "finished" in by.states("w1"))
            await settled(lambda: len(by.said) == 5)
            assert village.speakers[A].played == ["w1"]
            assert village.counts["repeats"] == 2

    async def test_drops_the_expired(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A], pace=FAST) as village, hand(broker.port) as by:
            await by.play(A, "w1", expires=(datetime.now(UTC) - timedelta(seconds=1)).isoformat())
            await settled(lambda: len(by.said) == 2)
            assert by.states("w1") == ["received", "expired"]
            assert village.speakers[A].played == []

    async def test_what_expires_while_it_waits_is_not_played(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A], pace=5) as village, hand(broker.port) as by:
            await by.play(A, "w1")
            await by.play(A, "w2", expires=(datetime.now(UTC) + timedelta(seconds=0.2)).isoformat())
            await settled(lambda: "expired" in by.states("w2"))
            assert village.speakers[A].played == ["w1"]

    async def test_red_interrupts_blue_which_comes_again(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A], pace=5) as village, hand(broker.port) as by:
            await by.play(A, "blue", priority=4)
            await settled(lambda: "playing" in by.states("blue"))
            await by.play(A, "green", priority=4)
            await by.play(A, "red", priority=1)
            await settled(lambda: "finished" in by.states("green"))
            assert by.states("blue") == ["received", "playing", "stopped", "playing", "finished"]
            assert village.speakers[A].played == ["red", "blue", "green"]
            assert village.speakers[A].cut == ["blue"]

    async def test_unreadable_commands_do_no_harm(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A], pace=FAST) as village, hand(broker.port) as by:
            for payload in (b"noise", b"[]", b"{}", b'{"cmd":"play","id":"w0","priority":"x","source":{}}'):
                await by.client.publish(f"eb/v1/{A}/cmd", payload, 1)
            await by.play(A, "w1")
            await settled(lambda: "finished" in by.states("w1"))
            assert village.counts["malformed"] == 4

    async def test_group_command_reaches_its_village_only(self, broker: Mosquitto) -> None:
        async with serve_village("127.0.0.1", broker.port, [A, B, C], pace=FAST, own=1), hand(broker.port) as by:
            await by.play("341523100201/_all", "w1")
            await settled(lambda: len(by.said) == 6)
            await asyncio.sleep(0.05)
        assert {device for device, _, _ in by.said} == {"IPS1", "IPS2"}

    @pytest.mark.parametrize(
        ("faults", "counts"),
        [
            ({"refuse": 1.0}, {"rejected": 1}),
            ({"undelivered": 1.0}, {"received": 1, "failed": 1}),
            ({"duplicate": 1.0, "latency": 0.01}, {"received": 2, "playing": 2, "finished": 2}),
        ],
    )
    async def test_faults(self, broker: Mosquitto, faults: dict[str, Any], counts: dict[str, int]) -> None:
        given = VillageFaults(**faults)
        async with serve_village("127.0.0.1", broker.port, [A], pace=FAST, faults=given), hand(broker.port) as by:
            await by.play(A, "w1")
            await settled(lambda: Counter(by.states("w1")) == Counter(counts))

    def test_gateways_keep_a_village_together(self) -> None:
        groups = grouped([A, C, B], 5)
        assert groups == [[A, B], [C]]


class TestStop:
    async def test_silences_what_plays_and_what_waits(self, broker: Mosquitto) -> None:
        desk = Desk(port=broker.port)
        async with serve_village("127.0.0.1", broker.port, [A, B], pace=SLOW) as village, desk.open() as channel:
            for number, address in ((1, A), (2, A), (3, B)):
                await channel.send(message(number, address=address))
            speaker = village.speakers[A]
            await settled(lambda: speaker.current and len(speaker.waiting) == 1 and village.speakers[B].current)
            assert await channel.stop({"w1-r1-ls-1": Sent(A), "w1-r2-ls-1": Sent(A)}) == {}
            await settled(lambda: speaker.current is None)
            await settled(lambda: Counter(one.code for one in desk.reports)["stopped"] == 2)
            assert speaker.played == []
            assert village.speakers[B].current
        assert {one.reference for one in desk.reports if one.code == "stopped"} == {"w1-r1-ls-1", "w1-r2-ls-1"}
        assert all(one.state is State.DELIVERED for one in desk.reports)

    async def test_bars_what_arrives_later(self, broker: Mosquitto) -> None:
        desk = Desk(port=broker.port)
        async with serve_village("127.0.0.1", broker.port, [A], pace=FAST) as village, desk.open() as channel:
            await channel.stop({"w1-r1-ls-1": Sent(A)})
            await channel.send(message(address=A))
            await settled(lambda: [one.code for one in desk.reports] == ["received", "stopped"])
            assert village.speakers[A].played == []


class TestSound:
    async def test_fetched_once_and_checked(self, broker: Mosquitto, serve: Serve, tmp_path: Path) -> None:
        (tmp_path / "audio").mkdir()
        base = await serve(files(tmp_path))
        desk = Desk(port=broker.port, audio_dir=tmp_path / "audio", audio_url=f"{base}/audio")
        addresses = [f"341523100201/IPS{n}" for n in range(40)]
        async with serve_village("127.0.0.1", broker.port, addresses, pace=FAST) as village, desk.open() as channel:
            await channel.send_many([message(n, address=address) for n, address in enumerate(addresses)])
            await settled(lambda: village.counts["finished"] == 40)
            assert village.counts["downloads"] == 1
            assert village.counts["fell_back_to_text"] == 0

    @pytest.mark.parametrize("trouble", ["gone", "changed"])
    async def test_speaks_by_itself_without_it(self, broker: Mosquitto, serve: Serve, tmp_path: Path, trouble: str) -> None:
        (tmp_path / "audio").mkdir()
        (tmp_path / "audio" / "a.wav").write_bytes(b"RIFF")
        base = await serve(files(tmp_path))
        digest = hashlib.sha256(b"other").hexdigest()
        name = "none.wav" if trouble == "gone" else "a.wav"
        source = {"type": "url", "url": f"{base}/audio/{name}", "sha256": digest, "codec": "wav"}
        async with serve_village("127.0.0.1", broker.port, [A], pace=FAST) as village, hand(broker.port) as by:
            await by.play(A, "w1", source=source | {"text": "请转移"})
            await by.play(A, "w2", source=source)
            await settled(lambda: "finished" in by.states("w1") and "failed" in by.states("w2"))
            assert village.counts["no_download" if trouble == "gone" else "wrong_digest"] == 1


def files(folder: Path) -> Starlette:
    """Serves `folder`/audio, as the core does."""
    app = Starlette()
    app.mount("/audio", StaticFiles(directory=folder / "audio"))
    return app


class TestLine:
    async def test_last_will(self, broker: Mosquitto) -> None:
        """A cut line is known by the last will; a mended one plays what the broker kept, once."""
        desk = Desk(port=broker.port)
        async with serve_village("127.0.0.1", broker.port, [A, B], pace=FAST, own=1) as village, desk.open() as channel:
            await settled(lambda: channel.devices() == {A: True, B: True})
            await village.cut(A)
            await settled(lambda: channel.devices() == {A: False, B: True})
            assert isinstance(await channel.send(message(1, address=A)), Receipt)
            await channel.send(message(2, address=A, expires=datetime.now(UTC) + timedelta(seconds=0.5)))
            await asyncio.sleep(0.6)
            assert desk.reports == []
            await village.mend(A)
            await settled(lambda: channel.devices()[A] and {one.code for one in desk.reports} >= {"finished", "expired"})
            assert village.speakers[A].played == ["w1-r1-ls-1"]

    async def test_offline_from_the_start(self, broker: Mosquitto) -> None:
        desk, faults = Desk(port=broker.port), VillageFaults(offline=1.0)
        async with serve_village("127.0.0.1", broker.port, [A, B], faults=faults, own=1), desk.open() as channel:
            await settled(lambda: channel.devices() == {A: False, B: False})

    async def test_all_come_back_after_a_restart(self, broker: Mosquitto) -> None:
        desk = Desk(port=broker.port)
        async with serve_village("127.0.0.1", broker.port, [A, B], pace=FAST, own=1) as village, desk.open() as channel:
            await channel.line.ready()
            await broker.stop()
            await broker.start()
            await asyncio.gather(*(channel.send(message(n, address=address)) for n, address in enumerate((A, B))))
            await settled(lambda: village.counts["finished"] == 2)
            await settled(lambda: len([one for one in desk.reports if one.state is State.READ]) == 2)


class TestCounty:
    async def test_a_countys_loudspeakers_on_the_demonstrations_broker(self) -> None:
        """260 villages with 5 loudspeakers each: every one is told, plays, and says so."""
        with socket.create_server(("127.0.0.1", 0)) as place:
            port: int = place.getsockname()[1]
        addresses = [f"341523{n // 5:06d}/IPS{n:06d}" for n in range(1_300)]
        desk = Desk(port=port, timeout=30)
        async with (
            serve_broker(port),
            serve_village("127.0.0.1", port, addresses, pace=FAST, own=3) as village,
            desk.open() as channel,
        ):
            await settled(lambda: len(channel.devices()) == 1_300, 30)
            results = await tell(desk, addresses)
            await settled(lambda: reads(desk) == 1_300, 60)
        assert all(isinstance(result, Receipt) for result in results)
        assert finished(village) == 1_300

    async def test_a_taken_port_is_told(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as place, pytest.raises(OSError, match="port"):
            async with serve_broker(place.getsockname()[1]):
                pass


async def tell(desk: Desk, addresses: Sequence[str]) -> list[object]:
    """Send to all, in the groups the core makes."""
    many = [message(n, address=address) for n, address in enumerate(addresses)]
    groups = [many[n : n + desk.channel.most] for n in range(0, len(many), desk.channel.most)]
    return [result for group in groups for result in await desk.channel.send_many(group)]


def reads(desk: Desk) -> int:
    """How many said that they played it."""
    return sum(one.state is State.READ for one in desk.reports)


def finished(village: Village) -> int:
    """How many played exactly one."""
    return sum(len(speaker.played) == 1 for speaker in village.speakers.values())
