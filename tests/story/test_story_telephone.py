"""Called by telephone: one presses a key, one listens and says nothing, one writes back, and one never wakes up;
and the county's own voice on the line."""

import wave
from pathlib import Path
from typing import ClassVar

import httpx
from townhall import TOWNS, Opener, Town, make_alert

from warnhub.channels import Provider
from warnhub.port import ChannelSettings, Outgoing, Receipt
from warnhub.simulate.aliyun import AliyunCarrier
from warnhub.simulate.carrier import Faults
from warnhub.simulate.voice import VoiceCarrier

CALLS = """
name: 电话叫应
rules:
  - levels: "*"
    roles: gridworker
    channels: [voice, sms]
    confirm:
      within: 3s
      stop: heard
      then:
        - {who: self, channels: voice, wait: 3s}
        - {who: superior, door: true, wait: 1h}
    reason: 故事用:呼叫两次,未叫醒则上级上门
  - levels: "*"
    roles: village_head
    channels: sms
    confirm: {within: 1h}
    reason: 故事用:村干部一小时内叫应
"""
CAST = {
    "presses": "G990123001001001",
    "hears": "G990123001001002",
    "sleeps": "G990123001001003",
    "writes": "G990123001002002",
}


def number_of(town: Town, person: int) -> str:
    """Somebody's telephone number."""
    return next(address for (channel, address), people in town.owners.items() if channel == "sms" and person in people)


async def standing(town: Town, person: int) -> tuple[str, str | None, str | None, bool]:
    """(state, evidence, choice, not woken) of somebody's task."""
    rows = await town.ask("SELECT * FROM task WHERE recipient_id = :r AND kind = 'confirm'", r=person)
    if not rows:
        return "", None, None, False
    return rows[0].state, rows[0].evidence, rows[0].choice, rows[0].unwoken_at is not None


async def ends(town: Town, person: int) -> list[str]:
    """How the calls to somebody ended."""
    rows = await town.ask(
        "SELECT d.code FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE v.channel = 'voice' AND d.recipient_id = :r "
        "AND d.code IS NOT NULL ORDER BY v.round",
        r=person,
    )
    return [row.code for row in rows]


async def test_called_by_telephone(visit: Opener) -> None:
    """Only the key and the words confirm; who listened is not called again; to who sleeps the superior goes."""
    async with visit(policy=CALLS) as town:
        voice, texts = town.carriers["voice"], town.carriers["aliyun"]
        assert isinstance(voice, VoiceCarrier)
        assert isinstance(texts, AliyunCarrier)
        texts.reply_url = texts.report_url
        known = {row.ref: row.id for row in await town.ask("SELECT ref, id FROM recipient WHERE role <> 'resident'")}
        people = {name: known[ref] for name, ref in CAST.items()}
        voice.faults = Faults(delay=0.4)
        voice.outcomes = {"*": "press"} | {
            number_of(town, people["presses"]): "press 3",
            number_of(town, people["hears"]): "heard",
            number_of(town, people["sleeps"]): "no-answer",
            number_of(town, people["writes"]): "busy",
        }
        uid = await town.release(make_alert("v-1", areas=(TOWNS[0],)))

        async def pressed() -> bool:
            return await standing(town, people["presses"]) == ("done", "key", "help", False)

        async def written_to() -> bool:
            return any(heard.carrier != "voice" for heard in town.heard(people["writes"]))

        await town.until(pressed, "the key confirms")
        await town.until(written_to, "one is written to")
        said = {"address": number_of(town, people["writes"]), "text": "收到。"}
        async with httpx.AsyncClient() as http:
            assert (await http.post(f"{town.scene.url('aliyun')}/_sim/reply", json=said)).status_code == 200

        async def to_the_door() -> bool:
            return bool(await town.ask("SELECT 1 FROM task WHERE kind = 'visit' AND state = 'open'"))

        await town.until(to_the_door, "somebody goes to the door")
        assert await standing(town, people["writes"]) == ("done", "reply", "received", False)
        assert (await standing(town, people["sleeps"]))[3]
        state, evidence, _, unwoken = await standing(town, people["hears"])
        assert (state in {"open", "late"}, evidence, unwoken) == (True, None, False)
        assert (await ends(town, people["hears"]), await ends(town, people["sleeps"])) == (["heard"], ["no-answer"] * 2)
        (visitor,) = await town.ask("SELECT r.ref FROM task k JOIN recipient r ON r.id = k.recipient_id WHERE k.kind = 'visit'")
        assert visitor.ref == "H990123001001-1"
        await town.settle(uid)


