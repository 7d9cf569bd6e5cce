"""The MQTT channel against a real Mosquitto: what goes over the wire, what comes back, what a broken line does."""

import asyncio
import contextlib
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt
import httpx
import pytest
import pytest_asyncio
from mosquitto import Mosquitto
from pydantic import SecretStr, ValidationError
from test_voice import Hum

from warnhub.port import (
    Bulk,
    Channel,
    Devices,
    Listens,
    Outgoing,
    Reason,
    Receipt,
    Repeatable,
    Report,
    SendError,
    Sent,
    State,
    Stops,
    Words,
)
from warnhub.testing import outgoing
from warnhub_loudspeaker.audio import Clip
from warnhub_loudspeaker.mqtt import Mqtt
from warnhub_loudspeaker.settings import MqttSettings
from warnhub_loudspeaker.wire import MOST, play, report, said

ADDRESS = "341523100201/IPS000123"
NOW = datetime(2026, 6, 12, 8, 20, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)


def message(number: int = 1, **given: Any) -> Outgoing:
    """To one loudspeaker."""
    values: dict[str, Any] = {"address": ADDRESS, "reference": f"w1-r{number}-ls-1", "repeat": 3, "volume": 90}
    return outgoing(number, **values | given)


async def settled(condition: Callable[[], object], seconds: float = 8) -> None:
    """Wait until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is anything
            await asyncio.sleep(0.01)


class Desk:
    """The channel, listening, and what it reported."""

    def __init__(self, **settings: Any) -> None:
        self.channel = Mqtt(MqttSettings(**settings), httpx.AsyncClient(), voice=Hum())
        self.reports: list[Report] = []

    async def take(self, reports: Sequence[Report]) -> None:
        """Keep them."""
        self.reports += reports

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[Mqtt]:
        """Listen."""
        task = asyncio.create_task(self.channel.listen(self.take))
        try:
            yield self.channel
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


class Device:
    """A device under the test's hand: what it was told, and what it says."""

    def __init__(self, port: int, client: aiomqtt.Client) -> None:
        self.port = port
        self.client = client

    async def told(self) -> dict[str, Any]:
        """The next command."""
        async with asyncio.timeout(8):
            given = await anext(self.client.messages)
        assert isinstance(given.payload, bytes)
        assert len(given.payload) <= MOST
        assert (given.qos, given.retain) == (1, False)
        return dict(json.loads(given.payload))

    async def says(self, state: str, reference: str = "w1-r1-ls-1", address: str = ADDRESS, **more: Any) -> None:
        """Acknowledge."""
        told = {"id": reference, "device": address.split("/")[1], "state": state, "ts": "2026-06-12T16:20:01+08:00"}
        await self.client.publish(f"eb/v1/{address}/ack", json.dumps(told | more), 1)


@pytest_asyncio.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Mosquitto]:
    """A broker."""
    served = Mosquitto(tmp_path)
    await served.start()
    yield served
    await served.stop()


@pytest_asyncio.fixture
async def device(broker: Mosquitto) -> AsyncIterator[Device]:
    """A device that has heard nothing yet."""
    async with aiomqtt.Client("127.0.0.1", broker.port) as client:
        await client.subscribe(f"eb/v1/{ADDRESS}/cmd", 1)
        yield Device(broker.port, client)


