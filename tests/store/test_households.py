"""Doors on both databases: who must be helped first, knocks in any order, and lists that close only when nobody is missed."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from town import FAR_GRID, GRID, GRID2, MINUTE, NOW, OTHER, VILLAGE, County, make_alert

from warnhub.alert import Level, Status
from warnhub.desk import Refusal
from warnhub.directory.homes import import_households
from warnhub.response.action import Action, count_doors, read_knock
from warnhub.response.build import make_responder
from warnhub.response.responder import Responder
from warnhub.store.doors import (
    Knock,
    list_closed,
    list_doors,
    list_workers,
    shelter_heads,
    standing_knock,
    take_knocks,
)
from warnhub.store.households import Household, Shelter, save_households, save_shelters
from warnhub.store.warnings import Warning, end_warning

HOMES: tuple[tuple[str, str, int, dict[str, Any]], ...] = (
    ("F1", GRID, 4, {}),
    ("F2", GRID, 1, {"alone": True, "old": 1}),
    ("F3", GRID, 3, {"point": "P1", "children": 1}),
    ("F4", GRID2, 2, {"river": True}),
    ("F5", VILLAGE, 5, {"disabled": 1}),
    ("F9", FAR_GRID, 2, {"old": 2}),
)


async def settle(county: County) -> Responder:
    """Households and two shelters in the county."""
    async with county.store.write() as tx:
        await save_shelters(
            tx,
            [
                Shelter("A1", "石坪小学", county.codes[VILLAGE], 6, "沿村道往东走300米"),
                Shelter("A2", "村部", county.codes[VILLAGE], 50, ""),
            ],
        )
        homes = [
            Household(ref, county.codes[code], f"户主{ref}", f"{ref}号", "+8614500000099", people, needs, "A1")
            for ref, code, people, needs in HOMES
        ]
        await save_households(tx, county.keys, homes)
    return make_responder(county.store, county.desk.settings, county.desk.places, county.policies, county.planner)


async def open_list(county: County, responder: Responder, **given: Any) -> Warning:
    """A planned warning whose doors are open."""
    warning = await county.plan(await county.warn(**given))
    await responder.planned(str(warning.id), {})
    return warning


async def lists(county: County, warning: Warning) -> dict[str, list[str]]:
    """Ref of a knocker → the households on their list, in its order."""
    found = {}
    async with county.store.read() as conn:
        for ref in ("G1", "G2", "H1", "H2", "T1", "H9"):
            doors = await list_doors(conn, warning.id, county.people[ref])
            found[ref] = [county.keys.unseal(door.head)[2:] for door in doors]
    return found


async def door_ids(county: County, warning: Warning) -> dict[str, int]:
    """Household ref → door."""
    query = "SELECT h.ref, d.id FROM door d JOIN household h ON h.id = d.household_id WHERE d.warning_id = :w"
    return {row.ref: row.id for row in await county.rows(query, w=warning.id)}


async def states(county: County, warning: Warning) -> dict[str, str]:
    """Household ref → where its door stands."""
    query = "SELECT h.ref, d.state FROM door d JOIN household h ON h.id = d.household_id WHERE d.warning_id = :w"
    return {row.ref: row.state for row in await county.rows(query, w=warning.id)}


async def test_a_warning_opens_each_door_in_its_area_once_the_vulnerable_first(county: County) -> None:
    responder = await settle(county)
    warning = await open_list(county, responder)
    await responder.planned(str(warning.id), {})
    assert await states(county, warning) == dict.fromkeys(("F1", "F2", "F3", "F4", "F5"), "open")
    found = await lists(county, warning)
    assert found["G1"] == ["F3", "F2", "F1"]
    assert found["G2"] == ["F4"]
    assert found["H1"] == ["F3", "F2", "F4", "F5", "F1"] == found["H2"]
    assert found["T1"] == found["H9"] == []


async def test_only_the_levels_that_send_people_to_doors_open_them(county: County) -> None:
    responder = await settle(county)
    for level in (Level.YELLOW, Level.BLUE):
        warning = await open_list(county, responder, identifier=f"w-{level}", level=level)
        assert await states(county, warning) == {}
    quiet = responder
    quiet.action = Action(county.store, frozenset({Level.RED}))
    assert await states(county, await open_list(county, quiet, identifier="w-o", level=Level.ORANGE)) == {}


async def test_a_drill_opens_only_the_doors_of_who_takes_part(county: County) -> None:
    responder = await settle(county)
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('d', 'd', 0, 'test')")
    await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('d', :r)", r=county.people["G2"])
    warning = await open_list(county, responder, status=Status.EXERCISE)
    assert warning.drill == "d"
    assert await states(county, warning) == {"F4": "open"}
    found = await lists(county, warning)
    assert (found["G2"], found["G1"]) == (["F4"], [])


async def test_a_knock_is_kept_once_and_only_at_ones_own_door(county: County) -> None:
    responder = await settle(county)
    warning = await open_list(county, responder)
    doors, action = await door_ids(county, warning), responder.action
    shelter = (await county.rows("SELECT id FROM shelter WHERE ref = 'A2'"))[0].id
    mine = Knock("client-01", doors["F1"], "moved", NOW - MINUTE, shelter)
    theirs = Knock("client-02", doors["F4"], "reached", NOW)
    worker = county.people["G1"]
    assert await action.knock(warning.id, worker, [mine, theirs], "test") == {"client-01": "kept", "client-02": "stranger"}
    assert await action.knock(warning.id, worker, [mine], "test") == {"client-01": "known"}
    assert (await states(county, warning))["F1"] == "moved"
    assert (await states(county, warning))["F4"] == "open"
    assert [tuple(row) for row in await county.rows("SELECT client, said_at FROM knock")] == [("client-01", NOW - MINUTE)]
    async with county.store.read() as conn:
        heads = {one.name: (one.heads, one.homes, one.capacity) for one in await shelter_heads(conn, warning.id)}
        whole, towns = await count_doors(conn, warning.id)
    assert heads == {"村部": (4, 1, 50), "石坪小学": (0, 0, 6)}
    assert (whole.doors, whole.moved, whole.open, whole.people_moved, whole.closed) == (5, 1, 4, 4, 1)
    assert [town.name for town in towns] == ["云溪镇"]


async def test_an_undo_brings_back_what_was_before_it(county: County) -> None:
    responder = await settle(county)
    warning = await open_list(county, responder)
    door = (await door_ids(county, warning))["F1"]
    steps = [
        (Knock("client-01", door, "absent", NOW - 5_000), "absent"),
        (Knock("client-02", door, "reached", NOW - 4_000), "reached"),
        (Knock("client-03", door, "undo", NOW - 3_000, undoes="last"), "absent"),
        (Knock("client-03", door, "undo", NOW - 3_000, undoes="last"), "absent"),
        (Knock("client-04", door, "undo", NOW - 2_000, undoes="last"), "open"),
        (Knock("client-05", door, "undo", NOW - 1_000, undoes="last"), "open"),
    ]
    for knock, state in steps:
        await responder.action.knock(warning.id, county.people["G1"], [knock], "test")
        assert (await states(county, warning))["F1"] == state


async def test_any_order_and_any_repetition_of_knocks_gives_the_same_doors(county: County) -> None:
    """What two telephones without a line have kept arrives in every order, in parts, and some of it twice."""
    responder = await settle(county)
    warning = await open_list(county, responder)
    doors = await door_ids(county, warning)
    said = [
        Knock("client-a1", doors["F1"], "absent", NOW - 9_000),
        Knock("client-a2", doors["F1"], "moved", NOW - 7_000),
        Knock("client-b1", doors["F1"], "reached", NOW - 6_000),
        Knock("client-b2", doors["F1"], "undo", NOW - 5_000, undoes="client-b1"),
        Knock("client-c1", doors["F2"], "help", NOW - 8_000),
        Knock("client-c2", doors["F2"], "reached", NOW - 8_000),
    ]
    rng, found = random.Random(7), set()
    for order in itertools.islice(itertools.permutations(said), 0, 720, 31):
        await county.run("DELETE FROM knock")
        await county.run("UPDATE door SET state = 'open'")
        queue = [*order, *rng.sample(said, 3)]
        async with county.store.write() as tx:
            for knock in queue:
                await take_knocks(tx, warning.id, county.people["G1"], [knock], "test")
        after = await states(county, warning)
        found.add((after["F1"], after["F2"]))
        assert (await county.rows("SELECT count(*) FROM knock"))[0][0] == len(said)
    assert found == {("moved", "reached")}


async def test_a_list_closes_only_when_every_door_is_answered_or_explained(county: County) -> None:
    responder = await settle(county)
    warning = await open_list(county, responder)
    doors, action, worker = await door_ids(county, warning), responder.action, county.people["G1"]
    await action.knock(warning.id, worker, [Knock("client-01", doors["F1"], "reached", NOW)], "test")
    await action.knock(warning.id, worker, [Knock("client-02", doors["F2"], "absent", NOW)], "test")
    assert set(await action.close(warning.id, worker, {}, "test")) == {doors["F2"], doors["F3"]}
    assert await action.close(warning.id, worker, {doors["F2"]: "已电话告知"}, "test") == [doors["F3"]]
    assert (await county.rows("SELECT count(*) FROM doorlist"))[0][0] == 0
    assert await action.close(warning.id, worker, {doors["F2"]: "外出", doors["F3"]: "空户"}, "test") == []
    async with county.store.read() as conn:
        assert await list_closed(conn, warning.id, worker) == NOW
        whole, _ = await count_doors(conn, warning.id)
        assert (whole.closed, whole.explained, whole.settled) == (3, 2, 1)
        line = next(line for line in await list_workers(conn, warning.id) if line.id == worker)
    assert (line.doors, line.done, line.closed_at) == (3, 3, NOW)
    # Somebody who turns out to be there after all opens the list again.
    await action.knock(warning.id, worker, [Knock("client-03", doors["F3"], "refused", NOW)], "test")
    async with county.store.read() as conn:
        assert await list_closed(conn, warning.id, worker) is None


async def test_what_is_over_takes_no_knocks(county: County) -> None:
    responder = await settle(county)
    warning = await open_list(county, responder)
    door = (await door_ids(county, warning))["F1"]
    async with county.store.write() as tx:
        await end_warning(tx, warning, "cancelled", "test")
    with pytest.raises(Refusal, match="cancelled"):
        await responder.action.knock(warning.id, county.people["G1"], [Knock("client-01", door, "reached", NOW)], "test")
    with pytest.raises(Refusal, match="cancelled"):
        await responder.action.close(warning.id, county.people["G1"], {}, "test")
    assert (await states(county, warning))["F1"] == "open"


async def test_people_who_were_brought_to_a_shelter_are_not_knocked_out_of_it(county: County) -> None:
    """An update of the warning finds those doors moved; the others are to be knocked on again."""
    responder = await settle(county)
    first = await open_list(county, responder, identifier="rain-1", level=Level.ORANGE)
    doors = await door_ids(county, first)
    shelter = (await county.rows("SELECT id FROM shelter WHERE ref = 'A1'"))[0].id
    knocks = [Knock("client-01", doors["F2"], "moved", NOW, shelter), Knock("client-02", doors["F1"], "reached", NOW)]
    await responder.action.knock(first.id, county.people["G1"], knocks, "test")
    county.hand.pass_by(MINUTE)
    alert = make_alert(county.hand, "rain-2", kind="update", references=[{"identifier": "rain-1"}])
    received = await county.receive(alert)
    warning = await county.plan(await county.warning(received.warning))
    assert warning.previous_id == first.id
    await responder.planned(str(warning.id), {})
    assert await states(county, warning) == {"F1": "open", "F2": "moved", "F3": "open", "F4": "open", "F5": "open"}
    async with county.store.read() as conn:
        assert {one.name: one.heads for one in await shelter_heads(conn, warning.id)} == {"石坪小学": 1, "村部": 0}


async def test_names_are_not_in_the_database_in_the_clear(county: County) -> None:
    await settle(county)
    kept = await county.rows("SELECT * FROM household")
    assert len(kept) == len(HOMES)
    assert not any("户主" in str(value) or "14500000099" in str(value) for row in kept for value in row)


@pytest.mark.parametrize(
    ("item", "field"),
    [
        ("x", "knock"),
        ({"client": "short", "door": 1, "choice": "reached", "ago": 0}, "client"),
        ({"client": "client-01", "door": "1", "choice": "reached", "ago": 0}, "door"),
        ({"client": "client-01", "door": True, "choice": "reached", "ago": 0}, "door"),
        ({"client": "client-01", "door": 1, "choice": "gone", "ago": 0}, "choice"),
        ({"client": "client-01", "door": 1, "choice": "reached", "ago": -1}, "ago"),
        ({"client": "client-01", "door": 1, "choice": "reached", "ago": 0, "undoes": "client-00"}, "undoes"),
        ({"client": "client-01", "door": 1, "choice": "undo", "ago": 0}, "undoes"),
    ],
)
def test_a_knock_that_cannot_be_read_names_what_is_wrong(item: Any, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        read_knock(item, NOW)
    assert refused.value.problems[0].path == field


class Said:
    """A knock as the table gives it."""

    def __init__(self, client: str, choice: str, said_at: int, undoes: str | None) -> None:
        self.client, self.choice, self.said_at, self.undoes = client, choice, said_at, undoes


SAID = st.builds(
    Said,
    st.sampled_from("abcdef"),
    st.sampled_from(["reached", "moved", "absent", "undo"]),
    st.integers(0, 3),
    st.sampled_from([None, *"abcdef"]),
)


@given(st.lists(SAID, max_size=8, unique_by=lambda one: one.client), st.randoms(use_true_random=False))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_where_a_door_stands_does_not_depend_on_the_order_of_its_knocks(knocks: list[Said], rng: random.Random) -> None:
    mixed = list(knocks)
    rng.shuffle(mixed)
    first, second = standing_knock(knocks), standing_knock(mixed)
    assert (first and first.client) == (second and second.client)
    assert first is None or first.choice != "undo"


async def test_the_far_village_has_its_own(county: County) -> None:
    responder = await settle(county)
    warning = await open_list(county, responder, codes=[OTHER])
    assert (await lists(county, warning))["H9"] == ["F9"]


TABLE = """户编号,区划代码,户主,地址,手机,人数,老人,独居,隐患点,安置点
F1,990123100200001,张三,一组1号,13800138001,4,1,,,A1
F2,990123100200001,李四,一组2号,13800138002,1,1,是,,A1
F3,990123100200002,王五,二组1号,,3,,,P1,
"""


async def test_what_an_import_adds_changes_and_leaves_is_told_apart(county: County, tmp_path: Path) -> None:
    """What is sealed is sealed anew each time, and is told to be the same all the same."""
    await settle(county)
    await county.run("DELETE FROM household")
    path = tmp_path / "homes.csv"

    async def take(text: str) -> tuple[int, int, int]:
        path.write_text(text, "utf-8")
        report = await import_households(county.store, county.keys, path)
        assert report.bad == []
        return report.added, report.updated, report.unchanged

    assert await take(TABLE) == (3, 0, 0)
    before = [tuple(row) for row in await county.rows("SELECT ref, head, updated_at FROM household ORDER BY ref")]
    county.hand.pass_by(MINUTE)
    assert await take(TABLE) == (0, 0, 3)
    assert [tuple(row) for row in await county.rows("SELECT ref, head, updated_at FROM household ORDER BY ref")] == before
    for old, new in (("李四", "李四妹"), (",13800138001", ",13800138009"), ("二组1号,,3", "二组1号,,4"), (",P1,", ",P2,")):
        changed = TABLE.replace(old, new)
        assert await take(changed) == (0, 1, 2), (old, new)
        assert await take(TABLE) == (0, 1, 2)
    assert await take(TABLE + "F4,990123100200002,赵六,二组2号,,2,,,,\n") == (1, 0, 3)
    await county.run("UPDATE household SET gone_at = 1 WHERE ref = 'F1'")
    assert await take(TABLE) == (0, 1, 2), "who was gone is back"
    await county.run("UPDATE household SET digest = NULL")
    assert await take(TABLE) == (0, 3, 0), "as they were kept before there was a digest"
