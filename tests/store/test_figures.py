"""The figures against rows counted by hand, on both databases."""

from typing import Any

import pytest
from sqlalchemy import text
from town import MINUTE, OTHER, County
from typer import Exit

from warnhub.alert import Level, Status
from warnhub.commands.report import gain, ranked, span_of
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.response.figures import WEIGHTS, Sums, confirm_times, period_sums, quantiles, warning_sums
from warnhub.response.lessons import decide_lesson, keep_lessons, learn, list_lessons
from warnhub.response.rehearsals import APART, compare_drills
from warnhub.store.audits import verify_audit
from warnhub.store.warnings import Warning

EVER = (0, 2**62)


async def confirm(county: County, warning: Warning, ref: str, after: int) -> None:
    """Somebody answers, milliseconds after the release, by the message they had."""
    wave = (
        await county.rows(
            "SELECT d.wave_id FROM delivery d JOIN wave v ON v.id = d.wave_id WHERE v.warning_id = :w AND d.recipient_id = :r "
            "ORDER BY d.wave_id LIMIT 1",
            w=warning.id,
            r=county.people[ref],
        )
    )[0].wave_id
    county.hand.now = int(warning.released_at or 0) + after
    await Acks(county.store).take(Ack(wave, county.people[ref], Evidence.HUMAN, choice="received"))


async def test_a_warnings_figures_are_its_rows(county: County) -> None:
    warning = await county.plan(await county.warn())
    await confirm(county, warning, "T1", 20_000)
    await confirm(county, warning, "H1", 60_000)
    await confirm(county, warning, "G1", 4 * MINUTE)  # after its three minutes
    async with county.store.read() as conn:
        sums, groups = await warning_sums(conn, warning.id), await confirm_times(conn, warning.id)
    asked = len(await county.tasks(warning))
    assert (sums.asked, sums.in_time, sorted(sums.seconds)) == (asked, 2, [20.0, 60.0, 240.0])
    assert sums.targets == len(await county.targets(warning))
    assert sums.delivered == 3, "a confirmation is more than a delivery"
    assert sums.rates()["confirm"] == pytest.approx(2 / asked)
    assert sums.rates()["median"] == 60.0
    by = {(one.kind, one.name): one for one in groups}
    whole = by["all", ""]
    assert (whole.asked, whole.confirmed) == (asked, 3)
    assert whole.times == {"first": 20.0, "p50": 240.0 if asked in {5, 6} else 60.0, "p95": None, "p100": None}
    assert by["role", "township_duty"].times == {"first": 20.0, "p50": 20.0, "p95": 20.0, "p100": 20.0}
    assert sum(one.asked for (kind, _), one in by.items() if kind == "role") == asked
    assert sum(one.asked for (kind, _), one in by.items() if kind == "town") == asked


async def test_a_period_counts_what_was_released_in_it_by_township_agency_and_channel(county: County) -> None:
    first = await county.plan(await county.warn(identifier="a-1"))
    await confirm(county, first, "T1", 20_000)
    released = int(first.released_at or 0)
    county.hand.now = released + 60 * MINUTE
    second = await county.plan(await county.warn(identifier="a-2", codes=[OTHER], hazard="11B06"))
    async with county.store.read() as conn:
        towns = {one.name: one for one in await period_sums(conn, "town", *EVER)}
        (agency,) = await period_sums(conn, "agency", *EVER)
        channels = {one.name: one for one in await period_sums(conn, "channel", *EVER)}
        (early,) = await period_sums(conn, "all", 0, released + 1)
        assert await period_sums(conn, "all", 0, released) == []
    assert agency.name == "云岭县气象台"
    assert agency.targets == sum(one.targets for one in towns.values())
    assert agency.asked == len(await county.tasks(first)) + len(await county.tasks(second))
    assert early.asked == len(await county.tasks(first))
    assert sum(one.targets for one in channels.values()) == len(await county.rows("SELECT 1 FROM delivery"))
    assert towns["新桥乡"].in_time == 0


async def test_drills_are_never_counted_with_the_real_thing(county: County) -> None:
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', 'd', 0, 'test')")
    await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d', :r)", r=county.people["G1"])
    await county.plan(await county.warn(status=Status.EXERCISE))
    async with county.store.read() as conn:
        assert await period_sums(conn, "all", *EVER) == []
        (one,) = await period_sums(conn, "all", *EVER, drill=True)
    assert (one.targets, one.asked) == (1, 1)