class Mouth:
    """A loudspeaker's voice that hums; `mute` has no voice."""

    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings

    def __init__(self, folder: Path, mute: bool = False) -> None:
        self.mute, self.path = mute, folder / "clip.wav"
        with wave.open(str(self.path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(16_000)
            file.writeframes(bytes(32_000))

    async def send(self, message: Outgoing) -> Receipt:
        """Nothing goes out this way."""
        raise AssertionError

    async def speech(self, text: str) -> Path | None:
        """A second of silence."""
        return None if self.mute else self.path


async def test_the_county_s_own_voice_is_on_the_line(visit: Opener, tmp_path: Path) -> None:
    """The carrier fetches the recording from us for each call that is taken; a machine that answers is told from a person."""
    async with visit(policy=CALLS, providers={"voice.twilio": {"speech": "county"}}) as town:
        voice = town.carriers["voice"]
        assert isinstance(voice, VoiceCarrier)
        for hub in {id(one): one for one in (town.hub, town.hands)}.values():
            mouth = Mouth(tmp_path)
            hub.providers["loudspeaker.own"] = Provider("loudspeaker.own", "loudspeaker", mouth, mouth.Settings())
        known = {row.ref: row.id for row in await town.ask("SELECT ref, id FROM recipient WHERE role <> 'resident'")}
        voice.faults = Faults(delay=0.4)
        voice.outcomes = {"*": "press", number_of(town, known[CAST["sleeps"]]): "machine"}
        uid = await town.release(make_alert("v-2", areas=(TOWNS[0],)))

        async def both_called() -> bool:
            return len(await ends(town, known[CAST["sleeps"]])) == 2

        await town.until(both_called, "the machine is called twice")
        assert await ends(town, known[CAST["sleeps"]]) == ["machine", "machine"]
        assert await standing(town, known[CAST["presses"]]) == ("done", "key", "received", False)
        assert voice.counts["unplayable"] == 0
        assert voice.counts["played"] >= voice.counts["press"] + voice.counts["machine"] > 2
        calls = [taken for taken in voice.taken if "twiml" in taken]
        assert calls
        assert all("<Play>" in call["twiml"] and call["to"].lstrip("+") not in call["twiml"] for call in calls)
        assert not await town.ask("SELECT 1 FROM line WHERE until <= 0")
        await town.settle(uid)


async def test_without_a_voice_the_carrier_s_says_it(visit: Opener, tmp_path: Path) -> None:
    async with visit(policy=CALLS, providers={"voice.twilio": {"speech": "county"}}) as town:
        voice = town.carriers["voice"]
        assert isinstance(voice, VoiceCarrier)
        for hub in {id(one): one for one in (town.hub, town.hands)}.values():
            mouth = Mouth(tmp_path, mute=True)
            hub.providers["loudspeaker.own"] = Provider("loudspeaker.own", "loudspeaker", mouth, mouth.Settings())
        voice.faults, voice.outcomes = Faults(delay=0.3), {"*": "press"}
        uid = await town.release(make_alert("v-3", areas=(TOWNS[0],)))

        async def all_pressed() -> bool:
            return voice.counts["press"] > 2 and not await town.ask("SELECT 1 FROM line")

        await town.until(all_pressed, "everybody is called, and every line is free again")
        assert all("<Play>" not in call["twiml"] for call in voice.taken if "twiml" in call)
        await town.settle(uid)
