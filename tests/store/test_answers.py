"""What the desk looks at: lists of warnings, of those who answered and those who did not, and the census before a release."""

import pytest
from town import COUNTY, FAR, NOW, TOWN, VILLAGE, County, make_alert

from warnhub.console.timeline import read_timeline
from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.forecast import carried
from warnhub.store.agencies import read_agency
from warnhub.store.answers import (
    count_tellings,
    list_acts,
    list_asked,
    list_calls,
    list_messages,
    read_asked,
    silent_villages,
)
from warnhub.store.census import Reach, count_reach
from warnhub.store.ledger import Move, advance
from warnhub.store.overview import (
    Approval,
    agency_names,
    ended_warnings,
    held_reasons,
    list_approvals,
    list_incidents,
    next_warning,
    open_warnings,
)
from warnhub.store.sessions import close_session, find_session, open_session
from warnhub.store.states import Rank
from warnhub.store.users import Passwords, add_user, find_token, make_token, read_user
from warnhub.store.warnings import Warning

ASKED = {"D1", "T1", "H1", "H2", "G1", "G2"}


@pytest.fixture
async def warning(county: County) -> Warning:
    """A rainstorm that is planned."""
    return await county.plan(await county.warn())


async def answer(county: County, warning: Warning, ref: str, choice: str, text: str = "", by: str = "") -> None:
    """Somebody says it on the telephone."""
    await Acks(county.store).take(Ack(0, county.people[ref], Evidence.TOLD, warning.id, choice, text, by))


async def asked_refs(county: County, warning: Warning, **given: int) -> set[str]:
    """Who has not confirmed."""
    async with county.store.read() as conn:
        return {one.ref for one in await list_asked(conn, warning.id, **given)}


async def test_those_who_have_not_confirmed_leave_the_list_when_they_do(county: County, warning: Warning) -> None:
    assert await asked_refs(county, warning) == ASKED
    await answer(county, warning, "G1", "moved")
    assert await asked_refs(county, warning) == ASKED - {"G1"}
    assert await asked_refs(county, warning, village=county.codes[VILLAGE]) == {"H1", "H2", "G2"}


async def test_the_list_is_read_a_page_at_a_time_by_deadline(county: County, warning: Warning) -> None:
    await county.run("UPDATE task SET due_at = due_at - 1000 WHERE recipient_id = :r", r=county.people["G2"])
    after, seen = (0, 0), []
    async with county.store.read() as conn:
        while page := await list_asked(conn, warning.id, after, 2):
            seen += [one.ref for one in page]
            after = page[-1].due_at, page[-1].task
    assert seen[0] == "G2"
    assert sorted(seen) == sorted(ASKED)


async def test_a_person_is_shown_by_place_and_last_four_digits(county: County, warning: Warning) -> None:
    async with county.store.read() as conn:
        grid = await read_asked(conn, warning.id, county.people["G1"])
        duty = await read_asked(conn, warning.id, county.people["T1"])
        assert await read_asked(conn, warning.id, county.people["R1"]) is None
    assert grid
    assert duty
    assert (grid.tail, grid.place, grid.village, grid.town) == ("0005", "001", "石坪村", "云溪镇")
    assert (duty.place, duty.village, duty.town) == ("云溪镇", "云溪镇", "云溪镇")


async def test_calls_for_help_come_with_their_words(county: County, warning: Warning) -> None:
    await answer(county, warning, "G1", "received")
    await answer(county, warning, "G1", "help", "要船")
    await answer(county, warning, "H1", "cannot")
    await answer(county, warning, "G2", "moved", "都走了")
    async with county.store.read() as conn:
        calls = {call.who.ref: (call.who.choice, call.text) for call in await list_calls(conn, warning.id)}
    assert calls == {"G1": ("help", "要船"), "H1": ("cannot", "")}


async def test_a_village_is_silent_until_somebody_answers_from_it(county: County) -> None:
    warning = await county.plan(await county.warn(codes=[COUNTY]))
    await county.run("UPDATE task SET state = 'late' WHERE recipient_id = :r", r=county.people["H9"])
    async with county.store.read() as conn:
        silent = [(village.id, village.people, village.late) for village in await silent_villages(conn, warning.id)]
    assert silent == [(county.codes[FAR], 1, 1), (county.codes[VILLAGE], 4, 0)]
    await answer(county, warning, "G1", "received")
    async with county.store.read() as conn:
        assert [village.id for village in await silent_villages(conn, warning.id)] == [county.codes[FAR]]


async def test_only_messages_that_were_tried_count_as_told(county: County, warning: Warning) -> None:
    people = [county.people["G2"], county.people["H1"]]
    async with county.store.read() as conn:
        assert await count_tellings(conn, warning.id, people) == {}
    rows = await county.rows(
        "SELECT d.batch_id, b.channel FROM batch b JOIN delivery d ON d.batch_id = b.id WHERE d.recipient_id = :r", r=people[0]
    )
    assert {row.channel for row in rows} == {"sms", "wechat"}
    states = {"sms": Rank.FAILED, "wechat": Rank.DELIVERED}
    async with county.store.write() as tx:
        await advance(tx, [Move(row.batch_id, people[0], states[row.channel], "recipient", "X1") for row in rows])
    async with county.store.read() as conn:
        assert await count_tellings(conn, warning.id, people) == {people[0]: 2}
        messages = {line["channel"]: line for line in await list_messages(conn, warning.id, people[0])}
    assert (messages["sms"]["state"], messages["sms"]["code"]) == ("failed", "X1")
    assert (messages["wechat"]["state"], messages["wechat"]["round"]) == ("delivered", 1)


