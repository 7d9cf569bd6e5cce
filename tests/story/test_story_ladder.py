"""Who does not answer: another channel, the deputy, the superior, each in a round of its own, until somebody answers."""

import asyncio
from collections.abc import Mapping

from sqlalchemy import text
from townhall import PHONE, TOWNS, Opener, Town, make_alert

from warnhub.simulate.townsfolk import LINK
from warnhub.simulate.voice import VoiceCarrier

LADDER = """
name: 叫应
rules:
  - levels: "*"
    roles: gridworker
    channels: [sms, wechat]
    mode: first
    confirm: {within: 4s, then: [next_channel, deputy, superior]}
    reason: 故事用:四秒一级,逐级叫应
  - levels: "*"
    roles: village_head
    channels: sms
    confirm: {within: 1h}
    reason: 故事用:村干部一小时内叫应
"""
CAST = {
    "silent": "G990123001001001",
    "prompt": "G990123001001002",
    "late": "G990123001001003",
    "covered": "G990123001002002",
}
"""Four grid workers of the warned township; each has a deputy and a superior of another township."""

OTHERS = {
    "silent": ("G990123200200001", "H990123200200-1"),
    "prompt": ("G990123200200002", "H990123200200-2"),
    "late": ("G990123200200004", "H990123200201-1"),
    "covered": ("G990123200200005", "H990123200201-2"),
}


async def assign(town: Town) -> dict[str, int]:
    """Give the four their deputies and superiors; name or ref → person."""
    async with town.hub.store.write() as tx:
        await tx.conn.execute(text("UPDATE recipient SET deputy = NULL, superior = NULL"))
        for name, (deputy, superior) in OTHERS.items():
            await tx.conn.execute(
                text("UPDATE recipient SET deputy = :d, superior = :s WHERE ref = :r"),
                {"d": deputy, "s": superior, "r": CAST[name]},
            )
    known = {row.ref: row.id for row in await town.ask("SELECT ref, id FROM recipient WHERE role <> 'resident'")}
    found = {name: known[ref] for name, ref in CAST.items()}
    for name, (deputy, superior) in OTHERS.items():
        found |= {f"{name}'s deputy": known[deputy], f"{name}'s superior": known[superior]}
    return found


async def test_the_ladder(visit: Opener) -> None:
    """One never answers, one answers in time, one in the middle, and for one the deputy does; a new start in between."""
    async with visit(policy=LADDER) as town:
        telephones = town.carriers["voice"]
        assert isinstance(telephones, VoiceCarrier)
        telephones.outcomes = {"*": "no-answer"}
        people = await assign(town)
        uid = await town.release(make_alert("l-1", areas=(TOWNS[0],)))
        await told(town, people, "silent", "prompt", "late", "covered")
        assert {heard.channel for heard in town.watchman.messages()} == {"sms"}
        await asyncio.gather(answer(town, people["prompt"]), only_look(town, people["silent"]))
        await told(town, people, "silent", "late", "covered", times=2)
        await answer(town, people["late"])
        await town.restart()
        await told(town, people, "silent's deputy", "covered's deputy")
        await answer(town, people["covered's deputy"])
        await told(town, people, "silent's superior")

        async def given_up() -> bool:
            ended = [await task(town, people[f"silent{who}"]) for who in ("", "'s deputy", "'s superior")]
            return ended == [("late", 3), ("late", 99), ("late", 99)]

        await town.until(given_up, "the ladder of the silent one ends")
        await town.settle(uid)
        await everybody_as_told(town, people)


async def told(town: Town, people: Mapping[str, int], *names: str, times: int = 1) -> None:
    """Wait until these have been told so often."""

    async def reached() -> bool:
        return all(len(town.heard(people[name])) >= times for name in names)

    await town.until(reached, f"{names} told")


async def answer(town: Town, person: int) -> None:
    """The person confirms by the link of the newest message."""
    link = LINK.findall(town.heard(person)[-1].text)[0]
    assert (await town.confirm(link)).status_code == 200


async def only_look(town: Town, person: int) -> None:
    """HEAD and GET of somebody's link, as a scanner does them."""
    link = LINK.findall(town.heard(person)[0].text)[0]
    assert (await town.http.head(link, headers=PHONE)).status_code == 200
    assert (await town.http.get(link, headers=PHONE)).status_code == 200


async def task(town: Town, person: int) -> tuple[str, int] | None:
    """The state and the rung of a person's task; None if there is none."""
    rows = await town.ask("SELECT state, rung FROM task WHERE recipient_id = :r", r=person)
    return (rows[0].state, rows[0].rung) if rows else None


async def rounds(town: Town, person: int) -> list[tuple[str, str]]:
    """By which cause and channel a person was told, round by round."""
    rows = await town.ask(
        "SELECT v.cause, v.channel FROM wave v JOIN delivery d ON d.wave_id = v.id WHERE d.recipient_id = :r "
        "ORDER BY v.round, v.channel",
        r=person,
    )
    return [(row.cause, row.channel) for row in rows]


async def everybody_as_told(town: Town, people: Mapping[str, int]) -> None:
    """The ledger of rounds and tasks, and what the carriers have, which is not more."""
    plan, further = ("plan", "sms"), ("next_channel", "wechat")
    deputy, superior = [("deputy", "sms"), ("deputy", "wechat")], [("superior", "sms")]
    expected = {
        "silent": ([plan, further], ("late", 3)),
        "silent's deputy": (deputy, ("late", 99)),
        "silent's superior": (superior, ("late", 99)),
        "prompt": ([plan], ("done", 0)),
        "late": ([plan, further], ("done", 1)),
        "covered": ([plan, further], ("covered", 2)),
        "covered's deputy": (deputy, ("done", 99)),
        **{who: ([], None) for who in ("prompt's deputy", "prompt's superior", "late's deputy", "late's superior")},
        "covered's superior": ([], None),
    }
    for name, (causes, state) in expected.items():
        assert (await rounds(town, people[name]), await task(town, people[name])) == (causes, state), name
        assert sorted(heard.channel for heard in town.heard(people[name])) == sorted(way for _, way in causes), name
    each = await town.ask("SELECT round, cause FROM wave WHERE cause <> 'plan' ORDER BY round, id")
    assert len({row.round for row in each}) >= 3
    assert all(len({row.cause for row in each if row.round == one.round}) == 1 for one in each)
    assert await town.number("SELECT count(*) FROM ack WHERE human") == 3
