"""Who has a task is told of it, by the same way as of a warning: when a plan starts, when a step begins, when it is late."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from town import MINUTE, NOW, County

from warnhub.alert import Level, Status
from warnhub.config import County as Office
from warnhub.config import load_settings
from warnhub.crypto import make_key
from warnhub.dispatch.packing import Packer
from warnhub.dispatch.wordbook import Wordbook
from warnhub.plan.duties import Told, is_task, make_cause
from warnhub.response.build import make_responder
from warnhub.response.responder import Responder
from warnhub.response.tasking import REMIND
from warnhub.store.batches import COLUMNS, Batch, read_lines
from warnhub.store.covers import leave_answered
from warnhub.store.warnings import Warning, end_warning

HOUR = 60 * MINUTE
URL = "https://warn.yunling.example"


@dataclass
class Sent:
    """One message, as it would be handed over."""

    ref: str
    channel: str
    cause: str
    text: str
    link: str


def respond(county: County) -> Responder:
    """What works on the county."""
    return make_responder(county.store, county.desk.settings, county.desk.places, county.policies, county.planner)


async def storm(county: County, responder: Responder, **given: Any) -> Warning:
    """An orange typhoon that is four hours away: its plan starts at once, at level II."""
    onset = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(hours=4)
    values = {"hazard": "11B01", "level": Level.ORANGE, "onset": onset, "expires": onset + timedelta(hours=30)}
    warning = await county.plan(await county.warn(**(values | given)))
    await responder.planned(str(warning.id), {})
    return warning


async def posted(county: County, warning: Warning, told: Told | None = None) -> list[Sent]:
    """Every message of tasks that waits, as the worker would word it now; of one kind, if one is named."""
    book = Wordbook(county.store, county.policies, Office())
    settings = load_settings(secret_key=make_key(), public_url=URL)
    packer = Packer(settings, county.keys, book, county.providers)
    story, found = await book.story(warning.id), []
    rows = await county.rows(
        f"SELECT {', '.join('b.' + name for name in COLUMNS.split(', '))}, v.cause FROM batch b "
        "JOIN wave v ON v.id = b.wave_id "
        "WHERE b.warning_id = :w AND v.cause LIKE 'task:%' ORDER BY b.id",
        w=warning.id,
    )
    for row in rows:
        batch = Batch(*row[:12])
        if told is not None and not row.cause.startswith(f"task:{told.value}:"):
            continue
        await book.recall(story, batch.wave)
        async with county.store.read() as conn:
            lines = await leave_answered(conn, batch, await read_lines(conn, batch.id))
        items, _ = packer.items(story, batch, lines)
        found += [
            Sent(county.refs[item.recipient], batch.channel, row.cause, item.message.text, item.message.link) for item in items
        ]
    return found


async def numbers(county: County, who: str) -> list[int]:
    """The open assignments of somebody."""
    rows = await county.rows(
        "SELECT id FROM assignment WHERE owner_id = :r AND state IN ('open', 'late') ORDER BY due_at, id", r=county.people[who]
    )
    return [row.id for row in rows]


async def test_a_plan_s_start_tells_departments_and_townships(county: County) -> None:
    """The county's desk and the township are written to, with the plan, its level and the address of their own list."""
    responder = respond(county)
    warning = await storm(county, responder)
    sent = await posted(county, warning, Told.START)
    assert {one.ref for one in sent} == {"D1", "T1"}
    assert {(one.ref, one.channel) for one in sent} == {("D1", "sms"), ("T1", "sms"), ("T1", "wechat")}
    for one in sent:
        assert "防台风应急响应II级响应启动" in one.text
        assert one.link.startswith(f"{URL}/a/")
        assert one.link.endswith("/tasks")
        assert one.link in one.text
        assert "提醒" not in one.text
    events = await county.rows("SELECT data FROM event WHERE kind = 'tasks.told'")
    assert len(events) == 1
    await county.sound(warning)
    for _ in range(2):
        await responder.planned(str(warning.id), {})
        await responder.tick()
    assert len(await posted(county, warning, Told.START)) == len(sent), "told once"


async def test_a_step_is_told_of_when_its_time_begins(county: County) -> None:
    onset = datetime.fromtimestamp(NOW / 1000, UTC) + timedelta(hours=10)
    responder = respond(county)
    warning = await storm(county, responder, onset=onset)
    await responder.tick()
    assert await posted(county, warning, Told.BEGIN) == []
    county.hand.pass_by(4 * HOUR)  # six hours before the onset
    await responder.tick()
    sent = await posted(county, warning, Told.BEGIN)
    assert {(one.ref, one.cause) for one in sent} == {("T1", make_cause(Told.BEGIN, "危险区群众转移完毕"))}
    assert all("到时限：危险区群众转移完毕" in one.text for one in sent)
    await responder.tick()
    assert len(await posted(county, warning, Told.BEGIN)) == len(sent)