class TestCommand:
    """The bytes of a command."""

    def test_is_the_convention(self) -> None:
        given = message(lane=1, expires=LATER, words=Words("暴雨红色预警，请立即转移。"))
        assert json.loads(play(given, NOW, "", None, 5)) == {
            "id": "w1-r1-ls-1",
            "cmd": "play",
            "priority": 1,
            "issued": "2026-06-12T16:20:00+08:00",
            "expires": "2026-06-12T19:20:00+08:00",
            "source": {"type": "tts", "text": "暴雨红色预警，请立即转移。", "lang": "zh-CN"},
            "volume": 90,
            "repeat": 3,
            "interval_s": 5,
        }

    @pytest.mark.parametrize("length", [1, 40, 120, 400, 5_000])
    @pytest.mark.parametrize("url", ["", "http://10.0.0.2/audio/0123456789abcdef0123456789abcdef.wav", "http://" + "a" * 110])
    def test_fits_a_thin_line(self, length: int, url: str) -> None:
        """Whatever the warning's length, 500 bytes, and still words that make sense."""
        text = "请立即转移。" + "水位正在上涨。" * (length // 7) + '请听"广播"\\\n请转移'
        fields = {"headline": "云岭县气象台发布暴雨橙色预警", "action": "请立即转移"}
        given = message(reference="w" * 40, words=Words(text, fields=fields), drill=True, expires=LATER)
        clip = Clip(Path("a.wav"), "f" * 64, 123.4, 1_000_000) if url else None
        command = play(given, NOW, url, clip, 5)
        assert len(command) <= MOST
        words = json.loads(command)["source"]["text"]
        assert words.startswith(("请立即转移", "这是演习"))
        assert words.endswith(("转移", "演习", "预警", "。"))

    def test_long_words_become_headline_and_action(self) -> None:
        given = message(words=Words("水位正在上涨。" * 90, fields={"headline": "县气象台发布暴雨预警", "action": "请立即转移"}))
        assert json.loads(play(given, NOW, "", None, 5))["source"]["text"] == "县气象台发布暴雨预警。请立即转移"

    def test_no_address_in_the_words(self) -> None:
        given = message(words=Words("请转移，详情请点击\ue000"), link="https://yj.example.cn/a/x7")
        assert json.loads(play(given, NOW, "", None, 5))["source"]["text"] == "请转移"

    def test_drill_is_said(self) -> None:
        assert json.loads(play(message(drill=True), NOW, "", None, 5))["drill"] is True
        assert "drill" not in json.loads(play(message(), NOW, "", None, 5))


class TestReading:
    """What a device says, and what it may not say."""

    @pytest.mark.parametrize(
        ("payload", "topic"),
        [
            (b"not json", f"eb/v1/{ADDRESS}/ack"),
            (b"[1]", f"eb/v1/{ADDRESS}/ack"),
            (b"[" * 3_000, f"eb/v1/{ADDRESS}/ack"),
            (b'{"a":"' + b"x" * 5_000 + b'"}', f"eb/v1/{ADDRESS}/ack"),
            (b"\xff\xfe", f"eb/v1/{ADDRESS}/ack"),
            (b'{"id":"w1"}', "eb/v1/341523100201/_all/ack"),
            (b'{"id":"w1"}', "ack"),
        ],
    )
    def test_noise_is_nothing(self, payload: bytes, topic: str) -> None:
        assert said(topic, payload) is None

    @pytest.mark.parametrize(
        "told",
        [
            {"state": "finished"},
            {"id": 7, "state": "finished"},
            {"id": "W1", "state": "finished"},
            {"id": "stop:w1", "state": "received"},
            {"id": "w1", "state": "melted"},
            {"id": "w1", "state": "finished", "device": "IPS000999"},
        ],
    )
    def test_what_is_no_acknowledgement(self, told: dict[str, Any]) -> None:
        assert report(told | {"address": ADDRESS}) is None

    def test_same_words_same_key(self) -> None:
        told = {"id": "w1", "state": "finished", "address": ADDRESS, "ts": "no time"}
        first, again = report(told), report(told | {"ts": "2026-06-12T16:20:01+08:00"})
        assert first
        assert again
        assert first.key == again.key
        assert (first.at, again.at) == (None, datetime(2026, 6, 12, 8, 20, 1, tzinfo=UTC))
        other = report(told | {"address": "341523100201/IPS9"})
        assert other
        assert other.key != first.key


class TestSettings:
    def test_abilities(self) -> None:
        channel: Channel = Mqtt(MqttSettings(), httpx.AsyncClient())
        for ability in (Bulk, Listens, Repeatable, Devices, Stops):
            assert isinstance(channel, ability)

    @pytest.mark.parametrize("wrong", [{"prefix": "eb/+/v1"}, {"audio_url": "ftp://a"}, {"port": 0}, {"nonsense": 1}])
    def test_refuses(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            MqttSettings(**wrong)

    def test_warning_of_the_voice_shows(self, tmp_path: Path) -> None:
        given = MqttSettings(audio_dir=tmp_path, audio_url="http://a/audio/", voice={"engine": "espeak"})
        assert "espeak" in Mqtt(given, httpx.AsyncClient()).warning
        assert Mqtt(MqttSettings(), httpx.AsyncClient()).warning == ""


@pytest.mark.mqtt
class TestSending:
    async def test_with_a_recording(self, broker: Mosquitto, device: Device, tmp_path: Path) -> None:
        desk = Desk(port=broker.port, audio_dir=tmp_path / "audio", audio_url="http://10.0.0.2/audio/", volume=70, repeat=2)
        async with desk.open() as channel:
            assert await channel.send(message(lane=1)) == Receipt("w1-r1-ls-1", State.ACCEPTED)
            command = await device.told()
        (file,) = (tmp_path / "audio").glob("*.wav")
        source = command["source"]
        assert source["url"] == f"http://10.0.0.2/audio/{file.name}"
        assert source["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        assert (source["type"], source["codec"]) == ("url", "wav")
        assert source["text"] == "云岭应急，暴雨橙色预警,请立即转移。"
        assert (command["priority"], command["volume"], command["repeat"]) == (1, 70, 2)

    async def test_without_a_voice_the_device_speaks(self, broker: Mosquitto, device: Device, tmp_path: Path) -> None:
        desk = Desk(port=broker.port, audio_dir=tmp_path, audio_url="http://10.0.0.2/audio")
        assert desk.channel.studio
        desk.channel.studio.voice = Hum(fails=True)
        async with desk.open() as channel:
            await channel.send(message())
            assert (await device.told())["source"]["type"] == "tts"

    async def test_hundreds_at_once(self, broker: Mosquitto) -> None:
        async with aiomqtt.Client("127.0.0.1", broker.port) as client:
            await client.subscribe("eb/v1/+/+/cmd", 1)
            async with Desk(port=broker.port).open() as channel:
                many = [message(n, address=f"341523100{n % 7:03d}/IPS{n:06d}") for n in range(500)]
                results = await channel.send_many(many)
            got = {(await anext(client.messages)).topic.value for _ in many}
        assert all(isinstance(result, Receipt) for result in results)
        assert got == {f"eb/v1/{one.address}/cmd" for one in many}

    async def test_poison_fails_alone(self, broker: Mosquitto, device: Device) -> None:
        wrong = ["341523100201/#", "+/IPS1", "IPS1", "341523100201/_all", "341523100201/a/b", ""]
        many = [message(n, address=address) for n, address in enumerate([*wrong, ADDRESS])]
        many.append(message(99, expires=datetime.now(UTC) - timedelta(seconds=1)))
        async with Desk(port=broker.port).open() as channel:
            results = await channel.send_many(many)
            assert (await device.told())["id"] == "w1-r6-ls-1"
        reasons = [result.reason if isinstance(result, SendError) else None for result in results]
        assert reasons == [Reason.RECIPIENT] * 6 + [None, Reason.REJECTED]

    async def test_not_listening_is_unreachable(self) -> None:
        with pytest.raises(SendError) as caught:
            await Desk(timeout=0.05).channel.send(message())
        assert caught.value.reason is Reason.UNREACHABLE

    async def test_wrong_password_is_config(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        served = Mosquitto(tmp_path, password="river-rises")
        await served.start()
        try:
            right = {"port": served.port, "username": "warnhub", "password": SecretStr("river-rises")}
            async with Desk(**right).open() as channel:
                assert isinstance(await channel.send(message()), Receipt)
            async with Desk(**right | {"password": SecretStr("wrong-secret")}).open() as channel:
                await settled(lambda: channel.line.trouble.reason is Reason.CONFIG)
                with pytest.raises(SendError) as caught:
                    await channel.send(message())
        finally:
            await served.stop()
        assert caught.value.reason is Reason.CONFIG
        for hidden in ("river-rises", "wrong-secret", ADDRESS):
            assert hidden not in caplog.text + str(caught.value)


@pytest.mark.mqtt
class TestHearing:
    @pytest.mark.parametrize(
        ("state", "known", "reason"),
        [
            ("received", State.DELIVERED, None),
            ("playing", State.DELIVERED, None),
            ("stopped", State.DELIVERED, None),
            ("finished", State.READ, None),
            ("failed", State.FAILED, Reason.REJECTED),
            ("rejected", State.FAILED, Reason.REJECTED),
            ("expired", State.FAILED, Reason.REJECTED),
        ],
    )
    async def test_states(self, broker: Mosquitto, device: Device, state: str, known: State, reason: Reason | None) -> None:
        desk = Desk(port=broker.port)
        async with desk.open() as channel:
            await channel.send(message())
            await device.says(state, code=3, msg="amplifier\nfault")
            await settled(lambda: desk.reports)
        (heard,) = desk.reports
        assert (heard.state, heard.reason, heard.reference, heard.address) == (known, reason, "w1-r1-ls-1", ADDRESS)
        assert heard.code == "3"
        assert heard.detail.endswith("amplifier fault")
        assert heard.at == datetime(2026, 6, 12, 8, 20, 1, tzinfo=UTC)

    async def test_in_any_order_and_twice(self, broker: Mosquitto, device: Device) -> None:
        """All are reported as they come; the ledger moves forward only, and the keys make a repeat a repeat."""
        desk = Desk(port=broker.port)
        async with desk.open() as channel:
            await channel.line.ready()
            for state in ("finished", "received", "playing", "finished"):
                await device.says(state)
            await device.client.publish(f"eb/v1/{ADDRESS}/ack", b"noise", 1)
            await device.says("received", "stop:w1")
            await device.says("received", "w1-r2-ls-1")
            await settled(lambda: len(desk.reports) == 5)
        assert [one.state for one in desk.reports[:4]] == [State.READ, State.DELIVERED, State.DELIVERED, State.READ]
        assert len({one.key for one in desk.reports}) == 4

    async def test_who_is_on_line(self, broker: Mosquitto, device: Device) -> None:
        await device.client.publish(f"eb/v1/{ADDRESS}/status", '{"online":true}', 1, True)
        await device.client.publish("eb/v1/341523100201/IPS2/status", '{"online":false,"reason":"lwt"}', 1, True)
        await device.client.publish("eb/v1/341523100201/IPS3/status", '{"online":"perhaps"}', 1, True)
        async with Desk(port=broker.port).open() as channel:
            await settled(lambda: len(channel.devices()) == 2)
            assert channel.devices() == {ADDRESS: True, "341523100201/IPS2": False}

    async def test_acknowledged_while_away(self, broker: Mosquitto, device: Device) -> None:
        """With a client id of its own, what was said while the desk was away is heard when it comes back."""
        first, second = (Desk(port=broker.port, client_id="desk") for _ in range(2))
        async with first.open() as channel:
            await channel.send(message())
        await device.says("finished")
        async with second.open():
            await settled(lambda: second.reports)
        assert second.reports[0].state is State.READ


@pytest.mark.mqtt
class TestStopping:
    async def test_command(self, broker: Mosquitto, device: Device) -> None:
        async with Desk(port=broker.port).open() as channel:
            await channel.send(message())
            assert await channel.stop({"w1-r1-ls-1": Sent(ADDRESS), "w1-r2-ls-1": Sent("no address")}) == {}
            assert (await device.told())["cmd"] == "play"
            told = await device.told()
        assert told | {"issued": ""} == {"id": "stop:w1-r1-ls-1", "cmd": "stop", "ref": "w1-r1-ls-1", "issued": ""}

    async def test_without_a_line_says_what_was_not_stopped(self) -> None:
        errors = await Desk(timeout=0.05).channel.stop({"w1-r1-ls-1": Sent(ADDRESS)})
        assert errors["w1-r1-ls-1"].reason is Reason.UNREACHABLE


@pytest.mark.mqtt
class TestBreaking:
    async def test_comes_back_after_a_restart(self, broker: Mosquitto) -> None:
        desk = Desk(port=broker.port)
        async with desk.open() as channel:
            await channel.send(message(1))
            await broker.stop()
            await settled(lambda: channel.line.client is None)
            sending = asyncio.create_task(channel.send(message(2)))
            await asyncio.sleep(0.1)
            await broker.start()
            assert await sending == Receipt("w1-r2-ls-1")
            async with aiomqtt.Client("127.0.0.1", broker.port) as client:
                await Device(broker.port, client).says("finished")
                await settled(lambda: desk.reports)

    async def test_no_answer_is_unknown(self) -> None:
        """A broker that takes a command and never says so: it may have it, and a repeat does no harm."""

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1_000)
            writer.write(b"\x20\x02\x00\x00")
            subscribe = await reader.read(1_000)
            writer.write(b"\x90\x04" + subscribe[2:4] + b"\x01\x01")
            await reader.read(1_000)
            await gone.wait()
            writer.close()

        gone = asyncio.Event()
        async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            async with Desk(port=port, timeout=0.3).open() as channel:
                assert isinstance(error := (await channel.send_many([message()]))[0], SendError)
                assert error.reason is Reason.UNKNOWN
                await channel.line.ready()
                sending = asyncio.create_task(channel.outcome(message()))
                await asyncio.sleep(0.05)
                before = asyncio.get_running_loop().time()
                gone.set()
                error = await sending
                assert isinstance(error, SendError)
                assert error.reason is Reason.UNKNOWN
                assert asyncio.get_running_loop().time() - before < 0.2