async def practise(county: County, identifier: str, refs: tuple[str, ...], after: int) -> Warning:
    """A drill of the list `d`, in which these people answer so many milliseconds after it began."""
    warning = await county.plan(await county.warn(identifier=identifier, status=Status.EXERCISE))
    for ref in refs:
        await confirm(county, warning, ref, after)
    return warning


async def enlist(county: County, *refs: str) -> None:
    """The list `d`."""
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', '汛前演练', 0, 'test')")
    for ref in refs:
        await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d', :r)", r=county.people[ref])


async def test_a_drill_is_compared_with_the_drill_before_it_and_with_the_real_thing(county: County) -> None:
    """Two of four answered the first time, after two minutes; all of them the second time, after one; nobody in earnest."""
    await enlist(county, "T1", "H1", "G1", "G2")
    async with county.store.read() as conn:
        assert await compare_drills(conn) == []
    await county.plan(await county.warn(identifier="real-1"))
    await practise(county, "d-1", ("T1", "H1"), 2 * MINUTE)
    county.hand.now += APART + MINUTE
    first = await practise(county, "d-2", ("T1", "H1", "G1", "G2"), MINUTE)
    county.hand.now += APART - MINUTE
    second = await practise(county, "d-3", ("T1", "H1", "G1", "G2"), MINUTE)  # the same drill goes on
    async with county.store.read() as conn:
        found = await compare_drills(conn)
        assert await compare_drills(conn, "another") == []
        (whole,) = await period_sums(conn, "all", *EVER)
        towns = {one.name: one for one in await period_sums(conn, "town", *EVER)}
    assert [(one.kind, one.name) for one in found] == [
        ("last", "汛前演练"),
        ("before", "汛前演练"),
        ("real", "云岭县气象台发布暴雨红色预警"),
    ]
    last, before, real = (one.sums for one in found)
    assert set(found[0].warnings) == {first.uid, second.uid}
    assert (last.asked, last.in_time, last.rates()["confirm"], last.rates()["median"]) == (8, 8, 1.0, 60.0)
    assert (before.asked, before.in_time, before.rates()["confirm"], before.rates()["median"]) == (4, 2, 0.5, 120.0)
    assert (real.rates()["confirm"], real.rates()["median"]) == (0.0, None)
    assert gain("confirm", last.rates()["confirm"], before.rates()["confirm"]) == 0.5
    assert gain("median", last.rates()["median"], before.rates()["median"]) == 60.0
    assert gain("median", last.rates()["median"], real.rates()["median"]) is None
    assert whole.effect == pytest.approx(10 / 12), "how drills went is an indicator of the same time"
    assert towns["云溪镇"].effect == pytest.approx(10 / 12)
    assert whole.score({"confirm": 1.0}) == 0.0
    assert whole.score({"effect": 1.0}) == pytest.approx(100 * 10 / 12)
    assert whole.score({"confirm": 1.0, "effect": 1.0}) == pytest.approx(50 * 10 / 12)


def test_quantiles_wait_until_so_many_have_confirmed() -> None:
    assert quantiles([], 10) == {"first": None, "p50": None, "p95": None, "p100": None}
    assert quantiles([5, 1, 3], 4) == {"first": 1, "p50": 3, "p95": None, "p100": None}
    assert quantiles(range(1, 21), 20) == {"first": 1, "p50": 10, "p95": 19, "p100": 20}
    assert quantiles([], 0) == {"first": None, "p50": None, "p95": None, "p100": None}


def test_a_ranking_follows_its_weights_and_says_what_pulled_down() -> None:
    good = Sums("甲", targets=10, accepted=10, delivered=10, asked=4, in_time=4, seconds=[60.0])
    slow = Sums("乙", targets=10, accepted=10, delivered=10, asked=4, in_time=1, seconds=[60.0])
    deaf = Sums("丙", targets=10, accepted=10, delivered=2, asked=4, in_time=4, seconds=[60.0])
    deaf.causes["recipient"] = 8
    lines = ranked([slow, deaf, good, Sums("丁")], dict(WEIGHTS))
    assert [(line["rank"], line["name"]) for line in lines] == [(1, "甲"), (2, "丙"), (3, "乙"), (4, "丁")]
    assert [line["cause"] for line in lines] == ["", "coverage: recipient ×8", "confirm", ""]
    assert [line["name"] for line in ranked([slow, deaf], {"coverage": 1.0})] == ["乙", "丙"]
    assert ranked([Sums("丁")], dict(WEIGHTS))[0]["score"] is None


def test_a_period_is_a_quarter_or_a_year_by_the_countys_clock() -> None:
    first, last = span_of("2026Q4", "Asia/Shanghai")
    assert (last - first) == 92 * 24 * 3_600_000
    assert span_of("2026", "Asia/Shanghai")[1] == last
    for wrong in ("2026Q5", "26", "last"):
        with pytest.raises(Exit):
            span_of(wrong, "Asia/Shanghai")