async def test_everything_taken_for_an_answer_is_listed(county: County, warning: Warning) -> None:
    await Acks(county.store).take(Ack(0, county.people["G1"], Evidence.MACHINE, warning.id, text="fast"))
    await answer(county, warning, "G1", "received", by="user:wang")
    async with county.store.read() as conn:
        acts = await list_acts(conn, warning.id, county.people["G1"])
    assert [(act["evidence"], bool(act["human"]), act["officer"]) for act in acts] == [
        ("machine", False, None), ("told", True, "user:wang")
    ]  # fmt: skip


async def test_warnings_stand_by_level_and_end_in_order(county: County) -> None:
    yellow = await county.warn(identifier="y", level="yellow", hazard="11B17")
    red = await county.warn(identifier="r", level="red")
    async with county.store.read() as conn:
        assert [one.uid for one in await open_warnings(conn)] == [red.uid, yellow.uid]
        assert await ended_warnings(conn) == []
    await county.desk.cancel(yellow.uid, "user:a", "过去了", all_clear=False)
    async with county.store.read() as conn:
        assert [one.uid for one in await open_warnings(conn)] == [red.uid]
        assert [one.uid for one in await ended_warnings(conn)] == [yellow.uid]
        assert await ended_warnings(conn, before=yellow.id) == []
        assert await next_warning(conn, yellow.id) is None
        assert await agency_names(conn, ["weather", "weather"]) == {"weather": "云岭县气象台"}


async def test_who_agreed_and_why_it_waits(county: County) -> None:
    await county.run("UPDATE agency SET release = NULL WHERE id = 'weather'")
    async with county.store.read() as conn:
        plain = await read_agency(conn, "weather")
    assert plain
    received = await county.receive(make_alert(county.hand), plain)
    assert received.warning
    found = await county.desk.release(received.warning, "user:a")
    async with county.store.read() as conn:
        assert await list_approvals(conn, found.id) == [Approval("user:a", NOW)]
        assert (await held_reasons(conn, found.id))[0].startswith("需 2 人")
        assert [line.kind for line in await read_timeline(conn, found.id)] == ["approved", "made"]


async def test_open_incidents_are_listed(county: County) -> None:
    for provider, closed in (("sms.aliyun", None), ("push.fcm", NOW)):
        await county.run(
            "INSERT INTO incident (kind, provider, code, detail, opened_at, closed_at) VALUES ('config', :p, '1', 'd', :n, :c)",
            p=provider, n=NOW, c=closed,
        )  # fmt: skip
    async with county.store.read() as conn:
        assert [incident.provider for incident in await list_incidents(conn)] == ["sms.aliyun"]


async def census(county: County, codes: list[str], drill: str | None = None, **without: bool) -> set[Reach]:
    """Who would be told in these places, by role and channels."""
    places = county.desk.places
    extent = places.select(make_alert(county.hand, codes=codes).areas)
    named = [(area, home) for area, _, home in places.rows(extent)]
    providers = {name: one for name, one in county.providers.items() if name not in without}
    async with county.store.read() as conn:
        return set(await count_reach(conn, named, carried(providers), drill))


def reach(role: str, people: int, *channels: str) -> Reach:
    """So many of a role have these."""
    return Reach(role, frozenset(channels), people)


async def test_the_census_counts_whom_the_planner_would_tell(county: County) -> None:
    assert await census(county, [TOWN]) == {
        reach("county_duty", 1, "sms"),
        reach("township_duty", 1, "sms", "wechat"),
        reach("village_head", 2, "sms"),
        reach("gridworker", 1, "sms", "push"),
        reach("gridworker", 1, "sms", "wechat"),
        reach("speaker", 1, "loudspeaker"),
        reach("resident", 2, "sms"),
        reach("resident", 1, "wechat"),
        reach("resident", 1, "push"),
        reach("resident", 1),
        reach("resident", 1, "sms", "wechat"),
        reach("resident", 1, "sms", "push"),
    }


async def test_the_census_knows_which_addresses_nobody_carries(county: County) -> None:
    found = await census(county, [TOWN], **{"sms.twilio": True, "push.fcm": True})
    assert reach("resident", 2) in found
    assert reach("resident", 2, "wechat") in found


async def test_the_census_of_a_drill_is_its_list(county: County) -> None:
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d1', '演练', :now, 'test')", now=NOW)
    for ref in ("G1", "R1"):
        await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d1', :r)", r=county.people[ref])
    assert await census(county, [TOWN], "d1") == {reach("gridworker", 1, "sms", "push"), reach("resident", 1, "sms")}


async def test_accounts_and_sessions_on_this_database(county: County) -> None:
    async with county.store.write() as tx:
        await add_user(tx, "test", name="wang", password="long enough 1", role="duty")
        token = await make_token(tx, "test", "wang")
    async with county.store.read() as conn:
        user = await read_user(conn, "wang")
        assert token
        assert (await find_token(conn, token)) == user
    assert user
    assert await Passwords(county.store).check("wang", "long enough 1")
    async with county.store.write() as tx:
        key = await open_session(tx, user, 1)
    async with county.store.read() as conn:
        session = await find_session(conn, key, NOW)
    assert session
    async with county.store.write() as tx:
        await close_session(tx, session)
    async with county.store.read() as conn:
        assert await find_session(conn, key, NOW) is None
