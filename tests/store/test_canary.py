"""The nightly self-drill, on both databases: once a night, at its time, to its list and nobody else."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from town import MINUTE, NOW, County

from warnhub.response.build import make_responder
from warnhub.response.canary import Canary

DAY = 24 * 60 * MINUTE


async def enlist(county: County, *refs: str) -> Canary:
    """A canary a minute from now for these people."""
    await county.run("INSERT INTO drill (id, name, created_at, created_by) VALUES ('duty', 'duty', 0, 'test')")
    for ref in refs:
        await county.run("INSERT INTO participant (drill_id, recipient_id) VALUES ('duty', :r)", r=county.people[ref])
    local = datetime.fromtimestamp((NOW + MINUTE) / 1000, UTC).astimezone(ZoneInfo("Asia/Shanghai"))
    responder = make_responder(county.store, county.desk.settings, county.desk.places, county.policies, county.planner)
    return Canary(county.store, responder.runs.proposer, f"{local:%H:%M}", "duty")


async def test_it_sings_once_a_night_to_its_list_alone(county: County) -> None:
    canary = await enlist(county, "D1", "T1", "R1")
    assert await canary.tick() is None, "not yet"
    county.hand.pass_by(MINUTE)
    uid = await canary.tick()
    assert uid
    for _ in range(3):
        county.hand.pass_by(MINUTE)
        assert await canary.tick() is None
    warning = await county.plan(await county.warning(uid))
    assert (warning.state, warning.drill, warning.restricted) == ("released", "duty", True)
    told = {ref for ref, _ in await county.told(warning)}
    assert told == {"D1", "T1"}, "a resident on the list is no duty officer"
    await county.sound(warning)
    county.hand.pass_by(DAY - 3 * MINUTE)
    assert await canary.tick() not in {None, uid}


async def test_without_a_list_or_a_time_it_is_silent(county: County) -> None:
    canary = await enlist(county)
    county.hand.pass_by(MINUTE)
    assert await canary.tick() is None
    canary.at = ""
    assert await canary.tick() is None
    assert await county.rows("SELECT 1 FROM warning") == []