async def kinds(county: County) -> dict[str, list[Any]]:
    """Suggestions by kind."""
    async with county.store.read() as conn:
        found: dict[str, list[Any]] = {}
        for one in await learn(conn):
            found.setdefault(one.kind, []).append(one.data)
    return found


async def test_what_is_learnt_is_only_suggested_and_decided_once_by_a_person(county: County) -> None:
    for number, hazard in enumerate(("11B03", "11B06", "11B09")):
        await county.plan(await county.warn(identifier=f"a-{number}", level=Level.RED, hazard=hazard))
    await county.run("UPDATE delivery SET state = 40")
    await county.run("UPDATE address SET bad = 'MOBILE_NOT_ON_SERVICE' WHERE recipient_id = :r", r=county.people["G1"])
    found = await kinds(county)
    assert found["dead_numbers"] == [{"town": "云溪镇", "n": 2}]
    assert [one["ref"] for one in found["silent_speaker"]] == ["S1"]
    assert {one["name"] for one in found["lone_grid"]} >= {"石坪村"}
    before = await county.rows("SELECT id, bad FROM address ORDER BY id")
    async with county.store.read() as conn:
        lessons = await learn(conn)
    async with county.store.write() as tx:
        assert await keep_lessons(tx, lessons) == len(lessons)
        assert await keep_lessons(tx, lessons) == 0
        rows = await list_lessons(tx.conn)
        assert await decide_lesson(tx, rows[0].id, "accepted", "user:a")
        assert not await decide_lesson(tx, rows[0].id, "dismissed", "user:b")
    assert await county.rows("SELECT id, bad FROM address ORDER BY id") == before
    async with county.store.read() as conn:
        assert (await verify_audit(conn))[1] is None
        kept = await conn.scalar(text("SELECT actor FROM suggestion WHERE state = 'accepted'"))
    assert kept == "user:a"


async def test_the_channel_and_the_hour_that_bring_answers_are_suggested(county: County) -> None:
    """Twelve gridworkers told by two channels answer from one of them; of later rounds most answer at eight in the morning."""
    warning = await county.plan(await county.warn(level=Level.RED))
    waves = {
        row.channel: row.id for row in await county.rows("SELECT channel, id FROM wave WHERE channel IN ('sms', 'wechat')")
    }
    async with county.store.write() as tx:
        for channel, wave in waves.items():
            number = (wave + 90) * 1_000_000
            batch = {"id": number, "v": wave, "w": warning.id, "c": channel}
            await tx.conn.execute(
                text(
                    "INSERT INTO batch (id, wave_id, warning_id, channel, round, provider, role, town_id, lane, rank, size, "
                    "open, state, attempt, due_at, ready_at) "
                    "VALUES (:id, :v, :w, :c, 1, 'x', 'gridworker', 1, 1, 1, 12, 0, 2, 1, 0, 0)"
                ),
                batch,
            )
            rows = [{"b": number, "r": 70_000 + n, "v": wave} for n in range(12)]
            await tx.conn.execute(
                text("INSERT INTO delivery (batch_id, recipient_id, wave_id, address_id, state) VALUES (:b, :r, :v, 1, 60)"),
                rows,
            )
        later = {"w": warning.id, "v": 0, "human": True}
        again = await tx.conn.scalar(
            text("INSERT INTO wave (warning_id, round, channel, cause, at) VALUES (:w, 2, 'sms', 'repeat', 0) RETURNING id"),
            {"w": warning.id},
        )
        acks = [later | {"v": waves["wechat"], "r": 70_000 + n, "at": 1} for n in range(9)]
        acks += [later | {"v": again, "r": 71_000 + n, "at": 8 * 60 * MINUTE + n} for n in range(25)]
        acks += [later | {"v": again, "r": 72_000 + n, "at": 15 * 60 * MINUTE + n} for n in range(5)]
        await tx.conn.execute(
            text(
                "INSERT INTO ack (warning_id, recipient_id, wave_id, evidence, human, at) "
                "VALUES (:w, :r, :v, 'human', :human, :at)"
            ),
            acks,
        )
    found = await kinds(county)
    (order,) = found["channel_order"]
    assert order["role"] == "gridworker"
    assert [(one["channel"], one["share"], one["told"]) for one in order["order"]] == [("wechat", 0.75, 12), ("sms", 0.0, 12)]
    assert found["best_hour"] == [{"hour_utc": 8, "n": 25}]
