"""A red warning starts the plan that ships, and who has a task of it is told so, beside the warning and once for each."""

from collections import Counter

from townhall import Opener, make_alert

from warnhub.response.plans import default_plans
from warnhub.store.assignments import TASK


async def test_the_plan_tells_whom_it_asks(visit: Opener) -> None:
    """Everybody hears the warning once; only owners hear more, and of nothing but their tasks."""
    async with visit(plans=default_plans()) as town:
        uid = await town.release(make_alert("t-1"))
        await town.settle(uid)
        heard = Counter((one.channel, one.address) for one in town.watchman.messages())
        assert set(heard) == await town.wanted()
        tasked = await town.ask(
            "SELECT d.recipient_id, r.role FROM wave v JOIN delivery d ON d.wave_id = v.id "
            f"JOIN recipient r ON r.id = d.recipient_id WHERE v.cause LIKE '{TASK}%'"
        )
        owners = await town.ask("SELECT DISTINCT owner_id FROM assignment")
        assert tasked
        assert {row.recipient_id for row in tasked} <= {row.owner_id for row in owners}
        assert "resident" not in {row.role for row in tasked}
        assert sum(heard.values()) - len(heard) == len(tasked)
