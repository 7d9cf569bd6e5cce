"""An officer's hand on a warning that runs: held still, let go, said again to those who have not confirmed, and nobody else."""

import pytest
from town import MINUTE, NOW, VILLAGE, County

from warnhub.feedback.acks import Ack, Acks, Evidence
from warnhub.feedback.steering import Steering, Unfit
from warnhub.monitor.selfcheck import read_health
from warnhub.store.batches import claim_batch
from warnhub.store.pauses import find_pause
from warnhub.store.warnings import Warning

LANES = (1, 2, 3, 4)


@pytest.fixture
async def warning(county: County) -> Warning:
    """A red warning, planned."""
    return await county.plan(await county.warn())


@pytest.fixture
def steering(county: County) -> Steering:
    """What the desk steers with."""
    return Steering(county.store, county.planner)


async def claim(county: County, provider: str = "sms.aliyun") -> int | None:
    """Take one batch in hand; its number."""
    async with county.store.write() as tx:
        batch = await claim_batch(tx, provider, LANES, "node", 60_000)
    return batch.id if batch else None


async def test_nothing_is_taken_in_hand_while_a_warning_is_held_still(
    county: County, warning: Warning, steering: Steering
) -> None:
    assert await claim(county) is not None
    await steering.pause(warning.uid, "user:wang", "区域要核对")
    assert await claim(county) is None
    async with county.store.read() as conn:
        pause = await find_pause(conn, warning.id)
    assert pause
    assert (pause.actor, pause.why) == ("user:wang", "区域要核对")
    await steering.resume(warning.uid, "user:zhao")
    assert await claim(county) is not None
    actions = await county.rows("SELECT actor, action FROM audit WHERE action LIKE 'warning.%' ORDER BY id DESC LIMIT 2")
    assert [tuple(row) for row in actions] == [("user:zhao", "warning.resume"), ("user:wang", "warning.pause")]


async def test_another_warning_goes_on(county: County, warning: Warning, steering: Steering) -> None:
    other = await county.plan(await county.warn(identifier="other", hazard="11A01"))
    await steering.pause(warning.uid, "user:wang", "核对")
    taken = await claim(county)
    owner = await county.rows("SELECT warning_id FROM batch WHERE id = :b", b=taken)
    assert owner[0].warning_id == other.id


async def test_what_does_not_fit_is_refused_and_changes_nothing(county: County, warning: Warning, steering: Steering) -> None:
    with pytest.raises(Unfit, match="not held still"):
        await steering.resume(warning.uid, "user:wang")
    await steering.pause(warning.uid, "user:wang", "核对")
    with pytest.raises(Unfit, match="already"):
        await steering.pause(warning.uid, "user:zhao", "也核对")
    await county.desk.cancel(warning.uid, "user:wang", "误报", all_clear=False)
    for act in (steering.resume(warning.uid, "user:wang"), steering.resend(warning.uid, "user:wang")):
        with pytest.raises(Unfit, match="lives"):
            await act


async def told_again(county: County, warning: Warning) -> set[str]:
    """Whom the newest round is for."""
    rows = await county.rows(
        "SELECT d.recipient_id AS person FROM wave v JOIN delivery d ON d.wave_id = v.id "
        "WHERE v.warning_id = :w AND v.cause = 'resend'",
        w=warning.id,
    )
    return {county.refs[row.person] for row in rows}


async def test_a_resend_is_for_those_who_have_not_confirmed(county: County, warning: Warning, steering: Steering) -> None:
    await Acks(county.store).take(Ack(0, county.people["H1"], Evidence.TOLD, warning.id, "received", by="user:wang"))
    total = await steering.resend(warning.uid, "user:wang")
    told = await told_again(county, warning)
    assert total >= len(told) > 0
    assert "H1" not in told
    assert not {ref for ref in told if ref[0] in "RS"}
    with pytest.raises(Unfit, match="less than a minute"):
        await steering.resend(warning.uid, "user:zhao")
    county.hand.pass_by(MINUTE + 1)
    assert await steering.resend(warning.uid, "user:zhao") == total


async def test_a_resend_may_be_for_one_village(county: County, warning: Warning, steering: Steering) -> None:
    await steering.resend(warning.uid, "user:wang", county.codes[VILLAGE])
    told = await told_again(county, warning)
    assert told <= {"H1", "H2", "G1", "G2"}
    assert told


async def test_the_desk_sees_that_its_counts_do_not_add_up(county: County, warning: Warning) -> None:
    async with county.store.read() as conn:
        health = await read_health(conn, [warning], NOW + 40_000)
    assert (health.drift, health.checked) == ([], 1)
    assert not health.fine, "red has waited for forty seconds"
    assert health.red == pytest.approx(40, abs=1)
    await county.run("UPDATE tally SET n = n + 1 WHERE warning_id = :w AND channel = 'sms'", w=warning.id)
    async with county.store.read() as conn:
        health = await read_health(conn, [warning], NOW)
    assert health.drift == [warning.uid]