async def test_a_late_task_is_told_to_its_owner_then_to_their_superior_then_to_the_desk(county: County) -> None:
    """To the second of the clock that is set by hand; and what is done is told to nobody any more."""
    responder = respond(county)
    warning = await storm(county, responder)
    owned = "SELECT id, title, due_at FROM assignment WHERE owner_id = :r ORDER BY due_at"
    (first, *_) = await county.rows(owned, r=county.people["T1"])
    county.hand.now = first.due_at - 1
    await responder.tick()
    assert first.title not in {one.cause.rpartition(":")[2] for one in await posted(county, warning, Told.LATE)}
    county.hand.pass_by(1)
    await responder.tick()
    late = [one for one in await posted(county, warning, Told.LATE) if first.title in one.cause]
    assert {one.ref for one in late} == {"T1"}
    assert all(f"任务已超时：{first.title}" in one.text for one in late)
    county.hand.pass_by(REMIND - 1)
    await responder.tick()
    assert not [one for one in await posted(county, warning, Told.RAISED) if first.title in one.cause]
    county.hand.pass_by(1)
    await responder.tick()
    raised = [one for one in await posted(county, warning, Told.RAISED) if first.title in one.cause]
    assert {one.ref for one in raised} == {"D1"}
    assert await responder.done(first.id, "recipient", "都到位了", county.people["T1"])
    assert not [one for one in await posted(county, warning) if one.cause.rpartition(":")[2] == first.title], "done: not sent"
    county.hand.pass_by(REMIND)
    await responder.tick()
    stages = await county.rows("SELECT stage FROM assignment WHERE id = :i", i=first.id)
    assert stages[0].stage == 2
    await county.sound(warning)


async def test_what_nobody_does_comes_to_the_duty_desk_and_no_further(county: County) -> None:
    responder = respond(county)
    await storm(county, responder)
    county.hand.pass_by(3 * HOUR)
    for _ in range(8):
        await responder.tick()
        county.hand.pass_by(REMIND)
    rows = await county.rows("SELECT stage, next_at FROM assignment WHERE due_at <= :d", d=NOW + 3 * HOUR)
    assert rows
    assert {tuple(row) for row in rows} == {(3, None)}
    told = "SELECT count(*) AS n FROM wave WHERE cause LIKE :c"
    titles = await county.rows("SELECT DISTINCT title FROM assignment WHERE due_at <= :d", d=NOW + 3 * HOUR)
    for row in titles:
        (raised,) = await county.rows(told, c=f"task:raised:{row.title}")
        assert 1 <= raised.n <= 4, "a wave a channel, to the superior and to the desk, and then no more"


async def test_of_a_warning_that_has_ended_nothing_is_told(county: County) -> None:
    responder = respond(county)
    warning = await storm(county, responder)
    before = len(await posted(county, warning))
    async with county.store.write() as tx:
        await end_warning(tx, warning, "cancelled", "test")
    county.hand.pass_by(5 * HOUR)
    await responder.tick()
    waves = await county.rows("SELECT cause FROM wave WHERE cause LIKE 'task:late%' OR cause LIKE 'task:raised%'")
    assert waves == []
    assert before > 0


async def test_a_drill_tells_its_list_and_says_so_first_and_last(county: County) -> None:
    responder = respond(county)
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', 'd', 0, 'test')")
    await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d', :r)", r=county.people["T1"])
    warning = await storm(county, responder, status=Status.EXERCISE)
    county.hand.pass_by(6 * HOUR)
    for _ in range(4):
        await responder.tick()
        county.hand.pass_by(REMIND)
    sent = await posted(county, warning)
    assert {one.ref for one in sent} == {"T1"}, "neither the county's desk nor anybody's superior takes part"
    assert all(one.text.startswith("【演练】") and one.text.endswith("以上为演练。") for one in sent)


async def test_waves_of_tasks_are_no_reminders_of_the_warning(county: County) -> None:
    """The next round of the warning is its second, however often tasks were told in between."""
    responder = respond(county)
    warning = await storm(county, responder)
    book = Wordbook(county.store, county.policies, Office())
    story = await book.story(warning.id)
    await county.run(
        "INSERT INTO wave (warning_id, round, channel, cause, at) VALUES (:w, 9, 'sms', 'repeat', :at)", w=warning.id, at=NOW
    )
    (row,) = await county.rows("SELECT id FROM wave WHERE round = 9")
    cause = await book.recall(story, row.id)
    assert (cause.task, cause.round) == ("", 2)
    assert "第2次提醒" in book.words(story, "sms", "township_duty", "zh-CN", cause.round, cause.task).text


@pytest.mark.parametrize("language", ["zh-CN", "en"])
@pytest.mark.parametrize("channel", ["sms", "wechat", "push"])
@pytest.mark.parametrize("told", list(Told))
async def test_every_kind_has_words_for_every_channel(county: County, told: Told, channel: str, language: str) -> None:
    warning = await storm(county, respond(county))
    book = Wordbook(county.store, county.policies, Office())
    story = await book.story(warning.id)
    cause = make_cause(told, "巡查" + "很长的标题" * 20)
    assert is_task(cause)
    words = book.words(story, channel, "gridworker", language, 2, cause)
    assert 10 < len(words.text) < 400
    assert words.title
    assert words.fields["action"] == words.title
    assert all(len(value) <= 20 for name, value in words.fields.items() if name not in {"time", "expires"})
