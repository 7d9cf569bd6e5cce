"""A typhoon over three days, from its file, on a clock that jumps: the whole desk in a drill, and nobody outside it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from warnhub.cli import app
from warnhub.config import load_settings
from warnhub.crypto import KeyRing, make_key
from warnhub.plan.loading import PolicyError
from warnhub.simulate.county import load_county
from warnhub.simulate.rehearsal import NoList, rehearse
from warnhub.simulate.script import find_script, read_script
from warnhub.simulate.theatre import perform
from warnhub.store.engine import Store
from warnhub.store.migrate import upgrade_store

BRIEF = """
name: 一小时
hours: 3
cast: {towns: 1, residents: 5}
people: {answers: 1.0, slow: 1m, works: 1.0, knock: 1m}
events:
  - {at: 0h, alert: {id: a-1, hazard: 11B03, level: red, onset: +1h, life: 3h, headline: 云岭县气象台发布暴雨红色预警}}
  - {at: 2h, cancel: {of: a-1, why: 雨停了}}
"""


def line_of(*words: str) -> dict[str, Any]:
    """The closing line of a command."""
    done = CliRunner().invoke(app, ["drill", "run", *words, "--fast", "--json"])
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.timeout(400)
def test_three_days_of_a_typhoon_stay_with_their_list() -> None:
    """SMS is down when red comes, a village is silent, tasks run late: all of it shows, and nobody else hears of it."""
    line = line_of("typhoon")
    assert line["leaked"] == line["unmarked"] == 0
    assert line["participants"] > 80
    assert 0 < line["confirmed"] <= line["participants"]
    assert line["asked"] <= line["participants"]
    assert line["escalated"] > 0
    assert line["refused"] > 0, "SMS was down for a while"
    assert 0 < line["doors_closed"] < line["doors"], "a village was silent"
    assert 0 < line["overdue"] < line["tasks"]
    assert line["orders"] >= 2, "orange and red ask for stop orders"
    assert line["messages"] > line["participants"]


def test_where_everybody_does_their_part_everything_closes(tmp_path: Path) -> None:
    line = asyncio.run(perform(read_script(BRIEF), tmp_path, 1_000))
    assert (line["leaked"], line["unmarked"], line["refused"]) == (0, 0, 0)
    assert line["confirmed"] >= line["asked"] > 0
    assert line["doors_closed"] == line["doors"] > 0
    assert line["tasks"] > 0
    assert line["overdue"] == 0


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("of: a-1", "of: a-2", "a-2 was not said before"),
        ("at: 2h", "at: 4h", "after the 3 hours"),
        ("level: red", "level: pink", "level"),
        ("answers: 1.0", "answers: 1.5", "answers"),
        ("cancel: {of: a-1, why: 雨停了}", "dance: {}", "dance"),
    ],
)
def test_what_is_no_script_is_refused(old: str, new: str, why: str) -> None:
    with pytest.raises(PolicyError, match=why):
        read_script(BRIEF.replace(old, new, 1))


def test_the_script_that_comes_with_it_spans_three_days() -> None:
    script = read_script(find_script("typhoon"))
    assert script.hours >= 72
    assert {event.fault is not None for event in script.events} == {True, False}
    assert any(event.silent for event in script.events)


async def test_in_real_time_the_real_desk_plays_it_with_a_registered_list(tmp_path: Path) -> None:
    """Its alerts wait for an officer as exercises of that list; without a list nothing is said."""
    url, key = f"sqlite:///{tmp_path / 'desk.sqlite3'}", make_key()
    store, waited = Store(url), []
    await upgrade_store(store)
    await load_county(store, KeyRing(key), 1_000)
    settings = load_settings(database_url=url, secret_key=key)

    async def sleep(seconds: float) -> None:
        waited.append(seconds)

    script = read_script(BRIEF)
    with pytest.raises(NoList):
        await rehearse(script, store, settings, "nobody", 60, sleep, None)
    async with store.write() as tx:
        await tx.conn.execute(text("INSERT INTO drill VALUES ('d1', 'd1', 0, 'test')"))
        await tx.conn.execute(text("INSERT INTO participant SELECT 'd1', id FROM recipient WHERE role = 'gridworker'"))
    line = await rehearse(script, store, settings, "d1", 60, sleep, None)
    assert line["leaked"] == line["confirmed"] == 0
    assert line["participants"] > 10
    assert waited[0] == pytest.approx(0, abs=1)
    assert waited[1] == pytest.approx(120, abs=10)
    async with store.read() as conn:
        rows = (await conn.execute(text("SELECT state, drill, kind FROM warning ORDER BY id"))).all()
    assert rows
    assert {(row.state, row.drill) for row in rows} <= {("pending", "d1"), ("cancelled", "d1")}
    await store.close()
