"""Called by telephone: one presses a key, one listens and says nothing, one writes back, and one never wakes up."""

import httpx
from townhall import TOWNS, Opener, Town, make_alert

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
